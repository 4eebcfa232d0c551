"""The files of an image: indexes of its layers, made once and kept, and bytes of some."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError
from artificer.images.bytes_of import chunks_of
from artificer.images.parallel import Work, run_all
from artificer.images.place import Corrupt
from artificer.images.plain import plain_layer, streamed_members
from artificer.images.reach import Reach
from artificer.images.small import asked_again, has_small, keep_small, small_files, taken
from artificer.layers import index
from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry, Span
from artificer.layers.index import File, Index
from artificer.layers.inflate import plain
from artificer.layers.tape import FileTape, StreamTape, Tape
from artificer.layers.tree import Tree
from artificer.oci.digest import Digest
from artificer.oci.image import Image, Layer

_KIND = "index"
_AT_ONCE = 4


class NoSuchFile(ArtificerError):
    """An image has no file, or none that can be read, at a path."""


class _Place(NamedTuple):
    """Where a file's bytes are: in which layer, and where in its plain tar."""

    layer: int
    offset: int


def tree_of(image: Image, reach: Reach, *, small: bool = False) -> Tree:
    """Return the merged files of *image*; a layer that was never looked into is streamed once.

    With *small*, `asked_again` files are kept: `read_files` need not read their layer for them.
    """
    return Tree(indexes_of(image.layers, reach, small=small))


def indexes_of(layers: Sequence[Layer], reach: Reach, *, small: bool = False) -> list[Index]:
    """Return the file indexes of *layers*; those that have to be made are, several at once."""
    known = [
        None if small and not has_small(layer.diff_id, reach.store) else _known(layer, reach)
        for layer in layers
    ]
    missing = [number for number, one in enumerate(known) if one is None]
    made: dict[int, Index] = {}

    def work(number: int) -> Work:
        def look(check: Callable[[], None]) -> None:
            check()
            made[number] = _made(layers[number], reach, small=small)

        return look

    run_all([work(number) for number in missing], threads=_AT_ONCE, stop=reach.stop)
    return [made[number] if one is None else one for number, one in enumerate(known)]


def index_of(layer: Layer, reach: Reach) -> Index:
    """Return the file index of *layer*: the one that the store keeps, or a new one."""
    known = _known(layer, reach)
    return _made(layer, reach) if known is None else known


def _known(layer: Layer, reach: Reach) -> Index | None:
    data = reach.store.record(_KIND, layer.diff_id)
    if data is None:
        return None
    try:
        return index.unpack(data)
    except index.InvalidIndex:
        # Of an older version: made again.
        reach.store.remove_record(_KIND, layer.diff_id)
        return None


def _made(layer: Layer, reach: Reach, *, small: bool = False) -> Index:
    kept = index.Small(asked_again, limits.SMALL_FILES_BYTES) if small else None
    made = index.index_of(streamed_members(layer, reach), kept)
    if kept is not None:
        keep_small(layer.diff_id, kept.found, reach.store)
    keep_index(layer.diff_id, made, reach)
    return made


def keep_index(diff_id: Digest, made: Index, reach: Reach) -> None:
    """Keep *made*, the file index of a layer that need not be there yet."""
    reach.store.set_record(_KIND, diff_id, made.pack())


def read_file(image: Image, path: str, limit: int, reach: Reach) -> bytes:
    """Return the bytes of the regular file at *path*, its links followed, at most *limit*."""
    return read_files(image, tree_of(image, reach), [path], limit, reach)[path]


def read_files(
    image: Image, tree: Tree, paths: Iterable[str], limit: int, reach: Reach
) -> dict[str, bytes]:
    """Return the bytes of several files of *image*, whose files are *tree*, by the paths given.

    Links are followed. Each layer that holds any is read once, forward, unless they are kept.
    """
    wanted: dict[int, list[tuple[int, str, File]]] = {}
    for path in paths:
        file = _regular(tree, path, limit)
        place = _place_of(tree, file)
        wanted.setdefault(place.layer, []).append((place.offset, path, file))
    found: dict[str, bytes] = {}
    for number, files in wanted.items():
        layer = image.layers[number]
        kept = small_files(layer.diff_id, reach.store)
        known = {path: taken(kept, file.content) for _, path, file in files}
        found.update((path, data) for path, data in known.items() if data is not None)
        files = [one for one in files if known[one[1]] is None]
        if files:
            found.update(_streamed(layer, sorted(files), reach))
    return found


def _streamed(
    layer: Layer, files: Sequence[tuple[int, str, File]], reach: Reach
) -> Iterator[tuple[str, bytes]]:
    """Yield *files* of *layer*, each with its offset, by which they are sorted, and its path."""
    last = b""
    with _opened(layer, reach) as tape:
        for offset, path, file in files:
            reach.stop.check()
            # Two paths may lead to one file.
            if offset >= tape.offset:
                tape.skip(offset - tape.offset)
                last = tape.read(file.size)
            yield path, _checked(last, file)


def _regular(tree: Tree, path: str, limit: int) -> File:
    file = tree.lookup(path.strip("/"))
    if file is not None and file.kind == HARDLINK and not file.content:
        file = _target(tree, file)
    if file is None or file.kind not in {FILE, HARDLINK}:
        raise NoSuchFile(f"{path}: the image has no such file")
    if file.size > limit:
        raise NoSuchFile(f"{path} has {file.size} bytes, more than {limit}")
    return file


def _checked(data: bytes, file: File) -> bytes:
    if hashlib.sha256(data).digest() != file.content:
        raise Corrupt(f"{file.path}: the layer changed since it was looked into")
    return data


def copy_entries(image: Image, path: str, dest: str | None, reach: Reach) -> list[Entry]:
    """Return what *path* of *image* holds, to be put at *dest* (by default where it was).

    Links on the way to *path*, and one that it is itself, are followed inside the image; what is
    below is kept as it is: modes, owners, times, links, attributes. A directory's contents go
    below *dest*; it is itself among them only where it keeps its place, so that ``:/tmp`` does
    not change the base's. A *dest* that ends with "/" is a directory to put a file into.
    """
    tree = tree_of(image, reach)
    wanted = path.strip("/")
    found = tree.lookup(wanted)
    if wanted and found is None:
        raise NoSuchFile(f"{path}: the image has no such file", hint=_nearest(tree, wanted))
    if not wanted or tree.is_directory(wanted):
        files = list(tree.walk(wanted))
        real = tree.resolve(wanted)
        moved = wanted if dest is None else dest.strip("/")
        itself = bool(moved) and (dest is None or not files)
        own = [(found, moved)] if found and itself else []
        renamed = [(file, _join(moved, file.path[len(real) :].lstrip("/"))) for file in files]
        return entries_at(image, tree, [*own, *renamed], reach)
    assert found is not None  # noqa: S101 - said above
    return entries_at(image, tree, [(found, _file_dest(wanted, dest))], reach)


def entries_at(
    image: Image, tree: Tree, files: Iterable[tuple[File, str]], reach: Reach
) -> list[Entry]:
    """Return *files* of *image*, whose files are *tree*, as entries at other paths.

    Of several names of one file the first has the bytes. Only layers that hold any are read.
    """
    firsts: dict[_Place, str] = {}
    paths: dict[int, str] = {}
    found: list[Entry] = []
    for file, dest in files:
        reach.stop.check()
        if file.kind not in {FILE, HARDLINK}:
            found.append(_plain_entry(file, dest))
            continue
        if file.kind == HARDLINK and not file.content:
            file = _target(tree, file)
        place = _place_of(tree, file)
        first = firsts.setdefault(place, dest) if file.size else dest
        if first != dest:
            entry = _plain_entry(file, dest)
            found.append(entry._replace(kind=HARDLINK, link=first, size=0))
            continue
        if place.layer not in paths:
            paths[place.layer] = plain_layer(image.layers[place.layer], reach)
        span = Span(paths[place.layer], place.offset)
        found.append(_plain_entry(file, dest)._replace(kind=FILE, link="", source=span))
    return found


def _file_dest(wanted: str, dest: str | None) -> str:
    if dest is None:
        return wanted
    if dest.endswith("/") or not dest:
        return _join(dest.strip("/"), wanted.rpartition("/")[2])
    return dest.strip("/")


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


def _nearest(tree: Tree, path: str) -> str | None:
    parent = path.rpartition("/")[0]
    names = tree.listdir(parent)
    return f"/{parent} has {', '.join(names[:10])}" if names else None


def _plain_entry(file: File, dest: str) -> Entry:
    size = file.size if file.kind in {FILE, HARDLINK} else 0
    link = file.link if file.kind == SYMLINK else ""
    return Entry(
        *(dest, file.kind, file.mode, file.uid, file.gid, size, file.mtime, link, None),
        xattrs=file.xattrs,
        device=file.device,
    )


def _target(tree: Tree, file: File) -> File:
    """Return the file of a lower layer that the hard link *file* names."""
    target = tree.lookup(file.link, follow=False)
    if target is None or target.kind == DIRECTORY:
        raise NoSuchFile(f"/{file.path} is a hard link to /{file.link}, which is no file")
    return target


def _place_of(tree: Tree, file: File) -> _Place:
    layer = tree.layer_of(file.path)
    return _Place(layer or 0, file.offset)


@contextmanager
def _opened(layer: Layer, reach: Reach) -> Iterator[Tape]:
    """Open a layer's plain tar to be read once: out of the store, or as it streams."""
    if reach.store.has(layer.diff_id) is not None:
        with open(reach.store.blob_path(layer.diff_id), "rb") as file:
            yield FileTape(file)
    else:
        yield StreamTape(plain(chunks_of(layer.blob, reach)))
