"""Links of update-alternatives(1) and its database, without running it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from artificer.layers.entry import SYMLINK, Entry
from artificer.sources.debian.installing.database import file_entry

_LINKS = "etc/alternatives"
_STATE = "var/lib/dpkg/alternatives"


class Alternative(NamedTuple):
    """One way to have *name* at *link*, and its slaves: link, name and path of each."""

    link: str
    name: str
    path: str
    priority: int
    slaves: tuple[tuple[str, str, str], ...] = ()

    @classmethod
    def of(cls, words: Sequence[str]) -> "Alternative":
        """An alternative from the words of an effect."""
        link, name, path, priority = words[:4]
        rest = words[4:]
        slaves = tuple(zip(rest[::3], rest[1::3], rest[2::3], strict=True))
        number = int(priority) if priority.lstrip("-").isdecimal() else 0
        return cls(link, name, path, number, slaves)


def alternatives(
    found: Sequence[Alternative],
    exists: Callable[[str], bool],
    real: Callable[[str], str],
    mtime: int,
) -> list[Entry]:
    """The links and the database of *found*: of those of one name, the highest priority is taken.

    As the program itself, it leaves out what is not there, and links nobody's file away.
    """
    groups: dict[str, list[Alternative]] = {}
    for one in found:
        if exists(real(one.path.strip("/"))):
            groups.setdefault(one.name, []).append(one)
    entries: list[Entry] = []
    for name, choices in sorted(groups.items()):
        best = max(choices, key=lambda one: one.priority)
        links = [(best.link, name, best.path), *best.slaves]
        for link, alias, path in links:
            if exists(real(path.strip("/"))):
                entries += _links(real(link.strip("/")), alias, path, exists, mtime)
        entries.append(file_entry(f"{_STATE}/{name}", _state(choices), mtime))
    return entries


def _links(
    link: str, name: str, path: str, exists: Callable[[str], bool], mtime: int
) -> list[Entry]:
    made = [Entry(f"{_LINKS}/{name}", SYMLINK, 0o777, 0, 0, 0, mtime, path, None)]
    if not exists(link) or link == "usr/bin/awk":
        target = f"/{_LINKS}/{name}"
        made.append(Entry(link, SYMLINK, 0o777, 0, 0, 0, mtime, target, None))
    return made


def _state(choices: Sequence[Alternative]) -> bytes:
    """The file of the database, as update-alternatives(1) describes it."""
    slaves = {alias: link for one in choices for link, alias, _ in one.slaves}
    lines = ["auto", choices[0].link]
    for alias, link in sorted(slaves.items()):
        lines += [alias, link]
    lines.append("")
    for one in sorted(choices, key=lambda choice: choice.path):
        paths = {alias: path for _, alias, path in one.slaves}
        lines += [one.path, str(one.priority), *(paths.get(alias, "") for alias in sorted(slaves))]
    return ("\n".join([*lines, ""]) + "\n").encode()
