"""A cache repository is shared by many, keeps what is used, and never fails a build."""

import json
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.cli.outside import Cli, Done
from tests.parts.registries import Registry, registry

BASES, DERIVED, EXECUTORS = 20, 180, 8
OLD = "2020-01-01"


@pytest.fixture
def workspace(work: Path) -> Path:
    """Images, and more of them that are based on those: 200 targets, each with a layer."""
    lines = ['load("@io_bazel_rules_docker//container:container.bzl", "container_image")']
    for number in range(BASES):
        (work / f"b{number}").write_text(f"base {number}")
        lines.append(f'container_image(name = "base{number}", files = ["b{number}"])')
    for number in range(DERIVED):
        (work / f"d{number}").write_text(f"derived {number}")
        base = f'base = ":base{number % BASES}", files = ["d{number}"]'
        lines.append(f'container_image(name = "image{number}", {base})')
    (work / "WORKSPACE").write_text('workspace(name = "many")\n')
    (work / "BUILD").write_text("\n".join(lines) + "\n")
    return work


def pods(cli: Cli, labels: Sequence[str], words: Sequence[str], name: str) -> list[Done]:
    """Build *labels* in several processes at once, none of which has any state."""

    def one(number: int) -> Done:
        pod = cli.machine(f"{name}-{number}")
        own = labels[number::EXECUTORS]
        return pod.process("build", *own, *words, "--progress", "json", "--jobs", "2")

    with ThreadPoolExecutor(EXECUTORS) as pool:
        return list(pool.map(one, range(EXECUTORS)))


def told(done: Sequence[Done], kind: str) -> list[dict[str, Any]]:
    return [event for one in done for event in one.events if event["event"] == kind]


@pytest.mark.slow
def test_many_executors_with_one_cache_build_no_layer_twice(
    cli: Cli, workspace: Path, fresh_repository: str
) -> None:
    words = ("--cache-repo", fresh_repository)
    bases = [f"//:base{number}" for number in range(BASES)]
    derived = [f"//:image{number}" for number in range(DERIVED)]
    first = [*pods(cli, bases, words, "first"), *pods(cli, derived, words, "second")]
    # In other parts than before: what a pod finds is what others have made.
    again = pods(cli, [*derived[::-1], *bases], words, "again")

    layers = [event["digest"] for event in told(first, "layer-written")]
    assert len(layers) == len(set(layers)) == BASES + DERIVED
    assert told(again, "layer-written") == []
    assert told(again, "blob-sent") == []
    assert _digests(first) == _digests(again)


def _digests(done: Sequence[Done]) -> dict[str, str]:
    lines = [
        (line.split()[0], line.split()[1]) for one in done for line in one.stdout.splitlines()
    ]
    return dict(lines)


def test_two_that_race_write_the_same(
    cli: Cli, workspace: Path, fresh_repository: str, open_registry: Registry
) -> None:
    words = ("build", "//:image0", "//:image1", "//:image2", "--cache-repo", fresh_repository)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda name: cli.machine(name).process(*words), ("one", "other"))
    third = cli.machine("third")(*words, "--progress", "json")

    assert one.stdout == other.stdout == third.stdout
    assert told([third], "layer-written") == []
    tags = open_registry.data / "docker/registry/v2/repositories"
    path = fresh_repository.partition("/")[2]
    for tag in (tags / path / "_manifests/tags").iterdir():
        assert len(list((tag / "index/sha256").iterdir())) == 1, tag.name


def test_it_does_not_matter_who_was_quicker_with_the_base(
    cli: Cli, workspace: Path, open_registry: Registry
) -> None:
    alone, shared = (f"{open_registry.host}/race/{name}" for name in ("alone", "shared"))
    cli.machine("alone")("build", "//:image0", "--cache-repo", alone)
    cli.machine("quicker")("build", "//:base0", "--cache-repo", shared)
    cli.machine("slower")("build", "//:image0", "--cache-repo", shared)

    assert _artifacts(alone, open_registry) == _artifacts(shared, open_registry)


def _artifacts(name: str, served: Registry) -> dict[str, list[str]]:
    tags = served.data / "docker/registry/v2/repositories" / name.partition("/")[2]
    return {
        tag.name: sorted(one.name for one in (tag / "index/sha256").iterdir())
        for tag in (tags / "_manifests/tags").iterdir()
    }


def test_a_fresh_machine_sends_nothing_and_asks_little(
    cli: Cli, workspace: Path, fresh_repository: str, open_registry: Registry
) -> None:
    words = ("build", "//:image0", "--cache-repo", fresh_repository)
    cli(*words)
    before = len(open_registry.requests())
    cli.machine("fresh")(*words)

    asked = [line.split()[0] for line in open_registry.requests()[before:]]
    assert set(asked) == {"HEAD", "GET"}
    assert len(asked) <= 12


def test_whoever_only_reads_leaves_no_trace(
    cli: Cli, workspace: Path, fresh_repository: str, open_registry: Registry
) -> None:
    cli("build", "//:image0", "--cache-repo", fresh_repository)
    before = len(open_registry.requests())
    words = ("build", "//:image0", "//:image1", "--cache-repo", fresh_repository)
    cli.machine("reader")(*words, "--cache-readonly")

    asked = {line.split()[0] for line in open_registry.requests()[before:]}
    assert asked == {"HEAD", "GET"}


def test_a_cache_that_cannot_be_reached_is_a_warning(cli: Cli, workspace: Path) -> None:
    done = cli("build", "//:image0", "--cache-repo", "127.0.0.1:1/cache", "--timeout", "2")

    assert done.stdout.startswith("//:image0 sha256:")
    assert "warning: the cache 127.0.0.1:1/cache is not used" in done.stderr
    assert "hint: what it has is built again; " in done.stderr


def test_a_cache_that_takes_nothing_is_a_warning(
    cli: Cli, workspace: Path, tmp_path: Path
) -> None:
    storage = {
        "filesystem": {"rootdirectory": str(tmp_path / "data")},
        "maintenance": {"readonly": {"enabled": True}},
    }
    with registry(tmp_path / "registry", storage=storage) as closed:
        done = cli("build", "//:image0", "--cache-repo", f"{closed.host}/cache")

    assert done.stdout.startswith("//:image0 sha256:")
    assert f"warning: the cache {closed.host}/cache was not written" in done.stderr
    assert "hint: what was built is done; --cache-readonly does not try" in done.stderr


def aged(repository: str, *, every: str = "") -> int:
    """Tell that artifacts whose tags begin with *every* were last used long ago; how many."""
    host, _, path = repository.partition("/")
    url = f"http://{host}/v2/{path}"
    kind = "application/vnd.oci.image.manifest.v1+json"
    with urllib.request.urlopen(f"{url}/tags/list") as answer:
        tags = [tag for tag in json.load(answer)["tags"] if tag.startswith(f"used-{every}")]
    for tag in tags:
        asked = urllib.request.Request(f"{url}/manifests/{tag}", headers={"Accept": kind})
        with urllib.request.urlopen(asked) as answer:
            document = json.load(answer)
        document["annotations"]["org.artificer.used"] = OLD
        data, headers = json.dumps(document).encode(), {"Content-Type": kind}
        put = urllib.request.Request(f"{url}/manifests/{tag}", data, headers, method="PUT")
        urllib.request.urlopen(put).close()
    return len(tags)


def test_a_prune_removes_what_was_not_used_for_long(
    cli: Cli, workspace: Path, fresh_repository: str
) -> None:
    prune = ("cache", "prune", "--repo", fresh_repository, "--older-than", "30d")
    cli("build", "//:image0", "--cache-repo", fresh_repository)
    fresh = cli(*prune).stdout
    count = aged(fresh_repository)
    dry = cli(*prune, "--dry-run").stdout
    cli.machine("user")("build", "//:image0", "--cache-repo", fresh_repository)
    used = cli(*prune).stdout
    again = cli(*prune).stdout
    cli.machine("later")("build", "//:image0", "--cache-repo", fresh_repository)

    assert fresh == f"removed 0 artifacts, kept {count}\n"
    assert dry == f"would remove {count} artifacts, kept 0\n"
    # What the other machine has used stays.
    assert used.startswith("removed ")
    assert not used.startswith("removed 0 ")
    assert not used.endswith("kept 0\n")
    assert again.startswith("removed 0 ")


def test_what_nobody_told_the_use_of_is_removed_only_later(
    cli: Cli, workspace: Path, fresh_repository: str
) -> None:
    cli("build", "//:base0", "--cache-repo", fresh_repository)
    names = cli("ls", fresh_repository).stdout.split()
    used = [name for name in names if name.startswith("used-")]
    for name in used:
        digest = cli("digest", f"{fresh_repository}:{name}").stdout.strip()
        cli("rm", "--force", f"{fresh_repository}@{digest}")
    prune = ("cache", "prune", "--repo", fresh_repository, "--older-than", "30d")

    assert cli(*prune).stdout == f"removed 0 artifacts, kept 0, {len(used)} of unknown age\n"
    assert cli(*prune).stdout == f"removed 0 artifacts, kept {len(used)}\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--repo", "a.example/b"), "--repo needs an age"),
        (("--repo", "a.example/b", "--older-than", "3h"), "is told by days"),
        (("--repo", "a.example/b:1", "--older-than", "3d"), "without a tag"),
        (("--repo", "a.example/b", "--all"), "heeds age alone"),
        (("--dry-run",), "is for --repo"),
    ],
)
def test_a_prune_of_nothing_clear_is_refused(cli: Cli, words: tuple[str, ...], error: str) -> None:
    assert error in cli("cache", "prune", *words, code=2).error


def test_a_registry_that_deletes_nothing_says_so(
    cli: Cli, workspace: Path, tmp_path: Path
) -> None:
    storage = {"filesystem": {"rootdirectory": str(tmp_path / "data")}}
    with registry(tmp_path / "registry", storage=storage) as firm:
        name = f"{firm.host}/cache"
        cli("build", "//:base0", "--cache-repo", name)
        aged(name)
        done = cli("cache", "prune", "--repo", name, "--older-than", "30d", code=1)

    assert done.error.startswith(f"{name}: ")
    assert "deletes" in done.error + done.hint or "deleting" in done.error + done.hint
