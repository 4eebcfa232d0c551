"""Preferences of one version over another, as apt_preferences(5) writes and applies them."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from artificer import limits
from artificer.errors import Misused
from artificer.sources.debian.deb822 import BadStanza, stanzas
from artificer.sources.debian.values import Archive, Pin

USUAL, UPGRADES, MANUAL = 500, 100, 1
"""The priority of an archive; of one automatic for upgrades only; of one that is not at all."""

_BY = ("version", "release", "origin")
_LARGEST = 32767
_RELEASE = {"a": "Suite", "archive": "Suite", "n": "Codename", "codename": "Codename"}
_RELEASE |= {"o": "Origin", "origin": "Origin", "l": "Label", "label": "Label"}
_RELEASE |= {"v": "Version", "version": "Version", "c": "Component", "component": "Component"}
_RELEASE |= {"b": "Architecture", "architecture": "Architecture"}


class BadPreferences(Misused):
    """A file of preferences, or a pin, is not as apt_preferences(5) has it."""


class Place(NamedTuple):
    """What pins may ask of where versions are from: fields of Release, the archive's host.

    *fields* has ``Component`` and ``Architecture`` too.
    """

    archive: Archive
    fields: Mapping[str, str]

    @property
    def priority(self) -> int:
        """What its versions have if no pin speaks of them."""
        if self.archive.pin is not None:
            return self.archive.pin
        if self.fields.get("NotAutomatic", "").lower() != "yes":
            return USUAL
        upgrades = self.fields.get("ButAutomaticUpgrades", "").lower() == "yes"
        return UPGRADES if upgrades else MANUAL


def pins_of(data: bytes, place: str) -> tuple[Pin, ...]:
    """The pins of the file *place*, in their order."""
    if len(data) > limits.SOURCES_BYTES:
        raise BadPreferences(f"{place} is larger than any file of preferences")
    try:
        found = list(stanzas(data, place))
    except BadStanza as error:
        raise BadPreferences(error.message, hint=error.hint) from error
    return tuple(_pin(stanza, f"{place}: stanza {at}") for at, stanza in enumerate(found, 1))


def pin_of(text: str) -> Pin:
    """A pin on one line: ``PACKAGE[,PACKAGE…] PRIORITY [version|release|origin] PATTERN``."""
    words = text.split(maxsplit=2)
    if len(words) < 3:
        raise BadPreferences(
            f"not a pin: {text!r}",
            hint="write PACKAGE PRIORITY PATTERN: `nginx 900 release n=bookworm-backports`",
        )
    packages, priority, pattern = words
    if pattern.split(maxsplit=1)[0] not in _BY:
        pattern = f"version {pattern}"
    fields = {
        "Package": packages.replace(",", " "),
        "Pin": pattern,
        "Pin-Priority": priority,
    }
    return _pin(fields, f"the pin {text!r}")


def priority_of(package: Mapping[str, str], place: Place, pins: Sequence[Pin]) -> int:
    """The priority of the version *package* from *place*.

    apt_preferences(5): the first pin that names the package decides, failing that the first of
    all packages, failing that what its archive says.
    """
    general: int | None = None
    for pin in pins:
        whole = pin.packages == ("*",)
        if whole and general is not None:
            continue
        if not (whole or names(pin, package)) or not _matches(pin, package, place):
            continue
        if not whole:
            return pin.priority
        general = pin.priority
    return place.priority if general is None else general


def names(pin: Pin, package: Mapping[str, str]) -> bool:
    """Whether *pin* speaks of *package*, by its name or by its source's (``src:NAME``)."""
    name = package.get("Package", "")
    for pattern in pin.packages:
        asked, subject = pattern, name
        if pattern.startswith("src:"):
            asked, subject = pattern[4:], package.get("Source", name).partition(" ")[0]
        elif ":" in pattern and not pattern.startswith("/"):
            asked, _, architecture = pattern.partition(":")
            if architecture not in {package.get("Architecture", ""), "any"}:
                continue
        if _fits(asked, subject):
            return True
    return False


def _matches(pin: Pin, package: Mapping[str, str], place: Place) -> bool:
    if pin.by == "version":
        return _fits(pin.pattern, package.get("Version", ""))
    if pin.by == "origin":
        host = urlsplit(place.archive.uri).hostname or ""
        return _fits(pin.pattern, host)
    return all(
        _fits(wanted, place.fields.get(field, "")) for field, wanted in _wishes(pin.pattern)
    )


@lru_cache(256)
def _wishes(pattern: str) -> tuple[tuple[str, str], ...]:
    """Fields of Release with what they have to be, of ``a=stable,c=main``."""
    found: list[tuple[str, str]] = []
    for part in pattern.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            # apt: a bare word is a version if it begins as one, else the suite.
            found.append(("Version" if name[:1].isdigit() else "Suite", name))
        elif name in _RELEASE:
            found.append((_RELEASE[name], value.strip().strip('"')))
        else:
            raise BadPreferences(
                f"not a pattern of a release: {pattern!r}",
                hint="write a=SUITE, n=CODENAME, o=ORIGIN, l=LABEL, v=VERSION, c=COMPONENT",
            )
    return tuple(found)


@lru_cache(4096)
def _expression(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern[1:-1], re.IGNORECASE)
    except re.error as error:
        raise BadPreferences(
            f"not a regular expression: {pattern}: {error}",
            hint="it stands between slashes, as in /^nginx/",
        ) from error


def _fits(pattern: str, text: str) -> bool:
    if len(pattern) > 1 and pattern[0] == "/" == pattern[-1]:
        return _expression(pattern).search(text) is not None
    return pattern == text or fnmatchcase(text, pattern)


def _pin(stanza: Mapping[str, str], place: str) -> Pin:
    fields = {name.lower(): value for name, value in stanza.items()}
    packages = tuple(fields.get("package", "").split())
    by, _, pattern = fields.get("pin", "").partition(" ")
    if not packages:
        raise BadPreferences(f"{place} has no Package", hint="`Package: *` is all of them")
    if by not in _BY or (not pattern.strip() and by != "origin"):
        raise BadPreferences(
            f"{place}: not a Pin: {fields.get('pin', '')!r}",
            hint="write `version 1.2*`, `release a=stable` or `origin HOST`",
        )
    priority = _priority(fields.get("pin-priority", ""), place)
    pattern = pattern.strip()
    if by == "release":
        _wishes(pattern)
    else:
        pattern = pattern.strip('"')
    match by:
        case "version":
            return Pin(packages, "version", pattern, priority)
        case "release":
            return Pin(packages, "release", pattern, priority)
        case _:
            return Pin(packages, "origin", pattern, priority)


def _priority(text: str, place: str) -> int:
    named = {"never": -_LARGEST - 1}.get(text)
    if named is not None:
        return named
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number == 0 or abs(number) > _LARGEST:
        raise BadPreferences(
            f"{place}: not a Pin-Priority: {text!r}",
            hint=f"it is a number from -{_LARGEST} to {_LARGEST}, not 0; 500 is the usual one",
        )
    return number
