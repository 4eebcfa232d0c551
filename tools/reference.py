"""Write the pages of docs/reference that are made from the code.

`commands.md` is what every command says for `--help`, `limits.md` the numbers of
`artificer.limits`, `docker-build.md` and `kaniko.md` what becomes of others' options,
`dockerfile-rules.md` the rules that case files hold. `./dev docs` runs this. With `--check`
nothing is written: the exit code says whether the pages are what they would be.
"""

import argparse
import ast
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from artificer import limits
from artificer.cli.dockerfile.grammar import dockerfile_parser
from artificer.cli.dockerfile.refused import REFUSED
from artificer.cli.kaniko.flags import FLAGS, SHORT
from artificer.cli.main import COMMANDS, main

CHECKOUT = Path(__file__).resolve().parents[1]
REFERENCE = CHECKOUT / "docs" / "reference"
CASES = CHECKOUT / "tests" / "cases" / "dockerfile"
"""Each case of a Dockerfile begins with its rule; `rules.txt` lists what there are rules of."""

SECTIONS = {
    "6.1": "Lines, comments and directives",
    "6.2": "Instructions",
    "6.3": "COPY and ADD",
    "6.4": "RUN",
    "6.5": "Variables",
    "6.6": "Stages, contexts and history",
    "6.8": "Checks and calls",
}
RULES_HEAD = """\
# Rules of Dockerfiles

<!-- Made by `./dev docs` from the first lines of `tests/cases/dockerfile/*/*.txt`. -->

What a Dockerfile means here, one rule a line, each with the case that holds it: a Dockerfile and
what it comes to. Where this is BuildKit's reading and not the reference's, and what is an error
here: [decision 24](../decisions/0024-dockerfiles-as-buildkit.md).
"""
COMMANDS_HEAD = """\
# Commands

<!-- Made by `./dev docs` from what every command says for `--help`: change it there. -->
"""
LIMITS_HEAD = """\
# Limits

<!-- Made by `./dev docs` from `src/artificer/limits.py`: change it there. -->

On everything that comes from outside. A limit is inclusive: input of exactly this size is read,
one more is refused, by name. Layers have no limit but the size that is stated for them: they
stream.

| limit | number | on |
|---|---|---|
"""
DOCKER_HEAD = """\
# Options of docker build

<!-- Made by `./dev docs` from the grammar of `artificer build`: change it there. -->

Every option of `docker build`, `docker buildx build` and `buildah build` does what it does there,
or is refused by its name. How to use them: [Dockerfiles](../guides/dockerfiles.md).

Switches may have a value, as with docker: `=true`, `=false`.

| option | here |
|---|---|
"""
REFUSED_HEAD = """
## Refused

A value in the last column asks for what is so anyway, and is taken.

| option | why | instead | taken |
|---|---|---|---|
"""
KANIKO_HEAD = """\
# Flags of kaniko

<!-- Made by `./dev docs` from `src/artificer/cli/kaniko/flags.py`: change it there. -->

`artificer kaniko` takes the flags of kaniko's executor (Google's 1.24, and those that its
successor added). How to move: [Dockerfiles](../guides/dockerfiles.md#coming-from-kaniko).

| flag | here | what it does, or why not | instead |
|---|---|---|---|
"""
FATES = {"same": "works", "own": "works", "usual": "so anyway", "refused": "refused"}


def help_of(*words: str) -> str:
    """What `artificer WORDS --help` prints."""
    said = io.StringIO()
    with redirect_stdout(said):
        code = main([*words, "--help"])
    if code:
        sys.exit(f"error: `artificer {' '.join(words)} --help` ended with {code}")
    return said.getvalue().rstrip("\n")


def commands_page() -> str:
    """The whole page of commands."""
    return "\n".join([COMMANDS_HEAD, *sections()])


def limits_page() -> str:
    """The whole page of limits."""
    return LIMITS_HEAD + "".join(limit_rows())


def limit_rows() -> Iterator[str]:
    """A row for each number of `artificer.limits`: the text below it says what it is of."""
    body = ast.parse(Path(limits.__file__).read_text(encoding="utf-8")).body
    for one, after in pairwise(body):
        match one, after:
            case ast.Assign(targets=[ast.Name(name)]), ast.Expr(ast.Constant(str(text))):
                told = " ".join(text.split()).rstrip(".")
                yield f"| `{name}` | {getattr(limits, name):,} | {told[0].lower()}{told[1:]} |\n"
            case _:
                continue


def docker_page() -> str:
    """The whole page of docker's options."""
    return "".join([DOCKER_HEAD, *docker_rows(), REFUSED_HEAD, *refused_rows()])


def docker_rows() -> Iterator[str]:
    """A row for each option that `artificer build` has for Dockerfiles."""
    for action in dockerfile_parser()._actions:
        if action.option_strings and action.help is not argparse.SUPPRESS:
            names = ", ".join(f"`{name}`" for name in action.option_strings)
            yield f"| {names} | {escaped(action.help or '')} |\n"


def refused_rows() -> Iterator[str]:
    """A row for each option that is refused."""
    for names, refusal in REFUSED.items():
        shown = ", ".join(f"`{name}`" for name in reversed(names.split()))
        taken = ", ".join(f"`={value}`" for value in refusal.usual if len(value) > 1)
        why, instead = escaped(refusal.reason), escaped(refusal.hint or "")
        yield f"| {shown} | {why} | {instead} | {taken} |\n"


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
    found = [rule_of(path) for path in sorted(CASES.glob("*/*.txt"))]
    return sorted(found, key=lambda rule: (order.get(rule.subject, len(order)), rule.case))


def dockerfile_page() -> str:
    """The whole page of rules."""
    return "".join((RULES_HEAD, *rule_rows()))


def rule_of(path: Path) -> Rule:
    """The rule of the case in *path*."""
    first = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("rule ")
    subject, _, text = first.partition(": ")
    return Rule(subject, text, f"{path.parent.name}/{path.stem}")


def rule_rows() -> Iterator[str]:
    """A row for each rule, below the heading of its section."""
    section = ""
    for rule in rules():
        number, _, name = rule.subject.partition(" ")
        if number != section:
            section = number
            yield f"\n## {SECTIONS[section]}\n\n| of | rule | case |\n|---|---|---|\n"
        text = (rule.text or "a rule of `--check`").replace("|", "\\|").replace("<", "\\<")
        yield f"| {name} | {text} | `{rule.case}` |\n"


def kaniko_page() -> str:
    """The whole page of kaniko's flags."""
    return KANIKO_HEAD + "".join(kaniko_rows())


def kaniko_rows() -> Iterator[str]:
    """A row for each flag of kaniko."""
    short = {name: letter for letter, name in SHORT.items()}
    for name, flag in FLAGS.items():
        shown = f"`--{name}`" + (f", `{short[name]}`" if name in short else "")
        fate = FATES[flag.fate]
        if flag.values:
            fate += ": " + ", ".join(f"`{value}`" for value in flag.values)
        yield f"| {shown} | {fate} | {escaped(flag.text)} | {escaped(flag.hint)} |\n"


def escaped(text: str) -> str:
    """*text* in a cell of a table."""
    return text.replace("|", "\\|")


def sections() -> Iterator[str]:
    """The overview, the build, and each command in the order of the overview."""
    yield f"```text\n{help_of()}\n```\n"
    build = help_of("-b")
    yield section("artificer -b BASE …", build)
    for name, command in COMMANDS.items():
        if find_spec(command.module) is None:
            continue
        yield section(f"artificer {name}", beside(build, help_of(name), command.summary))


def beside(build: str, text: str, summary: str) -> str:
    """What a command says, without the options of a build if it has them all."""
    usage, *lines = text.splitlines()
    options = build.splitlines()[1:]
    if not set(options) <= set(lines):
        return text
    own = [line for line in lines if line not in options]
    return "\n".join(
        [usage, "", f"{summary}: the options of a build", *([""] if own else []), *own]
    )


def section(title: str, text: str) -> str:
    """One command: what it says, as it says it."""
    return f"## `{title}`\n\n```text\n{text}\n```\n"


def run(words: Sequence[str]) -> int:
    """Write the pages, or say which have drifted."""
    # Two places could still look at the terminal: argparse, and whatever colours its pages.
    os.environ |= {"COLUMNS": "80", "NO_COLOR": "1"}
    made = {
        "commands.md": commands_page(),
        "docker-build.md": docker_page(),
        "dockerfile-rules.md": dockerfile_page(),
        "kaniko.md": kaniko_page(),
        "limits.md": limits_page(),
    }
    if list(words) != ["--check"]:
        REFERENCE.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            (REFERENCE / name).write_text(text, encoding="utf-8")
        return 0
    old = [name for name, text in made.items() if text != written(REFERENCE / name)]
    if not old:
        return 0
    print(f"error: not what the code says: {', '.join(old)}", file=sys.stderr)
    print("hint: `./dev docs` writes them anew", file=sys.stderr)
    return 1


def written(page: Path) -> str | None:
    """What is on *page* now."""
    return page.read_text(encoding="utf-8") if page.exists() else None


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
