"""How a layer says that a file of a lower layer is gone."""

from artificer.layers.entry import FILE, Entry

PREFIX = ".wh."
OPAQUE = ".wh..wh..opq"


def whiteout(path: str, mtime: int) -> Entry:
    """Return the entry that hides *path*, and all below it, in the layers underneath."""
    parent, slash, name = path.rpartition("/")
    return Entry(f"{parent}{slash}{PREFIX}{name}", FILE, 0o644, 0, 0, 0, mtime, "", b"")


def is_whiteout(path: str) -> bool:
    """Whether an entry of this path is a statement about lower layers, not a file."""
    return PREFIX in path and path.startswith(PREFIX, path.rfind("/") + 1)


def hidden(path: str) -> str | None:
    """Return the path that the whiteout *path* hides, or None.

    None too for `.wh..wh.…`: these are the marks of aufs, of which only `OPAQUE` means something
    to the rest of the world (it hides what lower layers have in its directory).
    """
    parent, slash, name = path.rpartition("/")
    if not name.startswith(PREFIX) or name.startswith(PREFIX * 2) or name == PREFIX:
        return None
    return f"{parent}{slash}{name[len(PREFIX) :]}"


def is_opaque(path: str) -> bool:
    """Whether *path* is the mark of a directory that hides what lower layers have in it."""
    return path.rpartition("/")[2] == OPAQUE
