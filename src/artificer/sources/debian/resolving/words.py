"""Words that ask for packages, as apt-get(8) takes them: ``nginx``, ``nginx=1.22``, ``nano-``."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from artificer.errors import Misused
from artificer.sources.debian.resolving.binary import Binary
from artificer.sources.debian.resolving.candidates import Candidates, Key
from artificer.sources.debian.resolving.relations import Relation
from artificer.sources.debian.resolving.versions import version_key
from artificer.sources.debian.values import Wanted

_WORD = re.compile(r"([A-Za-z0-9][A-Za-z0-9+.-]*)(?::([a-z0-9-]+))?(?:=(\S+)|/(\S+))?")
_MOST = 8


class UnknownPackage(Misused):
    """A package, or a version of it, that no archive has."""


class BadWord(Misused):
    """A word that asks for no package."""


class Asked(NamedTuple):
    """What words ask for: *binaries* to have, packages not to have, and those to remove.

    *manual* are the packages that somebody named.
    """

    binaries: dict[Key, Binary]
    barred: set[Key]
    removed: set[Key]
    manual: set[Key]


def asked_of(wanted: Wanted, candidates: Candidates) -> Asked:
    """Look up every word of *wanted*; versions that are named become the candidates."""
    asked = Asked({}, set(), set(), set())
    for word in wanted.packages:
        if _is_marked(word, "-", candidates):
            asked.removed.add(_known(word[:-1], candidates))
        else:
            plain = word[:-1] if _is_marked(word, "+", candidates) else word
            _add(asked, _binary(plain, candidates), candidates)
    for path in wanted.files:
        _add(asked, _file(path, candidates), candidates)
    asked.barred.update(asked.removed)
    for word in wanted.exclude:
        key = _known(word, candidates)
        asked.barred.update([key] if ":" in word else candidates.keys(key[0]))
    base = {candidates.key(binary): binary for binary in _base(wanted, candidates)}
    asked = asked._replace(binaries=base | asked.binaries)
    asked.manual.update(asked.binaries)
    _check(asked, candidates)
    return asked


def _check(asked: Asked, candidates: Candidates) -> None:
    both = sorted(asked.barred.intersection(asked.binaries))
    if both:
        name = candidates.shown(both[0])
        raise BadWord(
            f"{name} is asked for and excluded", hint=f"leave `{name}` out of one of the lists"
        )


def _is_marked(word: str, mark: str, candidates: Candidates) -> bool:
    """Whether the last character of *word* is *mark*, and not of the name, as in ``g++``."""
    if not word.endswith(mark) or "=" in word or "/" in word:
        return False
    name, _, architecture = word.partition(":")
    return not candidates.versions((name, architecture or candidates.native))


def _known(word: str, candidates: Candidates) -> Key:
    """The package of *word*, which may be there already though no archive has it."""
    match, key = _match(word), _key(word, candidates)
    if match[3] or match[4]:
        raise BadWord(f"not the name of a package: {word!r}", hint="versions do not matter here")
    if key not in candidates.installed and not candidates.versions(key):
        raise _unknown(key, candidates)
    return key


def _add(asked: Asked, binary: Binary, candidates: Candidates) -> None:
    key = candidates.key(binary)
    other = asked.binaries.get(key)
    if other is not None and other.version != binary.version:
        raise BadWord(
            f"{candidates.shown(key)} is asked for as {other.version} and as {binary.version}",
            hint="name one version of each package",
        )
    asked.binaries[key] = binary


def _base(wanted: Wanted, candidates: Candidates) -> list[Binary]:
    """The essential set, and apt, where *wanted* is to have them and there is any."""
    names = sorted({one.name for one in candidates.universe.essential()})
    found = [candidates.of((name, candidates.native)) for name in names if wanted.essential]
    base = [binary for binary in found if binary is not None and binary.essential]
    apt = candidates.of(("apt", candidates.native)) if wanted.apt else None
    return base if apt is None else [*base, apt]


def _file(path: str, candidates: Candidates) -> Binary:
    binary = candidates.universe.local(path)
    if binary is None:
        raise UnknownPackage(f"the package of {path} was not read")
    candidates.choose(binary)
    return binary


def _binary(word: str, candidates: Candidates) -> Binary:
    """The version that *word* asks for."""
    match = _match(word)
    key = _key(word, candidates)
    if match[3]:
        binary = _version(key, match[3], candidates)
    elif match[4]:
        binary = _of_suite(key, match[4], candidates)
    else:
        found = candidates.of(key) or _provider(word, key, candidates)
        if found is not None:
            return found
        raise _unknown(key, candidates)
    candidates.choose(binary)
    if match[4]:
        _follow(binary, match[4], candidates)
    return binary


def _match(word: str) -> re.Match[str]:
    match = _WORD.fullmatch(word)
    if match is not None:
        return match
    hint = "write NAME, NAME:ARCHITECTURE, NAME=VERSION, NAME/SUITE, or NAME- to have it not"
    if word.endswith("^"):
        hint = "tasks are not supported: name the packages"
    elif re.search(r"[*?^$\[\]]", word):
        hint = "patterns are not supported: name the packages"
    elif "/" in word:
        hint = "a file is asked for by its path as a file, not among the names of packages"
    raise BadWord(f"not a package: {word[:80]!r}", hint=hint)


def _key(word: str, candidates: Candidates) -> Key:
    match = _match(word)
    name, architecture = match[1], match[2]
    if architecture in (None, "any", "all", "native"):
        own = (key for key in candidates.keys(name) if candidates.of(key) is not None)
        return next(own, (name, candidates.native))
    if architecture not in candidates.architectures:
        raise BadWord(
            f"{word} is for an architecture that is not asked for: {architecture}",
            hint=f"there is {', '.join(candidates.architectures)}; whoever asks for a package of "
            f"it, NAME:{architecture}, has it there, too",
        )
    return (name, architecture)


def _version(key: Key, version: str, candidates: Candidates) -> Binary:
    found = candidates.versions(key)
    for binary in found:
        if binary.version == version:
            return binary
    for binary in found:
        if version_key(binary.version) == version_key(version):
            return binary
    if not found:
        raise _unknown(key, candidates)
    raise UnknownPackage(
        f"{candidates.shown(key)} has no version {version}", hint=_there_is(found)
    )


def _of_suite(key: Key, suite: str, candidates: Candidates) -> Binary:
    found = candidates.versions(key)
    for binary in sorted(found, key=lambda each: version_key(each.version), reverse=True):
        if suite in binary.suites:
            return binary
    if not found:
        raise _unknown(key, candidates)
    suites = sorted({word for binary in found for word in binary.suites})
    raise UnknownPackage(
        f"{candidates.shown(key)} is not in {suite}", hint=f"it is in {', '.join(suites)}"
    )


def _follow(binary: Binary, suite: str, candidates: Candidates) -> None:
    """Take of *suite* too what *binary* needs in a version that is only there, as apt does."""
    architecture = candidates.key(binary)[1]
    todo = [binary]
    while todo:
        owner = todo.pop()
        for clause in (*owner.relations("Pre-Depends"), *owner.relations("Depends")):
            if any(candidates.targets(relation, architecture) for relation in clause):
                continue
            for relation in clause:
                found = [
                    other
                    for other in candidates.versions((relation.name, architecture))
                    if suite in other.suites and candidates.fulfils(other, relation, architecture)
                ]
                if found:
                    candidates.choose(found[0])
                    todo.append(found[0])
                    break


def _provider(word: str, key: Key, candidates: Candidates) -> Binary | None:
    """The only package that provides the name; apt takes it too, and leaves a choice to people."""
    found = candidates.targets(Relation(key[0]), key[1])
    if len(found) > 1:
        names = ", ".join(candidates.shown(candidates.key(binary)) for binary in found[:_MOST])
        raise UnknownPackage(
            f"{word} is provided by several packages", hint=f"ask for one of {names}"
        )
    return found[0] if found else None


def _unknown(key: Key, candidates: Candidates) -> UnknownPackage:
    name, architecture = key
    if candidates.versions(key):
        return UnknownPackage(
            f"{candidates.shown(key)} is pinned away", hint=_there_is(candidates.versions(key))
        )
    others = [own for own in candidates.architectures if candidates.versions((name, own))]
    if others:
        return UnknownPackage(
            f"{name} is not there for {architecture}",
            hint=f"it is there for {', '.join(others)}",
        )
    providers = sorted({binary.name for binary in candidates.universe.providers(name)})
    if providers:
        return UnknownPackage(
            f"{name} is no package, but provided by some",
            hint=f"by {', '.join(providers[:_MOST])}",
        )
    near = ", ".join(candidates.universe.suggest(name)[:_MOST])
    return UnknownPackage(
        f"there is no package {candidates.shown(key)}",
        hint=f"do you mean {near}?" if near else "no archive has one of a name like it",
    )


def _there_is(found: Sequence[Binary]) -> str:
    versions = list(dict.fromkeys(binary.version for binary in found))
    more = f" and {len(versions) - _MOST} more" if len(versions) > _MOST else ""
    return f"there is {', '.join(versions[:_MOST])}{more}"
