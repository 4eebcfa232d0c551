"""Blobs go up whole, whatever breaks on the way; what cannot be mended is a clear error."""

import json
import os
import resource
from collections.abc import Iterator

import pytest

from artificer.errors import Transient
from artificer.events import BlobExists, BlobMounted, BlobProgress, BlobSent
from artificer.http.request import Body, body_of, file_body
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.media import OCI_LAYER_GZIP
from artificer.oci.reference import Repository
from artificer.registry.credential import ANONYMOUS, Basic
from artificer.registry.problems import Denied, Mismatch, Refused, ServerFailed
from artificer.registry.upload import Uploads
from tests.parts.waiting import wait_until
from tests.registry.clients import Client, Connect
from tests.registry.faulty import Fault, Faulty
from tests.registry.pushes import (
    BLOB,
    DATA,
    by_patch,
    complete,
    counted,
    in_one_put,
    push,
    repository,
)

# Large blobs


def test_a_large_blob_goes_on_where_it_broke(connect: Connect, faulty: Faulty) -> None:
    client = connect(uploads=by_patch)
    faulty.faults.append(Fault("PATCH upload", reset=150_000))

    sent = push(client, faulty)

    assert sent.opened == [0, 150_000]
    assert faulty.received == len(DATA)
    assert faulty.seen("POST") == ["POST upload"]


def test_a_small_blob_goes_on_by_patch_where_its_put_broke(
    connect: Connect, faulty: Faulty
) -> None:
    client = connect()
    faulty.faults.append(Fault("PUT upload", reset=150_000))

    sent = push(client, faulty)

    assert sent.how == "sent"
    assert complete(faulty)


def test_a_body_that_is_too_large_for_a_request_goes_in_parts(
    connect: Connect, faulty: Faulty
) -> None:
    client = connect(uploads=by_patch)
    faulty.most = 60_000

    push(client, faulty)

    assert complete(faulty)
    # 300,000 and 100,000 were refused; then six parts of 50,000.
    assert len(faulty.seen("PATCH")) == 8


def test_parts_are_not_smaller_than_the_registry_wants(connect: Connect, faulty: Faulty) -> None:
    client = connect(uploads=by_patch)
    faulty.most, faulty.least = 60_000, 55_000

    with pytest.raises(Refused, match="413"):
        push(client, faulty)


def test_a_small_blob_that_is_too_large_for_a_request_goes_in_parts(
    connect: Connect, faulty: Faulty
) -> None:
    client = connect(uploads=lambda uploads: uploads._replace(least=10_000))
    faulty.most = 160_000

    push(client, faulty)

    assert complete(faulty)


def test_a_registry_without_patch_gets_one_put(connect: Connect, faulty: Faulty) -> None:
    client = connect(uploads=by_patch)
    faulty.patch = False

    push(client, faulty)

    assert complete(faulty)


@pytest.mark.parametrize("relative", [True, False])
def test_the_location_may_be_relative(connect: Connect, faulty: Faulty, relative: bool) -> None:
    faulty.relative = relative

    for way in (in_one_put, by_patch):
        faulty.blobs.clear()
        push(connect(uploads=way), faulty)
        assert complete(faulty)


def test_a_wrong_digest_in_the_answer_is_an_error(faulty: Faulty, client: Client) -> None:
    wrong = {"Docker-Content-Digest": Digest.of(b"else")}
    faulty.faults.append(Fault("PUT upload", headers=wrong))

    with pytest.raises(Mismatch, match="arrived as"):
        push(client, faulty)


def test_a_session_elsewhere_gets_no_credentials(
    connect: Connect, faulty: Faulty, other: Faulty
) -> None:
    faulty.auth, faulty.password = "basic", "me:secret"
    client = connect(credential=Basic("me", "secret"))
    location = {"Location": f"http://{other.host}/v2/team/app/blobs/uploads/x?_state=a%2Fb"}
    faulty.faults += [Fault("HEAD blob"), Fault("POST upload", headers=location)]

    push(client, faulty)

    assert other.authorizations
    assert {header for _, header in other.authorizations} == {""}


# Sessions that outlive a process


class Kept(dict[str, bytes]):
    """What a store keeps of sessions."""

    def uploads(self, uploads: Uploads) -> Uploads:
        return by_patch(uploads)._replace(
            take=lambda key: self.pop(key, None), put=self.__setitem__
        )


class Killed(BaseException):
    """Stands for the end of the process."""


def half(data: bytes) -> Body:
    def chunks(offset: int) -> Iterator[bytes]:
        yield data[:150_000]
        raise Killed

    return Body(len(data), chunks)


def test_another_process_goes_on_where_the_first_was_killed(
    connect: Connect, faulty: Faulty
) -> None:
    kept = Kept()
    first, second = connect(uploads=kept.uploads), connect(uploads=kept.uploads)
    with pytest.raises(Killed):
        first.registry.push_blob(repository(faulty), BLOB, half(DATA))
    wait_until(lambda: faulty.received == 150_000)
    first.close()

    sent = push(second, faulty)

    assert complete(faulty)
    assert sent.opened == [150_000]
    assert faulty.received == len(DATA)
    assert kept == {}


def test_the_session_of_a_process_that_still_runs_is_left_to_it(
    connect: Connect, faulty: Faulty
) -> None:
    key = f"{repository(faulty)}@{BLOB.digest}"
    data = json.dumps({"url": "http://127.0.0.1:1/", "pid": os.getppid()}).encode()
    kept = Kept({key: data})

    push(connect(uploads=kept.uploads), faulty)

    assert complete(faulty)
    assert kept == {key: data}


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"url":"http://x/","pid":"y"}'])
def test_a_record_that_makes_no_sense_is_not_used(
    connect: Connect, faulty: Faulty, data: bytes
) -> None:
    kept = Kept({f"{repository(faulty)}@{BLOB.digest}": data})

    push(connect(uploads=kept.uploads), faulty)

    assert complete(faulty)


def test_a_session_that_the_registry_forgot_begins_again(connect: Connect, faulty: Faulty) -> None:
    url = f"http://{faulty.host}/v2/team/app/blobs/uploads/gone"
    data = json.dumps({"url": url, "pid": 2**22 + 1}).encode()
    kept = Kept({f"{repository(faulty)}@{BLOB.digest}": data})

    push(connect(uploads=kept.uploads), faulty)

    assert complete(faulty)


# There already, and mounts


def test_what_is_there_is_not_opened(faulty: Faulty, client: Client) -> None:
    faulty.give("team/app", DATA)

    sent = push(client, faulty)

    assert sent == ("exists", [], 0)
    assert client.events[0] == BlobExists(repository(faulty), BLOB.digest, BLOB.size)


def test_a_blob_is_mounted_from_where_it_is(faulty: Faulty, client: Client) -> None:
    faulty.give("base", DATA)
    where, source = repository(faulty), repository(faulty, "base")

    how = client.registry.push_blob(where, BLOB, body_of(b""), [source])

    assert how == f"mounted:{source}"
    assert BlobMounted(where, BLOB.digest, BLOB.size, source) in client.events
    assert faulty.requests == ["HEAD blob", "POST upload"]


@pytest.mark.parametrize("mount", ["ignore", "400", "401", "403", "404", "405", "500"])
def test_whoever_refuses_a_mount_gets_the_bytes(
    faulty: Faulty, client: Client, mount: str
) -> None:
    faulty.give("base", DATA)
    faulty.mount = mount
    where, sources = repository(faulty), [repository(faulty, "base"), repository(faulty, "else")]

    how = client.registry.push_blob(where, BLOB, body_of(DATA), sources)

    assert how == "sent"
    assert faulty.blobs["team/app"][BLOB.digest] == DATA
    assert len(faulty.uploads) == 0


def test_a_mount_that_is_accepted_as_a_session_goes_on_as_one(
    faulty: Faulty, client: Client
) -> None:
    sources = [repository(faulty, "base")]

    client.registry.push_blob(repository(faulty), BLOB, body_of(DATA), sources)

    assert faulty.requests == ["HEAD blob", "POST upload", "PUT upload"]


def test_nothing_is_mounted_from_another_registry(faulty: Faulty, client: Client) -> None:
    source = Repository("ghcr.io", "base")

    client.registry.push_blob(repository(faulty), BLOB, body_of(DATA), [source])

    assert faulty.requests == ["HEAD blob", "POST upload", "PUT upload"]


def test_a_mount_asks_for_the_target_first_and_for_the_source_in_the_same_token(
    connect: Connect,
    faulty: Faulty,
) -> None:
    faulty.give("base", DATA)
    faulty.auth, faulty.password = "token", "me:secret"
    client = connect(credential=Basic("me", "secret"))

    client.registry.push_blob(
        repository(faulty), BLOB, body_of(DATA), [repository(faulty, "base")]
    )

    assert [asked["scope"] for asked in faulty.token_requests] == [
        ["repository:team/app:pull,push"],
        ["repository:team/app:pull,push", "repository:base:pull"],
    ]


# What is told, and what it costs


def test_progress_and_the_bytes_on_the_wire_are_told(
    connect: Connect, faulty: Faulty, tmp_path: os.PathLike[str]
) -> None:
    data = bytes(3_000_000)
    blob = Descriptor.for_bytes(OCI_LAYER_GZIP, data)
    path = os.path.join(tmp_path, "blob")
    with open(path, "wb") as file:
        file.write(data)
    where = repository(faulty)
    for body in (body_of(data), file_body(path, len(data))):
        client = connect()
        faulty.blobs.clear()
        client.registry.push_blob(where, blob, body)
        assert BlobSent(where, blob.digest, blob.size, len(data)) in client.events
    chunked = connect()
    faulty.blobs.clear()
    chunked.registry.push_blob(where, blob, counted(data, [], [0]))
    told = [event for event in chunked.events if isinstance(event, BlobProgress)]
    assert [event.done for event in told] == sorted(event.done for event in told)
    assert len(told) == 3
    assert told[-1].done == len(data)


def test_an_empty_blob_is_pushed(faulty: Faulty, client: Client) -> None:
    empty = Descriptor.for_bytes(OCI_LAYER_GZIP, b"")

    client.registry.push_blob(repository(faulty), empty, body_of(b""))

    assert faulty.blobs["team/app"][empty.digest] == b""


def test_two_gigabytes_take_no_memory(connect: Connect, faulty: Faulty) -> None:
    import hashlib

    size, block = 2 << 30, bytes(1 << 20)
    hasher = hashlib.sha256()
    for _ in range(size >> 20):
        hasher.update(block)
    blob = Descriptor.make(OCI_LAYER_GZIP, Digest.sha256(hasher), size)
    faulty.counting = True
    faulty.faults.append(Fault("PATCH upload", reset=3 << 29))
    read = 0

    def chunks(offset: int) -> Iterator[bytes]:
        nonlocal read
        for _ in range(offset, size, len(block)):
            read += len(block)
            yield block

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    client = connect()
    client.registry.push_blob(repository(faulty), blob, Body(size, chunks))

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert faulty.sizes[blob.digest] == size
    assert faulty.received == size
    assert read <= size + (32 << 20)  # the sockets were full
    assert grown < 50_000  # KiB


def test_check_push_leaves_nothing_behind(faulty: Faulty, client: Client) -> None:
    client.registry.check_push(repository(faulty))

    assert faulty.requests == ["POST upload", "DELETE upload"]
    assert not faulty.uploads


def test_check_push_says_what_a_push_would_say(connect: Connect, faulty: Faulty) -> None:
    faulty.auth, faulty.password = "basic", "me:secret"
    client = connect(credential=ANONYMOUS, problem="the helper failed")

    with pytest.raises(Denied, match="the helper failed") as caught:
        client.registry.check_push(repository(faulty))

    assert "here, there" in str(caught.value.hint)
    assert f"artificer login {faulty.host}" in str(caught.value.hint)


def test_a_registry_that_claims_more_than_it_got_is_asked_again(
    connect: Connect, faulty: Faulty
) -> None:
    faulty.faults.append(Fault("PATCH upload", headers={"Range": "0-999999"}))

    push(connect(uploads=by_patch), faulty)

    assert complete(faulty)
    assert faulty.received == len(DATA)


def test_a_pause_that_the_registry_asks_for_is_kept(connect: Connect, faulty: Faulty) -> None:
    client = connect(uploads=by_patch)
    faulty.faults.append(Fault("PATCH upload", status=503, headers={"Retry-After": "7"}))

    push(client, faulty)

    assert client.paused == [7]


@pytest.mark.parametrize("at", ["PATCH upload", "PUT upload"])
def test_a_pause_that_is_too_long_is_not_waited_for(
    connect: Connect, faulty: Faulty, at: str
) -> None:
    client = connect(uploads=by_patch)
    faulty.faults += [Fault(at, status=429, headers={"Retry-After": "3600"})] * 9

    with pytest.raises(Transient, match="429"):
        push(client, faulty)

    assert client.paused == []


@pytest.mark.parametrize(
    "fault", [Fault("POST upload", status=503), Fault("POST upload", lost=True)]
)
def test_a_session_that_cannot_be_had_is_given_up_after_one_round_of_pauses(
    connect: Connect, faulty: Faulty, fault: Fault
) -> None:
    client = connect(uploads=by_patch)
    faulty.faults.extend([fault] * 100)

    with pytest.raises((Transient, ServerFailed)):
        push(client, faulty)

    assert client.paused == [1, 2, 4]
