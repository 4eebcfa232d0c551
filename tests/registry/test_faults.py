"""One fault at a time: the same digest in the end, or a clear error without a tag."""

import random
from collections.abc import Callable

import pytest

from artificer.errors import ArtificerError, Transient
from artificer.oci.descriptor import Descriptor
from artificer.oci.media import OCI_LAYER_GZIP
from artificer.registry.credential import Basic
from artificer.registry.problems import Denied, NotFound, Refused, ServerFailed
from artificer.registry.upload import Uploads
from tests.registry.clients import Connect
from tests.registry.faulty import Fault, Faulty
from tests.registry.pushes import CHUNK, DATA, WAYS, by_patch, complete, counted, push, repository


def code(name: str) -> bytes:
    return b'{"errors":[{"code":"%s"}]}' % name.encode()


STEPS = ("HEAD blob", "POST upload", "PATCH upload", "PUT upload", "PUT manifest")

MENDED = [
    *(Fault("PATCH upload", reset=at) for at in (0, 1, 9_999, 150_000, 299_999, 300_000)),
    *(Fault("PUT upload", reset=at) for at in (0, 1, 9_999, 150_000, 299_999, 300_000)),
    *(Fault(f"{kind}", status=status) for status in (408, 429, 500, 502, 503, 504)
      for kind in ("HEAD blob", "POST upload", "PATCH upload", "PUT upload", "PUT manifest")),
    *(Fault(kind, lost=True)
      for kind in ("HEAD blob", "POST upload", "PATCH upload", "PUT upload", "PUT manifest")),
    Fault("PATCH upload", status=416),
    Fault("PATCH upload", status=404),
    Fault("PATCH upload", status=405),
    Fault("PATCH upload", status=501),
    Fault("PATCH upload", status=413),
    Fault("PUT upload", status=416),
    Fault("PUT upload", status=404),
    Fault("PUT upload", status=413),
    Fault("PATCH upload", headers={"Range": "0-99999"}),
    Fault("POST upload", status=503, headers={"Retry-After": "7"}),
    Fault("PATCH upload", status=503, headers={"Retry-After": "7"}),
    Fault("PATCH upload", status=502, body=b"<html><title>Bad gateway</title></html>"),
    Fault("PUT manifest", status=404, body=code("MANIFEST_BLOB_UNKNOWN")),
    Fault("PUT upload", status=400, body=code("DIGEST_INVALID")),
    Fault("PATCH upload", status=400, body=code("BLOB_UPLOAD_INVALID")),
]  # fmt: skip


@pytest.mark.parametrize("keeps", [True, False], ids=["keeps", "forgets"])
@pytest.mark.parametrize("fault", MENDED, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_any_single_fault_ends_in_the_same_digest(
    connect: Connect, faulty: Faulty, way: Callable[[Uploads], Uploads], fault: Fault, keeps: bool
) -> None:
    client = connect(uploads=way)
    faulty.faults.append(fault)
    faulty.keeps = keeps

    sent = push(client, faulty)

    assert complete(faulty)
    lies = "Range" in fault.headers  # who says that it has less than it has is sent it again
    # Each part is read a chunk further than it goes.
    assert sent.read <= (3 if lies else 2) * len(DATA) + 5 * CHUNK


LARGE = random.Random(2).randbytes(6_000_000)


@pytest.mark.parametrize("keeps", [True, False], ids=["keeps", "forgets"])
@pytest.mark.parametrize("at", [0, 1, 70_000, 3_000_000, len(LARGE) - 1, len(LARGE)])
@pytest.mark.parametrize("way", WAYS)
def test_no_byte_of_a_large_blob_is_read_more_than_twice(
    connect: Connect, faulty: Faulty, way: Callable[[Uploads], Uploads], at: int, keeps: bool
) -> None:
    client = connect(uploads=way)
    faulty.keeps = keeps
    faulty.faults += [Fault("PATCH upload" if way is by_patch else "PUT upload", reset=at)]
    blob = Descriptor.for_bytes(OCI_LAYER_GZIP, LARGE)
    opened: list[int] = []
    read = [0]

    client.registry.push_blob(repository(faulty), blob, counted(LARGE, opened, read))

    assert faulty.blobs["team/app"][blob.digest] == LARGE
    assert read[0] <= 2 * len(LARGE)
    assert len(opened) <= 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("expires_in", [300, 60, None])
@pytest.mark.parametrize("at", STEPS)
def test_a_token_that_ends_in_the_middle_is_renewed(
    connect: Connect,
    faulty: Faulty,
    way: Callable[[Uploads], Uploads],
    at: str,
    expires_in: int | None,
) -> None:
    faulty.auth, faulty.password, faulty.expires_in = "token", "me:secret", expires_in
    faulty.faults.append(Fault(at, expire=True))
    client = connect(credential=Basic("me", "secret"), uploads=way)

    push(client, faulty)

    assert complete(faulty)
    assert len(faulty.uploads) == 0


PERMANENT = [
    (
        Fault("POST upload", status=403, body=code("DENIED")),
        Denied,
        77,
    ),
    (Fault("POST upload", status=404, body=code("NAME_UNKNOWN")), NotFound, 1),
    (Fault("PUT upload", status=403, body=b""), Denied, 77),
    (Fault("PUT upload", status=400, body=code("NAME_INVALID")), Refused, 1),
    (
        Fault("PUT manifest", status=400, body=code("MANIFEST_INVALID")),
        Refused,
        1,
    ),
    (Fault("PUT manifest", status=409, body=code("TAG_INVALID")), Refused, 1),
    (Fault("HEAD blob", status=403, body=b""), Denied, 77),
    *(
        (Fault(at, status=status), ServerFailed, 69)
        for at in ("HEAD blob", "POST upload", "PUT upload", "PUT manifest")
        for status in (500, 503)
    ),
    *(
        (Fault(at, status=429), Transient, 75)
        for at in ("HEAD blob", "PUT upload", "PUT manifest")
    ),
    (Fault("PUT upload", status=400, body=code("DIGEST_INVALID")), Refused, 1),
    (Fault("PUT upload", status=413, body=b""), Refused, 1),
]


@pytest.mark.parametrize(("fault", "kind", "code"), PERMANENT, ids=str)
def test_a_fault_that_stays_is_a_clear_error_without_a_tag(
    connect: Connect, faulty: Faulty, fault: Fault, kind: type[ArtificerError], code: int
) -> None:
    client = connect(uploads=lambda uploads: uploads._replace(least=200_000))
    faulty.faults.extend([fault] * 100)

    with pytest.raises(kind) as caught:
        push(client, faulty)

    assert caught.value.exit_code == code
    assert faulty.host in caught.value.message
    assert "v1" not in faulty.tags.get("team/app", {})
