"""Files that are written whole or not at all."""

import os
from collections.abc import Iterable
from contextlib import suppress
from threading import get_ident

from artificer.images.bytes_of import chunks_of
from artificer.images.reach import Reach
from artificer.images.unwritable import is_stream
from artificer.oci.image import Blob


def copy_to(blob: Blob, path: str, reach: Reach) -> None:
    """Put *blob* into the file *path*, as a hard link to the store's where that is possible.

    The file is there whole or not at all, and it is what its digest names: a link is read once,
    too, or damage in the store would go on from here.
    """
    partial = _partial(path)
    if reach.store.has(blob.digest) == blob.descriptor.size:
        for _ in chunks_of(blob, reach):
            pass
        try:
            os.link(reach.store.blob_path(blob.digest), partial)
            os.replace(partial, path)
        except OSError:
            # Another file system, or one without hard links: the bytes are copied instead.
            pass
        else:
            return
    write_file(path, chunks_of(blob, reach))


def write_file(path: str, chunks: Iterable[bytes]) -> None:
    """Write *chunks* to *path* by way of a temporary name beside it.

    A pipe or a device is written to as it is: nothing takes its place.
    """
    if is_stream(path):
        with open(path, "wb") as file:
            file.writelines(chunks)
        return
    partial = _partial(path)
    try:
        with open(partial, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
        os.replace(partial, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(partial)
        raise


def _partial(path: str) -> str:
    return f"{path}.partial-{os.getpid()}-{get_ident()}"
