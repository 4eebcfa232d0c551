"""Manifests, lists and refusals: what a registry says becomes a value or a clear error."""

import json

import pytest

from artificer.errors import ArtificerError
from artificer.events import Note, Warned
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.media import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_1_SIGNED,
    OCI_INDEX,
    OCI_MANIFEST,
)
from artificer.oci.reference import Named, Repository
from artificer.registry.credential import Basic
from artificer.registry.manifests import UnsupportedManifest
from artificer.registry.problems import (
    Mismatch,
    NotFound,
    Refused,
)
from artificer.registry.routes import Blocked, Mirror, Routes, Rule
from tests.registry.clients import Client, Connect
from tests.registry.faulty import Fault, Faulty

DATA = b'{"schemaVersion":2,"config":{},"layers":[]}'
DIGEST = Digest.of(DATA)


def where(faulty: Faulty) -> Repository:
    return Repository(faulty.host, "team/app")


def named(faulty: Faulty, tag: str | None = "v1", digest: Digest | None = None) -> Named:
    return Named(where(faulty), tag, digest)


# HEAD


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST])
def test_a_tag_is_resolved_by_one_head(faulty: Faulty, client: Client, media_type: str) -> None:
    faulty.give_manifest("team/app", "v1", media_type, DATA)

    found = client.registry.head_manifest(named(faulty))

    assert found == Descriptor.make(media_type, DIGEST, len(DATA))
    assert faulty.requests == ["HEAD manifest"]


def test_what_is_not_there_is_none(faulty: Faulty, client: Client) -> None:
    assert client.registry.head_manifest(named(faulty)) is None
    assert client.registry.head_target(named(faulty)) is None
    assert client.registry.head_blob(where(faulty), DIGEST) is None


@pytest.mark.parametrize("status", [400, 405, 501])
def test_a_registry_without_head_is_asked_by_get(
    faulty: Faulty, client: Client, status: int
) -> None:
    faulty.give_manifest("team/app", "v1", OCI_MANIFEST, DATA)
    faulty.faults += [Fault("HEAD manifest", status=status)] * 5

    found = client.registry.head_manifest(named(faulty))

    assert found == Descriptor.make(OCI_MANIFEST, DIGEST, len(DATA))


def test_a_registry_without_head_that_has_nothing_has_nothing(
    faulty: Faulty, client: Client
) -> None:
    faulty.faults.append(Fault("HEAD manifest", status=405))

    assert client.registry.head_manifest(named(faulty)) is None


def test_without_a_digest_header_it_is_computed(faulty: Faulty, client: Client) -> None:
    faulty.give_manifest("team/app", "v1", OCI_MANIFEST, DATA)
    faulty.digests = False

    found = client.registry.head_manifest(named(faulty))

    assert found == Descriptor.make(OCI_MANIFEST, DIGEST, len(DATA))


@pytest.mark.parametrize("content_type", ["application/json", "text/plain; charset=utf-8", ""])
def test_a_forgotten_media_type_is_read_from_the_manifest(
    faulty: Faulty, client: Client, content_type: str
) -> None:
    for data, media_type in (
        (DATA, OCI_MANIFEST),
        (b'{"schemaVersion":2,"manifests":[]}', OCI_INDEX),
        (b'{"mediaType":"%s"}' % DOCKER_LIST.encode(), DOCKER_LIST),
    ):
        faulty.give_manifest("team/app", "v1", content_type, data)
        found = client.registry.head_manifest(named(faulty))
        assert found == Descriptor.make(media_type, Digest.of(data), len(data))


def test_another_digest_than_asked_for_is_an_error(faulty: Faulty, client: Client) -> None:
    faulty.give_manifest("team/app", "v1", OCI_MANIFEST, DATA)
    faulty.faults.append(
        Fault("HEAD manifest", headers={"Docker-Content-Digest": Digest.of(b"else")})
    )

    with pytest.raises(Mismatch, match=Digest.of(b"else")):
        client.registry.head_manifest(named(faulty, "v1", DIGEST))


# GET


def test_a_manifest_is_read_by_tag_and_by_digest(faulty: Faulty, client: Client) -> None:
    faulty.give_manifest("team/app", "v1", OCI_MANIFEST, DATA)

    for reference in ("v1", DIGEST):
        assert client.registry.manifest(where(faulty), reference) == (OCI_MANIFEST, DATA)


def test_sha512_is_a_digest_too(faulty: Faulty, client: Client) -> None:
    import hashlib

    digest = Digest("sha512:" + hashlib.sha512(DATA).hexdigest())
    faulty.manifests["team/app"] = {digest: (OCI_MANIFEST, DATA)}

    assert client.registry.manifest(where(faulty), digest).data == DATA
    found = client.registry.head_manifest(named(faulty, None, digest))
    assert found is not None
    assert found.digest == digest


@pytest.mark.parametrize("reference", ["v1", DIGEST])
def test_other_bytes_than_the_digest_names_are_an_error(
    faulty: Faulty, client: Client, reference: str
) -> None:
    faulty.give_manifest("team/app", "v1", OCI_MANIFEST, DATA)
    faulty.manifests["team/app"][DIGEST] = (OCI_MANIFEST, DATA + b" ")

    with pytest.raises(Mismatch, match=reference):
        client.registry.manifest(where(faulty), reference)


def test_a_truncated_manifest_is_asked_for_again_or_an_error(
    faulty: Faulty, client: Client
) -> None:
    faulty.give_manifest("team/app", "v1", OCI_MANIFEST, DATA)
    faulty.faults.append(Fault("GET manifest", cut=10, headers={"Content-Length": "10"}))

    with pytest.raises(Mismatch):
        client.registry.manifest(where(faulty), "v1")


@pytest.mark.parametrize(("size", "fits"), [(4 << 20, True), ((4 << 20) + 1, False)])
def test_a_manifest_has_at_most_four_mebibytes(
    faulty: Faulty, client: Client, size: int, fits: bool
) -> None:
    data = DATA[:-1] + b" " * (size - len(DATA)) + b"}"
    faulty.give_manifest("team/app", "v1", OCI_MANIFEST, data)

    if fits:
        assert client.registry.manifest(where(faulty), "v1").data == data
    else:
        with pytest.raises(ArtificerError, match="longer than 4194304 bytes"):
            client.registry.manifest(where(faulty), "v1")


@pytest.mark.parametrize(
    ("media_type", "data"),
    [
        (DOCKER_MANIFEST_1_SIGNED, b'{"schemaVersion":1}'),
        ("application/json", b'{"schemaVersion":1}'),
    ],
)
def test_schema_1_is_refused_by_name(
    faulty: Faulty, client: Client, media_type: str, data: bytes
) -> None:
    faulty.give_manifest("team/app", "v1", media_type, data)

    with pytest.raises(UnsupportedManifest, match="schema 1"):
        client.registry.manifest(where(faulty), "v1")
    with pytest.raises(UnsupportedManifest, match="schema 1"):
        client.registry.head_manifest(named(faulty))


def test_a_type_that_is_no_image_is_named(faulty: Faulty, client: Client) -> None:
    faulty.give_manifest("team/app", "v1", "application/x-chart", b"{}")

    with pytest.raises(UnsupportedManifest, match="application/x-chart"):
        client.registry.manifest(where(faulty), "v1")


def test_a_page_that_is_no_manifest_is_an_error(faulty: Faulty, client: Client) -> None:
    faulty.give_manifest("team/app", "v1", "text/html", b"<html>")

    with pytest.raises(UnsupportedManifest, match="is a web page"):
        client.registry.manifest(where(faulty), "v1")


# PUT and DELETE


def test_a_manifest_is_written_by_tag_and_by_digest(faulty: Faulty, client: Client) -> None:
    for reference in (DIGEST, "v1"):
        assert client.registry.put_manifest(where(faulty), reference, OCI_MANIFEST, DATA) == DIGEST

    assert faulty.tags["team/app"] == {"v1": DIGEST}
    assert faulty.manifests["team/app"] == {DIGEST: (OCI_MANIFEST, DATA)}


def test_a_manifest_that_arrives_as_another_is_an_error(faulty: Faulty, client: Client) -> None:
    wrong = {"Docker-Content-Digest": Digest.of(b"else")}
    faulty.faults.append(Fault("PUT manifest", headers=wrong))

    with pytest.raises(Mismatch, match="arrived as"):
        client.registry.put_manifest(where(faulty), "v1", OCI_MANIFEST, DATA)


def test_a_blob_that_is_known_late_is_waited_for(faulty: Faulty, client: Client) -> None:
    unknown = b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}'
    faulty.faults += [Fault("PUT manifest", status=400, body=unknown)] * 3

    client.registry.put_manifest(where(faulty), "v1", OCI_MANIFEST, DATA)

    assert client.paused == [1, 2, 4]


def test_a_blob_that_is_never_known_is_an_error(faulty: Faulty, client: Client) -> None:
    lacking = json.dumps({"layers": [{"digest": DIGEST}]}).encode()

    with pytest.raises(Refused, match="MANIFEST_BLOB_UNKNOWN"):
        client.registry.put_manifest(where(faulty), "v1", OCI_MANIFEST, lacking)


def test_a_tag_is_deleted(faulty: Faulty, client: Client) -> None:
    faulty.give_manifest("team/app", "v1", OCI_MANIFEST, DATA)

    client.registry.delete(where(faulty), "v1")

    assert faulty.tags["team/app"] == {}
    with pytest.raises(NotFound):
        client.registry.delete(where(faulty), "v1")


# Routes


def test_a_write_asks_no_mirror(faulty: Faulty, other: Faulty, connect: Connect) -> None:
    routes = Routes([Rule(faulty.host, mirrors=(Mirror(other.host),))])
    client = connect(routes=routes)

    client.registry.put_manifest(where(faulty), "v1", OCI_MANIFEST, DATA)
    client.registry.head_target(named(faulty))
    client.registry.head_blob(where(faulty), DIGEST)
    list(client.registry.tags(where(faulty)))

    assert other.requests == []


def test_a_mirror_that_lacks_a_tag_is_passed_over(
    faulty: Faulty, other: Faulty, connect: Connect
) -> None:
    faulty.give_manifest("team/app", "v1", OCI_MANIFEST, DATA)
    client = connect(routes=Routes([Rule(faulty.host, mirrors=(Mirror(other.host),))]))

    found = client.registry.head_manifest(named(faulty))

    assert found is not None
    assert client.registry.manifest(where(faulty), "v1").data == DATA
    assert [event.text for event in client.events if isinstance(event, Note)] == [
        f"mirror http://{other.host}: {other.host}/team/app: reading manifest v1 failed with 404: "
        "MANIFEST_UNKNOWN: manifest_unknown"
    ]


def test_a_mirror_that_lies_is_passed_over(
    faulty: Faulty, other: Faulty, connect: Connect
) -> None:
    for registry in (faulty, other):
        registry.give_manifest("team/app", "v1", OCI_MANIFEST, DATA)
    other.manifests["team/app"][DIGEST] = (OCI_MANIFEST, b"{}")
    client = connect(routes=Routes([Rule(faulty.host, mirrors=(Mirror(other.host),))]))

    assert client.registry.manifest(where(faulty), DIGEST).data == DATA


def test_a_blocked_registry_is_not_asked(faulty: Faulty, connect: Connect) -> None:
    client = connect(routes=Routes([Rule(faulty.host, blocked=True)]))

    with pytest.raises(Blocked):
        client.registry.head_manifest(named(faulty))
    assert faulty.requests == []


# What a registry says


def test_a_warning_is_told_once(faulty: Faulty, client: Client) -> None:
    warning = {"Warning": '299 - "this\x1b registry moves"'}
    faulty.faults += [Fault("HEAD manifest", headers=warning)] * 2

    for _ in range(2):
        client.registry.head_manifest(named(faulty))

    assert client.events == [Warned(f"{faulty.host}: this registry moves")]


def test_how_we_come_in_is_explained(faulty: Faulty, connect: Connect) -> None:
    faulty.auth, faulty.password = "token", "me:secret"
    told = connect(credential=Basic("me", "secret")).registry.explain(where(faulty), push=True)

    assert (told.scheme, told.kind, told.source, told.status) == (
        "bearer",
        "basic",
        "the test",
        200,
    )
    assert told.asked == ("repository:team/app:pull,push",)
