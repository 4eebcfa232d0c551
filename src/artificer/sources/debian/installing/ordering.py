"""In which order scripts and dpkg are called, as dpkg and apt would."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from artificer.sources.debian.deb import Package
from artificer.sources.debian.installing.actions import Calls
from artificer.sources.debian.installing.database import Database, Record
from artificer.sources.debian.installing.installation import Action
from artificer.sources.debian.installing.turns import Turn, configured
from artificer.sources.debian.resolving.relations import parse_relations

_PLAIN_VERSION = re.compile(r"(?:\d+:)?([0-9.]+)")


def dpkg_version(turns: Sequence[Turn], known: Database) -> str:
    """The version of dpkg that scripts are told runs them."""
    new = [turn.package.version for turn in turns if turn.package.name == "dpkg"]
    old = [
        record.fields.get("Version", "")
        for record in known.records.values()
        if record.name == "dpkg"
    ]
    match = _PLAIN_VERSION.match((new or old or [""])[0])
    return match[1].rstrip(".") if match else "1.20.0"


class Order(NamedTuple):
    """The order of an installation: *leaving* go first, then *turns* are taken."""

    turns: Sequence[Turn]
    leaving: Sequence[Record]
    known: Database
    calls: Calls
    from_nothing: bool

    def before(self) -> tuple[Action, ...]:
        """What is called while the base is as it was: removals, and what comes before unpacking.

        The scripts before unpacking of packages that are new are among them, unless they need
        others that are new, too: then they have to be called later.
        """
        found: list[Action] = []
        if self.leaving:
            names = [record.owner.key for record in self.leaving]
            words = ("--force-depends", "--remove", *names)
            found.append(self.calls.dpkg_call(words, f"remove {', '.join(names)}"))
        if self.from_nothing:
            return tuple(found)
        later = {id(turn) for turn in self._later()}
        for turn in self.turns:
            found += self._prerm(turn)
            if _has(turn.package, "preinst") and id(turn) not in later:
                words = _preinst_words(turn)
                found.append(self.calls.new_script(turn.package, "preinst", words))
        return tuple(found)

    def commands(self) -> tuple[Action, ...]:
        """What is called once the files are there."""
        found = [action for turn in self.turns for action in self._postrm(turn)]
        found += self._preinsts()
        if self.turns:
            found.append(self.calls.dpkg_call(("--configure", "-a"), "configure all packages"))
        return tuple(found)

    def _prerm(self, turn: Turn) -> Iterator[Action]:
        old = turn.upgraded
        if old is not None and self.known.script(old.owner, "prerm"):
            yield self.calls.script(old.owner, "prerm", ("upgrade", turn.package.version))

    def _postrm(self, turn: Turn) -> Iterator[Action]:
        old = turn.upgraded
        path = self.known.script(old.owner, "postrm") if old is not None else None
        if old is not None and path is not None:
            words = ("postrm", "upgrade", turn.package.version)
            yield self.calls.old_script(old.owner, self.known.files[path], words)

    def _later(self) -> list[Turn]:
        """Those whose script before unpacking needs packages that are new."""
        new = {turn.package.name for turn in self.turns}
        return [
            turn
            for turn in self.turns
            if _has(turn.package, "preinst")
            and (self.from_nothing or new & _needed(turn.package, ("Pre-Depends",)))
        ]

    def _preinsts(self) -> Iterator[Action]:
        """The scripts that could not be called before, each once what it needs is configured.

        From nothing, the essential set and what that needs have to do with its mere files, as when
        bootstrapping; all others find it configured, and may take it for granted.
        """
        packages = {turn.package.name: turn.package for turn in self.turns}
        later = {turn.package.name: turn for turn in self._later()}
        done: set[str] = set()
        if self.from_nothing:
            done = _closure([n for n, one in packages.items() if _is_essential(one)], packages)
            yield from (self._preinst(turn) for name, turn in later.items() if name in done)
            if done and done != packages.keys():
                yield self._configured(done, "the essential packages")
        waiting = {name: turn for name, turn in later.items() if name not in done}
        called: set[str] = set()
        for turn in waiting.values():
            needed = _closure(_needed(turn.package, ("Pre-Depends",)), packages) - done
            needed.discard(turn.package.name)
            for name in (one for one in waiting if one in needed and one not in called):
                called.add(name)
                yield self._preinst(waiting[name])
            if needed:
                done |= needed
                yield self._configured(needed)
            if turn.package.name not in called:
                called.add(turn.package.name)
                yield self._preinst(turn)

    def _configured(self, names: Collection[str], called: str = "") -> Action:
        keys = [turn.owner.key for turn in self.turns if turn.package.name in names]
        words = ("--force-depends", "--configure", *keys)
        return self.calls.dpkg_call(words, f"configure {called or ', '.join(keys)}")

    def _preinst(self, turn: Turn) -> Action:
        return self.calls.script(turn.owner, "preinst", _preinst_words(turn))


def _preinst_words(turn: Turn) -> tuple[str, ...]:
    if turn.old is None:
        return ("install",)
    if turn.upgraded is not None:
        return "upgrade", turn.old.fields.get("Version", ""), turn.package.version
    return "install", configured(turn.old), turn.package.version


def _has(package: Package, script: str) -> bool:
    return any(name == script for name, _ in package.scripts)


def _is_essential(package: Package) -> bool:
    return package.field("Essential").lower() == "yes"


def _needed(package: Package, fields: Collection[str]) -> set[str]:
    return {
        one.name
        for field in fields
        for clause in parse_relations(package.field(field), package.architecture)
        for one in clause
    }


def _closure(names: Collection[str], packages: Mapping[str, Package]) -> set[str]:
    """*names* and all that they need, as far as they are among *packages*."""
    found: set[str] = set()
    waiting = [name for name in names if name in packages]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            needed = _needed(packages[name], ("Pre-Depends", "Depends"))
            waiting += [one for one in needed if one in packages]
    return found
