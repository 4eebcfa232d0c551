"""A blob that breaks is read on from where it broke, and never taken for what it is not."""

import random

import pytest

from artificer.errors import ArtificerError, Transient
from artificer.events import Note, Retrying
from artificer.http.redirect import BadRedirect
from artificer.oci.descriptor import Descriptor
from artificer.oci.reference import Repository
from artificer.registry.download import TooLong
from artificer.registry.problems import Denied, Mismatch, NotFound, Refused, ServerFailed
from artificer.registry.routes import Mirror, Routes, Rule
from tests.registry.clients import Client, Connect
from tests.registry.faulty import Fault, Faulty

DATA = random.Random(3).randbytes(700_000)
BLOB = Descriptor.for_bytes("application/vnd.oci.image.layer.v1.tar+gzip", DATA)


def where(faulty: Faulty) -> Repository:
    return Repository(faulty.host, "team/app")


def pull(client: Client, faulty: Faulty, blob: Descriptor = BLOB) -> bytes:
    return b"".join(client.registry.blob_chunks(where(faulty), blob))


@pytest.mark.parametrize(
    "fault",
    [
        *(Fault("GET blob", cut=at) for at in (0, 1, 70_000, 350_000, 699_999)),
        *(Fault("GET blob", status=status) for status in (408, 429, 500, 502, 503, 504)),
        Fault("GET blob", lost=True),
    ],
    ids=str,
)
def test_any_single_fault_ends_in_the_same_bytes(
    faulty: Faulty, client: Client, fault: Fault
) -> None:
    faulty.give("team/app", DATA)
    faulty.faults.append(fault)

    assert pull(client, faulty) == DATA


def test_only_the_rest_is_asked_for(faulty: Faulty, client: Client) -> None:
    faulty.give("team/app", DATA)
    faulty.faults += [Fault("GET blob", cut=at) for at in (300_000, 200_000, 100_000)]

    assert pull(client, faulty) == DATA
    assert len(faulty.seen("GET blob")) == 4
    assert [type(event) for event in client.events] == [Retrying] * 3


def test_a_registry_without_ranges_sends_all_and_the_rest_is_taken(
    faulty: Faulty, client: Client
) -> None:
    faulty.give("team/app", DATA)
    faulty.ranges = False
    faulty.faults.append(Fault("GET blob", cut=300_000))

    assert pull(client, faulty) == DATA


def test_what_breaks_without_end_is_given_up(faulty: Faulty, client: Client) -> None:
    faulty.give("team/app", DATA)
    faulty.faults += [Fault("GET blob", cut=0)] * 20

    with pytest.raises(Transient):
        pull(client, faulty)


def test_a_body_without_a_length_that_ends_early_is_read_on(
    faulty: Faulty, client: Client
) -> None:
    faulty.give("team/app", DATA)
    faulty.faults.append(Fault("GET blob", headers={"Content-Length": "200000"}, cut=200_000))

    assert pull(client, faulty) == DATA


def test_other_bytes_are_an_error(faulty: Faulty, client: Client) -> None:
    faulty.give("team/app", DATA)
    faulty.blobs["team/app"][BLOB.digest] = DATA[:-1] + b"!"

    with pytest.raises(Mismatch, match=BLOB.digest):
        pull(client, faulty)


def test_more_bytes_than_stated_are_an_error_before_they_are_given(
    faulty: Faulty, client: Client
) -> None:
    faulty.give("team/app", DATA)
    faulty.blobs["team/app"][BLOB.digest] = DATA + b"!"
    got = bytearray()
    chunks = client.registry.blob_chunks(where(faulty), BLOB)

    with pytest.raises(TooLong, match="700000"):
        got.extend(byte for chunk in chunks for byte in chunk)

    assert len(got) <= len(DATA)


def test_another_range_than_asked_is_an_error(faulty: Faulty, client: Client) -> None:
    faulty.give("team/app", DATA)
    faulty.faults += [
        Fault("GET blob", cut=1000),
        Fault("GET blob", headers={"Content-Range": "bytes 5-699999/700000"}),
    ]

    with pytest.raises(Refused, match="another range"):
        pull(client, faulty)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (403, Denied), (401, Denied), (500, ServerFailed)]
)
def test_a_refusal_is_an_error(
    faulty: Faulty, client: Client, status: int, kind: type[ArtificerError]
) -> None:
    faulty.faults += [Fault("GET blob", status=status)] * 20

    with pytest.raises(kind, match="reading blob"):
        pull(client, faulty)


def test_the_empty_blob_is_read(faulty: Faulty, client: Client) -> None:
    faulty.give("team/app", b"")

    assert pull(client, faulty, Descriptor.for_bytes("x/y", b"")) == b""


def test_the_empty_blob_must_be_there_too(faulty: Faulty, client: Client) -> None:
    with pytest.raises(NotFound):
        pull(client, faulty, Descriptor.for_bytes("x/y", b""))


def test_a_part_is_read_from_an_offset(faulty: Faulty, client: Client) -> None:
    faulty.give("team/app", DATA)
    faulty.faults.append(Fault("GET blob", cut=100))

    for offset in (600_000, 5):
        chunks = client.registry.blob_chunks(where(faulty), BLOB, offset=offset)
        assert b"".join(chunks) == DATA[offset:]


# Mirrors


def mirrored(faulty: Faulty, other: Faulty) -> Routes:
    return Routes([Rule(faulty.host, mirrors=(Mirror(other.host),))])


def test_a_mirror_is_asked_first(faulty: Faulty, other: Faulty, connect: Connect) -> None:
    other.give("team/app", DATA)
    client = connect(routes=mirrored(faulty, other))

    assert pull(client, faulty) == DATA
    assert faulty.requests == []


@pytest.mark.parametrize("status", [401, 403, 404, 418, 500])
def test_a_mirror_that_fails_is_passed_over(
    faulty: Faulty, other: Faulty, connect: Connect, status: int
) -> None:
    faulty.give("team/app", DATA)
    other.faults += [Fault("GET blob", status=status)] * 9
    client = connect(routes=mirrored(faulty, other))

    assert pull(client, faulty) == DATA
    assert any(isinstance(event, Note) and other.host in event.text for event in client.events)


def test_the_registry_goes_on_where_its_mirror_broke(
    faulty: Faulty, other: Faulty, connect: Connect
) -> None:
    for registry in (faulty, other):
        registry.give("team/app", DATA)
    other.faults.append(Fault("GET blob", cut=300_000))
    client = connect(routes=mirrored(faulty, other))

    assert pull(client, faulty) == DATA
    assert (other.requests, faulty.requests) == (["GET blob"], ["GET blob"])


def test_a_mirror_that_nobody_runs_is_passed_over(faulty: Faulty, connect: Connect) -> None:
    faulty.give("team/app", DATA)
    routes = Routes([Rule(faulty.host, mirrors=(Mirror("127.0.0.1:1"),))])

    assert pull(connect(routes=routes), faulty) == DATA


def test_a_redirect_that_must_not_be_followed_is_not_asked_for_again(
    client: Client, faulty: Faulty
) -> None:
    faulty.give("team/app", DATA)
    away = {"Location": "http://169.254.169.254/"}
    faulty.faults += [Fault("GET blob", status=307, headers=away)] * 9

    with pytest.raises(BadRedirect):
        pull(client, faulty)

    assert faulty.seen("GET blob") == ["GET blob"]
