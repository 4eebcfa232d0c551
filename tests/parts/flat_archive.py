"""Debian's own packages as an archive of files, out of which others install, too."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from artificer.builder.debian.chosen import locked_of
from artificer.sources.debian.archives.acquire import acquire, open_universe
from artificer.sources.debian.deb import read_package
from artificer.sources.debian.resolving.resolve import resolve
from artificer.sources.debian.values import Locked, Wanted
from tests.parts.images import alone, cache_folder
from tests.parts.machine_archive import archive_store, machine_archives, web_over


class FlatArchive(NamedTuple):
    """A directory of packages and its index; each program has its own words for it."""

    folder: Path
    packages: tuple[Locked, ...]

    @property
    def line(self) -> str:
        """What stands behind `deb` in a sources.list."""
        return f"[trusted=yes] file://{self.folder} ./"

    def deb(self, name: str) -> Path:
        """The file of the package *name*."""
        found = next(one for one in self.packages if one.name == name)
        return self.folder / _file_name(found)


def flat_archive(
    *words: str, architecture: str = "amd64", essential: bool = True, release: str = ""
) -> FlatArchive:
    """All that an empty root needs for *words*; kept between runs while Debian has the same.

    The machine's own release of Debian is taken if *release* does not name another.
    """
    store = archive_store()
    with web_over(store) as web:
        universe = open_universe(machine_archives(release), (architecture,), web)
        wanted = Wanted(words, essential=essential, apt=essential)
        solution = resolve(wanted, universe, (), architecture)
        packages = tuple(locked_of(one, auto=False) for one in solution.install)
        name = hashlib.sha256("".join(one.sha256 for one in packages).encode()).hexdigest()[:16]
        folder = cache_folder() / f"flat-{name}"
        with alone(cache_folder()):
            if not folder.exists():
                paths = acquire(packages, web)
                _filled(folder, [(one, paths[one]) for one in packages])
    return FlatArchive(folder, packages)


def _filled(folder: Path, found: Sequence[tuple[Locked, str]]) -> None:
    partial = folder.with_name(f"{folder.name}-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    stanzas = []
    for package, path in found:
        name = _file_name(package)
        shutil.copyfile(path, partial / name)
        control = read_package(path).control.decode().strip()
        place = f"Filename: ./{name}\nSize: {package.size}\nSHA256: {package.sha256}"
        stanzas.append(f"{control}\n{place}\n")
    (partial / "Packages").write_text("\n".join(stanzas))
    partial.rename(folder)


def _file_name(package: Locked) -> str:
    version = package.version.replace(":", "%3a")
    return f"{package.name}_{version}_{package.architecture}.deb"
