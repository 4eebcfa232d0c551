"""Where the apt of an image takes packages from, and whom it trusts: read out of its files.

An image is not this machine: a path in what it says is one of its own, so keyrings become the
keys themselves, and archives that are directories are refused.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from artificer.errors import ArtificerError
from artificer.layers.entry import FILE, HARDLINK
from artificer.layers.tree import Tree
from artificer.sources.debian.archives.openpgp import armoured, dearmoured, only
from artificer.sources.debian.archives.preferences import pins_of
from artificer.sources.debian.archives.sourceslist import archives_of
from artificer.sources.debian.values import Archive, Pin

Read = Callable[[Iterable[str]], Mapping[str, bytes]]
"""The bytes of several files of an image, by their paths."""

_LISTS = ("etc/apt/sources.list.d", (".list", ".sources"), "etc/apt/sources.list")
_KEYS = ("etc/apt/trusted.gpg.d", (".gpg", ".asc"), "etc/apt/trusted.gpg")
_PREFERENCES = ("etc/apt/preferences.d", (".pref", ""), "etc/apt/preferences")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
# A group that is repeated or called back, or more than three repetitions.
_LONG = re.compile(r"\)[*+{]|\\[1-9]|\(\?|(?:[*+{][^*+{]*){4}")
_ARMOUR = "-----BEGIN"


class NoArchives(ArtificerError):
    """An image does not say where packages come from, or not so that it could be used here."""


class Own(NamedTuple):
    """What an image's apt is configured with."""

    archives: tuple[Archive, ...]
    pins: tuple[Pin, ...]


def own_of(tree: Tree, read: Read, image: str) -> Own:
    """The archives and preferences of the image with the files *tree*; *image* names it."""
    lists, preferences = _files(tree, *_LISTS), _files(tree, *_PREFERENCES)
    found = read([*lists, *preferences])
    archives = [one for path in lists for one in archives_of(found[path], f"{image}:/{path}")]
    if not archives:
        raise NoArchives(
            f"{image} names no archive in /etc/apt to take packages from",
            hint="name one: `--archive 'URL SUITE COMPONENT…'`, or `--sources FILE`",
        )
    for one in archives:
        _check(one, image)
    keyrings = _keyrings(archives, tree, read)
    return Own(
        tuple(one._replace(signed_by=tuple(_signers(one, keyrings))) for one in archives),
        tuple(pin for path in preferences for pin in _pins(found[path], f"{image}:/{path}")),
    )


def usual_keyrings(tree: Tree) -> list[str]:
    """The paths of the keyrings of archives that name none."""
    return _files(tree, *_KEYS)


def _files(tree: Tree, folder: str, ends: tuple[str, ...], first: str) -> list[str]:
    """*first*, and what apt reads of *folder*: names with one of *ends*, in their order."""
    names = [
        name
        for name in tree.listdir(folder)
        if _NAME.fullmatch(name)
        and any(name.endswith(end) if end else "." not in name for end in ends)
    ]
    paths = (first, *(f"{folder}/{name}" for name in names))
    return [path for path in paths if _is_file(tree, path)]


def _is_file(tree: Tree, path: str) -> bool:
    file = tree.lookup(path)
    return file is not None and file.kind in {FILE, HARDLINK} and file.size > 0


def _pins(data: bytes, place: str) -> Iterator[Pin]:
    for pin in pins_of(data, place):
        for word in (*pin.packages, pin.pattern):
            # Python tries all the ways in which they match, for as long as that may take.
            if word.startswith("/") and _LONG.search(word):
                raise NoArchives(
                    f"{place}: the regular expression {word} may take for ever",
                    hint="name archives with `--archive` or `--sources`, and preferences with "
                    "`--preferences`: those of the image are not asked then",
                )
        yield pin


def _check(archive: Archive, image: str) -> None:
    if archive.uri.startswith("file:"):
        raise NoArchives(
            f"{archive.place}: {archive.uri} is a directory of a container of {image}",
            hint="name archives with `--archive` or `--sources`",
        )
    if archive.trusted:
        raise NoArchives(
            f"{archive.place}: {image} takes packages without a signature (trusted=yes)",
            hint="say so yourself: `--archive '[trusted=yes] URL SUITE COMPONENT…'`",
        )


def _keyrings(archives: Iterable[Archive], tree: Tree, read: Read) -> Mapping[str, bytes]:
    """The keyrings that *archives* name by their paths, and the usual ones, by path."""
    named = [one for archive in archives for one in archive.signed_by if one.startswith("/")]
    paths = dict.fromkeys((*(one.strip("/") for one in named), *usual_keyrings(tree)))
    return read([path for path in paths if _is_file(tree, path)])


def _signers(archive: Archive, keyrings: Mapping[str, bytes]) -> Iterator[str]:
    """Keys as text for what *archive* names; fingerprints are of the usual keyrings."""
    usual = {path: data for path, data in keyrings.items() if path.startswith(_KEYS[2])}
    named = archive.signed_by or tuple(f"/{path}" for path in usual)
    if not named:
        raise NoArchives(
            f"{archive.place}: no keyring is named, and the image has no usual one",
            hint="name archives with `--archive` or `--sources`, and `--keyring FILE`",
        )
    fingerprints = [one for one in named if not one.startswith("/") and _ARMOUR not in one]
    for one in named:
        path = one.strip("/")
        if _ARMOUR in one:
            yield one
        elif path in keyrings:
            yield key_text(keyrings[path], one)
        elif one not in fingerprints:
            raise NoArchives(
                f"{archive.place}: the image has no keyring {one}",
                hint="name archives with `--archive` or `--sources`, and `--keyring FILE`",
            )
    if fingerprints:
        data = [only(data, fingerprints, f"/{path}") for path, data in usual.items()]
        yield armoured(b"".join(data))


def key_text(data: bytes, path: str) -> str:
    """A keyring as text, however it is written."""
    return armoured(dearmoured(data, path))
