"""dpkg's triggers: who wants to know of what, and what unpacking has set off."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from artificer.layers.parents import parents
from artificer.sources.debian.installing.database import FOLDER, lines_in, lines_of

TRIGGERS = f"{FOLDER}/triggers"
_FILE = f"{TRIGGERS}/File"
_UNINCORPORATED = f"{TRIGGERS}/Unincorp"
OWN = frozenset((f"{TRIGGERS}/Lock", _UNINCORPORATED))
"""Files among the triggers that are not about interests."""

# As dpkg has it: a path, or a name without a slash, which is the name of a file.
_NAME = re.compile(r"/[!-~]*|(?!\.\.?$)[!-.0-~]+")


_ACTIVATE = ("activate", "activate-await", "activate-noawait")


class Interest(NamedTuple):
    """A package that wants to know: of the trigger *name*, a path if it begins with "/"."""

    name: str
    package: str
    waits: bool

    @property
    def line(self) -> str:
        """As the database has it, without the name."""
        return self.package if self.waits else f"{self.package}/noawait"


def interests(package: str, control: bytes) -> tuple[Interest, ...]:
    """What the file ``triggers`` of a package's control archive asks for (deb-triggers(5))."""
    found = []
    for line in lines_in(control):
        words = line.partition("#")[0].split()
        asks = len(words) == 2 and words[0] in {"interest", "interest-await", "interest-noawait"}
        if asks and _NAME.fullmatch(words[1]):
            found.append(Interest(words[1], package, words[0] != "interest-noawait"))
    return tuple(found)


def activated(control: bytes) -> frozenset[str]:
    """What the file ``triggers`` sets off by itself, whatever the package has."""
    lines = (line.partition("#")[0].split() for line in lines_in(control))
    return frozenset(words[1] for words in lines if len(words) == 2 and words[0] in _ACTIVATE)


def known_interests(files: Mapping[str, bytes]) -> tuple[Interest, ...]:
    """The interests that a database has already; *files* are its files by path."""
    found = []
    for path, data in files.items():
        name = path.removeprefix(f"{TRIGGERS}/")
        if name == path or path in OWN:
            continue
        for line in lines_in(data):
            trigger, _, who = line.rpartition(" ") if name == "File" else (name, "", line)
            package, _, rest = who.partition("/")
            if package and _NAME.fullmatch(trigger):
                found.append(Interest(trigger, package, rest != "noawait"))
    return tuple(found)


def trigger_files(all_of_them: Iterable[Interest]) -> dict[str, bytes]:
    """The files of the database that hold *all_of_them*."""
    lines: dict[str, list[str]] = {}
    for one in dict.fromkeys(all_of_them):
        if one.name.startswith("/"):
            lines.setdefault(_FILE, []).append(f"{one.name} {one.line}")
        else:
            lines.setdefault(f"{TRIGGERS}/{one.name}", []).append(one.line)
    return {path: lines_of(text) for path, text in sorted(lines.items())}


def nothing_waits() -> dict[str, bytes]:
    """The file as dpkg leaves it once it has taken up what was set off."""
    return {_UNINCORPORATED: b""}


def set_off(known: Iterable[Interest], paths: Iterable[str]) -> dict[str, bytes]:
    """The file that tells dpkg which of *known* were set off by files at *paths*, if any were.

    dpkg takes it up at its next call, so nobody needs to wait for it: hence the ``-``.
    """
    names = {one.name for one in known if one.name.startswith("/")}
    found = {
        name for path in paths for name in (f"/{path}", *parents(f"/{path}")) if name in names
    }
    text = lines_of([f"{name} -" for name in sorted(found)])
    return {_UNINCORPORATED: text} if found else {}
