"""The bytes of one blob, wherever its origin says that they are."""

from collections.abc import Iterable, Iterator
from typing import assert_never

from artificer.errors import ArtificerError
from artificer.events import BlobProgress
from artificer.http.request import Body, file_body
from artificer.images.place import Corrupt
from artificer.images.reach import Reach
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest, hasher_of
from artificer.oci.image import Blob, Remote, Stored, Urls

_PROGRESS = 8 * 1024 * 1024


class ForeignLayer(ArtificerError):
    """A layer that nobody but its own urls may give away."""


def body_of_blob(blob: Blob, reach: Reach) -> Body:
    """Return *blob* as a body that can be opened again at any offset; nothing is read yet."""
    descriptor = blob.descriptor
    if reach.store.has(descriptor.digest) == descriptor.size:
        return file_body(reach.store.blob_path(descriptor.digest), descriptor.size)
    return _body_at_origin(blob, reach)


def _body_at_origin(blob: Blob, reach: Reach) -> Body:
    descriptor = blob.descriptor
    match blob.origin:
        case Stored(path, offset):
            return file_body(path, descriptor.size, offset=offset)
        case Remote() as origin:
            return Body(
                descriptor.size,
                lambda start: reach.registry.blob_chunks(
                    origin.repository, descriptor, offset=start
                ),
            )
        case Urls(urls):
            raise ForeignLayer(
                f"the layer {descriptor.digest} may only be fetched from {urls[0]}",
                hint="images with foreign layers can be pushed, but not unpacked or saved",
            )
        case _:
            assert_never(blob.origin)


def chunks_of(blob: Blob, reach: Reach) -> Iterator[bytes]:
    """Yield *blob*'s bytes from the first to the last; `Corrupt` if they are not what it names."""
    body = body_of_blob(blob, reach)
    told = checked(_watched(body.open(0), blob.descriptor, reach), blob.descriptor)
    if reach.store.has(blob.digest) == blob.descriptor.size:
        return _of_store(told, blob.digest, reach)
    return told


def _of_store(chunks: Iterator[bytes], digest: Digest, reach: Reach) -> Iterator[bytes]:
    try:
        yield from chunks
    except Corrupt as error:
        reach.store.discard(digest)
        raise Corrupt(
            f"{error.message} any more: it was damaged in the store",
            hint="it is removed from there: do the same again, then it is made or fetched anew",
        ) from error


def original_chunks(blob: Blob, reach: Reach) -> Iterator[bytes]:
    """Yield *blob*'s bytes from where its image lies, whatever the store has; always verified."""
    body = _body_at_origin(blob, reach)
    return checked(_watched(body.open(0), blob.descriptor, reach), blob.descriptor)


def into_store(blob: Blob, reach: Reach) -> str:
    """Return the path of *blob* in the store, brought there and verified if it was not."""
    descriptor = blob.descriptor
    if reach.store.has(descriptor.digest) != descriptor.size:
        reach.store.put_chunks(chunks_of(blob, reach), descriptor.digest, descriptor.size)
    return reach.store.blob_path(descriptor.digest)


def checked(chunks: Iterable[bytes], descriptor: Descriptor) -> Iterator[bytes]:
    """Pass *chunks* on and raise `Corrupt` at the end unless they are what *descriptor* names."""
    hasher = hasher_of(descriptor.digest.algorithm)
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > descriptor.size:
            break
        hasher.update(chunk)
        yield chunk
    if size != descriptor.size:
        raise Corrupt(
            f"{descriptor.digest}: {size} bytes were read where {descriptor.size} are stated"
        )
    if hasher.hexdigest() != descriptor.digest.hex:
        raise Corrupt(f"{descriptor.digest}: the bytes are not those that the digest names")


def _watched(chunks: Iterable[bytes], descriptor: Descriptor, reach: Reach) -> Iterator[bytes]:
    done = told = 0
    try:
        for chunk in chunks:
            reach.stop.check()
            done += len(chunk)
            if done - told >= _PROGRESS:
                told = done
                reach.report(BlobProgress(descriptor.digest, done, descriptor.size, "read"))
            yield chunk
    finally:
        if told:
            # Nothing more is read, also where that is not all.
            reach.report(BlobProgress(descriptor.digest, done, done, "read"))
