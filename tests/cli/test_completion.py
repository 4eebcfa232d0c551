"""Completion scripts, run by the shells that they are for."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from artificer.cli.completion import WORDS
from artificer.cli.main import COMMANDS
from tests.cli.outside import Cli


@pytest.fixture
def bash(cli: Cli, tmp_path: Path) -> Path:
    path = tmp_path / "completion.bash"
    path.write_text(cli("completion", "bash").stdout)
    return path


def completed(script: Path, *words: str) -> list[str]:
    """What bash offers for the last of *words*."""
    program = f'source "{script}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _artificer; '
    done = subprocess.run(
        ["bash", "--norc", "-c", program + 'printf "%s\\n" "${COMPREPLY[@]}"', "bash", *words],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_options_and_values(bash: Path) -> None:
    assert completed(bash, "artificer", "pu") == ["push", "pull"]
    assert completed(bash, "artificer", "") == list(COMMANDS)
    assert completed(bash, "artificer", "pull", "--pl") == ["--platform"]
    assert completed(bash, "artificer", "save", "--format", "") == [
        *("docker-archive", "oci-archive"),
    ]
    assert completed(bash, "artificer", "-b", "x", "--format", "") == ["docker", "oci"]
    assert completed(bash, "artificer", "-b", "x", "--keep") == ["--keep-cmd"]
    assert completed(bash, "artificer", "cache", "p") == ["prune"]
    assert completed(bash, "artificer", "plan", "--basei") == ["--baseimage"]
    assert completed(bash, "artificer", "copy", "./x") == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_help_page_is_completed(cli: Cli, bash: Path, name: str) -> None:
    page = cli(name, "--help").stdout

    shown = set(re.findall(r"^ {2}(?:-\w(?: \S+)?, )?(--[\w-]+)", page, re.MULTILINE))

    assert "--help" in shown
    assert shown <= set(completed(bash, "artificer", name, "-"))


@pytest.mark.parametrize(("name", "word"), [(n, w) for n in WORDS for w in WORDS[n]])
def test_every_word_that_is_completed_is_known(cli: Cli, name: str, word: str) -> None:
    assert cli(name, word, "--help").stdout.startswith(f"usage: artificer {name}")


@pytest.mark.parametrize(("shell", "check"), [("zsh", ["-n"]), ("fish", ["--no-execute"])])
def test_other_shells_can_read_their_scripts(
    cli: Cli, shell: str, check: list[str], tmp_path: Path
) -> None:
    script = tmp_path / f"completion.{shell}"
    script.write_text(cli("completion", shell).stdout)

    for name in COMMANDS:
        assert re.search(rf"\b{name}\b", script.read_text())
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, *check, script], check=True, stderr=subprocess.PIPE)


def test_an_unknown_shell_is_refused(cli: Cli) -> None:
    done = cli("completion", "csh", code=2)

    assert "invalid choice: 'csh'" in done.error
    assert cli("completion", code=2).error.endswith("required: SHELL")
