"""Credentials on real connections: one token for many threads, none for storage."""

from threading import Thread

import pytest

from artificer.errors import Unavailable
from artificer.oci.descriptor import Descriptor
from artificer.oci.reference import Named, Repository
from artificer.registry.credential import Basic
from tests.registry.clients import Connect
from tests.registry.faulty import Fault, Faulty


def test_many_threads_ask_for_one_token(faulty: Faulty, connect: Connect) -> None:
    faulty.auth = "token"
    client = connect()
    name = Named(Repository(faulty.host, "team/app"), "v1")
    client.registry.head_manifest(name)
    faulty.tokens.clear()
    client.now += 1000
    faulty.token_requests.clear()

    threads = [Thread(target=client.registry.head_manifest, args=(name,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(faulty.token_requests) == 1


def test_an_anonymous_pull_works_although_a_helper_failed(
    faulty: Faulty, connect: Connect
) -> None:
    faulty.auth = "token"
    digest = faulty.give_manifest(
        "team/app", "v1", "application/vnd.oci.image.manifest.v1+json", b'{"schemaVersion":2}'
    )
    client = connect(problem="docker-credential-x failed")

    found = client.registry.head_manifest(Named(Repository(faulty.host, "team/app"), "v1"))

    assert found is not None
    assert found.digest == digest


def test_nothing_follows_a_redirect_to_storage(
    faulty: Faulty, other: Faulty, connect: Connect
) -> None:
    faulty.auth, faulty.password = "basic", "me:secret"
    faulty.storage = f"http://localhost:{other.host.partition(':')[2]}"
    for registry in (faulty, other):
        registry.give("team/app", b"layer")
    client = connect(credential=Basic("me", "secret"))
    blob = Descriptor.for_bytes("application/vnd.oci.image.layer.v1.tar", b"layer")

    chunks = client.registry.blob_chunks(Repository(faulty.host, "team/app"), blob)

    assert b"".join(chunks) == b"layer"
    assert other.authorizations == [("GET blob", "")]


def test_a_fault_of_the_token_service_is_a_clear_error(faulty: Faulty, connect: Connect) -> None:
    faulty.auth, faulty.realm = "token", "http://127.0.0.1:1/token"
    faulty.faults.append(Fault("GET manifest"))

    with pytest.raises(Unavailable):
        connect().registry.head_manifest(Named(Repository(faulty.host, "team/app"), "v1"))
