"""The pages that are made from the code say what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("columns", ["30", "200"])
def test_the_pages_are_what_the_code_says_at_any_width(columns: str) -> None:
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "tools/reference.py"), "--check"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": columns, "FORCE_COLOR": "1"},
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_names_no_path_of_this_machine() -> None:
    text = (CHECKOUT / "docs/reference/commands.md").read_text()

    assert str(CHECKOUT) not in text
    assert "\x1b" not in text
