"""What an image may be built upon: every kind of reference, platform, and ways to look it up."""

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.outside import Cli, Done, Seen, described
from tests.parts.images import BaseImage
from tests.parts.registries import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.parts.engines import DockerDaemon


@pytest.fixture
def ours(work: Path) -> Path:
    """A file to be put on each base."""
    (work / "ours").write_text("ours")
    return work / "ours"


class Refer:
    """The busybox base, as every kind of reference: `refer("docker archive")`."""

    def __init__(self, cli: Cli, base: BaseImage, seen: Seen, request: pytest.FixtureRequest):
        self.cli = cli
        self.base = base
        self.seen = seen
        self.request = request

    def __call__(self, kind: str) -> str:
        make: Callable[[], str] = getattr(self, f"_{kind.replace(' ', '_')}")
        return make()

    @property
    def _file(self) -> Path:
        return self.seen.folder / "archive"

    def _tag(self) -> str:
        return "alpine:3.7"

    def _scheme(self) -> str:
        return f"docker://{self.base.reference}"

    def _digest(self) -> str:
        return f"alpine@{self.base.digest}"

    def _tag_and_digest(self) -> str:
        return f"alpine:3.7@{self.base.digest}"

    def _oci(self) -> str:
        return f"oci:{self.base.layout}:{self.base.tag}"

    def _oci_without_tag(self) -> str:
        return f"oci:{self.base.layout}"

    def _oci_archive(self) -> str:
        self.seen.skopeo.run("copy", self._oci(), f"oci-archive:{self._file}:x")
        return f"oci-archive:{self._file}:x"

    def _docker_archive(self) -> str:
        self.seen.skopeo.run("copy", self._oci(), f"docker-archive:{self._file}:some/name:1")
        return f"docker-archive:{self._file}:some/name:1"

    def _gzipped_docker_archive(self) -> str:
        self._docker_archive()
        subprocess.run(["gzip", self._file], check=True)
        return f"docker-archive:{self._file}.gz"

    def _docker_daemon(self) -> str:
        daemon: DockerDaemon = self.request.getfixturevalue("docker_daemon")
        self._docker_archive()
        daemon.run("load", "--input", str(self._file))
        self.cli.environ["DOCKER_HOST"] = daemon.url
        return "docker-daemon:some/name:1"

    def _store(self) -> str:
        self.cli("-b", self._oci(), "-t", "store:based:1")
        return "store:based:1"

    def _rootfs(self) -> str:
        return f"rootfs:{self.seen.unpacked(self.base.layout, self.base.tag)}"

    def _rootfs_tar(self) -> str:
        root = self.seen.unpacked(self.base.layout, self.base.tag)
        words = ["tar", "-C", str(root), "--numeric-owner", "-czf", str(self._file), "."]
        subprocess.run(words, check=True)
        return f"rootfs:{self._file}"


@pytest.fixture
def refer(hub: Cli, alpine: BaseImage, seen: Seen, request: pytest.FixtureRequest) -> Refer:
    return Refer(hub, alpine, seen, request)


KINDS = (
    *("tag", "scheme", "digest", "tag and digest", "oci", "oci without tag", "oci archive"),
    *("docker archive", "gzipped docker archive", "docker daemon"),
    *("store", "rootfs", "rootfs tar"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_base_can_be_built_upon(
    kind: str,
    *,
    refer: Refer,
    hub: Cli,
    ours: Path,
    alpine: BaseImage,
    layout: Path,
    seen: Seen,
) -> None:
    base = refer(kind)

    hub("-b", base, "-f", "ours", "-c", "cat /ours", "-t", f"oci:{layout}:it")

    built, expected = seen.unpacked(layout), seen.unpacked(alpine.layout, alpine.tag)
    assert (built / "ours").read_text() == "ours"
    (built / "ours").unlink()
    assert described(built) == described(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_base_is_pushed_to_a_registry(
    kind: str,
    *,
    refer: Refer,
    hub: Cli,
    ours: Path,
    alpine: BaseImage,
    fresh_repository: str,
    seen: Seen,
) -> None:
    hub("-b", refer(kind), "-f", "ours", "-t", fresh_repository)

    layout = seen.copied(f"docker://{fresh_repository}")
    assert len(seen.raw(f"oci:{layout}:it")["layers"]) == 2


def test_scratch_holds_nothing_but_ours(cli: Cli, ours: Path, layout: Path, seen: Seen) -> None:
    cli("--base", "scratch", "-f", "ours", "-t", f"oci:{layout}:it")

    config = seen.config(f"oci:{layout}:it")
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert seen.names(layout) == ["ours"]
    assert described(seen.unpacked(layout)).keys() == {"ours"}


def test_a_base_without_media_types_as_umoci_makes_it_can_be_built_upon(
    cli: Cli, ours: Path, layout: Path, seen: Seen, tmp_path: Path
) -> None:
    seen.umoci.run("init", "--layout", f"{tmp_path}/base")
    seen.umoci.run("new", "--image", f"{tmp_path}/base:it")
    assert "mediaType" not in seen.raw(f"oci:{tmp_path}/base:it")

    cli("-b", f"oci:{tmp_path}/base:it", "-f", "ours", "-e", "A=1", "-t", f"oci:{layout}:it")

    assert (seen.unpacked(layout) / "ours").read_text() == "ours"
    assert seen.raw(f"oci:{layout}:it")["mediaType"].endswith("oci.image.manifest.v1+json")


@pytest.mark.parametrize(
    ("kind", "hints"),
    [("tag", 1), ("scheme", 1), ("digest", 0), ("tag and digest", 0), ("oci", 0), ("rootfs", 0)],
)
def test_a_base_that_may_change_says_once_how_to_pin_it(
    kind: str,
    hints: int,
    *,
    refer: Refer,
    hub: Cli,
    multi: BaseImage,
    alpine: BaseImage,
    layout: Path,
) -> None:
    done = hub("-b", refer(kind), "-t", f"oci:{layout}:it")

    told = [line for line in done.lines if "pin it with" in line]
    assert len(told) == hints
    if told:
        pinned = told[0].partition("pin it with ")[2]
        assert pinned.endswith(f"alpine:3.7@{alpine.digest}")
        again = hub("-b", pinned, "-t", f"oci:{layout}:again")
        assert "pin it with" not in again.stderr


def test_a_base_costs_its_manifest_and_config(
    hub: Cli, alpine: BaseImage, layout: Path, fresh_repository: str, open_registry: Registry
) -> None:
    before = len(open_registry.requests())

    hub("-b", alpine.reference, "-e", "A=1", "-t", fresh_repository)

    asked = open_registry.requests()[before:]
    got = [line for line in asked if line.startswith("GET") and " 200" in line]
    assert len(got) == 2, asked


# Platforms.


def platforms_of(index: dict[str, Any]) -> list[str]:
    return [one["platform"]["architecture"] for one in index["manifests"]]


def test_of_an_index_one_platform_gives_an_image(
    hub: Cli, multi: BaseImage, ours: Path, layout: Path, seen: Seen
) -> None:
    words = ("-b", multi.short, "-f", "ours", "--platform", "linux/arm64/v8")
    hub(*words, "-t", f"oci:{layout}:it")

    assert "manifests" not in seen.raw(f"oci:{layout}:it")
    config = seen.config(f"oci:{layout}:it")
    assert (config["architecture"], config["variant"]) == ("arm64", "v8")
    assert "ARCH=arm64" in config["config"]["Env"]


@pytest.mark.parametrize(
    "words",
    [
        ("--platform", "linux/amd64,linux/arm64"),
        ("--platform", "linux/amd64", "--platform", "arm64"),
        ("--platform", "amd64,aarch64,x86_64"),
    ],
)
def test_several_platforms_give_an_index_in_one_command(
    words: tuple[str, ...],
    hub: Cli,
    multi: BaseImage,
    ours: Path,
    fresh_repository: str,
    seen: Seen,
) -> None:
    done = hub("-b", multi.short, "-f", "ours", *words, "-t", fresh_repository)

    index = seen.raw(f"docker://{fresh_repository}")
    assert platforms_of(index) == ["amd64", "arm64"]
    assert done.stdout == f"{fresh_repository}@{seen.digest(f'docker://{fresh_repository}')}\n"
    layout = seen.copied(f"docker://{fresh_repository}")
    layers = {
        tuple(layer["digest"] for layer in _member(layout, one)["layers"])
        for one in index["manifests"]
    }
    assert len(layers) == 1  # Both were made of the same busybox, and of our file.


def _member(layout: Path, descriptor: dict[str, Any]) -> dict[str, Any]:
    path = layout / "blobs" / descriptor["digest"].replace(":", "/")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_several_platforms_can_start_from_scratch(
    cli: Cli, ours: Path, layout: Path, seen: Seen
) -> None:
    words = ("--platform", "linux/riscv64,linux/arm/v6,windows/amd64:10.0.20348.1")
    cli("-b", "scratch", "-f", "ours", *words, "-t", f"oci:{layout}:it")

    found = [one["platform"] for one in seen.raw(f"oci:{layout}:it")["manifests"]]
    assert found == [
        {"architecture": "riscv64", "os": "linux"},
        {"architecture": "arm", "os": "linux", "variant": "v6"},
        {"architecture": "amd64", "os": "windows", "os.version": "10.0.20348.1"},
    ]


def test_each_platform_gets_a_tag_of_its_own_when_asked_for(
    hub: Cli, multi: BaseImage, fresh_repository: str, seen: Seen
) -> None:
    words = ("-b", multi.short, "-c", "x", "--platform", "amd64,arm64", "--arch-tags")

    hub(*words, "-t", f"{fresh_repository}:v1")

    index = seen.raw(f"docker://{fresh_repository}:v1")
    digests = [one["digest"] for one in index["manifests"]]
    for tag, digest in zip(("v1-amd64", "v1-arm64"), digests, strict=True):
        assert seen.digest(f"docker://{fresh_repository}:{tag}") == digest


def test_the_platform_of_the_environment_is_used_when_none_is_named(
    hub: Cli, multi: BaseImage, layout: Path, seen: Seen
) -> None:
    environ = {"DOCKER_DEFAULT_PLATFORM": "linux/arm64"}
    hub("-b", multi.short, "-t", f"oci:{layout}:env", environ=environ)
    words = ("--platform", "linux/amd64")
    hub("-b", multi.short, *words, "-t", f"oci:{layout}:flag", environ=environ)

    assert seen.config(f"oci:{layout}:env")["architecture"] == "arm64"
    assert seen.config(f"oci:{layout}:flag")["architecture"] == "amd64"


@pytest.mark.parametrize("wanted", ["linux/s390x", "windows/amd64", "linux/arm/v7"])
def test_a_platform_that_does_not_exist_says_which_do(
    wanted: str, hub: Cli, multi: BaseImage, alpine: BaseImage, layout: Path
) -> None:
    for base, there in ((multi, "linux/amd64, linux/arm64"), (alpine, "linux/amd64")):
        words = ("-b", base.short, "--platform", wanted, "-t", f"oci:{layout}:it")
        done = hub(*words, code=1)
        assert f"{base.short} has no {wanted} image" in done.error
        assert f"it has {there}; choose with `--platform`" in done.hint
    assert not layout.exists()


def test_one_wrong_platform_of_several_pushes_nothing(
    hub: Cli, multi: BaseImage, fresh_repository: str, open_registry: Registry
) -> None:
    words = ("-b", multi.short, "--platform", "linux/amd64,linux/s390x")

    hub(*words, "-c", "x", "-t", fresh_repository, code=1)

    name = fresh_repository.removeprefix(open_registry.host)
    assert not [
        line for line in open_registry.requests() if line.startswith("PUT") and name in line
    ]


# When the base is looked up.


@pytest.fixture
def moving(seen: Seen, alpine: BaseImage, alpine_docker: BaseImage, fresh_repository: str) -> str:
    """A tag that can be moved by `move`."""
    copy(seen, alpine.reference, fresh_repository)
    return fresh_repository


def copy(seen: Seen, source: str, target: str) -> None:
    words = ("copy", "--all", "--preserve-digests")
    seen.skopeo.run(*words, f"docker://{source}", f"docker://{target}")


def base_of(seen: Seen, layout: Path) -> str:
    told: str = seen.raw(f"oci:{layout}:it")["annotations"]["org.opencontainers.image.base.digest"]
    return told


def test_always_asks_and_missing_asks_once(
    cli: Cli, moving: str, alpine: BaseImage, multi: BaseImage, layout: Path, seen: Seen
) -> None:
    words = ("-b", moving, "-t", f"oci:{layout}:it", "--pull")

    cli(*words, "missing")
    first = base_of(seen, layout)
    copy(seen, multi.reference, moving)
    cli(*words, "missing")
    second = base_of(seen, layout)
    cli(*words, "never")
    third = base_of(seen, layout)
    cli(*words, "always")

    assert first == second == third == alpine.digest
    assert base_of(seen, layout) == multi.digest


@pytest.mark.parametrize("words", [("--pull", "never"), ("--offline",)])
def test_without_asking_only_what_the_store_knows_is_a_base(
    words: tuple[str, ...], cli: Cli, alpine: BaseImage, layout: Path, open_registry: Registry
) -> None:
    before = len(open_registry.requests())
    done = cli("-b", alpine.reference, *words, "-t", f"oci:{layout}:it", code=1)
    pinned = cli(
        *("-b", f"{alpine.reference}@{alpine.digest}", *words, "-t", f"oci:{layout}:it"), code=1
    )

    assert f"the store does not know {alpine.reference}" in done.error
    assert f"`artificer pull {alpine.reference}`" in done.hint
    assert alpine.digest in pinned.error
    assert len(open_registry.requests()) == before
    assert not layout.exists()


def test_offline_builds_from_the_store_and_asks_nobody(
    cli: Cli, alpine: BaseImage, ours: Path, layout: Path, open_registry: Registry, seen: Seen
) -> None:
    cli("pull", alpine.reference)
    before = len(open_registry.requests())

    words = ("-b", alpine.reference, "--offline", "-f", "ours", "ours:/tmp/x")
    cli(*words, "-t", f"oci:{layout}:it", "-t", "store:built:1")

    assert len(open_registry.requests()) == before
    assert (seen.unpacked(layout) / "ours").read_text() == "ours"


def test_offline_names_the_layer_that_is_missing(
    cli: Cli, alpine: BaseImage, ours: Path, layout: Path, fresh_repository: str
) -> None:
    cli("-b", alpine.reference, "-c", "x", "-t", fresh_repository)  # The base's layer is mounted.

    words = ("-b", alpine.reference, "--offline", "-t", f"oci:{layout}:it")
    done = cli(*words, code=1)

    assert "sha256:" in done.error
    assert "artificer pull" in done.hint


def test_offline_pushes_to_no_registry(cli: Cli, ours: Path, fresh_repository: str) -> None:
    done = cli("-b", "scratch", "-f", "ours", "--offline", "-t", fresh_repository, code=2)

    assert done.error == "--offline, but a target is in a registry"
    assert "`-t store:NAME`" in done.hint


# What is not there.


@pytest.mark.parametrize(
    ("base", "error", "hint"),
    [
        ("alpine:9.9", "alpine:9.9: there is no such image", "artificer ls"),
        ("no/such", "no/such: there is no such image", "artificer ls"),
        ("alpine@sha256:" + "0" * 64, "sha256:" + "0" * 64, ""),
        ("oci:nowhere:x", "oci:nowhere:x: there is no such directory", ""),
        ("oci:plain:x", "not an OCI layout: it has no oci-layout", "oci-archive:FILE"),
        ("oci-archive:nowhere.tar", "oci-archive:nowhere.tar", ""),
        ("docker-archive:nowhere.tar", "docker-archive:nowhere.tar", ""),
        ("docker-archive:plain/text", "docker-archive:plain/text", ""),
        ("store:nothing", "store:nothing:latest: the store has no such image", "artificer pull"),
        ("rootfs:nowhere", "rootfs:nowhere: there is no such file or directory", ""),
        ("docker-daemon:x", "docker", "DOCKER_HOST"),
    ],
)
def test_a_base_that_is_not_there_is_named(
    base: str, error: str, hint: str, *, hub: Cli, alpine: BaseImage, work: Path, layout: Path
) -> None:
    (work / "plain").mkdir()
    (work / "plain/text").write_text("no archive")
    code = 69 if base.startswith("docker-daemon") else 1

    done = hub(
        *("-b", base, "-c", "x", "-t", f"oci:{layout}:it"),
        code=code,
        environ={"DOCKER_HOST": f"unix://{work}/no.sock"},
    )

    assert error in done.error
    assert hint in done.hint
    assert not layout.exists()


@pytest.mark.parametrize(
    ("base", "error"),
    [
        ("Alpine:3.7", "is not an image reference"),
        ("alpine:", "has no valid tag"),
        ("alpine@sha256:12", "has no valid digest"),
        ("https://docker.io/alpine", "is a URL"),
        ("./alpine", "has no valid registry: '.'"),
        ("", "is not an image reference"),
        ("oci:", "names nothing"),
        ("docker:alpine", "lacks its slashes"),
    ],
)
def test_a_base_that_is_no_reference_is_misuse(base: str, error: str, cli: Cli) -> None:
    done: Done = cli("-b", base, "-t", "store:x", code=2)

    assert error in done.error
    assert done.hint
    assert not (cli.store / "index.json").exists()
