"""The command called by the name `bazel`, as a Job of 2017 calls it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from artificer.cli.bazel import translated
from artificer.errors import Misused
from tests.cli.outside import Cli


@pytest.fixture
def bazel(tmp_path: Path) -> Path:
    """A link to the command, called bazel."""
    path = tmp_path / "bin" / "bazel"
    path.parent.mkdir()
    script = f"#!{sys.executable}\nfrom artificer.cli.main import command\ncommand()\n"
    path.write_text(script)
    path.chmod(0o755)
    return path


def test_a_command_line_of_2017_builds(cli: Cli, work: Path, bazel: Path) -> None:
    (work / "WORKSPACE").write_text("")
    (work / "BUILD").write_text('docker_build(name = "x", files = ["f"])\n')
    (work / "f").write_text("x")
    line = (
        "--batch --output_base=out build -c opt --jobs 2 --verbose_failures --stamp --define=a=b "
        "--spawn_strategy=standalone --genrule_strategy=standalone --noshow_progress //:x"
    )

    done = subprocess.run(
        [bazel, *line.split()], cwd=work, env=cli.environ, check=True, capture_output=True
    )

    assert done.stdout.startswith(b"//:x sha256:")
    assert os.readlink(work / "bazel-bin") == str(work / "out" / "bin")


def test_words_are_translated() -> None:
    assert translated(["build", "//a"]) == ["build", "//a", "--symlink-prefix=bazel-"]
    assert translated(["--output_base", "/o", "info"])[:2] == ["info", "--output-base=/o"]
    assert "--platform=linux/arm64" in translated(["build", "--cpu=aarch64", "//a"])
    assert translated(["cquery", "deps(//a)"])[0] == "query"
    assert translated(["version"]) == ["version"]
    assert translated([]) == ["--help"]
    run = translated(["run", "//a", "-j4", "--", "--dst=x"])
    assert run[-2:] == ["--", "--dst=x"]
    assert "-j4" in run


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("build --remote_cache=grpc://x //a", "bazel --remote_cache=grpc://x"),
        ("build --spawn_strategy=remote //a", "bazel --spawn_strategy=remote"),
        ("build --cpu=vax //a", "--cpu=vax"),
        ("mobile-install //a", "bazel mobile-install"),
        ("--unheard_of build //a", "start-up option"),
        ("--bazelrc=mine build //a", "rc files are not read"),
    ],
)
def test_what_is_not_there_is_refused_by_its_name(line: str, told: str) -> None:
    with pytest.raises(Misused) as error:
        translated(line.split())

    assert told in error.value.message
