"""Locks of Debian packages: for a request, exactly which packages, for each architecture."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from artificer import limits
from artificer.builder.lock import ANEW, dumped
from artificer.errors import ArtificerError, Misused
from artificer.oci.document import InvalidDocument, parse
from artificer.sources.debian.values import Archive, Locked, Wanted
from artificer.sources.url import scheme_of

VERSION = 1
BYTES = 64 * limits.MIB

_WORDS = {
    "name": re.compile(r"[a-z0-9][a-z0-9+.-]{0,254}"),
    "version": re.compile(r"[A-Za-z0-9.+:~-]{1,255}"),
    "architecture": re.compile(r"[a-z0-9][a-z0-9-]{0,63}"),
    "sha256": re.compile(r"[0-9a-f]{64}"),
    "source": re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9+.-]*(?: [A-Za-z0-9.+:~-]+)?)?"),
}
_PASSWORD = re.compile(r"[a-z+]+://[^/@]*:[^/@]*@")


class InvalidPackages(Misused):
    """A lock of packages that cannot be read as one."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint or ANEW)


class StaleLock(ArtificerError):
    """A lock of packages is of another request, or for another base."""


class LockedSet(NamedTuple):
    """What a request came to: *packages* by architecture.

    *request* is what was asked for, as `request_of` has it; *bases* is what the packages of an
    architecture are installed upon (the chain of its layers, empty for nothing), *leaving* what
    of that goes (``NAME:ARCH``).
    """

    request: str
    packages: Mapping[str, tuple[Locked, ...]]
    bases: Mapping[str, str] = {}
    leaving: Mapping[str, tuple[str, ...]] = {}

    def of(self, architecture: str, *, request: str, base: str, what: str) -> tuple[Locked, ...]:
        """The packages for *architecture*; `StaleLock` if they are not those of *request*."""
        again = "`artificer lock` writes it anew, that of a command line with the same words"
        if self.request != request:
            raise StaleLock(
                f"{what}: the lock is of another request: packages, archives or options differ",
                hint=again,
            )
        if architecture not in self.packages:
            there = ", ".join(sorted(self.packages)) or "nothing"
            raise StaleLock(f"{what}: locked for {there}, not for {architecture}", hint=again)
        if self.bases.get(architecture, "") != base:
            raise StaleLock(f"{what}: the lock is for another base image", hint=again)
        return self.packages[architecture]


Locks = Mapping[str, LockedSet]
"""Locked sets by what a person calls the request: ``nginx curl on debian:bookworm``."""


def request_of(wanted: Wanted, archives: Sequence[Archive], base: str = "") -> str:
    """What decides which packages are chosen, as a hash.

    Whom archives are signed by does not, nor where on this machine they were written.
    """
    places = [
        [one.uri, one.suite, one.components, one.architectures, one.pin, one.snapshot]
        for one in archives
    ]
    words = json.dumps([wanted, places, base], sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(words.encode('utf-8', 'surrogateescape')).hexdigest()}"


def request_name(wanted: Wanted, base: str = "") -> str:
    """What a person calls a request: its words, and what they are installed upon."""
    words = [*wanted.packages, *wanted.files, *(["[essential]"] if wanted.essential else [])]
    return f"{' '.join(words)} on {base}" if base else " ".join(words)


def differences(was: Locks, now: Locks) -> Iterator[str]:
    """What changes from *was* to *now*, a line for each package, sorted."""
    for name in sorted(was.keys() | now.keys()):
        before, after = was.get(name), now.get(name)
        if before is None or after is None:
            yield f"{'+' if before is None else '-'} packages: {name}"
        yield from _changes(before, after)


def _changes(before: LockedSet | None, after: LockedSet | None) -> Iterator[str]:
    old_gone, new_gone = (set(_gone(one)) for one in (before, after))
    for text in sorted(old_gone ^ new_gone):
        yield f"{'- ' if text in new_gone else '+ '}{text}"
    was, now = (_versions(one) for one in (before, after))
    for key in sorted(was.keys() | now.keys()):
        name = ":".join(key)
        old, new = was.get(key), now.get(key)
        if old is None and new is not None:
            yield f"+ {name} {new.version}"
        elif new is None and old is not None:
            yield f"- {name} {old.version}"
        elif old is not None and new is not None and old.version != new.version:
            yield f"~ {name} {old.version} → {new.version}"
        elif old is not None and new is not None and old.sha256 != new.sha256:
            yield f"~ {name} {old.version} (another file)"
        elif old != new:
            yield f"~ {name} {new.version if new else ''} (where it is, or who needs it)"


def _gone(one: LockedSet | None) -> Iterator[str]:
    """The packages of bases that leave by *one*."""
    if one is not None:
        for architecture, names in one.leaving.items():
            yield from (f"{name} (of the base for {architecture})" for name in names)


def _versions(one: LockedSet | None) -> dict[tuple[str, str], Locked]:
    if one is None:
        return {}
    return {
        _placed(package, architecture): package
        for architecture, packages in one.packages.items()
        for package in packages
    }


def _placed(package: Locked, architecture: str) -> tuple[str, str]:
    """What tells *package* apart, in an image of *architecture*."""
    own = package.architecture
    foreign = own not in {"all", architecture}
    return (package.name, f"{own} on {architecture}" if foreign else architecture)


def document_of(one: LockedSet) -> dict[str, Any]:
    """*one* as JSON has it."""
    return {
        "request": one.request,
        "architectures": {
            architecture: {
                **({"base": base} if (base := one.bases.get(architecture, "")) else {}),
                **({"remove": list(gone)} if (gone := one.leaving.get(architecture, ())) else {}),
                "packages": [_package(each) for each in one.packages[architecture]],
            }
            for architecture in sorted(one.packages)
        },
    }


def _package(one: Locked) -> dict[str, Any]:
    if any(_PASSWORD.match(url) for url in one.urls):
        raise Misused(
            f"the archive of {one.name} has a password in its URL, which a lock would tell",
            hint="write the login into a file for `--archive-auth`",
        )
    document: dict[str, Any] = {**one._asdict(), "urls": list(one.urls)}
    return {key: value for key, value in document.items() if value not in ("", False)}


def read_packages(path: str) -> LockedSet:
    """The lock of one request at *path*: ours, or one of rules_distroless (of no request)."""
    try:
        with open(path, "rb") as file:
            data = file.read(BYTES + 1)
    except OSError as error:
        raise InvalidPackages(f"cannot read {path}: {error.strerror}") from error
    try:
        document = parse(data, limit=BYTES, what=path)
    except InvalidDocument as error:
        raise InvalidPackages(f"{path}: not a lock of packages: {error.message}") from error
    if "architectures" in document:
        if document.get("version") != VERSION:
            raise InvalidPackages(f"{path}: not a lock of packages of version {VERSION}")
        return parsed_set(document, path)
    return _of_distroless(document, path)


def text_of(one: LockedSet) -> str:
    """The lock of one request, as a file of its own has it."""
    return dumped({"version": VERSION, **document_of(one)})


def parsed_locks(document: Any, path: str) -> dict[str, LockedSet]:
    """The table of locked sets in a lock file."""
    if not isinstance(document, dict):
        raise InvalidPackages(f"{path}: packages is not a table of locked sets")
    return {str(name): parsed_set(one, f"{path}: {name}") for name, one in document.items()}


def parsed_set(document: Any, what: str) -> LockedSet:
    """A locked set as `document_of` has it, everything in it checked."""
    if not isinstance(document, dict) or not isinstance(document.get("architectures"), dict):
        raise InvalidPackages(f"{what}: not a locked set of packages")
    packages: dict[str, tuple[Locked, ...]] = {}
    bases: dict[str, str] = {}
    leaving: dict[str, tuple[str, ...]] = {}
    for architecture, found in document["architectures"].items():
        _word(architecture, "architecture", what)
        if not isinstance(found, dict) or not isinstance(found.get("packages"), list):
            raise InvalidPackages(f"{what}: {architecture} has no list of packages")
        packages[architecture] = _unique(
            (_locked(one, what) for one in found["packages"]), f"{what}: {architecture}"
        )
        if base := str(found.get("base", "")):
            bases[architecture] = base
        if gone := _leaving(found.get("remove", []), f"{what}: {architecture}"):
            leaving[architecture] = gone
    return LockedSet(str(document.get("request", "")), packages, bases, leaving)


def _leaving(names: Any, what: str) -> tuple[str, ...]:
    if not isinstance(names, list) or len(names) > limits.ENTRIES:
        raise InvalidPackages(f"{what}: remove is not a list of packages")
    for text in names:
        name, _, architecture = str(text).partition(":")
        _word(name, "name", what)
        _word(architecture, "architecture", what)
    return tuple(map(str, names))


def _unique(packages: Iterable[Locked], what: str) -> tuple[Locked, ...]:
    found: dict[tuple[str, str], Locked] = {}
    for one in packages:
        if found.setdefault((one.name, one.architecture), one) is not one:
            raise InvalidPackages(f"{what} has {one.name}:{one.architecture} twice")
    return tuple(found.values())


def _locked(document: Any, what: str) -> Locked:
    if not isinstance(document, dict):
        raise InvalidPackages(f"{what}: a package is not an object")
    words = {key: _word(document.get(key, ""), key, what) for key in _WORDS}
    urls = document.get("urls")
    if not isinstance(urls, list) or not urls or not all(map(_is_url, urls)):
        raise InvalidPackages(f"{what}: {words['name']} has no URLs that can be fetched")
    size = document.get("size", 0)
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise InvalidPackages(f"{what}: {words['name']} has no size")
    if size > limits.DOWNLOAD_BYTES:
        raise InvalidPackages(f"{what}: {words['name']} is larger than any package may be")
    auto = document.get("auto", False)
    if not isinstance(auto, bool):
        raise InvalidPackages(f"{what}: {words['name']}: auto is true or false")
    return Locked(**words, urls=tuple(urls), size=size, auto=auto)


def _word(value: Any, key: str, what: str) -> str:
    if not isinstance(value, str) or not _WORDS[key].fullmatch(value):
        raise InvalidPackages(f"{what}: not a {key} of a package: {str(value)[:80]!r}")
    return value


def _is_url(value: Any) -> bool:
    if not (isinstance(value, str) and 0 < len(value) <= limits.NAME_BYTES):
        return False
    # What is relative to the lock has no scheme; what cannot be taken apart has one.
    return value.isprintable() and ("://" not in value or scheme_of(value) != "")


def _of_distroless(document: Mapping[str, Any], path: str) -> LockedSet:
    """rules_distroless' lock: a flat list, or (version 2) packages by name and architecture."""
    found = document.get("packages")
    if isinstance(found, dict):
        found = [one for each in found.values() if isinstance(each, dict) for one in each.values()]
    if not isinstance(found, list):
        raise InvalidPackages(f"{path}: not a lock of packages")
    packages: dict[str, list[Locked]] = {}
    for one in found:
        if not isinstance(one, dict):
            raise InvalidPackages(f"{path}: a package is not an object")
        architecture = _word(one.get("arch"), "architecture", path)
        urls = one["urls"] if isinstance(one.get("urls"), list) else [one.get("url")]
        own = {**one, "architecture": architecture, "urls": urls, "source": "", "size": 0}
        packages.setdefault(architecture, []).append(_locked(own, path))
    whole = {key: _unique(each, f"{path}: {key}") for key, each in packages.items()}
    return LockedSet("", whole)
