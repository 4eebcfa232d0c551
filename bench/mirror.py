"""An archive of files on this machine, so that nobody waits for a network while measured."""

import os
import shutil
import subprocess
from pathlib import Path

from bench.measure import Failed

WANTED = ("?essential", "apt", "nginx")


def mirror(cache: Path) -> Path:
    """A flat archive of all that nginx needs from nothing, in *cache*; made with apt, once."""
    folder = cache / "mirror"
    if not (folder / "Packages").exists():
        partial = folder.with_name(f"mirror-{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "partial").mkdir(parents=True)
        try:
            _fetch(partial)
            _list(partial)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def packages_in(folder: Path) -> int:
    """How many packages there are."""
    return sum(1 for _ in folder.glob("*.deb"))


def _fetch(folder: Path) -> None:
    status = folder / "status"
    status.touch()
    _done(
        *("apt-get", "-qq", "install", "-y", "--no-install-recommends", "--download-only"),
        *("-o", f"Dir::State::status={status}", "-o", "Debug::NoLocking=1"),
        *("-o", f"Dir::Cache::archives={folder}", "-o", "APT::Sandbox::User=root", *WANTED),
    )
    status.unlink()
    (folder / "partial").rmdir()
    (folder / "lock").unlink(missing_ok=True)


def _list(folder: Path) -> None:
    """Write the index of *folder*: the stanzas of the packages, and where their files are."""
    stanzas = []
    for path in sorted(folder.glob("*.deb")):
        name, version, architecture = path.stem.replace("%3a", ":").split("_")
        told = _done("apt-cache", "show", f"{name}:{architecture}={version}")
        lines = told.split("\n\n")[0].strip().splitlines()
        kept = [line for line in lines if not line.startswith("Filename:")]
        stanzas.append("\n".join([*kept, f"Filename: ./{path.name}"]))
        path.chmod(0o644)
    (folder / "Packages").write_text("\n\n".join(stanzas) + "\n")


def _done(*words: str) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{words[0]}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout
