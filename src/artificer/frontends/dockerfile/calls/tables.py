"""Excerpts and columns, as docker prints them."""

from collections.abc import Iterable, Sequence

_RULE = "-" * 20
_GAP = 3


def marked_lines(lines: Sequence[str], path: str, first: int, last: int) -> str:
    """Return the lines from *first* to *last*, marked, with some around them."""
    start, end = first, min(last, len(lines))
    room, taken = (4 if start == end else 2), 0
    while taken < room:
        if start > 1:
            start -= 1
            taken += 1
        if end < len(lines):
            end += 1
            taken += 1
        taken += 1
    shown = [
        f" {number:3d} | {'>>>' if first <= number <= last else '   '} {_printable(line)}\n"
        for number, line in enumerate(lines[start - 1 : end], start)
    ]
    return f"{path}:{first}\n{_RULE}\n{''.join(shown)}{_RULE}\n"


def columns(rows: Iterable[Sequence[str]]) -> str:
    """Return *rows* with their cells one below the other; the last one is not filled."""
    table = [[_printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) + _GAP for column in zip(*table, strict=True)]
    lines = (
        "".join(cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True))
        + row[-1]
        for row in table
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\t" else " " for letter in text)
