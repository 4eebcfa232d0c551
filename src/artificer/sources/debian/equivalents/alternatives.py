"""What update-alternatives(1) makes: links to one of several programs, and its database."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from artificer.layers.entry import SYMLINK
from artificer.sources.debian.equivalents.files import Files

_LINKS = "etc/alternatives"
_STATE = "var/lib/dpkg/alternatives"
_PRIORITY = re.compile("-?[0-9]{1,10}")


class _Choice(NamedTuple):
    """One program, and the slaves that come with it, by their names."""

    path: str
    priority: int
    slaves: dict[str, str]


class _Group(NamedTuple):
    """What is known of one name: whether it is chosen by itself, links, choices."""

    mode: str
    link: str
    slaves: dict[str, str]
    choices: dict[str, _Choice]


def alternative(files: Files, words: Sequence[str]) -> None:
    """Have another choice: link, name, path, priority, and link, name and path of each slave.

    As the program itself, this leaves out what is not there, and links nobody's file away.
    """
    link, name, path, priority = words[:4]
    slaves = tuple(zip(words[4::3], words[5::3], words[6::3], strict=True))
    if files.lookup(path) is None:
        return
    text = files.text(f"{_STATE}/{name}")
    group = _parsed(text) if text else _Group("auto", link, {}, {})
    group.slaves.update({alias: place for place, alias, _ in slaves})
    group.choices[path] = _Choice(
        path, _number(priority), {alias: target for _, alias, target in slaves}
    )
    files.put(f"{_STATE}/{name}", _state(group))
    if group.mode == "auto":
        best = max(group.choices.values(), key=lambda one: one.priority)
        for place, alias, target in _links(group, name, best):
            _link(files, place, alias, target)


def _links(group: _Group, name: str, best: _Choice) -> Iterator[tuple[str, str, str]]:
    yield group.link, name, best.path
    for alias, place in group.slaves.items():
        yield place, alias, best.slaves.get(alias, "")


def _link(files: Files, link: str, name: str, path: str) -> None:
    """Let *link* lead to *path*; where that is not there, or nothing, it is no link any more."""
    ours = f"/{_LINKS}/{name}"
    there = files.itself(link)
    target = files.lookup(path) if path else None
    if target is None:
        if there is not None and there.link == ours:
            files.remove(link)
            files.remove(ours)
        return
    if path != (files.itself(ours) or target).link:
        files.put_link(ours, path, target.mtime)
    if there is None:
        files.put_link(link, ours, target.mtime)
    elif there.kind == SYMLINK and there.link != ours:
        files.put_link(link, ours)


def _number(text: str) -> int:
    return int(text) if _PRIORITY.fullmatch(text) else 0


def _parsed(text: str) -> _Group:
    """What the file of the database says."""
    lines = text.split("\n")
    head = lines.index("") if "" in lines else len(lines)
    slaves = dict(zip(lines[2:head:2], lines[3:head:2], strict=False))
    choices: dict[str, _Choice] = {}
    at = head + 1
    while at + 1 < len(lines) and lines[at]:
        paths = lines[at + 2 : at + 2 + len(slaves)]
        held = dict(zip(slaves, paths, strict=False))
        choices[lines[at]] = _Choice(lines[at], _number(lines[at + 1]), held)
        at += 2 + len(slaves)
    return _Group(lines[0], lines[1] if head > 1 else "", slaves, choices)


def _state(group: _Group) -> str:
    """The file of the database, as update-alternatives(1) describes it."""
    lines = [group.mode, group.link]
    for alias, link in sorted(group.slaves.items()):
        lines += [alias, link]
    lines.append("")
    for path, one in sorted(group.choices.items()):
        slaves = (one.slaves.get(alias, "") for alias in sorted(group.slaves))
        lines += [path, str(one.priority), *slaves]
    return "\n".join([*lines, ""]) + "\n"
