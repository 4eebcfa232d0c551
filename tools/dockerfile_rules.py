"""The rules of Dockerfiles that case files hold: each case begins with its rule.

`tests/cases/dockerfile/rules.txt` lists what the rules are of, by the sections of the
specification that the front end was written from.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CASES = Path(__file__).resolve().parents[1] / "tests" / "cases" / "dockerfile"
SECTIONS = {
    "6.1": "Lines, comments and directives",
    "6.2": "Instructions",
    "6.3": "COPY and ADD",
    "6.4": "RUN",
    "6.5": "Variables",
    "6.6": "Stages, contexts and history",
    "6.8": "Checks and calls",
}
HEAD = """\
# Rules of Dockerfiles

<!-- Made by `./dev docs` from the first lines of `tests/cases/dockerfile/*/*.txt`. -->

What a Dockerfile means here, one rule a line, each with the case that holds it: a Dockerfile and
what it comes to. Where this is BuildKit's reading and not the reference's, and what is an error
here: [decision 24](../decisions/0024-dockerfiles-as-buildkit.md).
"""


class Rule(NamedTuple):
    """A rule: what it is of (``6.2 FROM``), what it says, and the case that holds it."""

    subject: str
    text: str
    case: str


def subjects() -> list[str]:
    """What there have to be rules of."""
    return (CASES / "rules.txt").read_text(encoding="utf-8").splitlines()


def rules() -> list[Rule]:
    """The rules of all cases, in the order of `subjects`."""
    order = {subject: number for number, subject in enumerate(subjects())}
    found = [_rule(path) for path in sorted(CASES.glob("*/*.txt"))]
    return sorted(found, key=lambda rule: (order.get(rule.subject, len(order)), rule.case))


def dockerfile_page() -> str:
    """The whole page of rules."""
    return "".join((HEAD, *_rows()))


def _rule(path: Path) -> Rule:
    first = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("rule ")
    subject, _, text = first.partition(": ")
    return Rule(subject, text, f"{path.parent.name}/{path.stem}")


def _rows() -> Iterator[str]:
    section = ""
    for rule in rules():
        number, _, name = rule.subject.partition(" ")
        if number != section:
            section = number
            yield f"\n## {SECTIONS[section]}\n\n| of | rule | case |\n|---|---|---|\n"
        text = (rule.text or "a rule of `--check`").replace("|", "\\|").replace("<", "\\<")
        yield f"| {name} | {text} | `{rule.case}` |\n"
