"""How the build and its sandbox speak: frames on a socket, values as JSON."""

import base64
import json
import socket
import struct
from typing import Any, NamedTuple

from artificer.errors import ArtificerError
from artificer.oci.digest import Digest
from artificer.sandbox.command import (
    Bind,
    Cache,
    Chain,
    Command,
    Mount,
    Secret,
    Socket,
    Tmpfs,
    TreeLayer,
)

OPEN, RUN, CHANGES, ADOPT, EXTEND, PRUNE = b"O", b"R", b"C", b"A", b"X", b"P"
CACHED = b"M"
DONE, FAILED = b"K", b"E"

_HEAD = struct.Struct(">cI")
_MOUNTS: dict[str, Any] = {kind.__name__: kind for kind in (Bind, Cache, Tmpfs, Secret, Socket)}


class Hung(ArtificerError):
    """The other side is gone."""


class Frame(NamedTuple):
    """One message: what it is, and its words."""

    kind: bytes
    words: Any


def send(to: socket.socket, kind: bytes, words: Any, *, descriptor: int = -1) -> None:
    """Send one frame, and with it maybe an open file."""
    payload = json.dumps(words).encode()
    data = _HEAD.pack(kind, len(payload)) + payload
    try:
        if descriptor >= 0:
            sent = socket.send_fds(to, [data], [descriptor])
            data = data[sent:]
        to.sendall(data)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Hung("the sandbox is gone") from error


def receive(source: socket.socket) -> tuple[Frame, int]:
    """Receive one frame and the file that came with it, or -1. `Hung` at the end."""
    try:
        head, files, _, _ = socket.recv_fds(source, _HEAD.size, 1)
    except ConnectionResetError as error:
        raise Hung("the sandbox is gone") from error
    head += _exactly(source, _HEAD.size - len(head)) if head else b""
    if not head:
        raise Hung("the sandbox is gone")
    kind, size = _HEAD.unpack(head)
    return Frame(kind, json.loads(_exactly(source, size))), files[0] if files else -1


def _exactly(source: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = source.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise Hung("the sandbox is gone")
        data += piece
    return bytes(data)


def chain_of(words: list[Any]) -> Chain:
    """Read a chain: what `json` makes of it is lists."""
    return tuple(
        TreeLayer(Digest(diff_id), path, offset, size) for diff_id, path, offset, size in words
    )


def command_words(command: Command) -> dict[str, Any]:
    """Return *command* as words for JSON."""
    words = command._asdict()
    words["script"] = _text(command.script)
    words["mounts"] = [_mount_words(mount) for mount in command.mounts]
    return words


def command_of(words: dict[str, Any]) -> Command:
    """Read a command."""
    return Command(
        tuple(words["argv"]),
        tuple((name, value) for name, value in words["env"]),
        words["cwd"],
        words["user"],
        tuple(_mount(kind, one) for kind, one in words["mounts"]),
        words["network"],
        tuple((name, address) for name, address in words["hosts"]),
        base64.b64decode(words["script"]),
        words["umask"],
    )


def _mount_words(mount: Mount) -> tuple[str, dict[str, Any]]:
    words = mount._asdict()
    if isinstance(mount, Secret):
        words["data"] = _text(mount.data)
    return type(mount).__name__, words


def _mount(kind: str, words: dict[str, Any]) -> Mount:
    if "chain" in words:
        words["chain"] = chain_of(words["chain"])
    if "data" in words:
        words["data"] = base64.b64decode(words["data"])
    mount: Mount = _MOUNTS[kind](**words)
    return mount


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
