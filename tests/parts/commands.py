"""Others' programs, found and run: what a test needs of skopeo, umoci and their like."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest

PACKAGES = Path(__file__).with_name("debian-packages.txt")
# Debian keeps runc and dockerd where a plain user's PATH does not look.
SEARCH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", "/usr/bin"))


def packages() -> Iterator[tuple[str, str]]:
    """Each Debian package of the list with the command it brings."""
    for line in PACKAGES.read_text().splitlines():
        if line and not line.startswith("#"):
            package, command = line.split()
            yield package, command


def found(command: str) -> str:
    """Where *command* is. In CI a missing part fails the test; elsewhere it skips, saying why."""
    path = shutil.which(command, path=SEARCH)
    if path is None:
        package = {name: package for package, name in packages()}.get(command, command)
        missing(f"{command} is not installed: apt-get install {package}")
    return path


def missing(reason: str) -> NoReturn:
    """A real part is not there: a failure in CI, a skip that says why elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


class Command(NamedTuple):
    """A program with the words and the environment that every call of it needs."""

    path: str
    words: tuple[str, ...]
    environ: Mapping[str, str]

    def run(
        self,
        *words: str | os.PathLike[str],
        check: bool = True,
        stdin: str = "",
        environ: Mapping[str, str] | None = None,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end. With *check*, a failure is shown with all that it printed."""
        done = subprocess.run(
            [self.path, *self.words, *words],
            check=False,
            input=stdin,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env={**self.environ, **(environ or {})},
            timeout=timeout,
        )
        if check and done.returncode != 0:
            shown = " ".join([Path(self.path).name, *map(str, words)])
            pytest.fail(f"{shown}: exit {done.returncode}\n{done.stdout}{done.stderr}", False)
        return done

    def output(self, *words: str | os.PathLike[str], stdin: str = "") -> str:
        """What it prints on stdout, without the last line's end."""
        return self.run(*words, stdin=stdin).stdout.rstrip("\n")


def command(name: str, *words: str, environ: Mapping[str, str]) -> Command:
    """The program *name*, which always gets *words* first."""
    return Command(found(name), words, environ)
