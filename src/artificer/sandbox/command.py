"""What is run in a root, and what is mounted there: values."""

from typing import Literal, NamedTuple

from artificer.oci.digest import Digest


class TreeLayer(NamedTuple):
    """A layer to be unpacked: a blob, compressed or not, from *offset* on in the file *path*.

    It is of *size* bytes; 0 means that it ends where the file does.
    """

    diff_id: Digest
    path: str
    offset: int = 0
    size: int = 0


Chain = tuple[TreeLayer, ...]
"""The layers of an image, lowest first."""


class Bind(NamedTuple):
    """*path* of the files of *chain*, at *target*; what is written there is lost."""

    target: str
    chain: Chain
    path: str = ""
    writable: bool = False


class Cache(NamedTuple):
    """A directory that outlives the command, kept under *id*; a new one is *path* of *chain*.

    With *sharing* ``locked`` commands wait for one another; with ``private`` a second one that
    runs at the same time gets a directory of its own.
    """

    target: str
    id: str
    sharing: Literal["shared", "private", "locked"] = "shared"
    chain: Chain = ()
    path: str = ""
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    readonly: bool = False


class Tmpfs(NamedTuple):
    """An empty directory in memory, where the rung has one, of at most *size* bytes (0: any)."""

    target: str
    size: int = 0


class Secret(NamedTuple):
    """A file that only this command sees; its bytes are never on a disk that outlives it."""

    target: str
    data: bytes
    mode: int = 0o400
    uid: int = 0
    gid: int = 0

    def __repr__(self) -> str:
        """Where it is, never what it holds."""
        return f"Secret({self.target!r})"


class Socket(NamedTuple):
    """A unix socket of the host (an ssh agent's, at *path*), at *target*."""

    target: str
    path: str
    mode: int = 0o600
    uid: int = 0
    gid: int = 0


Mount = Bind | Cache | Tmpfs | Secret | Socket


class Command(NamedTuple):
    """A process: *argv* in *cwd* of the root, as *user* (``USER[:GROUP]``, looked up in the root).

    *env* is all of its environment but HOME, which is the user's unless it is given. *hosts* are
    names with their addresses, for /etc/hosts besides the usual ones. *script* is written to a
    file that only this command sees, and its path appended to *argv*.
    """

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    cwd: str = "/"
    user: str = ""
    mounts: tuple[Mount, ...] = ()
    network: Literal["default", "none", "host"] = "default"
    hosts: tuple[tuple[str, str], ...] = ()
    script: bytes = b""
    umask: int = 0o022
