"""podman runs what was installed: servers serve, interpreters import, dpkg finds it whole."""

import socket
import time
import urllib.request
from collections.abc import Callable

import pytest

from tests.parts.commands import Command

pytestmark = pytest.mark.archive

Pulled = Callable[[str], str]
HOST = ("run", "--rm", "--network", "host")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def fetched(url: str) -> bytes:
    """What a server says, once it is there."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                data: bytes = response.read()
                return data
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nobody serves {url}")


def serves(podman: Command, image: str, port: int, *words: str) -> bytes:
    """What nginx of *image* says on *port*, started with *words*."""
    options = ("--detach", "--network", "host")
    container = podman.output("run", *options, image, *words)
    try:
        return fetched(f"http://127.0.0.1:{port}/")
    finally:
        podman.run("rm", "--force", container)


def test_dpkg_finds_nothing_amiss(podman: Command, pulled: Pulled, web: str) -> None:
    image = pulled(web)

    script = "dpkg --audit; dpkg -V; dpkg -l | grep -c ^ii; dpkg -l | grep -v ^ii | tail -n +6"
    count = podman.output(*HOST, image, "sh", "-c", script)

    assert int(count) > 100


def test_nginx_serves_its_page(podman: Command, pulled: Pulled, web: str) -> None:
    port = free_port()
    listen = f"sed -i 's/listen .*80 default_server;/listen {port};/' /etc/nginx/sites-enabled/*"
    # The second listens to IPv6, the same port; one is enough.
    script = (
        f"{listen}; sed -i '0,/listen {port};/!{{/listen {port};/d}}' /etc/nginx/sites-enabled/*"
    )

    said = serves(podman, pulled(web), port, "sh", "-c", f"{script}; exec nginx -g 'daemon off;'")

    assert b"Welcome to nginx!" in said
