"""Ports of loopback that nobody listens at."""

import random
import socket

# Below those that the kernel gives to whoever connects, or asks for any: a server that is started
# a moment later still finds it free.
_FIRST, _LAST = 20_000, 32_000


def free_port() -> int:
    """One that was free just now."""
    while True:
        port = random.SystemRandom().randint(_FIRST, _LAST)
        with socket.socket() as found:
            if _is_free(found, port):
                return port


def _is_free(found: socket.socket, port: int) -> bool:
    try:
        found.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
