"""Columns for people: aligned, and nothing in them that a terminal would obey."""

import os
from collections.abc import Iterable, Sequence
from typing import TextIO

_GAP = "  "


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: frozenset[int] = frozenset(),
    width: int | None = None,
) -> str:
    """Lay out *rows* under *head*; columns in *right* end at one edge.

    What is wider than *width* loses the end of its last column.
    """
    lines = [tuple(map(printable, row)) for row in (head, *rows)]
    wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = []
    for line in lines:
        cells = [
            cell.rjust(wide[number]) if number in right else cell.ljust(wide[number])
            for number, cell in enumerate(line)
        ]
        shown.append(cut(_GAP.join(cells).rstrip(), width))
    return "\n".join(shown)


def cut(text: str, width: int | None) -> str:
    """*text*, no longer than *width*."""
    return text if width is None or len(text) <= width else text[: width - 1] + "…"


def printable(text: str) -> str:
    """*text* with what is no character, and what moves the cursor, as escapes (``\\x1b``)."""
    if text.isprintable() and text.isascii():
        return text
    return "".join(one if one.isprintable() else _escape(one) for one in text)


def width_of(stream: TextIO) -> int | None:
    """How wide the terminal behind *stream* is; None where there is none."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return 80


def _escape(one: str) -> str:
    code = ord(one)
    # A byte of a name that is not UTF-8, as os.fsdecode gives it.
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
