"""What is marked on files that cannot have it for real: owners, devices, capabilities."""

import ctypes
import os
import stat
import struct
from typing import NamedTuple

from artificer.sandbox.calls import MACHINE, checked, libc
from artificer.sandbox.listener import Call
from artificer.sandbox.numbers import CALLS
from artificer.sandbox.rung import DEVICE_MARK, MARKS, OWNER_MARK
from artificer.sandbox.tracee import AT_EMPTY_PATH

Owner = tuple[int, int]

# Where owner, mode and device are in struct stat (x86_64 has another than everybody else).
_MODE_AT, _OWNER_AT, _RDEV_AT = (24, 28, 40) if MACHINE == "x86_64" else (16, 24, 32)
_STATX_OWNER_AT, _STATX_MODE_AT, _STATX_RDEV_AT = 20, 28, 128
_STATUS_BYTES, _STATX_BYTES = 144, 256


class Device(NamedTuple):
    """A device node: its mode with the type, and its numbers."""

    mode: int
    major: int
    minor: int


class Marks(NamedTuple):
    """What a file should be."""

    owner: Owner | None
    device: Device | None


def markable(mode: int) -> bool:
    """Whether files of this mode can be marked: only these have attributes of users."""
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def is_marked(path: str) -> bool:
    """Whether there is any mark on the file at *path*, of whatever kind it is."""
    return not MARKS.isdisjoint(os.listxattr(path))


def marks_of(path: str) -> Marks:
    """Return what is marked on the regular file or directory at *path*."""
    found = MARKS.intersection(os.listxattr(path))
    owner = _owner(os.getxattr(path, OWNER_MARK)) if OWNER_MARK in found else None
    device = _device(os.getxattr(path, DEVICE_MARK)) if DEVICE_MARK in found else None
    return Marks(owner, device)


def mark_owner(path: str, owner: Owner) -> None:
    """Let the file at *path* belong to *owner*."""
    os.setxattr(path, OWNER_MARK, b"%d:%d" % owner)


def mark_device(file: int, mode: int, device: int) -> None:
    """Let the open file stand for a *device* of *mode*."""
    kind = "c" if stat.S_ISCHR(mode) else "b"
    numbers = f"{os.major(device)}:{os.minor(device)}"
    os.setxattr(file, DEVICE_MARK, f"{kind}:{numbers}:{mode & 0o7777:o}".encode())


def status_with(call: Call, handle: int, marks: Marks) -> bytes:
    """Return the struct that *call* asks for, of the file *handle*, with what is marked."""
    if call.name == "statx":
        return _statx(call, handle, marks)
    buffer = ctypes.create_string_buffer(_STATUS_BYTES)
    number = CALLS["newfstatat"]
    checked(libc.syscall(number, handle, b"", buffer, AT_EMPTY_PATH), "newfstatat")
    seen = bytearray(buffer.raw)
    if marks.owner:
        struct.pack_into("II", seen, _OWNER_AT, *marks.owner)
    if marks.device:
        struct.pack_into("I", seen, _MODE_AT, marks.device.mode)
        struct.pack_into("Q", seen, _RDEV_AT, os.makedev(*marks.device[1:]))
    return bytes(seen)


def _statx(call: Call, handle: int, marks: Marks) -> bytes:
    buffer = ctypes.create_string_buffer(_STATX_BYTES)
    flags, mask = call.arguments[2] & 0x7FFFFFFF | AT_EMPTY_PATH, call.arguments[3] & 0x7FFFFFFF
    checked(libc.syscall(CALLS["statx"], handle, b"", flags, mask, buffer), "statx")
    seen = bytearray(buffer.raw)
    if marks.owner:
        struct.pack_into("II", seen, _STATX_OWNER_AT, *marks.owner)
    if marks.device:
        struct.pack_into("H", seen, _STATX_MODE_AT, marks.device.mode)
        struct.pack_into("II", seen, _STATX_RDEV_AT, *marks.device[1:])
    return bytes(seen)


def _owner(value: bytes) -> Owner:
    uid, gid = value.split(b":")
    return int(uid), int(gid)


def _device(value: bytes) -> Device:
    kind, major, minor, mode = value.split(b":")
    return Device(
        (stat.S_IFCHR if kind == b"c" else stat.S_IFBLK) | int(mode, 8), int(major), int(minor)
    )
