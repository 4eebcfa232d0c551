"""Places in a root where something is mounted: found or made, and gone again afterwards."""

import contextlib
import os
import stat

from artificer.sandbox.calls import RESOLVE_IN_ROOT, openat2

_FOLDER = os.O_PATH | os.O_DIRECTORY
_HOPS = 40


class Points:
    """Makes the points of one command in *root*, and takes back what it made."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._made: list[tuple[str, os.stat_result]] = []
        self._times: dict[str, os.stat_result] = {}

    def make(self, path: str, *, directory: bool) -> None:
        """See that there is something at *path*, links followed within the root."""
        real = real_path(self._root, path)
        parts = [part for part in real.split("/") if part]
        for count in range(1, len(parts) + 1):
            place = "/".join((self._root, *parts[:count]))
            if os.path.lexists(place):
                continue
            above = os.path.dirname(place)
            if above not in self._times:
                self._times[above] = os.stat(above)
            if directory or count < len(parts):
                os.mkdir(place, 0o755)
            else:
                os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            self._made.append((place, os.stat(place)))

    def take_back(self) -> None:
        """Remove what was made and is still empty; directories keep their times."""
        now = {}
        for above in self._times:
            with contextlib.suppress(OSError):
                now[above] = os.stat(above)
        for place, made in reversed(self._made):
            with contextlib.suppress(OSError):
                if os.lstat(place).st_ino != made.st_ino:
                    continue
                if stat.S_ISDIR(made.st_mode):
                    os.rmdir(place)
                elif not os.lstat(place).st_size:
                    os.unlink(place)
        self._restore(now)

    def restore(self) -> None:
        """Give the directories that points were made in the times that they had before."""
        for above, before in self._times.items():
            os.utime(above, ns=(before.st_atime_ns, before.st_mtime_ns))

    def _restore(self, now: dict[str, os.stat_result]) -> None:
        for above, status in now.items():
            with contextlib.suppress(OSError):
                os.utime(above, ns=(status.st_atime_ns, status.st_mtime_ns))


def real_path(root: str, path: str) -> str:
    """Return where *path* is in *root*, all links followed; what is missing stays as it is."""
    waiting = [part for part in path.split("/") if part][::-1]
    real: list[str] = []
    hops = 0
    while waiting:
        part = waiting.pop()
        if part in {".", ".."}:
            del real[len(real) - (part == "..") :]
            continue
        place = "/".join((root, *real, part))
        if not os.path.islink(place):
            real.append(part)
            continue
        hops += 1
        if hops > _HOPS:
            raise OSError(40, f"too many levels of symbolic links: {path}")
        target = os.readlink(place)
        if target.startswith("/"):
            real.clear()
        waiting += [step for step in target.split("/") if step][::-1]
    return "/" + "/".join(real)


def opened(root: str, path: str, flags: int = os.O_PATH) -> int:
    """Open *path* of *root*, links followed within it."""
    folder = os.open(root, _FOLDER | os.O_CLOEXEC)
    try:
        return openat2(folder, path.lstrip("/"), flags, RESOLVE_IN_ROOT)
    finally:
        os.close(folder)


def read_file(root: str, path: str, limit: int = 1 << 22) -> bytes:
    """Return what is in the file at *path* of *root*, or nothing if there is none."""
    try:
        descriptor = opened(root, path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(limit)
    finally:
        os.close(descriptor)
