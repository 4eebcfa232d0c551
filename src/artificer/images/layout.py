"""OCI layouts (``oci:DIR[:TAG]``): a directory of blobs and an index.json (image-layout.md)."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from artificer import limits
from artificer.errors import ArtificerError, reason
from artificer.images.parts import Document, parts_of
from artificer.images.place import Found, NotFound, Place
from artificer.images.reach import Reach
from artificer.images.unwritable import see_directory, writing
from artificer.images.written import copy_to, write_file
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import dump, parse
from artificer.oci.image import Content, Origin, Stored, index_entries
from artificer.oci.reference import Layout
from artificer.store.lock import LOCKS, lock

REF_NAME = "org.opencontainers.image.ref.name"
LAYOUT_FILE = b'{"imageLayoutVersion":"1.0.0"}'
NO_ANNOTATIONS: Mapping[str, str] = MappingProxyType({})
_CONTAINERD_NAME = "io.containerd.image.name"


class NotALayout(ArtificerError):
    """A directory or an archive is no OCI layout."""


def find_in_layout(reference: Layout) -> Found:
    """Return what the layout has under the reference's tag, or the only image that it has."""
    where = str(reference)
    check_layout_file(_contents(reference.path, "oci-layout", where), where)
    listing = _contents(reference.path, "index.json", where)
    place = Place(
        where,
        lambda descriptor, limit: _blob(reference.path, descriptor, limit),
        lambda descriptor: _origin(reference.path, descriptor),
    )
    return found_in(listing, reference.tag, place)


def write_layout(
    content: Content,
    reference: Layout,
    reach: Reach,
    *,
    annotations: Mapping[str, str] = NO_ANNOTATIONS,
) -> None:
    """Put *content* into the layout, made where there is none; its other images stay.

    ``index.json`` is written last, in one step: readers see the layout before or after. Its
    descriptor there gets *annotations*.
    """
    with writing(str(reference)), _alone(reference.path):
        _prepare(reference.path)
        parts = parts_of(content)
        for blob in parts.blobs:
            path = _blob_path(reference.path, blob.digest)
            if not _has(path, blob.descriptor.size):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                copy_to(blob, path, reach)
        for document in (*parts.configs, *parts.manifests):
            _keep(reference.path, document)
        index_path = os.path.join(reference.path, "index.json")
        old = _old_index(index_path)
        write_file(
            index_path,
            [merged_index(old, content.descriptor.annotated(annotations), reference.tag)],
        )


def see_layout_writable(reference: Layout) -> None:
    """Raise what `write_layout` would, as far as it can be seen before; nothing is made."""
    with writing(str(reference)):
        if os.path.isdir(reference.path):
            _see_that_it_is_one(reference.path)
    see_directory(reference.path, str(reference))


def found_in(listing: bytes, tag: str | None, place: Place) -> Found:
    """Return what an ``index.json`` with the bytes *listing* calls *tag*."""
    document = parse(listing, limit=limits.MANIFEST_BYTES, what=f"index.json of {place.name}")
    entries = index_entries(document)
    if tag is None:
        chosen = _only(entries)
        if chosen is None and _is_one_index(entries):
            return _listing_itself(listing, place)
    else:
        chosen = next((entry for entry in entries if tag in _names(entry)), None)
    if chosen is None:
        raise _not_there(entries, tag, place.name)
    return Found(place.name, chosen, place)


def all_in(listing: bytes, place: Place) -> Iterator[tuple[Found, tuple[str, ...]]]:
    """Yield all that an ``index.json`` lists, each once, with the full names that it has there.

    A tag alone (as skopeo writes it) is no name: it does not say of what.
    """
    entries = index_entries(
        parse(listing, limit=limits.MANIFEST_BYTES, what=f"index.json of {place.name}")
    )
    if _is_one_index(entries):
        yield _listing_itself(listing, place), ()
        return
    for chosen in {entry.digest: entry for entry in entries}.values():
        same = (_names(entry) for entry in entries if entry.digest == chosen.digest)
        names = sorted(name for name in set().union(*same) if ":" in name)
        yield Found(place.name, chosen, place), tuple(names)


def check_layout_file(data: bytes, where: str) -> None:
    """Raise `NotALayout` unless *data* is an ``oci-layout`` file of a version that we know."""
    version = parse(data, limit=limits.MANIFEST_BYTES, what=f"oci-layout of {where}").get(
        "imageLayoutVersion"
    )
    if not isinstance(version, str) or not version.startswith("1."):
        raise NotALayout(f"{where}: an OCI layout of the unknown version {version!r}")


def merged_index(old: bytes | None, descriptor: Descriptor, tag: str | None) -> bytes:
    """Return an index.json in which *descriptor* took the place of what was called *tag*."""
    document = (
        parse(old, limit=limits.MANIFEST_BYTES, what="index.json")
        if old
        else {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": []}
    )
    kept = [entry for entry in index_entries(document) if _ref_name(entry) != tag]
    added = descriptor.annotated({REF_NAME: tag}) if tag else descriptor
    document["manifests"] = [entry.document for entry in (*kept, added)]
    return dump(document)


def _ref_name(entry: Descriptor) -> str | None:
    return entry.annotations.get(REF_NAME)


def _names(entry: Descriptor) -> set[str]:
    annotations = entry.annotations
    names = {annotations[key] for key in (REF_NAME, _CONTAINERD_NAME) if key in annotations}
    return names | {name.rpartition(":")[2] for name in names if ":" in name}


def _only(entries: tuple[Descriptor, ...]) -> Descriptor | None:
    untagged = [entry for entry in entries if not _names(entry)]
    for some in (untagged, entries):
        if len({entry.digest for entry in some}) == 1:
            return some[0]
    return None


def _is_one_index(entries: tuple[Descriptor, ...]) -> bool:
    """Say whether a layout's own index is what it holds: an image for each platform."""
    return bool(entries) and all(
        entry.platform is not None and not _names(entry) for entry in entries
    )


def _listing_itself(listing: bytes, place: Place) -> Found:
    descriptor = Descriptor.for_bytes(media.OCI_INDEX, listing)
    read: Callable[[Descriptor, int], bytes] = lambda wanted, limit: (  # noqa: E731
        listing if wanted.digest == descriptor.digest else place.read(wanted, limit)
    )
    return Found(place.name, descriptor, place._replace(read=read))


def _not_there(entries: tuple[Descriptor, ...], tag: str | None, where: str) -> NotFound:
    names = sorted({name for entry in entries for name in _names(entry)})
    there = f"it has {', '.join(names)}" if names else "it has no tagged image"
    if tag is None and entries:
        return NotFound(f"{where} holds several images", hint=f"say which: {there}")
    return NotFound(f"{where}: there is no such image", hint=there if entries else "it is empty")


def _contents(path: str, name: str, where: str) -> bytes:
    full = os.path.join(path, name)
    try:
        with open(full, "rb") as file:
            return file.read(limits.MANIFEST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not os.path.exists(path):
            raise NotFound(f"{where}: there is no such directory") from error
        raise NotALayout(
            f"{where} is not an OCI layout: it has no {name}",
            hint="a tar of one is `oci-archive:FILE`, what docker saves is `docker-archive:FILE`",
        ) from error
    except OSError as error:
        raise NotFound(f"{full}: cannot be read: {reason(error)}") from error


def _blob_path(path: str, digest: Digest) -> str:
    return os.path.join(path, "blobs", digest.algorithm, digest.hex)


def _blob(path: str, descriptor: Descriptor, limit: int) -> bytes:
    try:
        with open(_blob_path(path, descriptor.digest), "rb") as file:
            return file.read(limit + 1)
    except FileNotFoundError as error:
        raise NotFound(f"oci:{path} lacks the blob {descriptor.digest}") from error


def _origin(path: str, descriptor: Descriptor) -> Origin | None:
    full = os.path.abspath(_blob_path(path, descriptor.digest))
    return Stored(full) if os.path.exists(full) else None


def _prepare(path: str) -> None:
    if not _see_that_it_is_one(path):
        write_file(_marker(path), [LAYOUT_FILE])
    os.makedirs(os.path.join(path, "blobs", "sha256"), exist_ok=True)


def _see_that_it_is_one(path: str) -> bool:
    """Whether the directory is a layout; it may become one if it has nothing else in it."""
    if os.path.exists(_marker(path)):
        return True
    if set(os.listdir(path)) - {"blobs", "index.json"}:
        raise NotALayout(
            f"oci:{path}: the directory has other files and is no OCI layout",
            hint="name an empty or a new directory",
        )
    return False


def _marker(path: str) -> str:
    return os.path.join(path, "oci-layout")


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Keep other processes of ours from merging into the same index.json meanwhile."""
    os.makedirs(path, exist_ok=True)
    if not LOCKS:
        yield
        return
    directory = os.open(path, os.O_RDONLY)
    try:
        lock(directory)
        yield
    finally:
        os.close(directory)


def _has(path: str, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except FileNotFoundError:
        return False


def _keep(path: str, document: Document) -> None:
    full = _blob_path(path, document.descriptor.digest)
    if not _has(full, len(document.data)):
        os.makedirs(os.path.dirname(full), exist_ok=True)
        write_file(full, [document.data])


def _old_index(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(limits.MANIFEST_BYTES + 1)
    except FileNotFoundError:
        return None
