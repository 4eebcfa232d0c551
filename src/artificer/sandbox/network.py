"""A network of one's own: nothing but the loopback device."""

import fcntl
import socket
import struct

_GET_FLAGS, _SET_FLAGS = 0x8913, 0x8914
_UP = 1


def loopback_up() -> None:
    """Switch the loopback device of this network namespace on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sH14x", b"lo", 0)
        answer = fcntl.ioctl(handle, _GET_FLAGS, request)
        flags = struct.unpack_from("H", answer, 16)[0]
        fcntl.ioctl(handle, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _UP))
