"""Layers as plain tars, kept in the store by their diff_id: any file in them is at hand."""

from collections.abc import Iterator

from artificer.images.bytes_of import chunks_of
from artificer.images.piped import piped
from artificer.images.place import Corrupt
from artificer.images.reach import Reach
from artificer.layers.entry import FILE, Entry, Span
from artificer.layers.inflate import plain
from artificer.layers.read import Member, layer_members, members
from artificer.layers.tape import FileTape
from artificer.oci.digest import hasher_of
from artificer.oci.image import Layer

_LARGE = 1 << 20


def plain_layer(layer: Layer, reach: Reach) -> str:
    """Return a file that holds the layer's tar, uncompressed and verified."""
    if reach.store.has(layer.diff_id) is None:
        reach.store.put_chunks(plain(chunks_of(layer.blob, reach)), layer.diff_id)
    return reach.store.blob_path(layer.diff_id)


def spanned(path: str) -> Iterator[Entry]:
    """Yield the entries of the plain tar at *path*, whose sources are spans of that very file."""
    with open(path, "rb") as file:
        for member in members(FileTape(file)):
            entry = member.entry
            if entry.kind == FILE:
                entry = entry._replace(source=Span(path, member.offset))
            yield entry


def streamed_members(layer: Layer, reach: Reach) -> Iterator[Member]:
    """Yield the members of *layer* without keeping it; `Corrupt` if it is not its diff_id."""
    known = reach.store.has(layer.diff_id) is not None
    if known:
        with open(reach.store.blob_path(layer.diff_id), "rb") as file:
            yield from members(FileTape(file))
        return
    hasher = hasher_of(layer.diff_id.algorithm)

    def hashed() -> Iterator[bytes]:
        inflated = plain(chunks_of(layer.blob, reach))
        if layer.descriptor.size > _LARGE:
            inflated = piped(inflated)
        for chunk in inflated:
            hasher.update(chunk)
            yield chunk

    yield from layer_members(hashed())
    if hasher.hexdigest() != layer.diff_id.hex:
        raise Corrupt(
            f"the layer {layer.blob.digest} is not the {layer.diff_id} that the config states"
        )
