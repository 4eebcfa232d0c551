from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.errors import Cancelled, Misused
from artificer.events import Tagged, UpToDate
from artificer.images.forecast import Mounts, Uploads, forecast
from artificer.images.parallel import Work, run_all
from artificer.images.push import Delivery, push
from artificer.images.whereabouts import known_repositories
from artificer.oci.image import Image, Remote
from artificer.oci.reference import parse_name, parse_repository
from artificer.stop import Stop
from tests.images.made import (
    FakeRegistry,
    image_of,
    index_of_images,
    reach_of,
    tar_of,
    with_origin,
)

ONE = tar_of(("etc/one", b"1" * 5000))
TWO = tar_of(("etc/two", b"2"))


def _writes(registry: FakeRegistry) -> list[str]:
    return [line for line in registry.requests if line.split()[0] in {"PUT", "SEND", "MOUNT"}]


def test_what_is_there_costs_one_request(tmp_path: Path) -> None:
    registry = FakeRegistry()
    reach, events = reach_of(f"{tmp_path}/store", registry)
    image = image_of(reach.store, ONE, TWO)
    target = parse_name("a.example/x:1")
    first = push([Delivery(image, target)], reach)
    registry.requests.clear()

    second = push([Delivery(image, target)], reach)

    assert registry.requests == ["HEAD a.example/x:1"]
    assert first[0].changed
    assert not second[0].changed
    assert UpToDate("a.example/x:1", image.digest) in events


def test_no_tag_is_written_before_every_target_has_everything(tmp_path: Path) -> None:
    registry = FakeRegistry()
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    image = image_of(reach.store, ONE)
    index = index_of_images(image, image_of(reach.store, TWO, platform="linux/arm64"))
    targets = [parse_name(f"{host}.example/x:1") for host in "abc"]

    push([Delivery(index, target) for target in targets], reach)

    writes = [line.split() for line in _writes(registry)]
    kinds = [
        "blob" if verb != "PUT" else "manifest" if ":" in name else "tag"
        for verb, _, name in writes
    ]
    assert kinds == ["blob"] * 12 + ["manifest"] * 9 + ["tag"] * 3
    by_digest = [name for _, _, name in writes[12:15]]
    assert by_digest[-1] == index.digest


@pytest.mark.parametrize("number", range(3))
def test_a_target_that_fails_leaves_all_tags_as_they_were(tmp_path: Path, number: int) -> None:
    registry = FakeRegistry()
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    image = image_of(reach.store, ONE, TWO)
    targets = [parse_name(f"{host}.example/x:1") for host in "abc"]
    registry.refuses.add(str(targets[number].repository))

    with pytest.raises(ConnectionError):
        push([Delivery(image, target) for target in targets], reach)

    assert not [name for _, name in registry.manifests if name == "1"]


def test_a_layer_of_the_same_registry_is_mounted(tmp_path: Path) -> None:
    registry = FakeRegistry()
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    image = image_of(reach.store, ONE, TWO)
    registry.hold(image, "a.example/base:1")
    empty_reach, _ = reach_of(f"{tmp_path}/empty", registry)
    remote = with_origin(image, Remote(parse_repository("a.example/base")))

    push([Delivery(remote, parse_name("a.example/x:1"))], empty_reach)

    verbs = [line.split()[0] for line in _writes(registry)]
    assert sorted(verbs) == ["MOUNT", "MOUNT", "PUT", "SEND"]
    assert not [line for line in registry.requests if line.startswith("GET")]


def test_a_layer_that_was_pushed_once_is_mounted_from_there(tmp_path: Path) -> None:
    registry = FakeRegistry()
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    image = image_of(reach.store, ONE)
    push([Delivery(image, parse_name("a.example/one:1"))], reach)
    registry.requests.clear()

    push([Delivery(image, parse_name("a.example/two:1"))], reach)

    digest = image.layers[0].blob.digest
    assert f"MOUNT a.example/two {digest} a.example/one" in registry.requests
    assert [str(one) for one in known_repositories(digest, reach.store)] == [
        "a.example/two",
        "a.example/one",
    ]


def test_one_taker_gets_a_stream_and_several_get_it_from_the_store(tmp_path: Path) -> None:
    registry = FakeRegistry()
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    image = image_of(reach.store, ONE)
    blob = image.layers[0].blob.digest
    registry.hold(image, "base.example/base:1")
    remote = with_origin(image, Remote(parse_repository("base.example/base")))
    fresh, _ = reach_of(f"{tmp_path}/fresh", registry)

    push([Delivery(remote, parse_name("a.example/x:1"))], fresh)
    assert fresh.store.has(blob) is None
    assert registry.requests.count(f"GET base.example/base {blob}") == 1

    push([Delivery(remote, parse_name(f"{host}.example/x:1")) for host in "bcd"], fresh)
    assert fresh.store.has(blob)
    assert registry.requests.count(f"GET base.example/base {blob}") == 2


def test_a_digest_cannot_be_chosen(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, ONE)
    other = image_of(reach.store, TWO)

    with pytest.raises(Misused, match="what would be pushed is"):
        push([Delivery(image, parse_name(f"a.example/x@{other.digest}"))], reach)


def test_an_untagged_target_is_latest(tmp_path: Path) -> None:
    registry = FakeRegistry()
    reach, events = reach_of(f"{tmp_path}/store", registry)
    image = image_of(reach.store, ONE)

    push([Delivery(image, parse_name("a.example/x"))], reach)

    assert ("a.example/x", "latest") in registry.manifests
    assert Tagged("a.example/x", image.digest) in events


def test_a_forecast_writes_nothing_and_says_what_a_push_does(tmp_path: Path) -> None:
    registry = FakeRegistry()
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    base = image_of(reach.store, ONE)
    registry.hold(base, "a.example/base:1")
    image = image_of(reach.store, ONE, TWO)
    remote = Image(
        image.manifest,
        image.config,
        {
            **image.origins,
            base.layers[0].blob.digest: Remote(parse_repository("a.example/base")),
        },
    )
    target = parse_name("a.example/x:1")

    told = forecast(remote, target, reach)

    layers = [layer.descriptor for layer in image.layers]
    assert told.steps == (
        Mounts(layers[0], parse_repository("a.example/base")),
        Uploads(layers[1]),
        Uploads(image.config_descriptor),
    )
    assert told.upload_bytes == layers[1].size + len(image.config)
    assert not _writes(registry)
    push([Delivery(remote, target)], reach)
    assert forecast(remote, target, reach).up_to_date


@given(st.integers(1, 6), st.sets(st.integers(0, 19)), st.integers(0, 20))
def test_the_earliest_failure_is_raised_whatever_the_threads(
    threads: int, failing: set[int], count: int
) -> None:
    done: list[int] = []

    def piece(number: int) -> Work:
        def work(check: object) -> None:
            if number in failing:
                raise ValueError(number)
            done.append(number)

        return work

    expected = min((one for one in failing if one < count), default=None)
    if expected is None:
        run_all([piece(number) for number in range(count)], threads=threads, stop=Stop())
        assert sorted(done) == list(range(count))
    else:
        with pytest.raises(ValueError) as error:
            run_all([piece(number) for number in range(count)], threads=threads, stop=Stop())
        assert error.value.args == (expected,)
        assert set(range(expected)) <= set(done)


def test_later_work_is_stopped_by_an_earlier_failure() -> None:
    import threading

    started = threading.Event()

    def fails(check: object) -> None:
        started.wait(10)
        raise ValueError("first")

    def waits(check: Work) -> None:
        started.set()
        while True:
            check()  # type: ignore[call-arg]

    with pytest.raises(ValueError, match="first"):
        run_all([fails, waits], threads=2, stop=Stop())  # type: ignore[list-item]


def test_a_stop_ends_all_work() -> None:
    stop = Stop()
    stop.set()

    with pytest.raises(Cancelled):
        run_all([lambda check: check(), lambda check: check()], threads=2, stop=stop)
