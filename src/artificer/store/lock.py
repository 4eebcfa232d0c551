"""Locks between processes, on open files; where the platform has none, nobody waits."""

try:
    import fcntl
except ImportError:  # Windows
    LOCKS = False
else:
    LOCKS = True


def lock_shared(fd: int) -> None:
    """Wait until nobody holds *fd*'s file exclusively, and share it until *fd* is closed."""
    if LOCKS:
        fcntl.flock(fd, fcntl.LOCK_SH)


def lock(fd: int) -> None:
    """Wait until nobody else holds *fd*'s file, and hold it until *fd* is closed."""
    if LOCKS:
        fcntl.flock(fd, fcntl.LOCK_EX)


def try_lock(fd: int) -> bool:
    """Hold *fd*'s file if nobody else does, and say whether that went well."""
    if not LOCKS:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
