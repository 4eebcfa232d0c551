"""Write docs/reference/commands.md from what every command says for `--help`.

`./dev docs` runs this. With `--check` nothing is written: the exit code says whether the page is
what it would be.
"""

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

from artificer.cli.main import COMMANDS, main

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "commands.md"
HEAD = """\
# Commands

<!-- Made by `./dev docs` from what every command says for `--help`: change it there. -->
"""


def help_of(*words: str) -> str:
    """What `artificer WORDS --help` prints."""
    said = io.StringIO()
    with redirect_stdout(said):
        code = main([*words, "--help"])
    if code:
        sys.exit(f"error: `artificer {' '.join(words)} --help` ended with {code}")
    return said.getvalue().rstrip("\n")


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *sections()])


def sections() -> Iterator[str]:
    """The overview, the build, and each command in the order of the overview."""
    yield f"```text\n{help_of()}\n```\n"
    build = help_of("-b")
    yield section("artificer -b BASE …", build)
    for name, command in COMMANDS.items():
        if find_spec(command.module) is None:
            continue
        text = help_of(name)
        if text.partition("\n")[2] == build.partition("\n")[2]:
            text = f"{text.partition(chr(10))[0]}\n\n{command.summary}: the options of a build"
        yield section(f"artificer {name}", text)


def section(title: str, text: str) -> str:
    """One command: what it says, as it says it."""
    return f"## `{title}`\n\n```text\n{text}\n```\n"


def run(words: Sequence[str]) -> int:
    """Write the page, or say whether it has drifted."""
    # Two places could still look at the terminal: argparse, and whatever colours its pages.
    os.environ |= {"COLUMNS": "80", "NO_COLOR": "1"}
    made = page()
    if list(words) != ["--check"]:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == made:
        return 0
    print(f"error: {PAGE} is not what the commands say", file=sys.stderr)
    print("hint: `./dev docs` writes it anew", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
