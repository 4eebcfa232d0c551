"""dpkg's database of an image: what it says now, and what it will say of packages put there."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from artificer.errors import ArtificerError
from artificer.layers.entry import FILE, HARDLINK, Entry
from artificer.layers.tree import Tree
from artificer.sources.debian.deb822 import stanzas
from artificer.sources.debian.installing.stanza import Conffile, conffiles_of
from artificer.sources.debian.installing.unpack import Owner

FOLDER = "var/lib/dpkg"
STATUS = f"{FOLDER}/status"
INFO = f"{FOLDER}/info"
DIVERSIONS = f"{FOLDER}/diversions"
OVERRIDES = f"{FOLDER}/statoverride"
ARCH = f"{FOLDER}/arch"
EXTENDED = "var/lib/apt/extended_states"
_FLAT = ("status", "arch", "diversions", "statoverride")
_UNREAD = (".md5sums", ".templates", ".shlibs", ".symbols", ".config", ".conffiles")
_WITH_FILES = frozenset({"installed", "unpacked", "half-configured", "half-installed"})


class NoDatabase(ArtificerError):
    """An image has no dpkg database, so nothing can be installed in it as dpkg does."""


class Record(NamedTuple):
    """A package of the database: its stanza as it is there, and as fields."""

    raw: bytes
    fields: Mapping[str, str]

    @property
    def name(self) -> str:
        """The package's name."""
        return self.fields.get("Package", "")

    @property
    def key(self) -> tuple[str, str]:
        """By what the status file is sorted, and packages are told apart."""
        return self.name, self.fields.get("Architecture", "")

    @property
    def status(self) -> str:
        """The last word of ``Status``: ``installed``, ``config-files`` …"""
        return self.fields.get("Status", "").rpartition(" ")[2]

    @property
    def has_files(self) -> bool:
        """Whether its files are there, and not only what it left behind."""
        return self.status in _WITH_FILES or self.status.startswith("triggers-")

    @property
    def owner(self) -> Owner:
        """The package as the owner of files."""
        same = self.fields.get("Multi-Arch") == "same"
        return Owner(self.name, self.fields.get("Version", ""), self.key[1], same)

    @property
    def conffiles(self) -> tuple[Conffile, ...]:
        """The files whose changes are kept, as they were shipped."""
        return conffiles_of(self.fields.get("Conffiles", ""))


class Database(NamedTuple):
    """What dpkg knows of an image: packages by name and architecture, and the smaller files."""

    records: Mapping[tuple[str, str], Record] = {}
    lists: Mapping[str, tuple[str, ...]] = {}
    diversions: tuple[tuple[str, str, str], ...] = ()
    files: Mapping[str, bytes] = {}

    def list_of(self, owner: Owner) -> tuple[str, ...]:
        """The files of a package, as it ships them; none where nothing is known of it."""
        return self.lists.get(owner.key) or self.lists.get(owner.name, ())

    def script(self, owner: Owner, script: str) -> str | None:
        """Where *script* of an installed package is, if it has that."""
        paths = (f"{INFO}/{key}.{script}" for key in (owner.key, owner.name))
        return next((path for path in paths if path in self.files), None)


def database_files(tree: Tree) -> tuple[str, ...]:
    """The paths of *tree* that `database` and what comes after it may want to read."""
    names = [f"{FOLDER}/{name}" for name in _FLAT]
    names += [f"{FOLDER}/triggers/{name}" for name in tree.listdir(f"{FOLDER}/triggers")]
    names += [
        f"{INFO}/{name}" for name in tree.listdir(INFO) if os.path.splitext(name)[1] not in _UNREAD
    ]
    return tuple(path for path in (*names, EXTENDED) if _is_file(tree, path))


def database(tree: Tree, read: Callable[[str], bytes]) -> Database:
    """The database of *tree*; *read* gives a file's bytes."""
    if not _is_file(tree, STATUS):
        raise NoDatabase(
            f"the image has no dpkg database: there is no /{STATUS}",
            hint="take the packages' files only (level `unpack`), or a base that has dpkg",
        )
    files = {path: read(path) for path in database_files(tree)}
    records = {record.key: record for record in records_of(files[STATUS])}
    lists = {
        path.removeprefix(f"{INFO}/").removesuffix(".list"): tuple(lines_in(data))
        for path, data in files.items()
        if path.startswith(INFO) and path.endswith(".list")
    }
    return Database(records, lists, diversions_of(files.get(DIVERSIONS, b"")), files)


def diversions_of(data: bytes) -> tuple[tuple[str, str, str], ...]:
    """What the file of diversions says: a path, where others put it, and who does not."""
    lines = lines_in(data)
    return tuple(zip(lines[::3], lines[1::3], lines[2::3], strict=False))


def status_file(records: Iterable[tuple[tuple[str, str], bytes]]) -> bytes:
    """The status file of *records*: what tells each apart, and its stanza."""
    return b"".join(raw.rstrip(b"\n") + b"\n\n" for _, raw in sorted(records))


def file_entry(path: str, data: bytes, mtime: int, mode: int = 0o644) -> Entry:
    """A file of root's that holds *data*."""
    return Entry(path, FILE, mode, 0, 0, len(data), mtime, "", data)


def lines_of(lines: Sequence[str]) -> bytes:
    """*lines* as a file."""
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def lines_in(data: bytes) -> list[str]:
    """The lines of a file. Only newlines end them: a name may hold whatever else ends lines."""
    text = data.decode("utf-8", "surrogateescape").removesuffix("\n")
    return text.split("\n") if text else []


def records_of(data: bytes) -> Iterable[Record]:
    """The packages that a status file lists, in its order."""
    for chunk in data.split(b"\n\n"):
        raw = chunk.strip(b"\n")
        for fields in stanzas(raw, f"/{STATUS}"):
            if fields.get("Package"):
                yield Record(raw + b"\n", fields)


def _is_file(tree: Tree, path: str) -> bool:
    file = tree.lookup(path)
    return file is not None and file.kind in {FILE, HARDLINK}
