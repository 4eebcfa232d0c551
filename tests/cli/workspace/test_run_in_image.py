"""container_run_and_commit and the like, in a workspace, without an engine."""

import json
import tarfile
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.images import BaseImage

BUILD = """\
load("@io_bazel_rules_docker//container:container.bzl", "container_image")
load(
    "@io_bazel_rules_docker//docker/util:run.bzl",
    "container_run_and_commit",
    "container_run_and_commit_layer",
    "container_run_and_extract",
)
container_image(name = "start", base = "@base//image", files = ["f"], env = {"A": "1"})
COMMANDS = ["echo $A$B > /made", "cp /f /etc/copied", "rm /f"]
container_run_and_commit(
    name = "committed",
    image = ":start.tar",
    commands = COMMANDS,
    docker_run_flags = ["-u root --env B=2", "--entrypoint=''"],
)
container_run_and_commit_layer(
    name = "layer",
    image = ":start",
    commands = COMMANDS,
    env = {"B": "2"},
)
container_image(name = "with_layer", base = ":start", layers = [":layer"])
container_run_and_extract(
    name = "extracted",
    image = ":start.tar",
    commands = ["echo made of $(cat /f) > /out.txt"],
    extract_file = "/out.txt",
)
container_run_and_commit(name = "nothing", image = ":start", commands = ["true"])
container_run_and_commit(name = "fails", image = ":start", commands = ["echo why", "exit 7"],
                         tags = ["manual"])
"""


@pytest.fixture
def site(cli: Cli, work: Path, alpine: BaseImage) -> Cli:
    """A workspace with an image of busybox."""
    registry, _, rest = alpine.reference.partition("@")[0].partition("/")
    repository, _, tag = rest.partition(":")
    given = f'registry = "{registry}", repository = "{repository}", tag = "{tag}"'
    (work / "WORKSPACE").write_text(f'docker_pull(name = "base", {given})\n')
    (work / "BUILD").write_text(BUILD)
    (work / "f").write_text("file\n")
    return cli


def _config(work: Path, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((work / "artificer-bin" / f"{name}.json").read_text())
    return found


def test_commands_are_run_in_an_image_and_what_they_change_is_a_layer(
    site: Cli, work: Path
) -> None:
    first = site("build", "//:all", "//:committed_commit.tar")
    again = site("build", "//:all", "//:committed_commit.tar")

    start, committed = _config(work, "start"), _config(work, "committed")
    with tarfile.open(work / "artificer-bin" / "committed_commit.tar") as saved:
        manifest = json.load(saved.extractfile("manifest.json"))  # type: ignore[arg-type]
        with tarfile.open(fileobj=saved.extractfile(manifest[0]["Layers"][-1])) as layer:
            names = {one.name.rstrip("/"): one for one in layer}
            made = layer.extractfile("made").read()  # type: ignore[union-attr]
    assert committed["config"] == start["config"]
    diff_ids = [config["rootfs"]["diff_ids"] for config in (start, committed)]  # type: ignore[index]
    assert diff_ids[1][:-1] == diff_ids[0]
    assert {name for name, one in names.items() if not one.isdir()} == {
        *("made", "etc/copied", ".wh.f")
    }
    assert made == b"12\n"
    assert {one.mtime for one in names.values()} == {0}
    layered = _config(work, "with_layer")
    assert layered["rootfs"] == committed["rootfs"]
    assert "B=2" in layered["config"]["Env"]  # type: ignore[index]
    assert _config(work, "nothing")["rootfs"] == start["rootfs"]
    assert "//:committed made" in first.stderr
    assert "made in" not in again.stderr


def test_a_file_is_taken_out_of_an_image_in_which_commands_ran(site: Cli, work: Path) -> None:
    site("build", "//:extracted")

    found = work / "artificer-bin" / "extracted" / "out.txt"
    assert found.read_text() == "made of file\n"


def test_a_dockerfile_of_the_workspace_file_is_built_in_its_directory(
    site: Cli, work: Path, alpine: BaseImage
) -> None:
    (work / "docker").mkdir()
    (work / "docker" / "Dockerfile").write_text(
        f"ARG WHO=nobody\nFROM {alpine.reference} AS first\nARG WHO\n"
        "COPY g /g\nRUN echo $WHO $(cat /g) > /said\nFROM first\nENV SECOND=1\n"
    )
    (work / "docker" / "g").write_text("file\n")
    (work / "docker" / "BUILD").write_text("")
    (work / "WORKSPACE").write_text(
        'load("@io_bazel_rules_docker//contrib:dockerfile_build.bzl", "dockerfile_image")\n'
        'dockerfile_image(name = "made", dockerfile = "//docker:Dockerfile", target = "first",\n'
        '    build_args = {"WHO": "me"})\n'
    )
    (work / "BUILD").write_text(
        'docker_build(name = "image", base = "@made//image:dockerfile_image.tar", cmd = ["/x"])\n'
        'docker_build(name = "same", base = "@made//image", cmd = ["/x"])\n'
    )

    insecure = f"--insecure-registry={alpine.reference.partition('/')[0]}"
    first = site("build", insecure, "//:all")
    again = site("build", insecure, "//:all")
    (work / "docker" / "g").write_text("changed\n")
    changed = site("build", insecure, "//:all")

    assert first.stdout == again.stdout != changed.stdout
    image, same = _config(work, "image"), _config(work, "same")
    assert image["rootfs"] == same["rootfs"]
    assert "SECOND=1" not in image["config"]["Env"]  # type: ignore[index]
    assert image["config"]["Cmd"] == ["/x"]  # type: ignore[index]
    assert "made in" not in again.stderr


def test_a_command_that_fails_in_an_image_says_why(site: Cli, work: Path) -> None:
    done = site("build", "//:fails", code=1)

    assert "exit code 7: why" in done.error
    (work / "BUILD").write_text(
        BUILD.replace('"-u root --env B=2"', '"--privileged"').replace(' "--entrypoint', ' "-u')
    )
    assert (
        "--privileged: commands are run without an engine"
        in site("build", "//:committed", code=1).error
    )
