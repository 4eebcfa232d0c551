"""What a Release file says of a suite: how long it holds, and what its indexes hash to."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError
from artificer.sources.debian.deb822 import BadStanza, stanzas

_SHA256 = re.compile(r"[0-9a-f]{64}")
# Clocks of build machines are not always right.
_LEEWAY = 3600


class BadRelease(ArtificerError):
    """A Release file that contradicts itself, or lists nothing that can be trusted."""


class Expired(BadRelease):
    """A Release file that is too old, or not valid yet."""


class NotListed(BadRelease):
    """A suite has no such component, or is not for this architecture."""


class Listed(NamedTuple):
    """A file of the suite."""

    sha256: str
    size: int


class Release(NamedTuple):
    """The fields of the file, and by their paths the *files* that it lists."""

    fields: Mapping[str, str]
    files: Mapping[str, Listed]
    what: str

    @property
    def by_hash(self) -> bool:
        """Whether indexes can be asked for by what they hash to."""
        return self.fields.get("Acquire-By-Hash", "").lower() == "yes"

    @property
    def architectures(self) -> tuple[str, ...]:
        """Those that it says it has; it may say nothing."""
        return tuple(self.fields.get("Architectures", "").split())

    @property
    def components(self) -> tuple[str, ...]:
        """Those that it says it has; it may say nothing."""
        return tuple(self.fields.get("Components", "").split())

    @property
    def parts_all(self) -> bool:
        """Whether packages for all architectures are in an index of their own."""
        apart = "Packages" in self.fields.get("No-Support-for-Architecture-all", "").split()
        return "all" in self.architectures and not apart


UNLISTED = Release({}, {}, "no Release file")
"""What is known of an archive that has none, and is trusted all the same."""


def release_of(text: bytes, what: str) -> Release:
    """Parse a Release file, whose signature has been verified. Only SHA256 counts."""
    try:
        found = list(stanzas(text, what))
    except BadStanza as error:
        raise BadRelease(error.message, hint=error.hint) from error
    if len(found) != 1:
        raise BadRelease(f"{what} has {len(found)} stanzas, not one")
    fields = found[0]
    table = fields.pop("SHA256", None)
    if table is None:
        others = [name for name in ("MD5Sum", "SHA1", "SHA512") if name in fields]
        raise BadRelease(
            f"{what} lists no SHA256 sums" + (f", only {', '.join(others)}" if others else ""),
            hint="the archive must be made anew with SHA256; weaker sums are never trusted",
        )
    for name in ("MD5Sum", "SHA1", "SHA512"):
        fields.pop(name, None)
    return Release(fields, _files(table, what), what)


def check_time(release: Release, now: float) -> None:
    """Refuse a file that is too old (somebody may hold back updates) or from the future."""
    until = _time(release, "Valid-Until")
    if until is not None and until < now:
        day = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M UTC")
        raise Expired(
            f"{release.what} was valid until {day}",
            hint="is the mirror being updated, and the clock right? An old snapshot is read with "
            "`[check-valid-until=no]`, or `Check-Valid-Until: no`",
        )
    made = _time(release, "Date")
    if made is not None and made > now + _LEEWAY:
        day = datetime.fromtimestamp(made, UTC).strftime("%Y-%m-%d %H:%M UTC")
        raise Expired(
            f"{release.what} is valid from {day} on, which is to come",
            hint="is the clock of this machine right?",
        )


def made_at(release: Release) -> float | None:
    """When *release* was made, if it says so."""
    return _time(release, "Date")


def index_names(
    release: Release, component: str, architecture: str
) -> tuple[tuple[str, Listed], ...]:
    """The forms in which the suite has a package index, the best first; none for no such one.

    An empty *component* is a flat archive's.
    """
    stem = f"{component}/binary-{architecture}/Packages" if component else "Packages"
    found = []
    for end in FORMS:
        for name in (f"{stem}{end}", f"./{stem}{end}"):
            listed = release.files.get(name)
            if listed is not None:
                found.append((name.removeprefix("./"), listed))
    return tuple(found)


# gzip is a third larger than xz, and read in a tenth of the time: faster from 45 Mbit/s on.
FORMS = (".zst", ".gz", ".xz", ".bz2", "")
"""What names of indexes end in, the best first."""


def check_listed(release: Release, component: str, architecture: str) -> None:
    """Say why there is no index of *component* for *architecture*."""
    if release.components and component not in release.components:
        raise NotListed(
            f"{release.what} has no component {component}",
            hint=f"it has {', '.join(release.components[:20])}",
        )
    hint = f"it is for {', '.join(release.architectures[:20])}" if release.architectures else None
    raise NotListed(
        f"{release.what} has no packages of {component or 'any kind'} for {architecture}",
        hint=hint,
    )


def _files(table: str, what: str) -> dict[str, Listed]:
    files: dict[str, Listed] = {}
    for line in table.split("\n"):
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or not _SHA256.fullmatch(words[0].lower()) or not words[1].isdecimal():
            raise BadRelease(f"{what}: not a sum: {line.strip()[:80]!r}")
        digest, size, path = words
        if path.startswith("/") or ".." in path.split("/") or len(size) > 18:
            raise BadRelease(f"{what} lists a path that leads out of the archive: {path[:80]!r}")
        files[path] = Listed(digest.lower(), int(size))
        if len(files) > limits.ENTRIES:
            raise BadRelease(f"{what} lists more than {limits.ENTRIES} files")
    return files


def _time(release: Release, name: str) -> float | None:
    text = release.fields.get(name)
    if not text:
        return None
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError) as error:
        raise BadRelease(f"{release.what}: {name} is not a time: {text[:80]!r}") from error
    # RFC 5322: a zone of -0000 says nothing, and archives write UTC.
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
