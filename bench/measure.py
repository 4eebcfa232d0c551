"""One command, measured: wall time, processor time and peak memory of it and what it started."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

TIMED = Path(__file__).with_name("timed.py")
# Here the containers libraries of root remember which repository has which blob.
BLOB_CACHE = "/var/lib/containers/cache"


class Failed(Exception):
    """A command that did not end well, with the last line that it said."""


class Sample(NamedTuple):
    """What one run cost. The peak is that of the largest process.

    *written* are bytes that were put into files of a disk, also into those that are gone by now.
    """

    wall: float
    cpu: float
    peak: int
    written: int = 0


class Runner(NamedTuple):
    """Where commands run, and what they see of the machine."""

    folder: Path
    environ: Mapping[str, str]
    alone: bool
    """True when a mount namespace of its own hides the machine's blob cache from a command."""

    def run(self, script: str, state: Path, cwd: Path, **more: str) -> Sample:
        """Run a shell *script* to its end."""
        result, log = self.folder / "result.json", state / "log"
        timed = [sys.executable, "-I", "-S", str(TIMED), str(result), "/bin/sh", "-ec", script]
        if self.alone:
            cache = state / "blob-cache"
            cache.mkdir(exist_ok=True)
            mount = f'mount --bind "{cache}" {BLOB_CACHE} && exec "$@"'
            timed = ["unshare", "--mount", "sh", "-c", mount, "sh", *timed]
        environ = {**self.environ, **more}
        with log.open("wb") as output:
            subprocess.run(timed, check=True, cwd=cwd, env=environ, stdout=output, stderr=output)
        told = json.loads(result.read_text())
        if told.pop("code"):
            lines = log.read_text(errors="replace").strip().splitlines()
            raise Failed(lines[-1] if lines else "no word why")
        return Sample(**told)


def runner(folder: Path, search: str) -> Runner:
    """A runner with a home of its own, without anybody's settings or passwords."""
    home = folder / "home"
    settings = home / ".config" / "containers"
    settings.mkdir(parents=True)
    (home / "run").mkdir(mode=0o700)
    (settings / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    environ = {
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PATH": search,
        "TMPDIR": str(folder),
        "XDG_RUNTIME_DIR": str(home / "run"),
    }
    return Runner(folder, environ, _may_hide())


def _may_hide() -> bool:
    if os.geteuid() != 0 or not os.path.isdir(BLOB_CACHE):
        return False
    words = ["unshare", "--mount", "true"]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0
