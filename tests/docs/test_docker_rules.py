"""The page of the docker rules has every row, and names tests that there are."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "docker-rules.md"
NUMBERS = (*range(1, 16), *range(20, 40), *range(50, 67), *range(70, 100))
ROWS = (*(f"RD-{n:02}" for n in NUMBERS), *(f"RO-{n:02}" for n in range(1, 18)))


def rows() -> Iterator[tuple[str, str, str]]:
    """Row, tests and note of each line of the table."""
    for line in PAGE.read_text().splitlines():
        if line.startswith(("| RD-", "| RO-")):
            row, _, tests, note = (cell.strip() for cell in line.strip("|").split("|"))
            yield row, tests, note


def test_every_row_is_there_once_and_in_order() -> None:
    assert tuple(row for row, _, _ in rows()) == ROWS


def test_every_row_names_tests_that_there_are_or_a_reason() -> None:
    texts = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    there = set(re.findall(r"^def (test_\w+)\(", "\n".join(texts), re.MULTILINE))
    for row, tests, note in rows():
        named = set(re.findall(r"`(test_\w+)`", tests))

        assert named <= there, row
        assert named or (tests == "refused" and note), row
