"""A socket of the machine in a root: what comes to one there is passed on to the real one."""

import os
import selectors
import socket
from contextlib import suppress
from typing import NoReturn

from artificer.sandbox.command import Socket

_PIECE = 1 << 16
_WAITING = 16


def relay(mount: Socket, place: str) -> None:
    """Listen at *place*, in a process of its own that ends with this one's other children."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(os.path.dirname(place), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # The name of a socket has room for 107 bytes.
        name = f"/proc/self/fd/{folder}/{os.path.basename(place)}"
        listening.bind(name)
        os.chown(name, mount.uid, mount.gid)
        os.chmod(name, mount.mode)
    finally:
        os.close(folder)
    listening.listen(_WAITING)
    if os.fork():
        listening.close()
        return
    try:
        _relay(listening, mount.path)
    finally:
        os._exit(0)


def _relay(listening: socket.socket, path: str) -> NoReturn:
    selector = selectors.DefaultSelector()
    selector.register(listening, selectors.EVENT_READ)
    other: dict[socket.socket, socket.socket] = {}
    while True:
        for key, _ in selector.select():
            if key.fileobj is listening:
                inner, _ = listening.accept()
                outer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    outer.connect(path)
                except OSError:
                    inner.close()
                    outer.close()
                    continue
                other |= {inner: outer, outer: inner}
                selector.register(inner, selectors.EVENT_READ)
                selector.register(outer, selectors.EVENT_READ)
            elif isinstance(key.fileobj, socket.socket) and key.fileobj in other:
                _pass_on(selector, key.fileobj, other)


def _pass_on(
    selector: selectors.BaseSelector,
    source: socket.socket,
    other: dict[socket.socket, socket.socket],
) -> None:
    data = b""
    with suppress(OSError):
        data = source.recv(_PIECE)
        if data:
            other[source].sendall(data)
            return
    for one in (source, other.pop(source)):
        selector.unregister(one)
        other.pop(one, None)
        one.close()
