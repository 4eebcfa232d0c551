"""``apt-get -s install`` over a status of its own: what apt would do, changing nothing."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from artificer.sources.debian.values import Archive, Pin
from tests.parts.commands import SEARCH, found

_INSTALL = re.compile(r"^Inst (\S+) (?:\[\S+\] )?\((\S+) ", re.MULTILINE)
_REMOVE = re.compile(r"^Remv (\S+) ", re.MULTILINE)


class Outcome(NamedTuple):
    """The versions that come in by the names of their packages, and the names of what goes."""

    install: dict[str, str]
    remove: frozenset[str]


class AptGet:
    """An apt with *archives* in *folder* for *architectures*, for which `update` has been run."""

    def __init__(
        self, folder: Path, archives: Sequence[Archive], architectures: Sequence[str]
    ) -> None:
        self._folder = folder
        for name in ("lists/partial", "cache/archives/partial", "etc/apt.conf.d"):
            (folder / name).mkdir(parents=True)
        (folder / "empty").touch()
        known = "".join(f'"{name}"; ' for name in architectures)
        (folder / "sources.list").write_text("".join(map(_line, archives)))
        (folder / "apt.conf").write_text(
            f'Dir::Etc "{folder}/etc"; Dir::Etc::SourceList "{folder}/sources.list";'
            f'Dir::State::Lists "{folder}/lists"; Dir::State::extended_states "{folder}/states";'
            f'Dir::State::Status "{folder}/empty"; Dir::Cache "{folder}/cache";'
            f'APT::Sandbox::User "root"; Debug::NoLocking "1"; APT::Get::Assume-Yes "1";'
            f'APT::Get::allow-remove-essential "1"; Acquire::Languages "none";'
            f'APT::Architecture "{architectures[0]}"; APT::Architectures {{ {known} }};'
        )
        done = self._run("apt-get", "-q", "update")
        assert done.returncode == 0, done.stderr
        # The part of its cache that does not depend on the status is made once.
        self._run("apt-cache", "gencaches")

    def install(
        self, words: Sequence[str], status: Path, *, recommends: bool, pins: Sequence[Pin] = ()
    ) -> Outcome | None:
        """What apt would do, or nothing where it says that it cannot."""
        (self._folder / "etc/preferences").write_text("".join(map(_stanza, pins)))
        options = (f"Dir::State::Status={status}", f"APT::Install-Recommends={recommends}")
        done = self._run("apt-get", "-s", "-o", options[0], "-o", options[1], "install", *words)
        if done.returncode:
            return None
        return Outcome(
            dict(_INSTALL.findall(done.stdout)), frozenset(_REMOVE.findall(done.stdout))
        )

    def _run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        environ = {"APT_CONFIG": f"{self._folder}/apt.conf", "PATH": SEARCH, "LC_ALL": "C"}
        return subprocess.run(
            [found(program), *words],
            capture_output=True,
            text=True,
            env=environ,
            check=False,
            timeout=300,
        )


def _line(archive: Archive) -> str:
    until = "yes" if archive.check_valid_until else "no"
    options = f"[signed-by={archive.signed_by[0]} check-valid-until={until}]"
    return f"deb {options} {archive.uri} {archive.suite} {' '.join(archive.components)}\n"


def _stanza(pin: Pin) -> str:
    names = " ".join(pin.packages)
    return f"Package: {names}\nPin: {pin.by} {pin.pattern}\nPin-Priority: {pin.priority}\n\n"
