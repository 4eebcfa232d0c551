"""rules_distroless' lists of archives and packages: a file of YAML, with keys as we add them."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from artificer import limits
from artificer.errors import ArtificerError, Misused
from artificer.http.request import redacted
from artificer.sources.debian.archives.sourceslist import archive_of
from artificer.sources.debian.resolving.relations import BadRelation, parse_relations
from artificer.sources.debian.values import Archive

_FIELDS = frozenset(("version", "sources", "archs", "packages"))
_SOURCE = frozenset(("channel", "url", "signed-by", "trusted"))
_URL = re.compile(r"(?:https?|file):[!-~]*")
_SNAPSHOT = re.compile(r"/\d{8}T\d{6}Z(?:/|$)")
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_KEY = re.compile(r"-----BEGIN|[0-9A-Fa-f]{16,40}!?$")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML without ``<<``: tables that are merged into one another grow without end."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leave the table as it is written."""


class BadManifest(Misused):
    """A list of packages is not as rules_distroless has it."""


class Manifest(NamedTuple):
    """What is asked for: *packages* are words of apt-get, *names* those without versions."""

    archives: tuple[Archive, ...]
    packages: tuple[str, ...]
    names: tuple[str, ...]
    architectures: tuple[str, ...]


def manifest_of(data: bytes, place: str, folder: str) -> Manifest:
    """What the manifest *place* says; its keyrings are relative to *folder*."""
    document = _document(data, place)
    sources = _list(document, "sources", place)
    if len(sources) > limits.ARCHIVES:
        raise BadManifest(f"{place} names {len(sources)} archives; {limits.ARCHIVES} is the limit")
    architectures = _texts(document, "archs", place)
    for one in architectures:
        if not _ARCHITECTURE.fullmatch(one):
            raise BadManifest(f"{place}: not an architecture: {one[:80]!r}")
    words = [_word(text, place) for text in _texts(document, "packages", place)]
    return Manifest(
        tuple(one for source in sources for one in _archives(source, place, folder)),
        tuple(words),
        tuple(word.partition("=")[0] for word in words),
        architectures,
    )


def _document(data: bytes, place: str) -> Mapping[str, Any]:
    if len(data) > limits.MIB:
        raise BadManifest(f"{place} is larger than any list of packages")
    try:
        document = yaml.load(data, _Loader)  # noqa: S506 - a safe one
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BadManifest(
            f"{place}{line} is not YAML: {error.problem or error.context}"
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError) as error:
        # What `!!bool x` or `!!timestamp x` stands for, PyYAML looks for without a check.
        raise BadManifest(f"{place} is not YAML: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(document, dict) or document.get("version") != 1:
        raise BadManifest(f"{place} is no manifest of version 1", hint="it begins `version: 1`")
    if more := sorted(map(str, set(document) - _FIELDS)):
        raise BadManifest(f"{place}: unknown field {more[0]}", hint=f"there is {_told(_FIELDS)}")
    return document


def _told(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _list(document: Mapping[str, Any], name: str, place: str) -> list[Any]:
    found = document.get(name)
    if not isinstance(found, list) or not found:
        raise BadManifest(f"{place}: {name} is not a list of some")
    return found


def _texts(document: Mapping[str, Any], name: str, place: str) -> tuple[str, ...]:
    found = _list(document, name, place)
    if not all(isinstance(one, str) for one in found):
        raise BadManifest(f"{place}: {name} are not texts", hint="write them in quotes")
    for one, number in Counter(found).items():
        if number > 1:
            raise BadManifest(f"{place}: {name} has {one} twice")
    return tuple(found)


def _word(text: str, place: str) -> str:
    """A package as apt-get has it, of one as control files have it: ``perl (= 5.36)``."""
    try:
        ((relation,),) = parse_relations(text)
    except (BadRelation, ValueError) as error:
        raise BadManifest(f"{place}: not a package: {text[:80]!r}") from error
    if relation.qualifier or relation.operator not in {"", "="}:
        raise BadManifest(
            f"{place}: {text}: one version can be asked for, or the newest",
            hint=f"write `{relation.name}`, or `{relation.name} (= VERSION)`",
        )
    return f"{relation.name}={relation.version}" if relation.version else relation.name


def _archives(source: Any, place: str, folder: str) -> Iterator[Archive]:
    if not isinstance(source, dict):
        raise BadManifest(f"{place}: a source is not a table")
    if more := sorted(map(str, set(source) - _SOURCE)):
        raise BadManifest(f"{place}: a source with {more[0]}", hint=f"it has {_told(_SOURCE)}")
    url, channel = source.get("url"), source.get("channel")
    if not isinstance(url, str) or not _URL.fullmatch(url) or not isinstance(channel, str):
        raise BadManifest(f"{place}: a source without a url or a channel")
    words = channel.split()
    if not words or (len(words) == 1) != words[0].endswith("/"):
        raise BadManifest(
            f"{place}: not a channel: {channel[:80]!r}",
            hint="write `SUITE COMPONENT…`, or for a flat archive `DIRECTORY/`",
        )
    try:
        found = archive_of(f"deb {url.rstrip('/')} {' '.join(words)}", place)
    except ArtificerError as error:
        raise BadManifest(f"{place}: {redacted(url)}: {error.message}", hint=error.hint) from error
    for one in found:
        yield one._replace(
            signed_by=tuple(_keyrings(source.get("signed-by"), place, folder)),
            trusted=_trusted(source, place),
            # What a snapshot archive has was valid at its time.
            check_valid_until=not _SNAPSHOT.search(url),
        )


def _keyrings(value: Any, place: str, folder: str) -> Iterator[str]:
    for text in value if isinstance(value, list) else [] if value is None else [value]:
        if not isinstance(text, str) or not text:
            raise BadManifest(
                f"{place}: signed-by is no keyring",
                hint="write the path of one, relative to this file, or the key itself",
            )
        yield text if _KEY.match(text) else os.path.join(folder, text)


def _trusted(source: Mapping[str, Any], place: str) -> bool:
    value = source.get("trusted", False)
    if not isinstance(value, bool):
        raise BadManifest(f"{place}: trusted is true or false")
    return value
