"""One Debian package: its files as entries, and what its control archive says (deb(5))."""

import os
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from artificer import limits
from artificer.errors import ArtificerError, reason
from artificer.layers.archive import TAR_FORMATS, path_of
from artificer.layers.entry import DIRECTORY, FILE, Entry, Span
from artificer.layers.header import BadArchive
from artificer.layers.inflate import Bomb, Corrupt, plain
from artificer.layers.read import Limits, Member, members
from artificer.layers.tape import StreamTape

_MAGIC = b"!<arch>\n"
_HEADER = 60
_FORMAT = b"2."
_MOST_PARTS = 100
_CHUNK = 1 << 18
_MOST_CONTROL = 4 * limits.CONTROL_BYTES
_CONTROL = re.compile(r"control\.tar(?:\.(?:gz|xz|zst))?")
_DATA = re.compile(r"data\.tar(?:\.(?:gz|xz|bz2|zst|lzma))?")
# They become names of files.
_WORDS = {
    "package": re.compile(r"[a-z0-9][a-z0-9+.-]*"),
    "version": re.compile(r"[A-Za-z0-9.+:~_-]+"),
    "architecture": re.compile(r"[a-z0-9][a-z0-9-]*"),
}
STATUS = "var/lib/dpkg/status.d"
"""Where distroless images keep what scanners read: a file for each package."""

SCRIPTS = ("preinst", "postinst", "prerm", "postrm", "config", "triggers")
"""Members of the control archive that dpkg would act upon."""


class BadPackage(ArtificerError):
    """A file is no Debian package, or one that contradicts deb(5)."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint or "get it anew from whoever made it")


class ControlFile(NamedTuple):
    """A file of the control archive."""

    name: str
    mode: int
    data: bytes


class Package(NamedTuple):
    """What the control archive says. *control* and *md5sums* are the files' own bytes.

    *scripts* are the names of what dpkg would have run or acted upon, in the order of `SCRIPTS`.
    *files* are all of the control archive, in its order. *retired* are those of *conffiles* that
    it has no more, and that go from wherever they are (``remove-on-upgrade``).
    """

    name: str
    version: str
    architecture: str
    fields: tuple[tuple[str, str], ...]
    control: bytes
    md5sums: bytes | None
    scripts: tuple[tuple[str, bytes], ...]
    conffiles: tuple[str, ...]
    files: tuple["ControlFile", ...] = ()
    retired: frozenset[str] = frozenset()

    def field(self, name: str) -> str:
        """The field called *name* in any case, or nothing."""
        lower = name.lower()
        return next((value for key, value in self.fields if key.lower() == lower), "")

    @property
    def acts(self) -> tuple[str, ...]:
        """The names of its scripts that run at installation, and of its triggers."""
        return tuple(
            name for name, _ in self.scripts if name in {"preinst", "postinst", "triggers"}
        )


class Deb(NamedTuple):
    """A package and its files; the entries' bytes are spans of *tar*, while that is open."""

    package: Package
    entries: tuple[Entry, ...]
    tar: BinaryIO


def read_deb(path: str, spool: Callable[[], BinaryIO]) -> Deb:
    """Read the package at *path*; its data is decompressed once into the file that *spool* gives.

    It is written where that file's position is, so that many packages can share one. Whoever gave
    *spool* closes it, once the entries have been written.

    Owners, modes and times are the archive's. The root directory's own entry is left out.
    """
    with _opened(path) as file:
        found = _found(file, path)
        package = _package(_chunks(file, *_only(found, _CONTROL, path)), path)
        tar = spool()
        entries = _entries(_chunks(file, *_only(found, _DATA, path)), tar, path)
    return Deb(package, entries, tar)


def read_package(path: str) -> Package:
    """What the package at *path* says; its files are not looked at."""
    with _opened(path) as file:
        return _package_in(file, path)


def read_control(path: str) -> Package:
    """What the control archive at *path*, a tar of its own or a package's, says."""
    with _opened(path) as file:
        if is_package(path):
            return _package_in(file, path)
        return _package(_chunks(file, 0, os.fstat(file.fileno()).st_size), path)


def is_package(path: str) -> bool:
    """Whether the file at *path* begins as a package does, and not as a tar."""
    with _opened(path) as file:
        return file.read(len(_MAGIC)) == _MAGIC


def parts_of(path: str) -> tuple[tuple[str, int, int], ...]:
    """Name, offset and size of each file that the ar archive at *path* is made of."""
    with _opened(path) as file:
        return tuple(_parts(file, path))


class PieceNames:
    """What files below `STATUS` are called: as their packages.

    Of a package that is there for two architectures the second is ``NAME:ARCH``. *below* says for
    which one the file of a name is that is there before, if there is any.
    """

    def __init__(self, below: Callable[[str], str] = lambda _: "") -> None:
        self._below = below
        self._there: dict[str, str] = {}

    def of(self, package: Package) -> str:
        """The name for *package*, which is asked for once."""
        own = package.architecture
        other = self._there.get(package.name) or self._below(package.name) or own
        self._there[package.name] = other
        same = other == own or "all" in {other, own}
        return package.name if same else f"{package.name}:{own}"


def status_entries(package: Package, mtime: int, name: str) -> tuple[Entry, ...]:
    """The files below `STATUS` from which scanners know that *package* is there, called *name*.

    The name is the whole one: rules_docker cut it at the first of ``-+.``.
    """
    files = [(name, package.control)]
    if package.md5sums is not None:
        files.append((f"{name}.md5sums", package.md5sums))
    return tuple(
        Entry(f"{STATUS}/{path}", FILE, 0o644, 0, 0, len(data), mtime, "", data)
        for path, data in files
    )


def fields_of(control: bytes, path: str) -> tuple[tuple[str, str], ...]:
    """The fields of a control file (deb822(5)), folded lines joined by a newline.

    It has one stanza: of another, dpkg's database would tell as of a package that is there.
    """
    fields: list[tuple[str, list[str]]] = []
    lines = control.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            if any(map(str.strip, lines[number:])):
                raise BadPackage(f"{path}: control:{number}: more than one stanza")
            break
        if line[0] in " \t":
            if not fields:
                raise BadPackage(f"{path}: control:{number}: a folded line without a field")
            fields[-1][1].append(line.strip())
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise BadPackage(f"{path}: control:{number}: not a field: {line[:80]!r}")
        fields.append((name.strip(), [value.strip()]))
    if len({name.lower() for name, _ in fields}) < len(fields):
        raise BadPackage(f"{path}: a field stands twice in its control file")
    return tuple((name, "\n".join(lines)) for name, lines in fields)


def _package_in(file: BinaryIO, path: str) -> Package:
    return _package(_chunks(file, *_only(_found(file, path), _CONTROL, path)), path)


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        hint = "is the path right, and the file ours to read?"
        raise BadPackage(f"{path}: {reason(error)}", hint=hint) from error


def _found(file: BinaryIO, path: str) -> dict[str, tuple[int, int]]:
    """Where each part of the package is; of one that is there twice, others read the other."""
    found: dict[str, tuple[int, int]] = {}
    for name, offset, size in _parts(file, path):
        if name in found or len(found) == _MOST_PARTS:
            raise BadPackage(f"{path} has {name} twice, or more than {_MOST_PARTS} parts")
        found[name] = offset, size
    if "debian-binary" not in found:
        raise BadPackage(f"{path} is not a Debian package: it has no debian-binary")
    version = b"".join(_chunks(file, found["debian-binary"][0], 4))
    if not version.startswith(_FORMAT):
        raise BadPackage(f"{path} is of a format that is not known: {version!r}, not 2.0")
    return found


def _parts(file: BinaryIO, path: str) -> Iterator[tuple[str, int, int]]:
    """Yield name, offset and size of each member of the ar archive."""
    size = os.fstat(file.fileno()).st_size
    if file.read(len(_MAGIC)) != _MAGIC:
        raise BadPackage(f"{path} is not a Debian package: it is no ar archive")
    offset = len(_MAGIC)
    while offset + _HEADER <= size:
        file.seek(offset)
        header = file.read(_HEADER)
        digits = header[48:58].strip()
        if header[58:60] != b"`\n" or not digits.isdigit():
            raise BadPackage(f"{path}: a damaged ar header at byte {offset}")
        length = int(digits)
        offset += _HEADER
        if offset + length > size:
            raise BadPackage(f"{path} is cut short: {offset + length} bytes expected, not {size}")
        yield header[:16].decode("ascii", "replace").strip().rstrip("/"), offset, length
        offset += length + length % 2


def _only(
    found: dict[str, tuple[int, int]], pattern: re.Pattern[str], path: str
) -> tuple[int, int]:
    names = [name for name in found if pattern.fullmatch(name)]
    if len(names) != 1:
        kind = pattern.pattern.partition("\\")[0]
        others = ", ".join(found) or "nothing"
        raise BadPackage(f"{path} has no {kind}.tar that can be read; it has {others}")
    return found[names[0]]


def _chunks(file: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    file.seek(offset)
    while size and (chunk := file.read(min(size, _CHUNK))):
        size -= len(chunk)
        yield chunk


def _entries(chunks: Iterator[bytes], tar: BinaryIO, path: str) -> tuple[Entry, ...]:
    """Write what *chunks* hold into *tar*, and read its members on the way."""
    start = tar.tell()
    tape = StreamTape(_copied(plain(chunks, TAR_FORMATS), tar))
    try:
        found = [(_entry(member), member.offset) for member in members(tape)]
    except (BadArchive, Bomb, Corrupt) as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error
    tar.flush()
    place = path_of(tar)
    return tuple(
        entry._replace(source=Span(place, start + offset)) if entry.kind == FILE else entry
        for entry, offset in found
        if entry.path
    )


def _copied(chunks: Iterator[bytes], tar: BinaryIO) -> Iterator[bytes]:
    for chunk in chunks:
        tar.write(chunk)
        yield chunk


def _package(chunks: Iterator[bytes], path: str) -> Package:
    try:
        files = _control(chunks, path)
    except (BadArchive, Bomb, Corrupt) as error:
        raise type(error)(f"{path}: control: {error.message}", hint=error.hint) from error
    if "control" not in files:
        raise BadPackage(f"{path} has no control file")
    data = {name: file.data for name, file in files.items()}
    fields = fields_of(data["control"], path)
    values = {name.lower(): value for name, value in fields}
    for name, pattern in _WORDS.items():
        if not pattern.fullmatch(values.get(name, "")):
            raise BadPackage(
                f"{path}: its control file names no {name}: {values.get(name, '')[:80]!r}"
            )
    conffiles = _conffiles(data.get("conffiles", b"").decode("utf-8", "surrogateescape"))
    return Package(
        values["package"],
        values["version"],
        values["architecture"],
        fields,
        data["control"],
        data.get("md5sums"),
        tuple((script, data[script]) for script in SCRIPTS if script in data),
        tuple(conffiles),
        tuple(files.values()),
        frozenset(path for path, flag in conffiles.items() if flag),
    )


def _control(chunks: Iterator[bytes], path: str) -> dict[str, ControlFile]:
    """The files of a control archive, by their names. What dpkg might follow, or read twice, is
    none: a link that is passed over would be a script that never ran.
    """
    files: dict[str, ControlFile] = {}
    spent = 0
    most = Limits(limits.CONTROL_FILES)
    for member in members(StreamTape(plain(chunks, TAR_FORMATS)), most):
        entry = member.entry
        if entry.kind == DIRECTORY:
            continue
        if entry.kind != FILE or entry.path in files:
            what = "there twice" if entry.path in files else "no file"
            raise BadPackage(f"{path}: {entry.path} in its control archive is {what}")
        spent += entry.size
        if entry.size > limits.CONTROL_BYTES or spent > _MOST_CONTROL:
            raise BadPackage(f"{path}: {entry.path} in its control archive is too large")
        files[entry.path] = ControlFile(entry.path, entry.mode, b"".join(member.chunks()))
    return files


def _conffiles(text: str) -> dict[str, str]:
    """The paths that a package asks to be kept, each with its flag (``remove-on-upgrade``)."""
    found = {}
    for line in text.split("\n"):
        flag, slash, path = line.strip().partition("/")
        if slash and flag.strip() in {"", "remove-on-upgrade"}:
            found[f"/{path}"] = flag.strip()
    return found


def _entry(member: Member) -> Entry:
    return member.entry._replace(source=None)
