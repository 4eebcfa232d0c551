"""Locks between processes, on open files; where the platform has none, nobody waits."""

import time
from collections.abc import Callable

try:
    import fcntl
except ImportError:  # Windows
    LOCKS = False
else:
    LOCKS = True

_PAUSE = 0.005


def lock_shared(fd: int) -> None:
    """Wait until nobody holds *fd*'s file exclusively, and share it until *fd* is closed."""
    if LOCKS:
        fcntl.flock(fd, fcntl.LOCK_SH)


def lock(fd: int) -> None:
    """Wait until nobody else holds *fd*'s file, and hold it until *fd* is closed."""
    if LOCKS:
        fcntl.flock(fd, fcntl.LOCK_EX)


def lock_while(fd: int, check: Callable[[], None], *, shared: bool = False) -> None:
    """Wait as `lock` does, or `lock_shared`, as long as *check* does not raise."""
    if not LOCKS:
        return
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            check()
            time.sleep(_PAUSE)
        else:
            return


def try_lock(fd: int) -> bool:
    """Hold *fd*'s file if nobody else does, and say whether that went well."""
    if not LOCKS:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
