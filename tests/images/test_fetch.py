from pathlib import Path

import pytest

from artificer.images.fetch import Offline, find_in_registry
from artificer.images.named import find_in_store, write_name
from artificer.images.place import (
    Corrupt,
    NotAnImage,
    NotFound,
    WrongPlatform,
    image_for,
    platforms,
    whole,
)
from artificer.images.pull import pull
from artificer.oci import media
from artificer.oci.document import dump
from artificer.oci.image import Artifact, InvalidImage, Remote, Stored
from artificer.oci.platform import Platform
from artificer.oci.reference import StoreName, parse_name, parse_repository
from tests.images.made import (
    FakeRegistry,
    image_of,
    index_of_images,
    reach_of,
    schema_1,
    tar_of,
)

ONE = tar_of(("etc/one", b"1" * 5000))
TWO = tar_of(("etc/two", b"2"))
NAME = parse_name("a.example/x:1")


def _registry(tmp_path: Path) -> tuple[FakeRegistry, object, object]:
    registry = FakeRegistry()
    maker, _ = reach_of(f"{tmp_path}/maker", registry)
    amd = image_of(maker.store, ONE)
    arm = image_of(maker.store, ONE, TWO, platform="linux/arm64")
    registry.hold(index_of_images(amd, arm), "a.example/x:1")
    return registry, amd, arm


def test_a_base_costs_its_manifests_and_config_and_the_second_time_one_head(
    tmp_path: Path,
) -> None:
    registry, amd, _ = _registry(tmp_path)
    reach, _ = reach_of(f"{tmp_path}/store", registry)

    first = image_for(find_in_registry(NAME, reach), Platform.parse("amd64"))
    verbs = [line.split()[0] for line in registry.requests]
    registry.requests.clear()
    second = image_for(find_in_registry(NAME, reach), Platform.parse("amd64"))

    assert first == second == amd
    assert verbs == ["HEAD", "GET", "GET", "GET"]
    assert registry.requests == ["HEAD a.example/x:1"]
    assert first.layers[0].blob.origin == Remote(parse_repository("a.example/x"))


def test_a_known_digest_costs_nothing(tmp_path: Path) -> None:
    registry, amd, _ = _registry(tmp_path)
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    found = find_in_registry(NAME, reach)
    image_for(found, None)
    registry.requests.clear()

    for digest in (found.digest, amd.digest):  # type: ignore[attr-defined]
        pinned = parse_name(f"a.example/x:gone@{digest}")
        assert image_for(find_in_registry(pinned, reach), None) == amd
    assert registry.requests == []


def test_the_store_answers_when_nothing_may_be_fetched(tmp_path: Path) -> None:
    registry, amd, _ = _registry(tmp_path)
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    with pytest.raises(Offline, match=r"does not know a\.example/x:1") as error:
        find_in_registry(NAME, reach, pull="never")
    assert (
        error.value.hint == "run `artificer pull a.example/x:1` where the registry can be reached"
    )
    image_for(find_in_registry(NAME, reach, pull="missing"), None)
    registry.requests.clear()

    for policy in ("never", "missing"):
        assert image_for(find_in_registry(NAME, reach, pull=policy), None) == amd
    with pytest.raises(Offline, match="the store lacks sha256:"):
        image_for(find_in_registry(NAME, reach, pull="never"), Platform.parse("arm64"))
    assert registry.requests == []


def test_a_platform_that_is_missing_is_told_with_what_exists(tmp_path: Path) -> None:
    registry, _, _ = _registry(tmp_path)
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    found = find_in_registry(NAME, reach)

    assert [str(one) for one in platforms(found)] == ["linux/amd64", "linux/arm64"]
    with pytest.raises(WrongPlatform) as error:
        image_for(found, Platform.parse("windows/amd64"))
    assert "linux/amd64, linux/arm64" in (error.value.hint or "")


def test_a_missing_tag_is_not_found(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")

    with pytest.raises(NotFound, match="no such image"):
        find_in_registry(NAME, reach)


def test_a_registry_that_lies_about_a_digest_is_caught(tmp_path: Path) -> None:
    registry, amd, _ = _registry(tmp_path)
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    digest = amd.digest  # type: ignore[attr-defined]
    kind, data = registry.manifests["a.example/x", digest]
    registry.manifests["a.example/x", digest] = (kind, data + b" ")

    with pytest.raises(Corrupt):
        image_for(find_in_registry(parse_name(f"a.example/x@{digest}"), reach), None)
    assert reach.store.has(digest) is None


def test_schema_1_and_artifacts_are_no_bases(tmp_path: Path) -> None:
    registry = FakeRegistry()
    registry.manifests["a.example/x", "1"] = (media.DOCKER_MANIFEST_1, schema_1())
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    digest = reach.store.put(schema_1())
    registry.manifests["a.example/x", digest] = (media.DOCKER_MANIFEST_1, schema_1())

    with pytest.raises(InvalidImage, match="schema 1"):
        image_for(find_in_registry(NAME, reach), None)
    empty = reach.store.put(b"{}")
    chart = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.cncf.helm.config", "digest": empty, "size": 2},
        "layers": [],
    }
    registry.manifests["a.example/x", "1"] = (media.OCI_MANIFEST, dump(chart))
    registry.manifests["a.example/x", reach.store.put(dump(chart))] = (
        media.OCI_MANIFEST,
        dump(chart),
    )
    with pytest.raises(NotAnImage, match="not a container image"):
        image_for(find_in_registry(NAME, reach), None)
    assert isinstance(whole(find_in_registry(NAME, reach)), Artifact)


def test_a_pulled_image_is_all_in_the_store(tmp_path: Path) -> None:
    registry, amd, arm = _registry(tmp_path)
    reach, _ = reach_of(f"{tmp_path}/store", registry)

    write_name(whole(find_in_registry(NAME, reach)), StoreName("x"), reach)
    registry.requests.clear()
    found = find_in_store(StoreName("x"), reach.store)

    assert image_for(found, None) == amd
    assert image_for(found, Platform.parse("arm64")) == arm
    assert isinstance(image_for(found, None).layers[0].blob.origin, Stored)
    assert reach.store.names().keys() == {"docker.io/library/x:latest"}
    assert pull(whole(found), reach) == whole(found)
    assert registry.requests == []
    with pytest.raises(NotFound) as error:
        find_in_store(StoreName("y"), reach.store)
    assert error.value.hint == "it has store:x:latest"
