"""A page of findings: a word on the left, what is found of it on the right."""

from collections.abc import Iterable
from typing import NamedTuple

from artificer.cli.terminal.table import printable


class Finding(NamedTuple):
    """What is known of a topic; *wrong* if somebody should do something about it."""

    topic: str
    text: str
    wrong: bool = False


def page(findings: Iterable[Finding]) -> str:
    """*findings*, aligned; a topic is named once."""
    lines, last, found = [], "", tuple(findings)
    width = max(len(finding.topic) for finding in found)
    for topic, text, wrong in found:
        shown = f"{'problem: ' if wrong else ''}{printable(text)}"
        lines.append(f"{'' if topic == last else topic:{width}}  {shown}")
        last = topic
    return "\n".join(lines)
