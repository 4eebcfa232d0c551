"""The live display of transfers on a terminal (rich is loaded only here)."""

from typing import TYPE_CHECKING, TextIO

from rich.console import Console as RichConsole
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from artificer.events import BlobProgress

if TYPE_CHECKING:
    from artificer.oci.digest import Digest


class Bars:
    """A bar for each blob that is on its way, below the lines that scroll by."""

    def __init__(self, stream: TextIO) -> None:
        self._tasks: dict[tuple[Digest, str], TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=RichConsole(file=stream, highlight=False, markup=False, soft_wrap=True),
            transient=True,
        )
        self._progress.start()

    def move(self, event: BlobProgress) -> None:
        """Draw how far a blob has come; a finished one's bar goes."""
        key = (event.digest, event.verb)
        if key not in self._tasks:
            title = f"{event.verb} {event.name or event.digest.short}"
            self._tasks[key] = self._progress.add_task(title, total=event.total)
        if event.done >= event.total:
            self._progress.remove_task(self._tasks.pop(key))
        else:
            self._progress.update(self._tasks[key], completed=event.done)

    def line(self, text: str) -> None:
        """Print *text* above the bars."""
        self._progress.console.print(text)

    def close(self) -> None:
        """Take the bars away."""
        self._progress.stop()
