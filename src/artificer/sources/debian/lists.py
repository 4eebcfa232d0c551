"""What archives list: their Release files and package indexes, fetched, verified and kept."""

import json
import os
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from artificer import limits
from artificer.errors import ArtificerError, reason
from artificer.events import Note, Warned
from artificer.http.request import InvalidUrl, Request, authority, redacted
from artificer.oci.digest import Digest
from artificer.sources.debian.index import BadIndex, Index, known_index, parsed_index
from artificer.sources.debian.openpgp import NotOpenPgp, cleartext
from artificer.sources.debian.preferences import Place
from artificer.sources.debian.release import (
    FORMS,
    UNLISTED,
    BadRelease,
    Listed,
    Release,
    check_listed,
    check_time,
    index_names,
    release_of,
)
from artificer.sources.debian.signature import (
    NotVerified,
    Signed,
    Verifier,
    keyring_of,
    verify,
)
from artificer.sources.debian.sourceslist import SNAPSHOT
from artificer.sources.debian.universe import Part
from artificer.sources.debian.values import Archive
from artificer.sources.url import NotFetched, NotFound, Web, WrongHash, fetch, wanted

_KIND = "deb-release"
_OK, _UNCHANGED = 200, 304
_ABSENT = (403, 404, 410)
_FLAT_NAMES = tuple(f"Packages{end}" for end in FORMS)


class Trust(NamedTuple):
    """What is believed: *usual* keyrings where an archive names none, and the present time.

    *by* is what verifies, in order of preference; None is what this machine has.
    """

    usual: tuple[str, ...]
    now: float
    by: tuple[Verifier, ...] | None = None


class Suite(NamedTuple):
    """A suite whose Release file has been verified; *root* and *folder* are URLs."""

    archive: Archive
    release: Release
    root: str
    folder: str
    number: int


class Wish(NamedTuple):
    """An index to be had of a suite; *component* is empty in a flat archive."""

    suite: Suite
    component: str
    architecture: str
    read_for: str


def suite_of(archive: Archive, number: int, web: Web, trust: Trust) -> Suite:
    """Fetch and verify the Release file of *archive*."""
    if archive.snapshot and SNAPSHOT not in archive.uri:
        archive = _snapshot(archive, number, web, trust)
    root = archive.uri.replace(SNAPSHOT, archive.snapshot).rstrip("/")
    suite = quote(archive.suite, safe="/+~:@-._")
    flat = suite.removeprefix("./").strip("/")
    folder = f"{root}/dists/{suite}"
    if suite.endswith("/"):
        folder = f"{root}/{flat}" if flat else root
    release = _release(archive, folder, web, trust)
    if archive.check_valid_until and not archive.snapshot:
        check_time(release, trust.now)
    _check_name(archive, release, web)
    return Suite(archive, release, root, folder, number)


def wishes(suite: Suite, architectures: Sequence[str]) -> list[Wish]:
    """The indexes of *suite* that *architectures* need; of the native one, there must be some."""
    archive, release = suite.archive, suite.release
    if not archive.components:
        return [Wish(suite, "", "", architecture) for architecture in architectures]
    asked = [name for name in architectures if name in (archive.architectures or architectures)]
    found: list[Wish] = []
    for component in archive.components:
        for architecture in asked:
            if index_names(release, component, architecture) or release is UNLISTED:
                found.append(Wish(suite, component, architecture, architecture))
            else:
                _check_absent(release, component, architecture)
            if release.parts_all and index_names(release, component, "all"):
                found.append(Wish(suite, component, "all", architecture))
    return found


def _check_absent(release: Release, component: str, architecture: str) -> None:
    """An archive may be for other architectures only, but has the components it is asked for."""
    unknown = bool(release.components) and component not in release.components
    if unknown or architecture in (release.architectures or (architecture,)):
        check_listed(release, component, architecture)


def part_of(wish: Wish, web: Web) -> Part:
    """The index that *wish* speaks of: known, or fetched and parsed."""
    suite = wish.suite
    fields = dict(suite.release.fields)
    fields |= {"Component": wish.component, "Architecture": wish.architecture}
    words = (suite.archive.suite, fields.get("Suite", ""), fields.get("Codename", ""))
    return Part(
        _unlisted(wish, web) if suite.release is UNLISTED else _index(wish, web),
        Place(suite.archive, fields),
        wish.read_for,
        suite.number,
        tuple(dict.fromkeys(word for word in words if word)),
        suite.root,
    )


def listed_as(wish: Wish) -> tuple[tuple[str, Listed], ...]:
    """The forms of the index that *wish* speaks of, as the Release file has them."""
    return index_names(wish.suite.release, wish.component, wish.architecture)


def _check_name(archive: Archive, release: Release, web: Web) -> None:
    """Tell of another suite than the one that was asked for: the same key may have signed it."""
    names = [release.fields.get(name, "") for name in ("Suite", "Codename")]
    asked = archive.suite.removesuffix("/updates").rstrip("/")
    if archive.components and any(names) and asked not in names:
        web.report(
            Warned(
                f"{release.what} is of {' or '.join(filter(None, names))}, not of {asked}",
                "is the address right? What it lists is taken",
            )
        )


def _snapshot(archive: Archive, number: int, web: Web, trust: Trust) -> Archive:
    """*archive* at the place where its Release file says that its snapshots are."""
    now = suite_of(archive._replace(snapshot="", check_valid_until=False), number, web, trust)
    place = now.release.fields.get("Snapshots", "")
    if SNAPSHOT not in place or not _is_address(place):
        raise BadRelease(
            f"{now.release.what} does not say where its snapshots are",
            hint=f"write the archive's snapshots as the URI, with {SNAPSHOT} in it",
        )
    return archive._replace(uri=place)


def _is_address(text: str) -> bool:
    try:
        authority(text)
    except InvalidUrl:
        return False
    return True


def _release(archive: Archive, folder: str, web: Web, trust: Trust) -> Release:
    inline = _document(f"{folder}/InRelease", web)
    if inline is not None:
        return _inline(inline, archive, f"{redacted(folder)}/InRelease", trust)
    what = f"{redacted(folder)}/Release"
    text = _document(f"{folder}/Release", web)
    if text is None:
        if archive.trusted:
            return UNLISTED
        if web.offline and not folder.startswith("file:"):
            raise NotFetched(
                f"{what} is not in the store, and offline",
                hint="build once without `--offline`, or lock the packages",
            )
        raise NotFound(
            f"{archive.place}: {redacted(folder)} has neither InRelease nor Release".lstrip(": "),
            hint="are the address and the name of the suite right? `[trusted=yes]` reads an "
            "archive without either",
        )
    if not archive.trusted:
        signature = _document(f"{folder}/Release.gpg", web)
        if signature is None:
            raise NotVerified(
                f"{what} is not signed: there is neither InRelease nor Release.gpg",
                hint="`[trusted=yes]` takes it all the same",
            )
        _verified(Signed(text, signature, what), archive, trust)
    return release_of(text, what)


def _inline(data: bytes, archive: Archive, what: str, trust: Trust) -> Release:
    try:
        text, signature = cleartext(data, what)
    except NotOpenPgp as error:
        if data.lstrip()[:1] == b"<":
            raise NotOpenPgp(
                f"{what} is a web page, and no list of an archive",
                hint="is the address right, or does this network ask for a login?",
            ) from error
        raise
    if not archive.trusted:
        _verified(Signed(text, signature, what), archive, trust)
    return release_of(text, what)


def _verified(signed: Signed, archive: Archive, trust: Trust) -> None:
    verify(signed, keyring_of(archive.signed_by, trust.usual), trust.now, trust.by)


def _document(url: str, web: Web) -> bytes | None:
    """A small file that changes, asked for with what is known of it; None if there is none."""
    if urlsplit(url).scheme == "file":
        return _file(unquote(urlsplit(url).path))
    kept = _kept(url, web)
    if web.offline:
        if kept is None:
            return None
        web.report(Note(f"{redacted(url)} is taken from the store, as offline"))
        return kept[1]
    with web.send(Request("GET", url, kept[0] if kept else {})) as response:
        if response.status == _UNCHANGED and kept is not None:
            return kept[1]
        if response.status in _ABSENT:
            return None
        if response.status != _OK:
            raise NotFetched(f"{redacted(url)}: answered {response.status}")
        data = response.read(limits.RELEASE_BYTES)
        headers = {
            "If-None-Match": response.headers.get("etag"),
            "If-Modified-Since": response.headers.get("last-modified"),
        }
    known = {name: value for name, value in headers.items() if value}
    web.store.set_record(_KIND, url, json.dumps(known).encode() + b"\n" + data)
    return data


def _kept(url: str, web: Web) -> tuple[dict[str, str], bytes] | None:
    record = web.store.record(_KIND, url)
    if record is None:
        return None
    head, _, data = record.partition(b"\n")
    try:
        known: dict[str, str] = json.loads(head)
    except ValueError:
        return None
    return known, data


def _file(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            data = file.read(limits.RELEASE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise NotFetched(f"{path}: {reason(error)}") from error
    if len(data) > limits.RELEASE_BYTES:
        raise BadRelease(f"{path} is larger than any list: {limits.RELEASE_BYTES} bytes")
    return data


def _index(wish: Wish, web: Web) -> Index:
    suite = wish.suite
    forms = index_names(suite.release, wish.component, wish.architecture)
    if not forms:
        check_listed(suite.release, wish.component, wish.read_for)
    plain = forms[-1][1].sha256 if not forms[-1][0].rpartition("/")[2].count(".") else ""
    for name, listed in forms:
        known = known_index(listed.sha256, web.store, f"{redacted(suite.folder)}/{name}")
        if known is not None:
            return known
    problems: list[ArtificerError] = []
    for name, listed in forms:
        what = f"{redacted(suite.folder)}/{name}"
        if listed.size > limits.PACKAGES_BYTES:
            raise BadIndex(f"{what} has {listed.size} bytes", hint="no honest index has as many")
        try:
            path = _fetched(suite, name, listed, web)
        except (NotFound, NotFetched) as error:
            problems.append(error)
            continue
        return parsed_index(path, listed.sha256, plain, web.store, what)
    raise problems[0]


def _fetched(suite: Suite, name: str, listed: Listed, web: Web) -> str:
    """Fetch an index, by what it hashes to where the archive has it by that."""
    by_hash = suite.release.by_hash if suite.archive.by_hash is None else suite.archive.by_hash
    folder = f"{suite.folder}/{name}".rpartition("/")[0]
    urls = [f"{folder}/by-hash/SHA256/{listed.sha256}"] if by_hash else []
    file = wanted([*urls, f"{suite.folder}/{name}"], sha256=listed.sha256, size=listed.size)
    try:
        return fetch(file, web).path
    except WrongHash as error:
        raise WrongHash(
            error.message,
            hint="the mirror is being updated, or something on the way changed it: try again in "
            "a few minutes, or another mirror",
        ) from error


def _unlisted(wish: Wish, web: Web) -> Index:
    """The index of an archive without a Release file, which is trusted all the same."""
    suite = wish.suite
    stem = f"{wish.component}/binary-{wish.architecture}/" if wish.component else ""
    for name in _FLAT_NAMES:
        url = f"{suite.folder}/{stem}{name}"
        data = _document(url, web)
        if data is None:
            continue
        digest = Digest.of(data)
        known = known_index(digest.hex, web.store, redacted(url))
        if known is not None:
            return known
        path = web.store.blob_path(web.store.put(data))
        return parsed_index(path, digest.hex, "", web.store, redacted(url))
    raise NotFound(
        f"{redacted(suite.folder)}/{stem} has no Packages",
        hint="make it with `dpkg-scanpackages . > Packages`, or is the address right?",
    )


def usual_keyrings() -> tuple[str, ...]:
    """The keyrings of this machine that speak for archives: apt's, and its distribution's."""
    found = ["/etc/apt/trusted.gpg"]
    folder = "/etc/apt/trusted.gpg.d"
    if os.path.isdir(folder):
        names = sorted(os.listdir(folder))
        found += [f"{folder}/{name}" for name in names if name.endswith((".gpg", ".asc"))]
    found += [
        f"/usr/share/keyrings/{name}-archive-keyring.gpg"
        for name in ("debian", "debian-ports", "ubuntu")
    ]
    return tuple(path for path in found if os.path.isfile(path) and os.path.getsize(path))
