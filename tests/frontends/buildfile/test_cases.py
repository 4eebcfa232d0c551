"""The case files of `tests/cases/buildfile`: a workspace, and what it gives or what is wrong.

A file has parts that begin with ``=== PATH``. An expected error stands beside its line, after
`#!`; the part ``=== targets`` has the expected targets, ``=== patterns`` what is asked for,
``=== platforms`` what for, and ``=== hint`` the hint of the error.
"""

import re
from pathlib import Path

import pytest

from artificer.frontends.buildfile.graph import LoadOptions
from artificer.oci.platform import Platform
from tests.frontends.buildfile.workspaces import dump, failed, load, write

CASES = sorted((Path(__file__).parents[2] / "cases" / "buildfile").glob("*.txt"))
_PART = re.compile(r"^=== (.+)\n", re.MULTILINE)
_ERROR = re.compile(r" *#! *(.+)")


def _parts(text: str) -> dict[str, str]:
    _, *found = _PART.split(text)
    return dict(zip(found[::2], found[1::2], strict=True))


def _expected(parts: dict[str, str]) -> tuple[str, str] | None:
    """The place of the error, and what it says."""
    for path, text in parts.items():
        for number, line in enumerate(text.split("\n"), 1):
            found = _ERROR.search(line)
            if found:
                return f"{path}:{number}:", found[1]
    return None


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_workspace_gives_what_its_case_says(path: Path, tmp_path: Path) -> None:
    parts = _parts(path.read_text())
    patterns = parts.pop("patterns", "//...").split()
    platforms = tuple(map(Platform.parse, parts.pop("platforms", "").split()))
    targets, hint = parts.pop("targets", ""), parts.pop("hint", "")
    expected = _expected(parts)
    files = {name: _ERROR.sub("", text) for name, text in parts.items()}
    root = write(tmp_path, files)
    options = LoadOptions(platforms=platforms, defines={"mode": "fast"}, flags={"//:f": "on"})

    if expected is not None:
        error = failed(root, *patterns, options=options)
        assert error.message.startswith(expected[0]), error.message
        assert expected[1] in error.message
        assert hint.strip() in (error.hint or "")
    else:
        graph = load(root, *patterns, options=options).graph
        found = [dump(declared) for declared in graph.values()]
        assert "\n".join(sorted(found)) == targets.strip()
