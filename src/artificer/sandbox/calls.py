"""System calls of Linux that Python does not have: namespaces, mounts, capabilities, openat2."""

import ctypes
import os
import platform
import struct

libc = ctypes.CDLL(None, use_errno=True)

MACHINE = platform.machine()
_X86 = MACHINE == "x86_64"
# Calls newer than 2019 have one number everywhere.
_PIVOT_ROOT = 155 if _X86 else 41
_CAPSET = 126 if _X86 else 91
_OPENAT2, _MOUNT_SETATTR = 437, 442

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1

RESOLVE_IN_ROOT = 0x10

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63


def checked(result: int, what: str) -> int:
    """Return *result*, or raise the OSError that errno tells, about *what*, if it is negative."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(number: int, *arguments: object) -> int:
    """Call the kernel by *number*; whole numbers are passed as 64 bits. -1 is left in errno."""
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return int(libc.syscall(ctypes.c_long(number), *words))


def unshare(flags: int) -> None:
    """Leave the namespaces in *flags* for new ones."""
    checked(libc.unshare(flags), f"unshare({flags:#x})")


def mount(
    source: str | None,
    target: str,
    kind: str | None = None,
    flags: int = 0,
    data: str | None = None,
) -> None:
    """Mount *source* at *target*."""
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, data)]
    result = libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])
    checked(result, f"mount {kind or source} at {target}")


def unmount(target: str, flags: int = MNT_DETACH) -> None:
    """Unmount what is at *target*, by default as soon as nobody uses it."""
    checked(libc.umount2(os.fsencode(target), flags), f"umount {target}")


def set_read_only(target: str) -> None:
    """Make the mount at *target*, and all mounts below it, read-only (Linux 5.12)."""
    attributes = struct.pack("QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    result = syscall(
        _MOUNT_SETATTR, -100, os.fsencode(target), _AT_RECURSIVE, attributes, len(attributes)
    )
    checked(result, f"mount_setattr {target}")


def pivot_root(new: str, old: str) -> None:
    """Make *new* the root, and put the old one at *old*."""
    checked(syscall(_PIVOT_ROOT, os.fsencode(new), os.fsencode(old)), "pivot_root")


def openat2(directory: int, path: str | bytes, flags: int, resolve: int, mode: int = 0) -> int:
    """Open *path* from *directory* within what *resolve* allows; the result is close-on-exec."""
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, resolve)
    name = os.fsencode(path)
    # EAGAIN: something was renamed meanwhile, so that the kernel could not be sure.
    for _ in range(100):
        result = syscall(_OPENAT2, directory, name or b".", how, len(how))
        if result >= 0 or ctypes.get_errno() != 11:
            break
    return checked(result, f"openat2 {os.fsdecode(name)}")


def prctl(option: int, value: int = 0) -> int:
    """Set or ask one thing about this process."""
    words = [ctypes.c_ulong(word) for word in (option, value, 0, 0, 0)]
    return checked(libc.prctl(*words), f"prctl({option})")


def set_hostname(name: str) -> None:
    """Name the machine in this UTS namespace."""
    data = name.encode()
    checked(libc.sethostname(data, len(data)), "sethostname")


def keep_capabilities(kept: frozenset[int]) -> None:
    """Give up all capabilities but *kept*, for this process and whatever it executes."""
    checked(libc.prctl(PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "clear ambient set")
    for number in range(_LAST_CAPABILITY + 1):
        # EINVAL: this kernel has fewer.
        if number not in kept and libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0:
            break
    mask = sum(1 << number for number in kept)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    head = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    checked(syscall(_CAPSET, head, struct.pack("6I", low, low, 0, high, high, 0)), "capset")
