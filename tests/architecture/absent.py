"""Import every module of the project with the calls of other systems' Pythons missing.

Run as a program: `python absent.py macos|windows`; prints what could not be imported.
"""

import importlib
import os
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

# Only RUN needs Linux; `__main__` would run the command line.
LINUX_ONLY = ("artificer.sandbox", "artificer.__main__")

# What the standard library itself needs on a POSIX system stays: WNOHANG, waitpid, pipe.
CALLS = {
    "macos": """
        O_DIRECT O_PATH O_TMPFILE POSIX_FADV_DONTNEED POSIX_FADV_SEQUENTIAL
        POSIX_FADV_WILLNEED POSIX_SPAWN_CLOSEFROM RTLD_DEEPBIND copy_file_range eventfd
        fdatasync getresgid getresuid getxattr listxattr memfd_create pidfd_open pipe2
        posix_fadvise posix_fallocate removexattr sched_getaffinity setns setresgid
        setresuid setxattr splice unshare
    """,
    "windows": """
        O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK O_SYNC SEEK_DATA SEEK_HOLE
        chown chroot fchmod fchown fork forkpty fstatvfs getegid geteuid getgid
        getgrouplist getgroups getloadavg getpgid getpriority getsid getuid initgroups
        killpg lchown lockf major makedev minor mkfifo mknod nice openpty pathconf
        posix_spawn posix_spawnp pread preadv pwrite pwritev readv sendfile setegid
        seteuid setgid setgroups setpgid setsid setuid statvfs sync sysconf tcgetpgrp
        ttyname uname wait wait3 wait4 writev
    """,
}
MODULES = {
    "macos": {"spwd", "ossaudiodev"},
    "windows": {"fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"},
}


class Absent:
    """Finds nothing where the other system has nothing."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in self.names:
            raise ModuleNotFoundError(f"not on this system: {name}", name=name)
        return None


def become(system: str) -> None:
    """Take away what *system* lacks: Windows lacks what macOS lacks, and more."""
    systems = ("macos", "windows") if system == "windows" else ("macos",)
    for each in systems:
        for call in CALLS[each].split():
            if hasattr(os, call):
                delattr(os, call)
        for name in MODULES[each]:
            sys.modules.pop(name, None)
        sys.meta_path.insert(0, Absent(MODULES[each]))


def modules() -> Iterator[str]:
    """The names of all modules that are meant for every system."""
    package = importlib.import_module("artificer")
    for found in pkgutil.walk_packages(package.__path__, "artificer."):
        if not found.name.startswith(LINUX_ONLY):
            yield found.name


def main() -> None:
    become(sys.argv[1])
    count = 0
    for name in modules():
        try:
            importlib.import_module(name)
        except Exception as error:
            sys.stdout.write(f"{name}: {error!r}\n")
        count += 1
    sys.stderr.write(f"{count} modules\n")


if __name__ == "__main__":
    main()
