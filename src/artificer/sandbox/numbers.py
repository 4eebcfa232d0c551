"""System calls by name: their numbers where the C library has no function for them."""

import platform

AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_…: how a filter recognises the calls of this machine's own kind of program."""

_X86_64 = {
    "open": 2, "stat": 4, "fstat": 5, "lstat": 6, "access": 21, "clone": 56, "execve": 59,
    "kill": 62, "uname": 63, "fsync": 74, "fdatasync": 75, "chdir": 80, "creat": 85,
    "readlink": 89, "chmod": 90, "chown": 92, "fchown": 93, "lchown": 94, "ptrace": 101,
    "getuid": 102, "syslog": 103, "getgid": 104, "setuid": 105, "setgid": 106, "geteuid": 107,
    "getegid": 108, "setreuid": 113, "setregid": 114, "getgroups": 115, "setgroups": 116,
    "setresuid": 117, "getresuid": 118, "setresgid": 119, "getresgid": 120, "setfsuid": 122,
    "setfsgid": 123, "capset": 126, "mknod": 133, "pivot_root": 155, "prctl": 157, "chroot": 161,
    "sync": 162, "mount": 165, "umount2": 166, "sethostname": 170, "setdomainname": 171,
    "quotactl": 179, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "getxattr": 191,
    "lgetxattr": 192, "fgetxattr": 193, "listxattr": 194, "llistxattr": 195, "flistxattr": 196,
    "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "tkill": 200, "tgkill": 234,
    "add_key": 248, "request_key": 249, "keyctl": 250, "openat": 257, "mknodat": 259,
    "fchownat": 260, "newfstatat": 262, "readlinkat": 267, "fchmodat": 268, "faccessat": 269,
    "unshare": 272, "perf_event_open": 298, "fanotify_init": 300, "open_by_handle_at": 304,
    "syncfs": 306, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311,
    "renameat2": 316, "seccomp": 317, "bpf": 321, "execveat": 322, "userfaultfd": 323,
    "statx": 332,
}  # fmt: skip

_AARCH64 = {
    "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "getxattr": 8, "lgetxattr": 9, "fgetxattr": 10,
    "listxattr": 11, "llistxattr": 12, "flistxattr": 13, "removexattr": 14, "lremovexattr": 15,
    "fremovexattr": 16, "mknodat": 33, "umount2": 39, "mount": 40, "pivot_root": 41,
    "faccessat": 48, "chdir": 49, "chroot": 51, "fchmodat": 53, "fchownat": 54, "fchown": 55,
    "openat": 56, "quotactl": 60, "readlinkat": 78, "newfstatat": 79, "fstat": 80, "sync": 81,
    "fsync": 82, "fdatasync": 83, "capset": 91, "unshare": 97, "syslog": 116, "ptrace": 117,
    "kill": 129, "tkill": 130, "tgkill": 131, "setregid": 143, "setgid": 144, "setreuid": 145,
    "setuid": 146, "setresuid": 147, "getresuid": 148, "setresgid": 149, "getresgid": 150,
    "setfsuid": 151, "setfsgid": 152, "getgroups": 158, "setgroups": 159, "uname": 160,
    "sethostname": 161, "setdomainname": 162, "prctl": 167, "getuid": 174, "geteuid": 175,
    "getgid": 176, "getegid": 177, "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220,
    "execve": 221, "perf_event_open": 241, "fanotify_init": 262, "open_by_handle_at": 265,
    "syncfs": 267, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271,
    "renameat2": 276, "seccomp": 277, "bpf": 280, "execveat": 281, "userfaultfd": 282,
    "statx": 291,
}  # fmt: skip

# Since 5.0 a new call has one number everywhere.
_COMMON = {
    "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431,
    "fsmount": 432, "fspick": 433, "pidfd_open": 434, "clone3": 435, "openat2": 437,
    "pidfd_getfd": 438, "faccessat2": 439, "mount_setattr": 442, "fchmodat2": 452,
    "setxattrat": 463, "getxattrat": 464, "listxattrat": 465, "removexattrat": 466,
}  # fmt: skip

_TABLES = {"x86_64": _X86_64 | _COMMON, "aarch64": _AARCH64 | _COMMON}


def calls_of(machine: str) -> dict[str, int]:
    """Return the numbers of *machine* (`platform.machine()`); empty if it is an unknown one.

    A name that is not in it is a call that this machine does not have: arm64 never had `open`.
    """
    return _TABLES.get(machine, {})


MACHINE = platform.machine()
CALLS = calls_of(MACHINE)
"""The numbers of this machine."""
