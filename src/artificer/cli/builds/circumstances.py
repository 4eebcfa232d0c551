"""Two builds of the same under different circumstances, and whether they came to the same."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from artificer.builder.compare import first_difference
from artificer.errors import ArtificerError
from artificer.events import Event, SocketSkipped, Warned
from artificer.images.reach import Reach
from artificer.oci.image import Image
from artificer.store.blobs import open_store

_HINT = "what writes the inputs may still be running; else please report it"


class NotReproducible(ArtificerError):
    """Two builds of the same inputs gave two images."""


def check_same(
    images: Sequence[Image], others: Sequence[Image], one: Reach, other: Reach, hint: str = _HINT
) -> None:
    """Raise `NotReproducible` unless two builds, each into its own store, gave the same images."""
    for left, right in zip(images, others, strict=True):
        told = first_difference(left, right, one, other)
        if told is not None:
            raise NotReproducible(f"two builds differ, at first in {told}", hint=hint)


@contextmanager
def own_store(reach: Reach, report: Callable[[Event], None]) -> Iterator[Reach]:
    """A store that remembers nothing, for the time of one build."""
    folder = tempfile.mkdtemp(prefix="verify-", dir=os.path.join(reach.store.root, "tmp"))
    try:
        store = open_store(os.path.join(folder, "store"))
        yield reach._replace(store=store, report=report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def only_warnings(reach: Reach) -> Callable[[Event], None]:
    """What a second build of the same tells."""

    def report(event: Event) -> None:
        if isinstance(event, Warned) and not isinstance(event, SocketSkipped):
            reach.report(event)

    return report


@contextmanager
def elsewhere() -> Iterator[None]:
    """Other circumstances that must not matter, for the time of one build."""
    scandir, listdir, here = os.scandir, os.listdir, os.getcwd()
    zone, mask = os.environ.get("TZ"), os.umask(0o077)
    try:
        os.environ["TZ"] = "Pacific/Apia" if zone != "Pacific/Apia" else "UTC"
        _set_zone()
        os.chdir("/")
        os.scandir = _reversed_scandir(scandir)
        os.listdir = _reversed_listdir(listdir)
        yield
    finally:
        os.scandir, os.listdir = scandir, listdir
        os.chdir(here)
        os.umask(mask)
        if zone is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = zone
        _set_zone()


def _set_zone() -> None:
    if hasattr(time, "tzset"):
        time.tzset()


def _reversed_scandir(scandir: Callable[..., Any]) -> Any:
    @contextmanager
    def reversed_scandir(*path: Any) -> Iterator[Iterator[os.DirEntry[str]]]:
        with scandir(*path) as items:
            yield iter(list(items)[::-1])

    return reversed_scandir


def _reversed_listdir(listdir: Callable[..., Any]) -> Any:
    def reversed_listdir(*path: Any) -> Any:
        return listdir(*path)[::-1]

    return reversed_listdir
