"""Tags, repositories and referrers are listed to the end, and to an end."""

import json

import pytest

from artificer import limits
from artificer.http.request import AnswerTooLong
from artificer.oci.digest import Digest
from artificer.oci.media import OCI_MANIFEST
from artificer.oci.reference import Named, Repository
from artificer.registry.listing import EndlessList
from artificer.registry.referring import ReferrersBroken
from tests.registry.clients import Client
from tests.registry.faulty import Fault, Faulty

DATA = b'{"schemaVersion":2,"config":{},"layers":[]}'
DIGEST = Digest.of(DATA)


def where(faulty: Faulty) -> Repository:
    return Repository(faulty.host, "team/app")


def named(faulty: Faulty, tag: str | None = "v1", digest: Digest | None = None) -> Named:
    return Named(where(faulty), tag, digest)


def test_every_page_of_tags_is_read(faulty: Faulty, client: Client) -> None:
    faulty.page = 2
    for number in range(5):
        faulty.give_manifest("team/app", f"v{number}", OCI_MANIFEST, DATA)

    assert list(client.registry.tags(where(faulty))) == ["v0", "v1", "v2", "v3", "v4"]
    assert faulty.requests == ["GET tag"] * 3


@pytest.mark.parametrize("body", [b'{"tags":null}', b"{}", b'{"tags":[1]}'])
def test_a_repository_without_tags_has_none(faulty: Faulty, client: Client, body: bytes) -> None:
    faulty.faults.append(Fault("GET tag", status=200, body=body))

    assert list(client.registry.tags(where(faulty))) == []


@pytest.mark.parametrize("extra", [0, 1])
def test_a_page_has_thirty_two_mebibytes_at_most(
    faulty: Faulty, client: Client, extra: int
) -> None:
    body = b'{"tags":["v1"]' + b" " * (limits.TAGS_BYTES - 15 + extra) + b"}"
    faulty.faults.append(Fault("GET tag", status=200, body=body))

    if extra:
        with pytest.raises(AnswerTooLong, match="longer than 33554432 bytes"):
            list(client.registry.tags(where(faulty)))
    else:
        assert list(client.registry.tags(where(faulty))) == ["v1"]


def test_a_list_that_bites_its_tail_is_an_error(faulty: Faulty, client: Client) -> None:
    same = '</v2/team/app/tags/list?n=1000>; rel="next"'
    faulty.faults.append(Fault("GET tag", headers={"Link": same}))

    with pytest.raises(EndlessList):
        list(client.registry.tags(where(faulty)))


def test_a_list_goes_on_at_the_same_registry_only(
    faulty: Faulty, other: Faulty, client: Client
) -> None:
    elsewhere = f"<http://{other.host}/v2/team/app/tags/list>; rel=next"
    faulty.give_manifest("team/app", "v1", OCI_MANIFEST, DATA)
    faulty.faults.append(Fault("GET tag", headers={"Link": elsewhere}))

    assert list(client.registry.tags(where(faulty))) == ["v1"]
    assert other.requests == []


def test_repositories_are_listed(faulty: Faulty, client: Client) -> None:
    body = b'{"repositories":["a","b/c"]}'
    faulty.faults.append(Fault("GET /v2/_catalog", status=200, body=body))

    assert list(client.registry.catalog(faulty.host)) == [
        Repository(faulty.host, "a"),
        Repository(faulty.host, "b/c"),
    ]


@pytest.mark.parametrize("referrers", [True, False], ids=["listed", "by-tag"])
def test_what_refers_to_an_image_is_found(faulty: Faulty, client: Client, referrers: bool) -> None:
    faulty.referrers = referrers
    subject = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": len(DATA)}
    digests = []
    for kind in ("application/a", "application/b", "application/b"):
        document: dict[str, object] = {"artifactType": kind, "subject": subject, "layers": []}
        data = json.dumps(document).encode()
        digests.append(
            client.registry.put_manifest(where(faulty), Digest.of(data), OCI_MANIFEST, data)
        )

    every = client.registry.referrers(where(faulty), DIGEST)
    some = client.registry.referrers(where(faulty), DIGEST, "application/b")

    assert {one.digest for one in every} == set(digests)
    assert [one.digest for one in some] == [digests[1]]
    assert ("sha256-" + DIGEST.hex in faulty.tags.get("team/app", {})) is not referrers


@pytest.mark.parametrize("referrers", [True, False])
def test_nothing_refers_to_what_nobody_knows(
    faulty: Faulty, client: Client, referrers: bool
) -> None:
    faulty.referrers = referrers

    assert client.registry.referrers(where(faulty), DIGEST) == []


def test_a_tag_that_is_no_list_of_referrers_is_left_alone(faulty: Faulty, client: Client) -> None:
    faulty.referrers = False
    faulty.give_manifest("team/app", f"sha256-{DIGEST.hex}", OCI_MANIFEST, DATA)
    subject = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": len(DATA)}
    data = json.dumps({"subject": subject, "layers": []}).encode()

    with pytest.raises(ReferrersBroken):
        client.registry.put_manifest(where(faulty), Digest.of(data), OCI_MANIFEST, data)
    assert client.registry.referrers(where(faulty), DIGEST) == []


def test_a_referrer_is_listed_once(faulty: Faulty, client: Client) -> None:
    faulty.referrers = False
    subject = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": len(DATA)}
    data = json.dumps({"subject": subject, "config": {"mediaType": "a/b"}}).encode()

    for _ in range(2):
        client.registry.put_manifest(where(faulty), Digest.of(data), OCI_MANIFEST, data)

    (found,) = client.registry.referrers(where(faulty), DIGEST, "a/b")
    assert found.digest == Digest.of(data)
