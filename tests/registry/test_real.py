"""Debian's docker-registry: open, behind TLS and a password, and behind a token service."""

import json
import random
import time
from collections.abc import Iterator

import pytest

from artificer.errors import ArtificerError
from artificer.http.request import Body, body_of
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.media import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from artificer.oci.reference import Named, parse_repository
from artificer.registry.certificates import Certificates
from artificer.registry.client import Registry
from artificer.registry.credential import Basic, Credential, IdentityToken
from artificer.registry.problems import Denied
from artificer.registry.routes import Routes
from artificer.registry.upload import Uploads
from tests.parts import registries
from tests.registry.clients import Client, Connect

CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
LAYER = random.Random(4).randbytes(3_000_000)
BLOBS = [Descriptor.for_bytes(OCI_CONFIG, CONFIG), Descriptor.for_bytes(OCI_LAYER, LAYER)]
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": BLOBS[0].document,
        "layers": [BLOBS[1].document],
    }
).encode()
DIGEST = Digest.of(MANIFEST)


def large(uploads: Uploads) -> Uploads:
    """As if 3 MB were large."""
    return uploads._replace(whole=100_000, part=1_000_000)


def push(registry: Registry, name: str, tag: str = "v1") -> list[str]:
    where = parse_repository(name)
    how = [
        registry.push_blob(where, blob, body_of(data), [])
        for blob, data in zip(BLOBS, (CONFIG, LAYER), strict=True)
    ]
    registry.put_manifest(where, tag, OCI_MANIFEST, MANIFEST)
    return how


def check(registry: Registry, name: str, tag: str = "v1") -> None:
    """Read everything back."""
    where = parse_repository(name)
    found = registry.head_manifest(Named(where, tag))
    assert found == Descriptor.make(OCI_MANIFEST, DIGEST, len(MANIFEST))
    assert registry.manifest(where, tag) == (OCI_MANIFEST, MANIFEST)
    for blob, data in zip(BLOBS, (CONFIG, LAYER), strict=True):
        assert b"".join(registry.blob_chunks(where, blob)) == data


@pytest.mark.parametrize("way", [large, lambda uploads: uploads], ids=["patch", "put"])
def test_an_image_goes_up_and_comes_back(
    connect: Connect, fresh_repository: str, way: object
) -> None:
    client = connect(uploads=way)

    assert push(client.registry, fresh_repository) == ["sent", "sent"]
    assert push(client.registry, fresh_repository, "v2") == ["exists", "exists"]

    check(client.registry, fresh_repository)
    assert list(client.registry.tags(parse_repository(fresh_repository))) == ["v1", "v2"]
    repositories = list(client.registry.catalog(fresh_repository.partition("/")[0]))
    assert parse_repository(fresh_repository) in repositories


def test_a_layer_is_mounted(client: Client, fresh_repository: str) -> None:
    push(client.registry, fresh_repository)
    source, target = (parse_repository(fresh_repository + end) for end in ("", "/other"))

    how = client.registry.push_blob(target, BLOBS[1], body_of(b""), [source])

    assert how == f"mounted:{source}"
    assert client.registry.head_blob(target, BLOBS[1].digest) == len(LAYER)


def test_a_manifest_is_deleted_by_digest(client: Client, fresh_repository: str) -> None:
    push(client.registry, fresh_repository)

    client.registry.delete(parse_repository(fresh_repository), DIGEST)

    assert client.registry.head_manifest(Named(parse_repository(fresh_repository), "v1")) is None


def test_nothing_refers_to_an_image_of_an_old_registry(
    client: Client, fresh_repository: str
) -> None:
    push(client.registry, fresh_repository)

    assert client.registry.referrers(parse_repository(fresh_repository), DIGEST) == []


def test_check_push_is_allowed(client: Client, fresh_repository: str) -> None:
    client.registry.check_push(parse_repository(fresh_repository))


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("after", [0, 1_000_000, 2_500_000])
def test_a_push_that_was_killed_is_done_by_the_next(
    connect: Connect, fresh_repository: str, after: int
) -> None:
    """This registry ends a session whose PATCH broke: the next push begins again, unharmed."""
    kept: dict[str, bytes] = {}

    def remembering(uploads: Uploads) -> Uploads:
        return large(uploads)._replace(take=lambda key: kept.pop(key, None), put=kept.__setitem__)

    def dying(offset: int) -> Iterator[bytes]:
        for at in range(offset, after, 100_000):
            yield LAYER[at : at + 100_000]
        raise Killed

    first, second = connect(uploads=remembering), connect(uploads=remembering)
    with pytest.raises(Killed):
        first.registry.push_blob(
            parse_repository(fresh_repository), BLOBS[1], Body(len(LAYER), dying)
        )
    first.close()
    assert len(kept) == 1

    push(second.registry, fresh_repository)

    check(second.registry, fresh_repository)
    assert kept == {}


def test_a_push_that_was_killed_between_two_requests_goes_on(
    connect: Connect, fresh_repository: str
) -> None:
    kept: dict[str, bytes] = {}
    puts: list[str] = []
    opened: list[int] = []

    def put(key: str, data: bytes) -> None:
        kept[key] = data
        puts.append(key)
        if len(puts) == 2:  # the session has begun, and has all bytes
            raise Killed

    def remembering(uploads: Uploads) -> Uploads:
        return large(uploads)._replace(take=lambda key: kept.pop(key, None), put=put)

    def reading(offset: int) -> Iterator[bytes]:
        opened.append(offset)
        yield LAYER[offset:]

    where = parse_repository(fresh_repository)
    body = Body(len(LAYER), reading)
    with pytest.raises(Killed):
        connect(uploads=remembering).registry.push_blob(where, BLOBS[1], body)

    second = connect(uploads=remembering)
    second.registry.push_blob(where, BLOBS[1], body)

    assert opened == [0]
    assert b"".join(second.registry.blob_chunks(where, BLOBS[1])) == LAYER


# A password over TLS


def trusting(ca_file: str) -> Routes:
    return Routes(certificates=Certificates(ca_files=(ca_file,)))


def test_a_password_is_taken_over_tls(
    connect: Connect, htpasswd_registry: registries.LockedRegistry
) -> None:
    host = htpasswd_registry.host.replace("127.0.0.1", "localhost")
    credential = Basic(htpasswd_registry.user, htpasswd_registry.password)
    client = connect(credential=credential, routes=trusting(str(htpasswd_registry.ca_file)))

    push(client.registry, f"{host}/locked/app")

    check(client.registry, f"{host}/locked/app")


def test_a_wrong_password_is_told_with_its_source(
    connect: Connect, htpasswd_registry: registries.LockedRegistry
) -> None:
    host = htpasswd_registry.host.replace("127.0.0.1", "localhost")
    client = connect(
        credential=Basic(htpasswd_registry.user, "wrong"),
        routes=trusting(str(htpasswd_registry.ca_file)),
    )

    with pytest.raises(Denied, match="the test") as caught:
        client.registry.check_push(parse_repository(f"{host}/locked/app"))

    assert "wrong" not in caught.value.message


# Tokens


def alice(registry: registries.TokenRegistry) -> Basic:
    return Basic(registry.user, registry.password)


def test_a_push_with_tokens(connect: Connect, token_registry: registries.TokenRegistry) -> None:
    client = connect(credential=alice(token_registry))
    name = f"{token_registry.host}/team/push"

    push(client.registry, name)

    check(client.registry, name)
    assert {asked.status for asked in token_registry.service.requests} == {200}
    # One token serves to push and to pull.
    assert len(token_registry.service.requests) == 1


def test_an_identity_token_pushes(
    connect: Connect, token_registry: registries.TokenRegistry
) -> None:
    credential: Credential = IdentityToken(token_registry.service.refresh_token("alice"))
    client = connect(credential=credential)

    push(client.registry, f"{token_registry.host}/team/identity")

    assert token_registry.service.requests[0].grant == "refresh_token"


def test_a_mount_with_tokens(connect: Connect, token_registry: registries.TokenRegistry) -> None:
    client = connect(credential=alice(token_registry))
    source, target = (
        parse_repository(f"{token_registry.host}/{path}")
        for path in ("team/source", "team/target")
    )
    push(client.registry, str(source))

    how = client.registry.push_blob(target, BLOBS[1], body_of(b""), [source])

    assert how == f"mounted:{source}"
    assert token_registry.service.requests[-1].scopes == (
        "repository:team/target:pull,push",
        "repository:team/source:pull",
    )


def test_a_source_that_may_not_be_read_is_no_obstacle(
    connect: Connect, token_registry: registries.TokenRegistry
) -> None:
    client = connect(credential=alice(token_registry))
    source = parse_repository(f"{token_registry.host}/private/secret")
    target = parse_repository(f"{token_registry.host}/team/other")

    assert client.registry.push_blob(target, BLOBS[1], body_of(LAYER), [source]) == "sent"


@pytest.mark.parametrize("way", [large, lambda uploads: uploads], ids=["patch", "put"])
def test_a_token_that_ended_before_its_time_is_renewed(
    connect: Connect,
    token_registry: registries.TokenRegistry,
    way: object,
) -> None:
    # Its times are whole seconds: one of a single second may have ended when it arrives.
    token_registry.service.seconds, token_registry.service.told_seconds = 2, 300
    client = connect(credential=alice(token_registry), uploads=way)
    name = f"{token_registry.host}/team/short-{way is large}".lower()
    client.registry.check_push(parse_repository(name))
    time.sleep(2.5)

    push(client.registry, name)

    check(client.registry, name)
    assert len(token_registry.service.requests) > 1


def test_who_may_only_read_is_told_so(
    connect: Connect, token_registry: registries.TokenRegistry
) -> None:
    client = connect(credential=Basic(token_registry.reader, token_registry.reader_password))

    with pytest.raises(Denied, match="the test") as caught:
        client.registry.check_push(parse_repository(f"{token_registry.host}/team/app"))

    assert caught.value.exit_code == 77


def test_nobody_is_told_where_credentials_were_looked_for(
    client: Client, token_registry: registries.TokenRegistry
) -> None:
    with pytest.raises(ArtificerError) as caught:
        client.registry.manifest(parse_repository(f"{token_registry.host}/team/app"), "v1")

    assert "here, there" in str(caught.value.hint)


def test_what_was_asked_and_granted_is_explained(
    connect: Connect, token_registry: registries.TokenRegistry
) -> None:
    client = connect(credential=Basic(token_registry.reader, token_registry.reader_password))

    told = client.registry.explain(parse_repository(f"{token_registry.host}/team/app"), push=True)

    assert told.asked == ("repository:team/app:pull,push",)
    assert told.granted == ("repository:team/app:pull",)
    assert told.realm.startswith("localhost:")
    assert token_registry.reader_password not in repr(told)
