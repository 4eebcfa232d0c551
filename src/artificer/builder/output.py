"""What a command says: told by lines while it runs, and the last of them kept for its failure."""

from collections import deque

from artificer.events import CommandOutput, Report

_KEPT = 20
_LONGEST = 4096


class Output:
    """Takes what a command writes, tells it by lines as *label*'s, and keeps the last of them."""

    def __init__(self, label: str, report: Report) -> None:
        self._label = label
        self._report = report
        self._rest = b""
        self.last: deque[str] = deque(maxlen=_KEPT)

    def take(self, data: bytes) -> None:
        """Take the next bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(line)
        while len(self._rest) > _LONGEST:
            self._tell(self._rest[:_LONGEST])
            self._rest = self._rest[_LONGEST:]

    def end(self) -> None:
        """Tell what is left without an end of line."""
        if self._rest:
            self._tell(self._rest)

    def _tell(self, line: bytes) -> None:
        # What a progress bar has drawn over is not repeated.
        text = line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")
        self.last.append(text)
        self._report(CommandOutput(self._label, text))
