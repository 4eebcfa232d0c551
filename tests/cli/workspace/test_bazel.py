"""The command called by the name `bazel`, as a Job of 2017 calls it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from artificer.cli.workspace.bazel import translated
from artificer.errors import Misused
from tests.cli.outside import Cli

Rc = Callable[..., list[str]]


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
    assert translated(["help"]) == translated(["--help"]) == translated([]) == ["--help"]
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
    ],
)
def test_what_is_not_there_is_refused_by_its_name(line: str, told: str) -> None:
    with pytest.raises(Misused) as error:
        translated(line.split())

    assert told in error.value.message


@pytest.fixture
def rc(tmp_path: Path) -> Rc:
    """Translates a line with the given rc files of the workspace, of the home, and others."""

    def call(line: str, workspace: str = "", home: str = "", **others: str) -> list[str]:
        for name, text in {"w/.bazelrc": workspace, "h/.bazelrc": home, **others}.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        (tmp_path / "w" / "WORKSPACE").write_text("")
        (tmp_path / "w" / "sub").mkdir(exist_ok=True)
        found = translated(line.split(), str(tmp_path / "w" / "sub"), str(tmp_path / "h"))
        return [word for word in found if word != "--symlink-prefix=bazel-"]

    return call


def test_options_of_rc_files_come_before_those_of_the_command_line(rc: Rc) -> None:
    text = "# a comment\nbuild --jobs=2 \\\n  --define=a='b c'\ncommon --stamp\n"

    assert rc("build --jobs=3 //a", text, "build --jobs=1\n") == [
        *("build", "--stamp", "--jobs=2", "--define=a=b c", "--jobs=1", "--jobs=3", "//a")
    ]
    assert rc("query //a", text) == ["query", "--stamp", "//a"]
    assert rc("query //a", "build --unheard_of\n") == ["query", "//a"]


def test_tests_and_runs_take_what_builds_take_and_their_own_comes_last(rc: Rc) -> None:
    text = "test --jobs 1\nbuild -c opt\nrun --stamp\n"

    assert rc("test //a", text) == ["test", "-c", "opt", "--jobs", "1", "//a"]
    assert rc("run //a", text) == ["run", "-c", "opt", "--stamp", "//a"]


def test_a_configuration_is_written_out_where_it_is_named(rc: Rc) -> None:
    text = (
        "build:ci --jobs=9 --config=more\nbuild:more --stamp\ncommon:ci --define=x=y\n"
        "test:ci --unheard_of\nbuild:other --unheard_of\n"
    )

    assert rc("build --jobs=1 --config=ci --jobs=2 //a", text) == [
        *("build", "--jobs=1", "--define=x=y", "--jobs=9", "--stamp", "--jobs=2", "//a")
    ]
    assert rc("build //a", f"{text}build --config=more\n") == ["build", "--stamp", "//a"]


def test_files_are_imported(rc: Rc, tmp_path: Path) -> None:
    text = (
        f"import %workspace%/own.rc\ntry-import {tmp_path}/nothing\ntry-import {tmp_path}/x.rc\n"
    )
    others = {"w/own.rc": "build --jobs=4\n", "x.rc": "startup --output_base=/o\n"}

    assert rc("build //a", text, **others) == ["build", "--output-base=/o", "--jobs=4", "//a"]


@pytest.mark.parametrize(
    "start",
    [
        "--noworkspace_rc --nohome_rc",
        "--ignore_all_rc_files",
        "--workspace_rc=0 --home_rc=false --bazelrc=/dev/null --bazelrc=nothing",
    ],
)
def test_rc_files_can_be_left_alone(rc: Rc, start: str) -> None:
    found = rc(f"{start} build //a", "build --unheard_of\n", "build --unheard_of\n")

    assert found == ["build", "//a"]


def test_a_file_may_be_named(rc: Rc, tmp_path: Path) -> None:
    line = f"--bazelrc={tmp_path}/own build //a"

    assert rc(line, own="build --jobs=5\n") == ["build", "--jobs=5", "//a"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\nbuild --remote_cache=x\n", ".bazelrc:2: bazel --remote_cache=x"),
        ("build --jobs=1 \\\n --unheard\n", ".bazelrc:1: bazel --unheard"),
        ("common --unheard\n", ".bazelrc:1: bazel --unheard"),
        ("startup --unheard\n", ".bazelrc:1: bazel --unheard"),
        ("build //a\n", ".bazelrc:1: //a is no option"),
        ("build --config=gone\n", ".bazelrc:1: --config=gone: no rc file defines it"),
        ("build:a --config=a\nbuild --config=a\n", "a part of itself"),
        ("import %workspace%/gone\n", ".bazelrc:1: there is no"),
        ("import %home%/gone\n", "only %workspace%"),
        ("import %workspace%/.bazelrc\n", "import each other"),
        ("import\n", "takes one file"),
        ("build --define='a\n", ".bazelrc:1: no closing quotation"),
    ],
)
def test_what_an_rc_file_has_wrong_is_an_error_at_its_line(rc: Rc, text: str, told: str) -> None:
    with pytest.raises(Misused) as error:
        rc("build //a", text)

    assert told in error.value.message


def test_the_rc_file_of_a_workspace_is_read(cli: Cli, work: Path, bazel: Path) -> None:
    (work / "WORKSPACE").write_text("")
    (work / ".bazelrc").write_text("build --define=WHO=rc\n")
    (work / "BUILD").write_text('genrule(name = "g", outs = ["o"], cmd = "echo $(WHO) >$@")\n')

    subprocess.run([bazel, "build", "//:g"], cwd=work, env=cli.environ, check=True)

    assert (work / "bazel-bin" / "o").read_text() == "rc\n"
