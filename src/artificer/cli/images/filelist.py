"""A file of an image as a line for people, or as a document for programs."""

import base64
import stat
import time
from typing import Any

from artificer.cli.terminal.table import printable
from artificer.layers.entry import (
    BLOCK,
    CHAR,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
)
from artificer.layers.index import File

_MODES = {
    FILE: stat.S_IFREG,
    HARDLINK: stat.S_IFREG,
    SYMLINK: stat.S_IFLNK,
    CHAR: stat.S_IFCHR,
    BLOCK: stat.S_IFBLK,
    DIRECTORY: stat.S_IFDIR,
    FIFO: stat.S_IFIFO,
}
_TYPES = {
    FILE: "file",
    HARDLINK: "hardlink",
    SYMLINK: "symlink",
    CHAR: "char",
    BLOCK: "block",
    DIRECTORY: "directory",
    FIFO: "fifo",
}


def file_line(file: File) -> str:
    """*file* as ``ls -l`` shows one: mode, owner, size, time, path."""
    mode = stat.filemode(_MODES[file.kind] | file.mode)
    size = f"{file.device[0]},{file.device[1]}" if file.kind in {CHAR, BLOCK} else str(file.size)
    arrow = {SYMLINK: f" -> {file.link}", HARDLINK: f" link to /{file.link}"}.get(file.kind, "")
    slash = "/" if file.kind == DIRECTORY else ""
    line = f"{mode} {file.uid:>5}:{file.gid:<5} {size:>10} {_minute(file.mtime)} /{file.path}"
    return printable(f"{line}{slash}{arrow}")


def file_document(file: File) -> dict[str, Any]:
    """*file* with all that its layer says about it; what it does not have is left out."""
    extended = {name: base64.b64encode(value).decode() for name, value in file.xattrs}
    optional = {
        "link": f"/{file.link}" if file.kind == HARDLINK else file.link,
        "sha256": file.content.hex(),
        "xattrs": extended,
        "device": list(file.device) if file.kind in {CHAR, BLOCK} else None,
    }
    return {
        "path": f"/{file.path}",
        "type": _TYPES[file.kind],
        "mode": f"{file.mode:04o}",
        "uid": file.uid,
        "gid": file.gid,
        "size": file.size,
        "mtime": file.mtime,
        **{key: value for key, value in optional.items() if value},
    }


def _minute(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):
        # A layer may claim any time, also one that no calendar has.
        return "?" * 16
