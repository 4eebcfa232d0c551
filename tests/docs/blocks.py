"""The shell blocks of a guide: which are run, what they print, which are not run, and why.

A page is read from top to bottom. A ``sh`` block is run, unless a comment before it says
``<!-- not run: REASON -->``. A ``text`` block right after it is what the block prints, or a part
of that: each line must be there, ``…`` stands for anything. ``<!-- prepare: LINES -->`` is run,
too, and not shown: it makes what a reader would have.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

GUIDES = Path(__file__).parents[2] / "docs" / "guides"

_PART = re.compile(
    r"""
    ^<!--\ prepare:\ *\n?(?P<prepare>.*?)-->$
    | ^<!--\ not\ run:\ (?P<why>[^\n]+?)\ *-->\n```sh\n(?P<skipped>.*?)^```$
    | ^```sh\n(?P<script>.*?)^```$(?:\n\n?^```text\n(?P<output>.*?)^```$)?
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


class Block(NamedTuple):
    """Lines of a page for a shell; *why* says that they are not run."""

    line: int
    script: str
    output: tuple[str, ...] = ()
    why: str = ""


def blocks_of(page: Path) -> Iterator[Block]:
    """Every block of *page*, in its order; also the hidden ones."""
    text = page.read_text()
    for match in _PART.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["why"]:
            yield Block(line, match["skipped"], why=match["why"])
        else:
            output = tuple(filter(None, (match["output"] or "").splitlines()))
            yield Block(line, match["prepare"] or match["script"], output)


def guides() -> list[Path]:
    """Every page whose blocks are run."""
    return sorted(GUIDES.glob("*.md"))


def matches(expected: str, line: str) -> bool:
    """Whether *line* is what *expected* says, where ``…`` stands for anything."""
    pattern = ".*".join(map(re.escape, expected.strip().split("…")))
    return re.fullmatch(pattern, line.strip()) is not None
