"""The files of several packages as one set: where each goes, whose it is, and what is left out."""

import hashlib
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import BinaryIO, NamedTuple

from artificer.errors import ArtificerError
from artificer.events import BlobProgress, Report, unheard
from artificer.images.parallel import Work, run_all
from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry, Span
from artificer.layers.parents import parents
from artificer.layers.whiteout import is_whiteout
from artificer.oci.digest import Digest
from artificer.sources.debian.deb import BadPackage, Deb, Package, read_deb
from artificer.sources.debian.installing.filters import Filters
from artificer.sources.debian.installing.layout import Layout
from artificer.stop import Stop


class FileConflict(ArtificerError):
    """Two packages have one file, and neither says that it replaces the other's."""


class Owner(NamedTuple):
    """A package as the owner of files."""

    name: str
    version: str
    architecture: str
    same: bool
    """Whether it is there for several architectures at once (``Multi-Arch: same``)."""

    @property
    def key(self) -> str:
        """By what dpkg's database names it (``NAME``, or ``NAME:ARCH``)."""
        return f"{self.name}:{self.architecture}" if self.same else self.name

    def __str__(self) -> str:
        return f"{self.key} {self.version}"


Replaces = Callable[[Package, Owner], bool]
"""Whether a package says that it may take files from another."""


class Placed(NamedTuple):
    """The files of one package where they go, in the archive's order.

    *names* are what the package calls them, one for each of *entries*; *listed* are all it has, as
    dpkg lists them, also what is there already; of what filters leave out *package* knows nothing.
    """

    package: Package
    entries: tuple[Entry, ...]
    names: tuple[str, ...]
    listed: tuple[str, ...]

    @property
    def owner(self) -> Owner:
        """The package as the owner of files."""
        return owner_of(self.package)


def owner_of(package: Package) -> Owner:
    """*package* as the owner of files."""
    return Owner(
        package.name,
        package.version,
        package.architecture,
        package.field("Multi-Arch").lower() == "same",
    )


def open_debs(
    paths: Sequence[str],
    spool: Callable[[], BinaryIO],
    *,
    threads: int,
    stop: Stop,
    report: Report = unheard,
) -> tuple[Deb, ...]:
    """Read the packages at *paths*, several at once, into a spool for each of *threads*."""
    read_so_far = _told(paths, report)
    spools: SimpleQueue[BinaryIO] = SimpleQueue()
    for _ in range(max(1, min(threads, len(paths)))):
        spools.put(spool())
    debs: list[Deb | None] = [None] * len(paths)

    def reading(number: int, path: str) -> Work:
        def read(check: Callable[[], None]) -> None:
            check()
            one = spools.get()
            try:
                debs[number] = read_deb(path, lambda: one)
            finally:
                spools.put(one)
            read_so_far(path)

        return read

    work = [reading(number, path) for number, path in enumerate(paths)]
    run_all(work, threads=threads, stop=stop)
    return tuple(deb for deb in debs if deb is not None)


def _told(paths: Sequence[str], report: Report) -> Callable[[str], None]:
    """What tells how much of *paths* is read, once it is told of each."""
    lock, done, total = threading.Lock(), 0, sum(map(_size, paths))
    shown = f"{len(paths)} package{'' if len(paths) == 1 else 's'}"
    name = Digest.of("\n".join(paths).encode("utf-8", "surrogateescape"))

    def read(path: str) -> None:
        nonlocal done
        with lock:
            done += _size(path)
            report(BlobProgress(name, done, total, "read", shown))

    return read


def _size(path: str) -> int:
    """How large a file is; whoever reads it says why it cannot be read."""
    return os.path.getsize(path) if os.path.isfile(path) else 0


class Placement:
    """Places packages one after another, as dpkg unpacks them.

    *owners* tells whose a file of the base is; *diversions* are real paths, where they are put
    instead, and the package that is not diverted itself. What `lost` tells afterwards: the files
    that a later package took from an earlier one, and from packages of the base.
    """

    def __init__(
        self,
        layout: Layout,
        replaces: Replaces,
        *,
        filters: Filters = Filters(()),  # noqa: B008 - it is never changed
        owners: Mapping[str, Owner] | None = None,
        diversions: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        self._layout = layout
        self._replaces = replaces
        self._filters = filters
        self._before = owners or {}
        self._diversions = diversions or {}
        self._directories: set[str] = {""}
        # Directories that no package has itself, because of what is in them.
        self._implied: set[str] = set()
        self._packages: dict[str, Package] = {}
        self._owned: dict[str, tuple[str, Entry]] = {}
        self._hashes: dict[str, bytes] = {}
        self.lost: list[tuple[Owner, str]] = []

    def add(self, deb: Deb, *, twin: bool = False) -> Placed:
        """Place the files of one package more.

        A *twin* comes for another architecture, too, and may be closed by then: its files are
        known by their hashes.
        """
        package = deb.package
        self._packages[owner_of(package).key] = package
        entries: list[Entry] = []
        names: list[str] = []
        sources: dict[str, Entry] = {}
        given: set[str] = set()
        left_out: set[str] = set()
        for shipped in deb.entries:
            entry = self._placed(shipped, package, sources)
            lost = len(self.lost)
            if entry is not None and self._takes(entry, package):
                entries.append(entry)
                names.append(shipped.path)
                if twin and entry.kind == FILE:
                    self._hashes[entry.path] = sha256_of(entry)
            elif entry is None:
                left_out.add(shipped.path)
            elif len(self.lost) > lost:
                given.add(shipped.path)
        # dpkg makes symbolic links last, and lists them so.
        links_last = sorted(deb.entries, key=lambda entry: entry.kind == SYMLINK)
        paths = (entry.path for entry in links_last)
        listed = ("/.", *(f"/{path}" for path in paths if path not in given | left_out))
        kept = _without_sums(package, left_out) if left_out else package
        return Placed(kept, tuple(entries), tuple(names), listed)

    def _placed(self, shipped: Entry, package: Package, sources: dict[str, Entry]) -> Entry | None:
        """*shipped* where it goes, or None where it goes nowhere.

        *sources* are the files so far that hard links may name, by the archive's own names.
        """
        _check(shipped, package)
        if shipped.kind == FILE:
            sources[shipped.path] = shipped
        if self._filters and self._filters.excludes(f"/{shipped.path}", shipped.kind):
            return None
        path = self._diverted(self._layout.real(shipped.path), package)
        entry = shipped._replace(path=path, mtime=max(0, shipped.mtime))
        return entry if shipped.kind != HARDLINK else self._hard_link(entry, package, sources)

    def _hard_link(self, entry: Entry, package: Package, sources: dict[str, Entry]) -> Entry:
        """*entry* with the place of what it links to; the file itself where that is left out."""
        first = sources.get(entry.link)
        if first is None:
            raise BadPackage(f"{package.name}: a hard link to what is not before it: {entry.path}")
        sources[entry.path] = first
        place = self._diverted(self._layout.real(entry.link), package)
        owned = self._owned.get(place)
        if owned is not None and owned[0] == owner_of(package).key:
            return entry._replace(link=place)
        return first._replace(path=entry.path)

    def _diverted(self, path: str, package: Package) -> str:
        found = self._diversions.get(path)
        return path if found is None or found[1] == package.name else found[0]

    def _takes(self, entry: Entry, package: Package) -> bool:
        """Whether *entry* is put there, and know whose it is from now on."""
        path = entry.path
        if entry.kind == DIRECTORY:
            return self._takes_directory(path, package)
        known = path in self._directories or path in self._implied
        if known or self._layout.has_directory(path):
            if entry.kind == SYMLINK:
                return False  # dpkg leaves a directory where a link to one comes
            raise FileConflict(f"/{path} of {package.name} is a directory already")
        key = owner_of(package).key
        if not self._may_take(entry, package, key):
            return False
        self._imply(path, package)
        self._owned[path] = key, entry
        if entry.kind == SYMLINK:
            self._layout.learn(path, entry.link)
        return True

    def _takes_directory(self, path: str, package: Package) -> bool:
        if path in self._directories or self._layout.is_link_to_directory(path):
            return False
        if path in self._owned:
            raise self._in_the_way(path, package)
        self._imply(path, package)
        self._directories.add(path)
        if self._layout.has_file(path):
            self._take_from_base(path, package)
        return not self._layout.has_directory(path)

    def _imply(self, path: str, package: Package) -> None:
        """Know that what *path* is in are directories, and no files."""
        for folder in parents(path):
            if folder in self._directories or folder in self._implied:
                return
            if folder in self._owned:
                raise self._in_the_way(folder, package)
            self._implied.add(folder)

    def _in_the_way(self, path: str, package: Package) -> ArtificerError:
        """Where a package needs a directory, there is a file."""
        other, _ = self._owned[path]
        if other == owner_of(package).key:
            return BadPackage(f"{package.name}: /{path} is a file, and a directory")
        return _conflict(path, owner_of(package), owner_of(self._packages[other]))

    def _may_take(self, entry: Entry, package: Package, key: str) -> bool:
        path = entry.path
        if path not in self._owned:
            self._take_from_base(path, package)
            return True
        other, first = self._owned[path]
        holder = self._packages[other]
        if other == key or self._shared(holder, package, first, entry):
            return False
        if self._replaces(package, owner_of(holder)):
            self.lost.append((owner_of(holder), path))
            return True
        if self._replaces(holder, owner_of(package)):
            self.lost.append((owner_of(package), path))
            return False
        raise _conflict(path, owner_of(package), owner_of(holder))

    def _take_from_base(self, path: str, package: Package) -> None:
        """Have what is at *path* in the base, and note who has lost it."""
        before = self._before.get(path)
        if before is not None and before.name != package.name:
            if not self._replaces(package, before):
                raise _conflict(path, owner_of(package), before)
            self.lost.append((before, path))

    def _shared(self, holder: Package, package: Package, first: Entry, entry: Entry) -> bool:
        """Whether both are one package for several architectures, with one and the same file."""
        both = owner_of(holder).same and owner_of(package).same
        if not both or holder.name != package.name:
            return False
        if (first.kind, first.link, first.size) != (entry.kind, entry.link, entry.size):
            return False
        if first.kind != FILE:
            return True
        known = self._hashes.get(entry.path)
        return _same_bytes(first, entry) if known is None else known == sha256_of(entry)


def _without_sums(package: Package, left_out: Collection[str]) -> Package:
    """*package* as if it had never had the files *left_out*, so that `dpkg -V` misses none."""
    if package.md5sums is None:
        return package
    lines = package.md5sums.splitlines(keepends=True)
    data = b"".join(line for line in lines if os.fsdecode(line[34:].rstrip(b"\n")) not in left_out)
    files = tuple(
        file._replace(data=data) if file.name == "md5sums" else file for file in package.files
    )
    return package._replace(md5sums=data, files=files)


def _check(shipped: Entry, package: Package) -> None:
    if is_whiteout(shipped.path):
        raise BadPackage(f"{package.name}: a name that no layer can hold: {shipped.path}")
    if "\n" in shipped.path:
        raise BadPackage(f"{package.name}: a name that no list can hold: {shipped.path!r}")


def _conflict(path: str, new: Owner, old: Owner) -> FileConflict:
    return FileConflict(
        f"/{path} is in {new} and also in {old}, which it does not say to replace",
        hint="ask for one of them only; what nobody asked for is left out by `--deb-exclude`, "
        "or `exclude` in a BUILD file",
    )


def sha256_of(entry: Entry) -> bytes:
    """The hash of the bytes of *entry*, a file."""
    digest = hashlib.sha256()
    for piece in bytes_of(entry):
        digest.update(piece)
    return digest.digest()


def _same_bytes(one: Entry, other: Entry) -> bool:
    return all(a == b for a, b in zip(bytes_of(one), bytes_of(other), strict=False))


def bytes_of(entry: Entry) -> Iterator[bytes]:
    """The bytes of *entry*, a file, in pieces."""
    source = entry.source
    if source is None or isinstance(source, bytes):
        yield source or b""
        return
    path, offset = source if isinstance(source, Span) else (source, 0)
    left = entry.size
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.lseek(descriptor, offset, os.SEEK_SET)
        while left and (piece := os.read(descriptor, min(left, 1 << 18))):
            left -= len(piece)
            yield piece
    finally:
        os.close(descriptor)
