"""Layers that are unpacked ahead of who needs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from artificer.builder.debian.below import Below
from artificer.oci.digest import Digest
from artificer.sandbox.client import NoSandbox, Sandbox
from artificer.sandbox.command import Chain, TreeLayer

CHAIN: Chain = (TreeLayer(Digest.of(b"x"), "/nowhere"),)


class Box:
    """Stands for a sandbox: its roots are made once `go` is set."""

    def __init__(self) -> None:
        self.go = Event()
        self.made: list[Chain] = []

    @contextmanager
    def at(self, chain: Chain) -> Iterator[None]:
        self.go.wait(9)
        self.made.append(chain)
        yield
        raise NoSandbox("it broke")


def test_who_waits_finds_the_layers_unpacked_once() -> None:
    box: Any = Box()
    below = Below()

    below.begin(CHAIN, lambda: box)
    below.begin(CHAIN, lambda: box)
    box.go.set()
    below.wait()

    assert box.made == [CHAIN]


def test_nothing_is_unpacked_where_there_is_nothing_below() -> None:
    box: Any = Box()
    below = Below()

    below.begin((), lambda: box)
    below.wait()

    assert box.made == []


def test_what_goes_wrong_is_left_to_who_needs_the_root() -> None:
    def none() -> Sandbox:
        raise NoSandbox("there is none")

    below = Below()
    below.begin(CHAIN, none)
    below.wait()
