"""The layers below packages, unpacked by the sandbox while this process does other things."""

from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

from artificer.errors import ArtificerError

if TYPE_CHECKING:
    # Neither is loaded where nothing has to be unpacked.
    from collections.abc import Callable

    from artificer.sandbox.client import Sandbox
    from artificer.sandbox.command import Chain


class Below:
    """Unpacks layers once, ahead of who needs them: `begin`, and `wait` before they are used.

    What goes wrong there does so again, and is told, when a root of them is made.
    """

    def __init__(self) -> None:
        self._thread: Thread | None = None

    def begin(self, chain: "Chain", sandbox: "Callable[[], Sandbox]") -> None:
        """Begin with *chain*, unless that was done; it also starts the sandbox."""
        if self._thread is not None or not chain:
            return
        with suppress(ArtificerError):
            # Only one thread may be the first to ask for it.
            box = sandbox()
            self._thread = Thread(target=_unpack, args=(chain, box), daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait until that is done; a root made meanwhile would have to be unpacked again."""
        if self._thread is not None:
            self._thread.join()


def _unpack(chain: "Chain", sandbox: "Sandbox") -> None:
    with suppress(ArtificerError, OSError), sandbox.at(chain):
        pass
