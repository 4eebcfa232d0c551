"""Debian's own packages as files, fetched by apt once and kept between runs."""

import subprocess
from pathlib import Path
from urllib.parse import unquote

from tests.parts.commands import found, missing
from tests.parts.images import alone, cache_folder


def deb(package: str) -> Path:
    """The newest version of *package* that this machine's apt knows."""
    folder = cache_folder() / "debs"
    folder.mkdir(exist_ok=True)
    # What apt has only begun to fetch has its name already.
    with alone(folder):
        known = sorted(folder.glob(f"{package}_*.deb"))
        if known:
            return known[-1]
        words = [found("apt-get"), "download", "-q", package]
        done = subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True)
        fetched = sorted(folder.glob(f"{package}_*.deb"))
    if done.returncode or not fetched:
        missing(f"apt does not give {package}: {done.stderr[-500:]}")
    return fetched[-1]


def served_name(path: Path) -> str:
    """What a web server would call the package at *path*."""
    return unquote(path.name)
