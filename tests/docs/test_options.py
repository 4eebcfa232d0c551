"""Options that pages speak of are options that commands have."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(
    page
    for folder in ("guides", "concepts", "reference")
    for page in (DOCS / folder).glob("*.md")
    if page.name != "commands.md"
)
OF_OTHERS = {
    "--audit",  # dpkg's
    "--compile-bytecode",  # uv's
    "--ignore",  # Bazel's --ignore_all_rc_files
    "--sparse",  # tar's
}

OTHERS_TABLES = {"docker-build.md", "kaniko.md"}
"""Pages whose tables name options that are refused."""


def options(page: Path) -> Iterator[str]:
    """The options in a page's prose; of a table's row in it, only what is said of artificer."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for line in prose.splitlines():
        if page.name in OTHERS_TABLES and line.startswith("|"):
            continue
        # In this page the first column is another tool's.
        own = line if page.name != "migrating.md" else line.rpartition(" | ")[2]
        for code in re.findall(r"`([^`]+)`", own):
            yield from re.findall(r"(?<![\w-])--[a-z][a-z-]+", code)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_option_of_a_page_is_one_of_a_command(page: Path) -> None:
    known = set(re.findall(r"--[a-z][a-z-]+", (DOCS / "reference" / "commands.md").read_text()))

    assert set(options(page)) - known - OF_OTHERS == set()
