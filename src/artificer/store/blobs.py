"""The store: blobs named by digest and never changed, with names and records beside them."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import BinaryIO, Self

from artificer.errors import ArtificerError
from artificer.oci.digest import Digest, hasher_of
from artificer.store.files import (
    LAYOUT,
    PRIVATE,
    PUBLIC,
    Folder,
    StoreUnusable,
    into_place,
    remove,
    trouble,
    usable,
    write_all,
)
from artificer.store.lock import LOCKS, lock_shared
from artificer.store.names import Names
from artificer.store.records import Records
from artificer.store.trees import TREES

_OWN = frozenset(
    {"blobs", "records", "repositories", "tmp", "uploads", "index.json", "index.lock", "lock"}
    | set(TREES)
)


class BlobMissing(ArtificerError):
    """A blob that should be in the store is not."""


class BlobCorrupt(ArtificerError):
    """Bytes are not what their digest or size says."""


class Store(Names, Records):
    """A handle on the store at *root*; `open_store` makes sure that there is one."""

    __slots__ = ()

    def read(self, digest: Digest, limit: int) -> bytes:
        """The blob's bytes, verified: for documents. Raise `BlobCorrupt` for more than *limit*."""
        self.has(digest)
        with usable(self.root):
            try:
                with open(self.blob_path(digest), "rb", buffering=0) as file:
                    size = os.fstat(file.fileno()).st_size
                    data = file.readall() if size <= limit else b""
            except FileNotFoundError as error:
                raise BlobMissing(f"{digest} is not in the store {self.root}") from error
        if size > limit:
            raise BlobCorrupt(f"{digest} has {size} bytes, more than the {limit} it may have")
        if not digest.matches(data):
            raise BlobCorrupt(
                f"{digest} in the store {self.root} is damaged",
                hint="`artificer cache verify` finds every damaged blob",
            )
        return data

    def put(self, data: bytes) -> Digest:
        """Keep *data*; give its name."""
        digest = Digest.of(data)
        if self.has(digest) != len(data):
            with self.writer() as writer:
                writer.write(data)
                writer.commit(digest)
        return digest

    def put_chunks(
        self, chunks: Iterable[bytes], digest: Digest | None = None, size: int | None = None
    ) -> Digest:
        """Keep *chunks* and name them by what they hash to, which must be *digest* when given.

        A reader sees the whole blob or none of it; more than *size* bytes are not even written.
        """
        hasher = hasher_of(digest.algorithm if digest else "sha256")
        with self.writer() as writer:
            for chunk in chunks:
                hasher.update(chunk)
                writer.write(chunk)
                if size is not None and writer.size > size:
                    raise BlobCorrupt(f"{digest or 'a blob'} has more than its {size} bytes")
            found = Digest(f"{hasher.name}:{hasher.hexdigest()}")
            if digest is not None and found != digest:
                raise BlobCorrupt(f"digest mismatch: expected {digest}, got {found}")
            writer.commit(found, size)
        return found

    def adopt(self, path: str, digest: Digest) -> None:
        """Make the file at *path*, on the store's own disk, the blob that its bytes hash to."""
        with usable(self.root):
            os.utime(path)
            into_place(path, self.blob_path(digest))

    def discard(self, digest: Digest) -> bool:
        """Remove a blob now, whoever names it: for damaged ones. Say whether it was there."""
        with usable(self.root):
            return remove(self.blob_path(digest))

    def writer(self) -> "Writer":
        """A blob to be written piece by piece, by somebody who hashes it meanwhile."""
        return Writer(self)

    def spool(self) -> BinaryIO:
        """A file without a name on the store's disk: it is gone once it is closed."""
        fd, path = self.temporary(PRIVATE, getattr(os, "O_TEMPORARY", 0))
        if LOCKS:  # Windows removes it by itself
            os.unlink(path)
        return os.fdopen(fd, "w+b")

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While inside, a prune removes nothing that was used within the last hour."""
        fd = open_lock(self)
        try:
            if fd is not None:
                lock_shared(fd)
            yield
        finally:
            if fd is not None:
                os.close(fd)


class Writer:
    """One blob on its way into the store; without a `commit` nothing of it remains."""

    __slots__ = ("_fd", "_store", "path", "size")

    def __init__(self, store: Folder) -> None:
        self._store = store
        self.size = 0
        self._fd, self.path = store.temporary(PUBLIC)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append *data*, which may be used again afterwards. Views are of single bytes."""
        try:
            self.size += write_all(self._fd, data)
        except OSError as error:
            raise trouble(self._store.root, error) from error

    def commit(self, digest: Digest, size: int | None = None) -> None:
        """Name what was written: *digest* is trusted, the *size* is checked when given."""
        if size is not None and size != self.size:
            raise BlobCorrupt(f"{digest} has {self.size} bytes instead of {size}")
        if not LOCKS:  # Windows renames no open file
            self._close()
        with usable(self._store.root):
            into_place(self.path, self._store.blob_path(digest))
        self.path = self._store.blob_path(digest)
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._fd >= 0:
            self._close()
            remove(self.path)

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def open_store(root: str, *, create: bool = True) -> Store:
    """The store at *root*; an empty or missing folder becomes one when *create* is set."""
    store = Store(os.path.abspath(root))
    with usable(store.root):
        if not os.path.isfile(f"{store.root}/oci-layout"):
            _make(store, create=create)
    return store


def open_lock(folder: Folder) -> int | None:
    """The store's own lock file, opened; None when it has none and none can be made."""
    path = f"{folder.root}/lock"
    with usable(folder.root):
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT, PUBLIC)
        except PermissionError:
            return os.open(path, os.O_RDONLY) if os.path.exists(path) else None
        except OSError:
            # A disk that may only be read: nobody can prune it either.
            if os.path.isdir(folder.root) and not os.access(folder.root, os.W_OK):
                return None
            raise


def _make(store: Store, *, create: bool) -> None:
    present = set(os.listdir(store.root)) if os.path.isdir(store.root) else set()
    # What a killed maker leaves is a store to be; anything else belongs to somebody.
    if not create or present - _OWN:
        raise StoreUnusable(
            f"{store.root} is not a store" + (", and not empty" if present else ""),
            hint="choose a store, or an empty folder, with `--store DIR` or ARTIFICER_STORE",
        )
    os.makedirs(store.root, mode=0o700, exist_ok=True)
    for folder in ("blobs/sha256", "records", "tmp"):
        os.makedirs(f"{store.root}/{folder}", exist_ok=True)
    if not os.path.exists(f"{store.root}/index.json"):
        store.remove_names()
    store.replace(f"{store.root}/oci-layout", LAYOUT, mode=PUBLIC)
