"""What archives list: their Release files and package indexes, fetched, verified and kept."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from artificer import limits
from artificer.events import Warned
from artificer.http.request import InvalidUrl, authority, redacted
from artificer.oci.digest import Digest
from artificer.sources.debian.archives.documents import Trust, document, release_in
from artificer.sources.debian.archives.index import BadIndex, Index, known_index, parsed_index
from artificer.sources.debian.archives.preferences import Place
from artificer.sources.debian.archives.release import (
    FORMS,
    UNLISTED,
    BadRelease,
    Listed,
    Release,
    check_listed,
    index_names,
)
from artificer.sources.debian.archives.sourceslist import SNAPSHOT, BadSources
from artificer.sources.debian.archives.universe import Part
from artificer.sources.debian.values import Archive
from artificer.sources.url import (
    NotFetched,
    NotFound,
    Refused,
    Web,
    WrongHash,
    fetch,
    wanted,
)

if TYPE_CHECKING:
    from artificer.errors import ArtificerError

_FLAT_NAMES = tuple(f"Packages{end}" for end in FORMS)


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
    if SNAPSHOT in archive.uri and not archive.snapshot:
        raise BadSources(
            f"{archive.place}: {redacted(archive.uri)} asks which snapshot",
            hint="add `snapshot=20260101T000000Z`",
        )
    if archive.snapshot and SNAPSHOT not in archive.uri:
        archive = _snapshot(archive, number, web, trust)
    root = archive.uri.replace(SNAPSHOT, archive.snapshot).rstrip("/")
    suite = quote(archive.suite, safe="/+~:@-._")
    flat = suite.removeprefix("./").strip("/")
    folder = f"{root}/dists/{suite}"
    if suite.endswith("/"):
        folder = f"{root}/{flat}" if flat else root
    release = release_in(archive, folder, web, trust)
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
    # Debian's security archive calls its component `main` updates/main.
    there = any(name.startswith(f"{component}/") for name in release.files)
    unknown = bool(release.components) and component not in release.components and not there
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
        except (NotFound, NotFetched, Refused) as error:
            problems.append(error)
            continue
        return parsed_index(path, listed.sha256, plain, web.store, what, web.report)
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
        data = document(url, web)
        if data is None:
            continue
        digest = Digest.of(data)
        known = known_index(digest.hex, web.store, redacted(url))
        if known is not None:
            return known
        path = web.store.blob_path(web.store.put(data))
        return parsed_index(path, digest.hex, "", web.store, redacted(url), web.report)
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
