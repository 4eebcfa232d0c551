"""Packages of the tests read, installed into directories, and compared with what dpkg makes."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry
from artificer.layers.index import File as IndexFile
from artificer.layers.index import Index
from artificer.layers.tree import Tree
from artificer.layers.whiteout import hidden
from artificer.sources.debian.deb import Deb
from artificer.sources.debian.equivalents.files import Files
from artificer.sources.debian.installing.installation import Base
from artificer.sources.debian.installing.unpack import bytes_of, open_debs
from artificer.stop import Stop
from tests.parts.archive import Made, deb_bytes
from tests.parts.commands import found

VOLATILE = {"status-old", "lock", "lock-frontend", "triggers/Lock", "triggers/Unincorp"}


class Bench:
    """A folder in which packages are made and read."""

    def __init__(self, folder: Path, spools: ExitStack) -> None:
        self.folder = folder
        self._spools = spools

    def spool(self) -> BinaryIO:
        """A file that is open as long as the test runs."""
        return self._spools.enter_context(
            open(self.folder / f"spool-{os.urandom(4).hex()}", "w+b")
        )

    def paths(self, *packages: Made) -> list[str]:
        """Where the files of *packages* are."""
        made = []
        for package in packages:
            path = self.folder / package.file_name
            path.write_bytes(deb_bytes(package, "gz"))
            made.append(str(path))
        return made

    def debs(self, *packages: Made) -> tuple[Deb, ...]:
        """*packages*, read."""
        return open_debs(self.paths(*packages), self.spool, threads=2, stop=Stop())

    def root(self, name: str) -> Path:
        """A root with merged /usr and an empty database."""
        root = self.folder / name
        for folder in ("bin", "sbin", "lib"):
            (root / "usr" / folder).mkdir(parents=True)
            (root / folder).symlink_to(f"usr/{folder}")
        for folder in ("info", "updates", "triggers", "alternatives", "parts"):
            (root / "var/lib/dpkg" / folder).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        return root

    def dpkg(self, root: Path, *words: str) -> str:
        """What dpkg says when it acts on *root*."""
        options = ["--force-not-root", "--force-depends", "--force-confold", "--force-confdef"]
        done = subprocess.run(
            [found("dpkg"), f"--root={root}", "--log=/dev/null", *options, *words],
            check=True,
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )
        return done.stdout

    def copy(self, root: Path, name: str) -> Path:
        """A copy of *root*."""
        return Path(shutil.copytree(root, self.folder / name, symlinks=True))


def files_of(*entries: Entry, base: Mapping[str, bytes] | None = None, mtime: int = 0) -> Files:
    """*entries* upon the files of *base*, or upon nothing, as scripts would find them."""
    placed = {one.path: one for one in entries}
    below = base or {}
    rows = [IndexFile(path, FILE, 0o644, 0, 0, len(below[path]), 0, 0) for path in sorted(below)]

    def read(path: str) -> bytes:
        return b"".join(bytes_of(placed[path])) if path in placed else below[path]

    return Files(placed, read, None if base is None else Tree([Index(rows)]), (), mtime)


def text_of(entries: Iterable[Entry], path: str) -> str:
    """What the file at *path* holds."""
    entry = next(one for one in entries if one.path == path)
    return b"".join(bytes_of(entry)).decode()


def base_at(root: Path) -> Base:
    """The image that is unpacked at *root*."""
    return Base(Tree([Index(_files(root))]), lambda path: (root / path).read_bytes())


def _files(root: Path) -> Iterator[IndexFile]:
    for folder, names, files in os.walk(root):
        for name in sorted([*names, *files]):
            whole = os.path.join(folder, name)
            link = os.readlink(whole) if os.path.islink(whole) else ""
            kind = SYMLINK if link else DIRECTORY if os.path.isdir(whole) else FILE
            path = os.path.relpath(whole, root)
            mode = stat.S_IMODE(os.lstat(whole).st_mode)
            yield IndexFile(path, kind, mode, 0, 0, 0, 0, 0, link)


def put(root: Path, entries: Iterable[Entry]) -> None:
    """Unpack *entries* upon *root*, as a layer."""
    for entry in entries:
        gone, path = hidden(entry.path), root / entry.path
        if gone is not None:
            path = root / gone
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(
                missing_ok=True
            )
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or path.is_file():
            path.unlink()
        _MAKERS[entry.kind](root, path, entry)


def _directory(_: Path, path: Path, entry: Entry) -> None:
    path.mkdir(exist_ok=True)
    path.chmod(entry.mode)


def _file(_: Path, path: Path, entry: Entry) -> None:
    path.write_bytes(b"".join(bytes_of(entry)))
    path.chmod(entry.mode)


_MAKERS: dict[str, Callable[[Path, Path, Entry], None]] = {
    DIRECTORY: _directory,
    FILE: _file,
    SYMLINK: lambda _, path, entry: path.symlink_to(entry.link),
    HARDLINK: lambda root, path, entry: path.hardlink_to(root / entry.link),
}


def tree_at(root: Path, leave_out: Sequence[str] = ()) -> dict[str, str]:
    """Every path of *root* with what is there, but for dpkg's locks and copies."""
    found_there: dict[str, str] = {}
    for file in _files(root):
        path = root / file.path
        name = file.path.removeprefix("var/lib/dpkg/")
        if name in VOLATILE or name.startswith("updates/") or file.path in leave_out:
            continue
        if file.kind == FILE:
            held = path.read_bytes().decode("utf-8", "replace")
            found_there[file.path] = f"{path.stat().st_mode & 0o7777:o} {held}"
        else:
            found_there[file.path] = file.link or "directory"
    return found_there
