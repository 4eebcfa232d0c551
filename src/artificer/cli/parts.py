"""Commands of several parts, as ``cache du`` and ``cache prune``."""

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from artificer.cli.command import run_command
from artificer.cli.grammar import Parser
from artificer.cli.session import Session
from artificer.errors import Misused


class Part(NamedTuple):
    """What the second word of a command stands for."""

    parser: Callable[[], Parser]
    act: Callable[[Namespace, Session], int]


def run_part(
    command: str, parts: Mapping[str, Part], words: Sequence[str], session: Session
) -> int:
    """Run the part that the second of *words* names; tell of all of them when asked for help."""
    known = f"one of {', '.join(parts)}: `artificer {command} --help` tells of each"
    if len(words) < 2:
        raise Misused(f"{command} what?", hint=known)
    if words[1] in {"-h", "--help"}:
        pages = [part.parser().format_help().rstrip("\n") for part in parts.values()]
        session.out("\n\n".join(pages))
        return 0
    part = parts.get(words[1])
    if part is None:
        raise Misused(f"no such command: {command} {words[1]}", hint=known)
    return run_command(part.parser(), words[1:], session, part.act)
