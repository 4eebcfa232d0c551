"""A package index, parsed once: which packages it has and where in its text each begins."""

import io
import marshal
import mmap
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError, reason
from artificer.events import BlobProgress, Report, unheard
from artificer.layers.archive import TAR_FORMATS
from artificer.layers.inflate import Bomb, Corrupt, plain
from artificer.oci.digest import Digest, hasher_of
from artificer.sources.debian.archives.mentions import ranks
from artificer.sources.debian.deb822 import BadStanza, stanza
from artificer.store.blobs import Store

_KIND = "deb-index"
_CHUNK = 1 << 18
# Another table, or another Python's marshal, is another key.
_FORMAT = f"2 {marshal.version} {sys.version_info[0]}.{sys.version_info[1]}"
_START = b"Package: "


class BadIndex(ArtificerError):
    """A package index is not one, or not the one that the archive lists."""


class _Table(NamedTuple):
    """For each name where its stanzas begin; who provides a name; who is essential; `ranks`."""

    names: dict[str, tuple[int, ...]]
    provides: dict[str, tuple[str, ...]]
    essential: tuple[str, ...]
    ranks: dict[str, int]


class Index:
    """The packages of one index; the text is mapped, and stanzas are parsed when asked for.

    *digest* is what the text hashes to.
    """

    __slots__ = ("_table", "_text", "digest", "what")

    def __init__(self, text: "mmap.mmap | bytes", table: _Table, what: str, digest: str) -> None:
        self.digest = digest
        self._text = text
        self._table = table
        self.what = what

    @property
    def names(self) -> dict[str, tuple[int, ...]]:
        """The packages that it has, as the keys."""
        return self._table.names

    @property
    def essential(self) -> tuple[str, ...]:
        """The packages with ``Essential: yes``."""
        return self._table.essential

    def providers(self, name: str) -> tuple[str, ...]:
        """The packages of which a version provides *name*."""
        return self._table.provides.get(name, ())

    def rank(self, name: str) -> int | None:
        """The place of the package *name* among all that are mentioned."""
        return self._table.ranks.get(name)

    def stanzas(self, name: str) -> Iterator[dict[str, str]]:
        """Yield the stanza of each version of the package *name*."""
        for start in self._table.names.get(name, ()):
            end = self._text.find(b"\n\n", start)
            chunk = self._text[start : end if end >= 0 else len(self._text)]
            try:
                found = stanza(chunk.decode("utf-8", "surrogateescape"), self.what)
            except BadStanza as error:
                raise BadIndex(error.message, hint=error.hint) from error
            if "Version" not in found or "Architecture" not in found:
                raise BadIndex(f"{self.what}: {name} has no version, or no architecture")
            yield found


def known_index(sha256: str, store: Store, what: str) -> Index | None:
    """The index of which the file hashes to *sha256*, if it was parsed before and is whole."""
    data = store.record(_KIND, _key(sha256))
    if data is None:
        return None
    try:
        size, digest, *columns = marshal.loads(data)  # noqa: S302 -- our own
        table = _Table(*columns)
        text = _mapped(store.blob_path(Digest(digest)))
    except (ValueError, EOFError, TypeError, OSError, ArtificerError):
        return None
    # The text is what is believed of packages, so it must be the one that was verified.
    hasher = hasher_of("sha256")
    hasher.update(text)
    if len(text) != size or f"sha256:{hasher.hexdigest()}" != digest:
        store.discard(Digest(digest))
        return None
    return Index(text, table, what, digest)


def parsed_index(
    path: str, sha256: str, expected: str, store: Store, what: str, report: Report = unheard
) -> Index:
    """Decompress and parse the file *path*, which hashes to *sha256*, and remember it.

    *expected* is what its plain text must hash to, where the archive says so.
    """
    hasher = hasher_of("sha256")
    try:
        with open(path, "rb", buffering=0) as file, store.writer() as writer:
            told = _progress(file, what)
            for chunk in plain(
                _told_chunks(file, told, report), TAR_FORMATS, free=limits.PACKAGES_BYTES
            ):
                hasher.update(chunk)
                writer.write(chunk)
                if writer.size > limits.PACKAGES_BYTES:
                    raise BadIndex(
                        f"{what} becomes more than {limits.PACKAGES_BYTES} bytes",
                        hint="no honest index is as large",
                    )
            digest = Digest.sha256(hasher)
            if expected and digest.hex != expected:
                raise BadIndex(f"{what} does not hold what the Release file lists")
            writer.commit(digest)
    except (Corrupt, Bomb) as error:
        raise BadIndex(f"{what}: {error.message}", hint=error.hint) from error
    except OSError as error:
        raise BadIndex(f"{what}: {reason(error)}") from error
    text = _mapped(store.blob_path(digest))
    table = _table(text, what)
    data = marshal.dumps((len(text), str(digest), *table))
    store.set_record(_KIND, _key(sha256), data, needs=[digest])
    report(told._replace(done=told.total))
    return Index(text, table, what, str(digest))


def _progress(file: io.FileIO, what: str) -> BlobProgress:
    """How far *file* is read: not wholly before it is parsed, too, which takes as long."""
    total = os.fstat(file.fileno()).st_size + 1
    name = what.rpartition("/dists/")[2].partition("/binary-")[0]
    return BlobProgress(Digest.of(what.encode()), 0, total, "read", name)


def _told_chunks(file: io.FileIO, told: BlobProgress, report: Report) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        report(told._replace(done=file.tell()))
        yield chunk


def _key(sha256: str) -> str:
    return f"{sha256} {_FORMAT}"


def _mapped(path: str) -> "mmap.mmap | bytes":
    with open(path, "rb", buffering=0) as file:
        if not file.seek(0, 2):
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _table(text: "mmap.mmap | bytes", what: str) -> _Table:
    names: dict[str, list[int]] = {}
    provides: dict[str, list[str]] = {}
    essential: list[str] = []
    for start, end in _spans(text, what):
        name = _name(text, start, end, what)
        names.setdefault(name, []).append(start)
        at = _value(text, b"Provides:", start, end)
        if at >= 0:
            for provided in _provided(text, at, end):
                provides.setdefault(provided, []).append(name)
        if _value(text, b"Essential: yes", start, end) >= 0:
            essential.append(name)
    return _Table(
        {name: tuple(starts) for name, starts in names.items()},
        {name: tuple(dict.fromkeys(packages)) for name, packages in provides.items()},
        tuple(dict.fromkeys(essential)),
        ranks(text, names),
    )


def _spans(text: "mmap.mmap | bytes", what: str) -> Iterator[tuple[int, int]]:
    """Yield where each stanza begins and ends."""
    start, size, count = 0, len(text), 0
    while start < size:
        end = text.find(b"\n\n", start)
        end = size if end < 0 else end
        if text[start : start + 1] == b"\n":
            start += 1
            continue
        count += 1
        if count > limits.ENTRIES or end - start > limits.STANZA_BYTES:
            raise BadIndex(
                f"{what} has a stanza of {end - start} bytes, or {limits.ENTRIES} before it",
                hint="no honest index has",
            )
        yield start, end
        start = end + 2


def _name(text: "mmap.mmap | bytes", start: int, end: int, what: str) -> str:
    at = _value(text, _START, start, end)
    if at < 0:
        line = text[start : start + 60].partition(b"\n")[0]
        raise BadIndex(
            f"{what} has a stanza without a package: {line!r}",
            hint="it is a list of something else than packages",
        )
    stop = text.find(b"\n", at, end)
    return text[at : stop if stop >= 0 else end].decode("utf-8", "surrogateescape").strip()


def _value(text: "mmap.mmap | bytes", head: bytes, start: int, end: int) -> int:
    """Where what follows *head* begins, which begins a line; -1 for no such line."""
    if text[start : start + len(head)] == head:
        return start + len(head)
    at = text.find(b"\n" + head, start, end)
    return -1 if at < 0 else at + 1 + len(head)


def _provided(text: "mmap.mmap | bytes", start: int, end: int) -> Iterator[str]:
    """Yield the names in a field Provides, which may be folded."""
    stop = text.find(b"\n", start, end)
    while stop >= 0 and text[stop + 1 : stop + 2] in {b" ", b"\t"}:
        stop = text.find(b"\n", stop + 1, end)
    field = text[start : stop if stop >= 0 else end].decode("utf-8", "surrogateescape")
    for word in field.split(","):
        name = word.partition("(")[0].strip().partition(":")[0]
        if name:
            yield name
