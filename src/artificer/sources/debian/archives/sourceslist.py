"""Archives as sources.list(5) writes them: a line each, or a stanza of a ``.sources`` file."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from artificer import limits
from artificer.errors import Misused
from artificer.http.request import InvalidUrl, authority, redacted
from artificer.sources.debian.deb822 import BadStanza, stanzas
from artificer.sources.debian.values import Archive

SNAPSHOT = "@SNAPSHOTID@"
"""What stands for the time of a snapshot in a URI."""

_STANZA = re.compile(r"(?:^|\n)Types[ \t]*:", re.IGNORECASE)
_SNAPSHOT_ID = re.compile(r"\d{8}T\d{6}Z")
_SCHEMES = ("http://", "https://", "file:")
_WORD = re.compile(r'\[[^\]]*\]|"[^"]*"|\S+')
_OPTION = re.compile(r"([A-Za-z-]+?)([+-]?)=(\S*)")
_YES = {"yes": True, "true": True, "on": True, "1": True, "force": True}
_NO = {"no": False, "false": False, "off": False, "0": False}
# Options of a line by the names that a stanza has for them.
_OPTIONS = {
    "arch": "architectures",
    "lang": "languages",
    "target": "targets",
}
# These speak of files that are never fetched here, so they are obeyed whatever they say.
_IDLE = frozenset(
    {"languages", "targets", "pdiffs", "description", "x-repolib-name", "x-repolib-id"}
)
_REFUSED = {
    "allow-insecure": "say `trusted=yes` if its signature does not matter",
    "allow-weak": "no hash weaker than SHA256 is ever trusted",
    "allow-downgrade-to-insecure": "say `trusted=yes` if its signature does not matter",
    "valid-until-min": "say `check-valid-until=no`, or name a snapshot",
    "valid-until-max": "archives say themselves how long they are valid",
    "check-date": "say `check-valid-until=no`, or set the clock of this machine",
    "date-max-future": "set the clock of this machine",
    "inrelease-path": "name the suite by its directory",
    "include": "leave packages out by their names (`--deb-exclude`)",
    "exclude": "leave packages out by their names (`--deb-exclude`)",
}


class BadSources(Misused):
    """A list of archives is not as sources.list(5) has it."""


class _Options(NamedTuple):
    """What is said of all archives of one line or stanza, by the names of stanzas."""

    fields: Mapping[str, str]
    place: str

    def flag(self, name: str) -> bool | None:
        """Yes, no, or nothing said."""
        text = self.fields.get(name, "").strip().lower()
        if not text:
            return None
        found = (_YES | _NO).get(text)
        if found is None:
            raise BadSources(
                f"{self.place}: {name} is neither yes nor no: {text!r}",
                hint="write yes or no",
            )
        return found

    def words(self, name: str) -> tuple[str, ...]:
        """Words parted by blanks or commas; those of NAME-add are added, of NAME-remove taken."""
        found = _words(self.fields.get(name, ""))
        more = _words(self.fields.get(f"{name}-add", ""))
        less = set(_words(self.fields.get(f"{name}-remove", "")))
        return tuple(word for word in dict.fromkeys((*found, *more)) if word not in less)


def archives_of(data: bytes, place: str) -> tuple[Archive, ...]:
    """The archives that the file *place* names, without those of sources and disabled ones.

    Lines and stanzas are told apart by what is written, for ``--sources`` takes any name.
    """
    if len(data) > limits.SOURCES_BYTES:
        raise BadSources(f"{place} is larger than any list of archives: {len(data)} bytes")
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    if place.endswith(".sources") or (not place.endswith(".list") and _STANZA.search(text)):
        found = _of_stanzas(text.encode(), place)
    else:
        found = _of_lines(text, place)
    # A stanza names its URIs times its suites: they are not made before they are counted.
    archives = tuple(islice(found, limits.ARCHIVES + 1))
    if len(archives) > limits.ARCHIVES:
        raise BadSources(f"{place} names more than {limits.ARCHIVES} archives, which is the limit")
    return archives


def archive_of(line: str, place: str = "--archive") -> tuple[Archive, ...]:
    """The archives of one line, as a person types it: ``deb`` may be left out."""
    words = line.split(maxsplit=1)
    if words[:1] == ["deb-src"]:
        raise BadSources(
            f"{place}: an archive of sources (deb-src), which has no packages to install",
            hint="write `deb`, or the rest alone",
        )
    return _of_line(line if words[:1] == ["deb"] else f"deb {line}", place)


def _of_lines(text: str, place: str) -> Iterator[Archive]:
    for number, line in enumerate(text.split("\n"), 1):
        bare = _uncommented(line)
        if len(bare) > limits.SOURCES_LINE:
            raise BadSources(f"{place}:{number}: a line of {len(bare)} characters")
        if bare:
            yield from _of_line(bare, f"{place}:{number}")


def _uncommented(line: str) -> str:
    """*line* without its comment; a ``#`` within a URI is none, as apt has it."""
    return re.sub(r"(^|\s)#.*", "", line).strip()


def _of_line(line: str, place: str) -> tuple[Archive, ...]:
    kind, *words = _WORD.findall(line)
    if kind not in {"deb", "deb-src"}:
        raise BadSources(
            f"{place}: a line that begins with {kind[:40]!r}",
            hint="write `deb [signed-by=KEYRING] URI SUITE COMPONENT…`",
        )
    fields: dict[str, str] = {}
    if words and words[0].startswith("["):
        if not words[0].endswith("]"):
            raise BadSources(
                f"{place}: the options begin with [ and end nowhere",
                hint="write `deb [NAME=VALUE…] URI SUITE COMPONENT…`",
            )
        fields = _line_options(words.pop(0)[1:-1], place)
    words = [word.strip('"') for word in words]
    if kind == "deb-src":
        return ()
    if len(words) < 2:
        raise BadSources(
            f"{place}: a line without a suite: {redacted(line)!r}",
            hint="write `deb URI SUITE COMPONENT…`, or `deb URI ./` for a flat archive",
        )
    return (_archive(words[0], words[1], tuple(words[2:]), _Options(fields, place)),)


def _line_options(text: str, place: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for word in text.split():
        match = _OPTION.fullmatch(word)
        if match is None:
            raise BadSources(f"{place}: not an option: {word!r}", hint="write NAME=VALUE")
        name, sign, value = match.groups()
        name = _OPTIONS.get(name.lower(), name.lower())
        end = {"+": "-add", "-": "-remove", "": ""}[sign]
        fields[f"{name}{end}"] = value
    _check_names(fields, place)
    return fields


def _check_names(names: Iterable[str], place: str) -> None:
    known = {
        *("types", "uris", "suites", "components", "enabled", "signed-by", "trusted", "by-hash"),
        *("check-valid-until", "snapshot", "architectures", *_IDLE),
    }
    for name in names:
        if name in _REFUSED:
            raise BadSources(f"{place}: {name} is not supported", hint=_REFUSED[name])
        if name.removesuffix("-add").removesuffix("-remove") not in known and name[:2] != "x-":
            raise BadSources(
                f"{place}: unknown option {name!r}",
                hint="sources.list(5) has those that are known",
            )


def _of_stanzas(data: bytes, place: str) -> Iterator[Archive]:
    try:
        found = list(stanzas(data, place))
    except BadStanza as error:
        raise BadSources(error.message, hint=error.hint) from error
    for number, stanza in enumerate(found, 1):
        where = f"{place}: stanza {number}"
        options = _Options({name.lower(): value for name, value in stanza.items()}, where)
        _check_names(options.fields, where)
        if options.flag("enabled") is False or "deb" not in _types(options):
            continue
        uris, suites = _words(options.fields.get("uris", "")), options.words("suites")
        if not uris or not suites:
            missing = "Suites" if uris else "URIs"
            raise BadSources(
                f"{where} has no {missing}", hint="sources.list(5) says what it needs"
            )
        for uri in uris:
            for suite in suites:
                yield _archive(uri, suite, options.words("components"), options)


def _types(options: _Options) -> tuple[str, ...]:
    types = _words(options.fields.get("types", ""))
    for word in types:
        if word not in {"deb", "deb-src"}:
            raise BadSources(f"{options.place}: unknown type {word!r}", hint="write `Types: deb`")
    if not types:
        raise BadSources(f"{options.place} has no Types", hint="write `Types: deb`")
    return types


def _archive(uri: str, suite: str, components: tuple[str, ...], options: _Options) -> Archive:
    place = options.place
    if not uri.startswith(_SCHEMES):
        raise BadSources(
            f"{place}: not a URI that can be read: {redacted(uri)}",
            hint="use http:, https: or file:",
        )
    _check_address(uri, place)
    _check_words(suite, components, place)
    return Archive(
        uri.replace("file:///", "file:/").replace("file:/", "file:///"),
        suite,
        components,
        options.words("architectures"),
        _signed_by(options),
        trusted=options.flag("trusted") is True,
        check_valid_until=options.flag("check-valid-until") is not False,
        by_hash=options.flag("by-hash"),
        snapshot=_snapshot(options),
        place=place,
    )


def _check_address(uri: str, place: str) -> None:
    if not uri.startswith("file:"):
        try:
            authority(uri)
        except InvalidUrl as error:
            raise BadSources(f"{place}: {error.message}", hint="is a part missing?") from error
    if "@" in uri.partition("://")[2].partition("/")[0]:
        # It would be in every lock file.
        raise BadSources(
            f"{place}: {redacted(uri)} is written with a login, which every lock would tell",
            hint="write it into a file as apt_auth.conf(5) has it, for `--archive-auth FILE`: "
            "`machine HOST[/PATH] login USER password WORD`",
        )


def _check_words(suite: str, components: tuple[str, ...], place: str) -> None:
    if suite.endswith("/") and components:
        raise BadSources(
            f"{place}: the flat archive {suite} cannot have components",
            hint="a suite that ends in a slash is a directory; leave the components out",
        )
    if not suite.endswith("/") and not components:
        raise BadSources(
            f"{place}: the suite {suite} has no components",
            hint="most archives have `main`; a flat one is written with a slash at its end: `./`",
        )
    if ".." in suite.split("/") or any(".." in part.split("/") for part in components):
        raise BadSources(f"{place}: {suite} leads out of the archive", hint="name a suite")


def _signed_by(options: _Options) -> tuple[str, ...]:
    """Keyrings, fingerprints, or a key as it stands in the stanza."""
    text = options.fields.get("signed-by", "")
    if "-----BEGIN" in text:
        lines = (line.strip() for line in text.strip().split("\n"))
        return ("\n".join("" if line == "." else line for line in lines) + "\n",)
    return _words(text)


def _snapshot(options: _Options) -> str:
    text = options.fields.get("snapshot", "").strip()
    if text.lower() in {"", *_NO}:
        return ""
    if not _SNAPSHOT_ID.fullmatch(text):
        raise BadSources(
            f"{options.place}: not the time of a snapshot: {text!r}",
            hint="write it as snapshot archives do: 20260101T000000Z",
        )
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())
