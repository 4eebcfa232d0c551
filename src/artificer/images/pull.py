"""Bringing all of an image into the store: what `pull`, `save` and `load` need."""

from collections.abc import Callable, Iterator

from artificer.images.bytes_of import chunks_of
from artificer.images.parallel import Work, run_all
from artificer.images.parts import Parts, parts_of
from artificer.images.reach import Reach
from artificer.images.whereabouts import remember
from artificer.oci.image import Artifact, Blob, Content, Image, Index, Origin, Remote, Stored

THREADS = 4


def pull(content: Content, reach: Reach, *, threads: int = THREADS) -> Content:
    """Bring every blob and document of *content* into the store; return it with origins there.

    Each blob is verified, and one that broke off is resumed. Foreign layers stay where they are.
    """
    parts = parts_of(content)
    run_all([_blob_work(blob, reach) for blob in parts.blobs], threads=threads, stop=reach.stop)
    keep_documents(parts, reach)
    return _from_store(content, reach)


def keep_documents(parts: Parts, reach: Reach) -> None:
    """Keep configs and manifests: they are in memory, and come after what they name."""
    for document in (*parts.configs, *parts.manifests):
        digest = document.descriptor.digest
        if reach.store.has(digest) != len(document.data):
            reach.store.put_chunks([document.data], digest, len(document.data))


def _blob_work(blob: Blob, reach: Reach) -> Work:
    def work(check: Callable[[], None]) -> None:
        check()
        if reach.store.has(blob.digest) == blob.descriptor.size:
            return
        chunks = chunks_of(blob, reach)
        reach.store.put_chunks(_checking(chunks, check), blob.digest, blob.descriptor.size)
        if isinstance(blob.origin, Remote):
            remember(blob.digest, (blob.origin.repository,), reach.store)

    return work


def _checking(chunks: Iterator[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    for chunk in chunks:
        check()
        yield chunk


def _from_store(content: Content, reach: Reach) -> Content:
    match content:
        case Image():
            origins = {blob.digest: _stored(blob, reach) for blob in content.blobs}
            return Image(content.manifest, content.config, origins)
        case Index():
            members = tuple(_from_store(member, reach) for member in content.members)
            return Index(content.manifest, members)
        case Artifact():
            blobs = tuple(Blob(one.descriptor, _stored(one, reach)) for one in content.blobs)
            return Artifact(content.manifest, blobs)


def _stored(blob: Blob, reach: Reach) -> Origin:
    if reach.store.has(blob.digest) is None:
        return blob.origin
    return Stored(reach.store.blob_path(blob.digest))
