"""Several platforms built by several pods: as many processes, each with an empty store."""

import json
from typing import Any

import pytest
import yaml

from tests.cli.outside import Cli, Done
from tests.parts.registries import Registry

RENDER = ("job", "render", "--image", "registry.example/builder:1", "--workspace", "/workspace")
PLATFORMS = "linux/amd64,linux/arm64"
DOCKERFILE = "FROM scratch AS data\nCOPY data /data\nFROM scratch\nCOPY --from=data /data /d\n"

ONE_LINE = ("-b", "scratch", "-f", "data", "--platform", PLATFORMS, "-t")
OF_DOCKERFILE = ("build", ".", "-f", "Dockerfile", "--platform", PLATFORMS, "--push", "-t")


@pytest.fixture
def site(cli: Cli) -> Cli:
    (cli.directory / "data").write_text("data")
    (cli.directory / "Dockerfile").write_text(DOCKERFILE)
    return cli


def waves(cli: Cli, *words: str) -> list[list[str]]:
    """What the pods of each rendered Job are told."""
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(cli(*RENDER, *words).stdout))
    found = []
    for document in documents:
        build = document["spec"]["template"]["spec"]["containers"][0]
        text = next(one["value"] for one in build["env"] if one["name"] == "ARTIFICER_JOB")
        found.append([json.dumps([work]) for work in json.loads(text)])
    return found


def pod(cli: Cli, name: str, told: str) -> Done:
    environ = {"ARTIFICER_JOB": told, "JOB_COMPLETION_INDEX": "0"}
    return cli.machine(name)("job", "index", environ=environ)


@pytest.mark.parametrize("line", [ONE_LINE, OF_DOCKERFILE], ids=["one-line", "dockerfile"])
def test_pods_of_platforms_come_to_the_index_of_a_local_build(
    site: Cli, line: tuple[str, ...], fresh_repository: str, open_registry: Registry
) -> None:
    cache, target = f"{fresh_repository}/cache", f"{fresh_repository}/app:1"
    *members, whole = waves(site, "--cache-repo", cache, "--", *line, target)

    made = [pod(site, f"pod-{at}", told) for at, told in enumerate(members[0])]
    path = f"{fresh_repository.partition('/')[2]}/app/"
    sent = [one for one in open_registry.requests() if path in one and one[:3] == "PUT"]
    last = pod(site, "pod-last", whole[0])

    local = site.machine("local")(*line, f"{fresh_repository}/local:1")
    digest = local.stdout.strip().partition("@")[2]
    assert [len(members), len(members[0]), len(whole), sent] == [1, 2, 1, []]
    assert all(one.stdout == "" for one in made)
    assert last.stdout == f"{fresh_repository}/app@{digest}\n"
    assert " became " in made[0].stderr
    assert " became " not in last.stderr


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--name", "web"), [("name", "web-0"), ("name", "web-1")]),
        (("--generate-name", "build-"), [("generateName", "build-")] * 2),
    ],
)
def test_each_wave_has_a_name_of_its_own(
    site: Cli, words: tuple[str, ...], names: list[tuple[str, str]]
) -> None:
    line = ("--", *ONE_LINE, "registry.example/app:1")

    printed = site(*RENDER, *words, "--cache-repo", "registry.example/c", *line).stdout

    found = [one["metadata"] for one in yaml.safe_load_all(printed)]
    assert [next(iter(one.items())) for one in found] == names
    assert [one["labels"]["artificer/wave"] for one in found] == ["0", "1"]


def _chosen(printed: str) -> list[tuple[str, dict[str, str]]]:
    return [
        (
            one["metadata"]["labels"].get("artificer/wave", ""),
            one["spec"]["template"]["spec"].get("nodeSelector", {}),
        )
        for one in yaml.safe_load_all(printed)
    ]


@pytest.mark.parametrize("line", [ONE_LINE, OF_DOCKERFILE], ids=["one-line", "dockerfile"])
def test_native_platforms_come_to_their_own_nodes(site: Cli, line: tuple[str, ...]) -> None:
    words = ("--cache-repo", "registry.example/c", "--native", "--node-selector", "pool=builds")

    printed = site(*RENDER, *words, "--name", "web", "--", *line, "r.example/a").stdout

    pool = {"pool": "builds"}
    assert _chosen(printed) == [
        ("0", {**pool, "kubernetes.io/arch": "amd64"}),
        ("0", {**pool, "kubernetes.io/arch": "arm64"}),
        ("1", pool),
    ]
    names = [one["metadata"]["name"] for one in yaml.safe_load_all(printed)]
    assert names == ["web-0-amd64", "web-0-arm64", "web-1"]


def test_one_native_platform_chooses_the_nodes_of_its_job(site: Cli) -> None:
    line = ("--", "-b", "scratch", "-f", "data", "-t", "r.example/a", "--platform", "linux/386")

    assert _chosen(site(*RENDER, "--native", *line).stdout) == [
        ("", {"kubernetes.io/arch": "amd64"})
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--native: no pod is for one platform"),
        (("--node-selector", "kubernetes.io/arch=arm64"), "exclude each other"),
    ],
)
def test_native_without_a_platform_is_refused(
    site: Cli, words: tuple[str, ...], told: str
) -> None:
    done = site(*RENDER, "--native", *words, "--", *ONE_LINE, "r.example/a", code=2)

    assert told in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--", *ONE_LINE, "registry.example/app:1"),
        ("--cache-repo", "registry.example/c", "--cache-readonly", "--", *ONE_LINE, "r.example/a"),
        ("--cache-repo", "registry.example/c", "--", *ONE_LINE, "r.example/a", "--no-cache"),
        ("--cache-repo", "registry.example/c", "--", *OF_DOCKERFILE, "r.example/a", "--no-cache"),
        (
            *("--cache-repo", "registry.example/c", "--", "build", ".", "--push"),
            *("-t", "registry.example/app:1", "--platform", "linux/arm64,local"),
        ),
        ("--cache-repo", "r.example/c", "--", "-b", "x.example/x", "-t", "r.example/a"),
    ],
    ids=["no cache", "read-only", "anew", "anew Dockerfile", "of the node", "one"],
)
def test_what_nobody_could_hand_on_is_the_work_of_one_pod(
    site: Cli, words: tuple[str, ...]
) -> None:
    assert [len(wave) for wave in waves(site, *words)] == [1]
