"""The files of a directory on disk that were looked at, as packed columns."""

from array import array

from artificer.layers.entry import STAT_SIZE, Stat
from artificer.layers.index import File

_DIGEST = 32
_NO_DIGEST = bytes(_DIGEST)


class Table:
    """Files in rows, with their stats and what they hash to; a value is made when asked for.

    So a file takes a quarter of what its values would. One that was looked at twice has two
    rows, of which the last counts.
    """

    __slots__ = ("_digests", "_kinds", "_links", "_modes", "_paths", "_rows", "_sizes", "_stats")

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._paths: list[str] = []
        self._kinds = bytearray()
        self._modes = array("H")
        self._sizes = array("Q")
        self._links: dict[int, str] = {}
        self._stats = bytearray()
        self._digests = bytearray()

    def add(self, file: File, stat: Stat) -> int:
        """Add *file*, which is nobody's and of no time, and return its row."""
        row = len(self._paths)
        self._paths.append(file.path)
        self._kinds += file.kind.encode()
        self._modes.append(file.mode)
        self._sizes.append(file.size)
        if file.link:
            self._links[row] = file.link
        self._stats += stat
        self._digests += _NO_DIGEST
        self._rows[file.path] = row
        return row

    def row(self, path: str) -> int | None:
        """The row of the file at *path*, if there is one."""
        return self._rows.get(path)

    def file(self, row: int) -> File:
        """The file in *row*."""
        numbers = (self._modes[row], 0, 0, self._sizes[row], 0, 0)
        return File(self._paths[row], chr(self._kinds[row]), *numbers, self._links.get(row, ""))

    def stat(self, row: int) -> Stat:
        """What the system said of the file in *row*."""
        return bytes(self._stats[row * STAT_SIZE : (row + 1) * STAT_SIZE])

    def digest(self, row: int) -> bytes | None:
        """What the file in *row* hashes to, once it was told."""
        found = bytes(self._digests[row * _DIGEST : (row + 1) * _DIGEST])
        return None if found == _NO_DIGEST else found

    def set_digest(self, row: int, digest: bytes) -> None:
        """Tell what the file in *row* hashes to."""
        self._digests[row * _DIGEST : (row + 1) * _DIGEST] = digest
