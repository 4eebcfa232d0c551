"""A connected socket that never waits for ever: each wait is limited, and so is dawdling."""

import contextlib
import io
import os
import selectors
import socket
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from artificer.http.request import CHUNK
from artificer.stop import Stop

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

SLOWEST = 100
"""Bytes a second below which an answer counts as stalled, though each of its bytes is in time."""

_SENDFILE_PIECE = 1 << 22


class TooMuch(OSError):
    """The other side sends more than what was asked for can take."""


class Sockets:
    """Every socket that is open, so that all can be ended at once from a signal handler."""

    __slots__ = ("_open", "aborted")

    def __init__(self) -> None:
        self._open: set[socket.socket] = set()
        self.aborted = False

    def add(self, sock: socket.socket) -> None:
        """Keep *sock* in mind."""
        self._open.add(sock)
        if self.aborted:
            _shut(sock)

    def drop(self, sock: socket.socket) -> None:
        """Forget and close *sock*."""
        self._open.discard(sock)
        sock.close()

    def replace(self, old: socket.socket, new: socket.socket) -> None:
        """*new* took over what *old* was."""
        self.add(new)
        self._open.discard(old)

    def abort(self) -> None:
        """End every connection, now and later: whoever waits on one fails at once. No lock."""
        self.aborted = True
        for sock in tuple(self._open):
            _shut(sock)


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it was not connected, or not any more
        sock.shutdown(socket.SHUT_RDWR)


class Wire:
    """A socket as `http.client` uses one, with our own idea of waiting."""

    __slots__ = ("_budget", "_got", "_socket", "_sockets", "_stop", "_timeout", "_waited")

    def __init__(
        self, connected: socket.socket, sockets: Sockets, *, timeout: float, stop: Stop
    ) -> None:
        self._socket = connected
        self._sockets = sockets
        self._stop = stop
        self._timeout = timeout
        self._budget = 0
        self.listen(0)

    def listen(self, budget: int) -> None:
        """Begin to wait for an answer: its first byte may take the whole time limit."""
        self._waited = -1.0
        self._got = 0
        self._socket.settimeout(self._timeout)
        self.allow(budget)

    def hurry(self, seconds: float) -> None:
        """Wait no longer than *seconds* for what comes next."""
        self._socket.settimeout(min(seconds, self._timeout))

    def allow(self, budget: int) -> None:
        """Let the other side send *budget* bytes from here on; more is an error."""
        self._budget = budget

    def receive(self, buffer: "WriteableBuffer") -> int:
        """Wait for bytes and put them into *buffer*; 0 at the end."""
        self._stop.check()
        began = time.monotonic()
        count = self._socket.recv_into(buffer)
        self._pace(time.monotonic() - began, count)
        self._budget -= count
        if self._budget < 0:
            raise TooMuch("headers, or what chunks are wrapped in, do not end")
        return count

    def _pace(self, seconds: float, count: int) -> None:
        # The wait for the first byte is the server's thinking, and limited by the socket alone.
        self._waited = 0.0 if self._waited < 0 else self._waited + seconds
        self._got += count
        if self._waited > self._timeout:
            if self._got < SLOWEST * self._waited:
                raise TimeoutError(f"{self._got} bytes in {self._waited:.0f} s")
            self._waited, self._got = 0.0, 0

    def sendall(self, data: "ReadableBuffer") -> None:
        """Send all of *data*."""
        for _ in self.send(data):
            pass

    def send(self, data: "ReadableBuffer") -> Iterator[int]:
        """Send *data* in pieces, each of which has the whole time limit; give their sizes."""
        view = memoryview(data).cast("B")
        for offset in range(0, len(view), CHUNK):
            self._stop.check()
            piece = view[offset : offset + CHUNK]
            self._socket.sendall(piece)
            yield len(piece)

    @property
    def plain(self) -> bool:
        """Whether the kernel may send a file's bytes as they are."""
        return not isinstance(self._socket, ssl.SSLSocket)

    def send_file(self, file: BinaryIO, offset: int, size: int) -> Iterator[int]:
        """Send *size* bytes of *file*, fewer if it ends, without reading them; give the sizes."""
        end = offset + size
        while offset < end and offset < os.fstat(file.fileno()).st_size:
            self._stop.check()
            count = self._socket.sendfile(file, offset, min(end - offset, _SENDFILE_PIECE))
            offset += count
            yield count

    def makefile(self, mode: str) -> io.BufferedReader:
        """A reader for one answer; closing it leaves the socket open."""
        return io.BufferedReader(_Incoming(self))

    def stale(self) -> bool:
        """Whether something came in while nobody listened: mostly the end of the connection."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return bool(selector.select(0))

    def close(self) -> None:
        """What `http.client` calls when an answer is the last one: `dispose` is ours to call."""

    def dispose(self) -> None:
        """Close the socket."""
        self._sockets.drop(self._socket)


class _Incoming(io.RawIOBase):
    """What a wire receives, as a file for one answer."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        return self._wire.receive(buffer)
