"""An image's files without its layers: exported as one tar, or made into one layer."""

from collections.abc import Iterable, Iterator

from artificer import limits
from artificer.errors import ArtificerError
from artificer.images.plain import plain_layer, spanned
from artificer.images.reach import Reach
from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, Entry, Span
from artificer.layers.merge import by_components
from artificer.layers.tar import BLOCK_SIZE, END, header
from artificer.layers.whiteout import hidden, is_opaque, is_whiteout
from artificer.oci.image import Image

_CHUNK = 1 << 20


class BrokenLink(ArtificerError):
    """A hard link in a layer leads to a file that is not there."""


class Overlay:
    """The files of some layers, lowest first, each path once, as a container would see them."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._below: dict[str, set[str]] = {}

    def add_layer(self, entries: Iterable[Entry]) -> None:
        """Put a layer on top of those before it: first what it hides, then what it brings."""
        brought: list[Entry] = []
        for entry in entries:
            if is_opaque(entry.path):
                parent = entry.path.rpartition("/")[0]
                for path in sorted(self._below.get(parent, ())):
                    self._remove(path)
            elif is_whiteout(entry.path):
                gone = hidden(entry.path)
                if gone:
                    self._remove(gone)
            else:
                brought.append(entry)
        for entry in brought:
            self._put(entry)

    def entries(self) -> list[Entry]:
        """Return the files in the order of their paths; of hard links the first has the bytes."""
        firsts: dict[int, str] = {}
        found = []
        for entry in by_components(self._entries.values()):
            first = firsts.setdefault(id(entry.source), entry.path) if _linkable(entry) else ""
            if first and first != entry.path:
                entry = entry._replace(kind=HARDLINK, link=first, size=0, source=None)
            found.append(entry)
        return found

    def _put(self, entry: Entry) -> None:
        path = entry.path
        if not path:
            return
        before = self._entries.get(path)
        if entry.kind == HARDLINK:
            target = self._entries.get(entry.link)
            if target is None or target.kind == DIRECTORY:
                raise BrokenLink(f"/{path} is a hard link to /{entry.link}, which is no file")
            # The very same source object marks the two as one file.
            entry = target._replace(path=path)
        if before is not None and not (before.kind == entry.kind == DIRECTORY):
            self._remove(path)
        self._entries[path] = entry
        if len(self._entries) > limits.ENTRIES * 2:
            raise ArtificerError(f"more than {limits.ENTRIES * 2} files in one image")
        self._list(path)

    def _list(self, path: str) -> None:
        while path:
            parent = path.rpartition("/")[0]
            listed = self._below.setdefault(parent, set())
            if path in listed:
                return
            listed.add(path)
            path = parent

    def _remove(self, path: str) -> None:
        waiting = [path]
        while waiting:
            one = waiting.pop()
            waiting.extend(self._below.pop(one, ()))
            self._entries.pop(one, None)
        self._below.get(path.rpartition("/")[0], set()).discard(path)


def _linkable(entry: Entry) -> bool:
    return entry.kind == FILE and entry.source is not None


def flattened_entries(image: Image, reach: Reach) -> list[Entry]:
    """Return the files of *image* as entries of one layer; their bytes are spans in the store."""
    overlay = Overlay()
    for layer in image.layers:
        reach.stop.check()
        overlay.add_layer(spanned(plain_layer(layer, reach)))
    return overlay.entries()


def exported(image: Image, reach: Reach) -> Iterator[bytes]:
    """Yield the tar of *image*'s root filesystem: the same image gives the same bytes."""
    for entry in flattened_entries(image, reach):
        reach.stop.check()
        yield header(entry)
        if isinstance(entry.source, Span):
            yield from _span(entry.source, entry.size)
            yield bytes(-entry.size % BLOCK_SIZE)
    yield END


def _span(span: Span, size: int) -> Iterator[bytes]:
    with open(span.path, "rb") as file:
        file.seek(span.offset)
        while size and (chunk := file.read(min(size, _CHUNK))):
            size -= len(chunk)
            yield chunk
