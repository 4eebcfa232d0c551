"""Packages of archives made available: what can be had, and the files of what was chosen."""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from stat import S_ISREG
from typing import NamedTuple, TypeVar
from urllib.parse import quote, unquote, urlsplit

from artificer import limits
from artificer.errors import ArtificerError, Misused, reason
from artificer.events import BlobProgress, Note
from artificer.http.request import redacted
from artificer.images.parallel import Work, run_all
from artificer.oci.digest import Digest
from artificer.sources.debian.archives.documents import Trust
from artificer.sources.debian.archives.lists import (
    Suite,
    Wish,
    listed_as,
    part_of,
    suite_of,
    usual_keyrings,
    wishes,
)
from artificer.sources.debian.archives.release import UNLISTED, NotListed
from artificer.sources.debian.archives.universe import Part, Universe
from artificer.sources.debian.deb import read_package
from artificer.sources.debian.resolving.binary import Binary
from artificer.sources.debian.values import Archive, Locked, Pin
from artificer.sources.url import NotFetched, NotFound, Refused, Web, WrongHash, fetch, wanted

_Value = TypeVar("_Value")
_THREADS = 8
_KIND = "deb-file"
_CHUNK = 1 << 18
_REPLACED = "the file was replaced: get it anew, or list or lock the packages anew"
_GONE = "the archive may have a newer version by now: `artificer lock` looks up what is locked"
# A file that was written within the last seconds may be written again without a new time.
_RACY = 2_000_000_000
# They change with every Release file, and say nothing of packages.
_DATES = frozenset(("Date", "Valid-Until"))


class NoArchives(Misused):
    """Packages were asked for, and nowhere to have them from."""


class Offer(NamedTuple):
    """What archives say that they have, verified from the key down, and not yet looked through.

    *identity* is another one as soon as anything in it is. *read* are the indexes that had to be
    read already, by the place of their wish: only they tell what they are.
    """

    architectures: tuple[str, ...]
    wishes: tuple[Wish, ...]
    read: Mapping[int, Part]
    files: Mapping[str, Binary]
    identity: str
    trust: Trust


def offered(
    archives: Sequence[Archive],
    architectures: Sequence[str],
    web: Web,
    *,
    files: Sequence[str] = (),
    trust: Trust | None = None,
) -> Offer:
    """What *archives* and the `.deb` *files* have for *architectures*, the first of them native.

    *trust* is this machine's unless it is given.
    """
    if not archives and not files:
        raise NoArchives(
            "there is no archive to have packages from",
            hint="name one with `--archive 'URI SUITE COMPONENT…'` or `--sources FILE`",
        )
    if len(archives) > limits.ARCHIVES:
        raise NoArchives(f"{len(archives)} archives; {limits.ARCHIVES} is the limit")
    believed = trust or Trust(usual_keyrings(), time.time())
    expanded = _expanded(archives, architectures)
    suites: list[Suite | None] = [None] * len(expanded)

    def suite(number: int, archive: Archive) -> None:
        suites[number] = suite_of(archive, number, web, believed)

    _all([_work(suite, number, archive) for number, archive in enumerate(expanded)], web)
    found = tuple(wish for one in suites if one is not None for wish in wishes(one, architectures))
    _check_native(found, suites, architectures)
    unlisted = {n: wish for n, wish in enumerate(found) if wish.suite.release is UNLISTED}
    read = _parts(unlisted, web, believed)
    local = {path: local_binary(path) for path in files}
    identity = _identity(found, read, local)
    return Offer(tuple(architectures), found, read, local, identity, believed)


def open_universe(
    archives: Sequence[Archive],
    architectures: Sequence[str],
    web: Web,
    *,
    pins: Sequence[Pin] = (),
    files: Sequence[str] = (),
    trust: Trust | None = None,
) -> Universe:
    """`offered`, looked through."""
    return universe_of(offered(archives, architectures, web, files=files, trust=trust), pins, web)


def universe_of(offer: Offer, pins: Sequence[Pin], web: Web) -> Universe:
    """Read the indexes of *offer*."""
    missing = {n: wish for n, wish in enumerate(offer.wishes) if n not in offer.read}
    parts = {**offer.read, **_parts(missing, web, offer.trust)}
    ordered = [parts[number] for number in sorted(parts)]
    return Universe(ordered, offer.architectures, pins=pins, files=offer.files)


def _parts(asked: Mapping[int, Wish], web: Web, trust: Trust) -> dict[int, Part]:
    """The indexes that *asked* names.

    One that is not what its Release file says may have changed in between, as when a mirror is
    being updated: then that file is asked for once more.
    """
    parts, broken = _indexes(asked, web)
    newer: dict[int, Suite] = {}
    for number, error in broken.items():
        suite = asked[number].suite
        if suite.number not in newer:
            web.report(Note(f"{suite.release.what} is read again: {error.message}"))
            newer[suite.number] = suite_of(suite.archive, suite.number, web, trust)
        if newer[suite.number].release.files == suite.release.files:
            raise error
    again = {
        number: wish._replace(suite=newer[wish.suite.number])
        for number, wish in asked.items()
        if wish.suite.number in newer
    }
    mended, broken = _indexes(again, web)
    for error in broken.values():
        raise error
    return {**parts, **mended}


def _indexes(
    asked: Mapping[int, Wish], web: Web
) -> tuple[dict[int, Part], dict[int, ArtificerError]]:
    """The indexes that can be had, and what is wrong with others."""
    parts: dict[int, Part] = {}
    broken: dict[int, ArtificerError] = {}

    def part(number: int, wish: Wish) -> None:
        try:
            parts[number] = part_of(wish, web)
        except (WrongHash, NotFound) as error:
            broken[number] = error

    _all([_work(part, number, wish) for number, wish in asked.items()], web)
    return parts, broken


def _identity(found: Sequence[Wish], read: Mapping[int, Part], local: Mapping[str, Binary]) -> str:
    """The hash of all that a universe is made of; a Release file's own dates are not in it."""
    told = [
        (
            wish.suite.archive,
            (wish.suite.root, wish.suite.folder, wish.suite.number),
            sorted(one for one in wish.suite.release.fields.items() if one[0] not in _DATES),
            (wish.component, wish.architecture, wish.read_for),
            read[n].packages.digest if n in read else listed_as(wish),
        )
        for n, wish in enumerate(found)
    ]
    files = [(path, one.base, one.sha256) for path, one in sorted(local.items())]
    # repr of plain values tells any two of them apart.
    return sha256(repr((told, files)).encode("utf-8", "surrogateescape")).hexdigest()


def acquire(locked: Sequence[Locked], web: Web) -> dict[Locked, str]:
    """The files of *locked*, each verified: in the store, or where a ``file:`` URL has it.

    They are fetched in parallel, and what broke off is continued.
    """
    found: dict[Locked, str] = {}
    total = sum(one.size for one in locked)
    name = Digest.of(b"".join(one.sha256.encode() for one in locked))
    shown = f"{len(locked)} package{'' if len(locked) == 1 else 's'}"
    lock = threading.Lock()
    done = 0

    def one(_number: int, package: Locked) -> None:
        nonlocal done
        path = _local(package, web) or _remote(package, web)
        with lock:
            found[package] = path
            done += package.size
            web.report(BlobProgress(name, done, total, "fetch", shown))

    _all([_work(one, number, package) for number, package in enumerate(locked)], web)
    return {package: found[package] for package in locked}


def local_binary(path: str) -> Binary:
    """The package in the file *path*, as one of an archive."""
    package = read_package(path)
    digest, size = _hashed(path)
    fields = dict(package.fields) | {"SHA256": digest, "Size": str(size)}
    fields.pop("Filename", None)
    return Binary(fields, base=f"file://{quote(os.path.abspath(path))}")


def _all(work: list[Work], web: Web) -> None:
    run_all(work, threads=_THREADS, stop=web.stop)


def _work(act: Callable[[int, _Value], None], number: int, value: _Value) -> Work:
    return lambda _check: act(number, value)


def _expanded(archives: Sequence[Archive], architectures: Sequence[str]) -> list[Archive]:
    """*archives*, once for each architecture where a suite's name has it (``$(ARCH)``)."""
    found: list[Archive] = []
    for archive in archives:
        names = architectures if "$(ARCH)" in archive.suite else ("",)
        for name in names:
            suite = archive.suite.replace("$(ARCH)", name)
            only = archive.architectures or ((name,) if name else ())
            found.append(archive._replace(suite=suite, architectures=only))
    return list(dict.fromkeys(found))


def _check_native(
    found: Sequence[Wish], suites: Sequence[Suite | None], architectures: Sequence[str]
) -> None:
    if suites and not any(wish.read_for == architectures[0] for wish in found):
        has = [name for one in suites if one is not None for name in one.release.architectures]
        named = [name for name in dict.fromkeys(has) if name != "all"]
        hint = f"there are {', '.join(named)}" if named else None
        if architectures[0] in named:
            hint = f"add {architectures[0]} to their `arch`, which says something else"
        raise NotListed(f"no archive has packages for {architectures[0]}", hint=hint)


def _remote(package: Locked, web: Web) -> str:
    if not package.urls:
        raise NotFetched(
            f"{package} cannot be had: no archive has its file",
            hint="it is only installed somewhere, or its archive is not named",
        )
    if not package.sha256:
        raise WrongHash(
            f"{package} has no SHA256 in its archive",
            hint="the archive must be made anew with SHA256; weaker sums are never trusted",
        )
    urls = [_url(url) for url in package.urls]
    file = wanted(urls, sha256=package.sha256, size=package.size or None)
    try:
        return fetch(file, web).path
    except WrongHash as error:
        raise WrongHash(f"{package}: {error.message}", hint=error.hint) from error
    except NotFound as error:
        raise NotFound(f"{package}: {error.message}", hint=_GONE) from error
    except (NotFetched, Refused) as error:
        raise type(error)(f"{package}: {error.message}", hint=error.hint or _GONE) from error


def _url(url: str) -> str:
    return f"file://{quote(os.path.abspath(url))}" if url.startswith(("/", ".")) else url


def _local(package: Locked, web: Web) -> str | None:
    """The file itself, where a URL names one."""
    for url in map(_url, package.urls):
        parts = urlsplit(url)
        if parts.scheme != "file" or not package.sha256:
            continue
        path = unquote(parts.path)
        try:
            if _is_there(package, path, redacted(url), web):
                return path
        except WrongHash:
            raise
        except (OSError, ArtificerError):
            continue
    return None


def _is_there(package: Locked, path: str, shown: str, web: Web) -> bool:
    """Whether *path* is the file: it is hashed once, and then known by its stat."""
    stat = _stat(path)
    _check_file(package, shown, stat)
    if not S_ISREG(stat[0]):
        # A device may have no end; what is said of it is said where URLs are fetched.
        return False
    if web.store.record(_KIND, path) == _line(package.sha256, stat):
        return True
    digest, _ = _hashed(path)
    if digest != package.sha256:
        raise WrongHash(
            f"{package}: {shown}: sha256 is {digest}, not {package.sha256}", hint=_REPLACED
        )
    if stat == _stat(path) and time.time_ns() - max(stat[2], stat[3]) > _RACY:
        web.store.set_record(_KIND, path, _line(digest, stat))
    return True


def _check_file(package: Locked, url: str, stat: tuple[int, int, int, int, int]) -> None:
    """See that a file is worth reading."""
    if package.size and S_ISREG(stat[0]) and stat[1] != package.size:
        said = f"{package}: {url} has {stat[1]} bytes, not {package.size}"
        raise WrongHash(said, hint=_REPLACED)


def _stat(path: str) -> tuple[int, int, int, int, int]:
    found = os.stat(path)
    return (
        found.st_mode,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_ino,
    )


def _line(digest: str, stat: tuple[int, int, int, int, int]) -> bytes:
    return json.dumps([digest, *stat]).encode()


def _hashed(path: str) -> tuple[str, int]:
    hasher, size = sha256(), 0
    try:
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                hasher.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise NotFetched(f"{path}: {reason(error)}") from error
    return hasher.hexdigest(), size
