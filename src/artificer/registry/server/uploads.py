"""Uploads: sessions that lie in the store's folder and go on where they broke."""

import hashlib
import os
import re
import threading
import uuid
from typing import TYPE_CHECKING

from artificer.oci.digest import Digest, hasher_of
from artificer.registry.server.answers import Answer, Problem
from artificer.registry.server.asked import Asked, checked_digest, checked_name
from artificer.registry.server.blobs import created, linked_size
from artificer.store.blobs import Store
from artificer.store.census import UPLOADS
from artificer.store.files import PUBLIC, usable, write_all

if TYPE_CHECKING:
    from hashlib import _Hash

_CHUNK = re.compile(r"(?:bytes )?([0-9]{1,18})-([0-9]{1,18})(?:/[0-9*]+)?")
_BUFFER = 1 << 20


class _Session:
    """What is known of an upload besides its file: how far it was hashed, and who is at it."""

    __slots__ = ("hashed", "hasher", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.hasher: _Hash = hasher_of("sha256")
        self.hashed = 0


class Uploads:
    """The uploads of one store. After a restart of the server they go on, too."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def start(self, asked: Asked) -> Answer:
        """POST: a mount (end-11), a whole blob (end-4b), or the start of a session (end-4a)."""
        mounted = self._mounted(asked)
        if mounted is not None:
            return mounted
        digest = checked_digest(asked.first("digest")) if "digest" in asked.query else None
        item = str(uuid.uuid4())
        with usable(self._store.root):
            os.makedirs(f"{self._store.root}/{UPLOADS}", exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            os.close(os.open(self._path(asked.repository, item), flags, PUBLIC))
        asked = asked._replace(item=item)
        if digest is None:
            return self._told(202, asked, 0)
        session = self._session(asked)
        self._append(asked, session)
        return self._finish(asked, session, digest)

    def status(self, asked: Asked) -> Answer:
        """GET: how far the upload came (end-13)."""
        return self._told(204, asked, self._size(asked))

    def append(self, asked: Asked) -> Answer:
        """PATCH: one chunk more (end-5), in order, or as many bytes as come."""
        session = self._session(asked)
        with session.lock:
            size = self._append(asked, session)
        return self._told(202, asked, size)

    def finish(self, asked: Asked) -> Answer:
        """PUT: the last chunk, or none, and the digest of the whole (end-6)."""
        digest = checked_digest(asked.first("digest"))
        session = self._session(asked)
        with session.lock:
            self._append(asked, session)
            return self._finish(asked, session, digest)

    def cancel(self, asked: Asked) -> Answer:
        """DELETE: nothing of the upload stays."""
        self._size(asked)
        self._forget(asked)
        return Answer(204)

    def _mounted(self, asked: Asked) -> Answer | None:
        source, text = asked.first("from"), asked.first("mount")
        if source is None or text is None:
            return None
        # A mount that cannot be is no error: the client uploads instead.
        digest = checked_digest(text)
        if linked_size(self._store, checked_name(source), digest) is None:
            return None
        return created(self._store, asked.repository, digest)

    def _append(self, asked: Asked, session: _Session) -> int:
        """Add the request's body; what came before it broke off stays."""
        size = self._size(asked)
        self._check_order(asked, size)
        with usable(self._store.root):
            fd = os.open(self._path(asked.repository, asked.item), os.O_WRONLY | os.O_APPEND)
        try:
            for piece in asked.body.pieces():
                with usable(self._store.root):
                    write_all(fd, piece)
                if session.hashed == size:
                    session.hasher.update(piece)
                    session.hashed += len(piece)
                size += len(piece)
        finally:
            os.close(fd)
        return size

    def _check_order(self, asked: Asked, size: int) -> None:
        text = asked.headers.get("content-range")
        if text is None:
            return
        match = _CHUNK.fullmatch(text)
        if not match or int(match[1]) != size:
            raise Problem(416, "BLOB_UPLOAD_INVALID", "the chunk is out of order").with_headers(
                *self._told(416, asked, size).headers
            )
        if asked.body.left is not None and int(match[2]) - size + 1 != asked.body.left:
            raise Problem(400, "SIZE_INVALID", "Content-Range and Content-Length disagree")

    def _finish(self, asked: Asked, session: _Session, digest: Digest) -> Answer:
        path = self._path(asked.repository, asked.item)
        size = self._size(asked)
        if digest.algorithm == "sha256" and session.hashed == size:
            found = Digest.sha256(session.hasher)
        else:
            found = self._hashed(path, digest.algorithm)
        if found != digest:
            self._forget(asked)
            raise Problem(
                400,
                "DIGEST_INVALID",
                "the bytes have another digest",
                details=[{"digest": str(digest), "found": str(found)}],
            )
        self._store.adopt(path, digest)
        self._forget(asked)
        return created(self._store, asked.repository, digest)

    def _hashed(self, path: str, algorithm: str) -> Digest:
        """The file's digest, for sha512 and for sessions that are older than this server."""
        with usable(self._store.root), open(path, "rb") as file:
            return Digest(f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}")

    def _size(self, asked: Asked) -> int:
        try:
            return os.stat(self._path(asked.repository, asked.item)).st_size
        except FileNotFoundError as error:
            raise Problem(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown") from error

    def _told(self, status: int, asked: Asked, size: int) -> Answer:
        # The range of nothing is told as that of one byte, as every registry does.
        return Answer(
            status,
            (
                ("Location", f"/v2/{asked.repository}/blobs/uploads/{asked.item}"),
                ("Range", f"0-{max(size - 1, 0)}"),
                ("Docker-Upload-UUID", asked.item),
            ),
        )

    def _session(self, asked: Asked) -> _Session:
        self._size(asked)  # there is such an upload
        with self._lock:
            return self._sessions.setdefault(_plain(asked.item), _Session())

    def _forget(self, asked: Asked) -> None:
        with self._lock:
            self._sessions.pop(_plain(asked.item), None)
        with usable(self._store.root):
            try:
                os.unlink(self._path(asked.repository, asked.item))
            except FileNotFoundError:
                return

    def _path(self, repository: str, item: str) -> str:
        """The session's file; another repository's session has another."""
        owner = hashlib.sha256(repository.encode()).hexdigest()[:16]
        return f"{self._store.root}/{UPLOADS}/{_plain(item)}.{owner}"


def _plain(item: str) -> str:
    """The one way to write a session's name."""
    try:
        return str(uuid.UUID(item))
    except ValueError as error:
        raise Problem(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown") from error
