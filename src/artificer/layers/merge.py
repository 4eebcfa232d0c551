"""Entries of several sources as one list: every path once, in an order that only paths decide."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from artificer import limits
from artificer.errors import ArtificerError
from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, Entry, Source, Span
from artificer.layers.walk import Group, Identity
from artificer.layers.whiteout import hidden, is_whiteout

_CHUNK = 1 << 18


class Conflict(ArtificerError):
    """Two sources want different things at one path."""


class TooLarge(ArtificerError):
    """More entries, or longer paths, than an image may have."""


def merged(groups: Sequence[Group]) -> list[Entry]:
    """Return the entries of *groups*: whiteouts, then all files sorted, then archives in order.

    Paths are sorted by their components, as bytes, so a directory comes before what is in it.
    The same path twice is fine where both are directories (the later one gives the attributes)
    or both are equal; anything else is a `Conflict`. The first path of files that are one file
    on disk holds the bytes, the others are hard links to it.
    """
    entries = _in_order(groups)
    _check_size(entries)
    by_path = {entry.path: entry for entry in entries}
    if len(by_path) != len(entries):
        entries = _first_places(entries, _each_once(groups))
        by_path = {entry.path: entry for entry in entries}
    _check_parents(by_path, groups)
    _check_whiteouts(by_path, groups)
    identities: dict[str, Identity] = {}
    for group in groups:
        identities.update(group.identities)
    return _linked(entries, identities) if identities else entries


def by_components(entries: Iterable[Entry]) -> list[Entry]:
    """Return *entries* sorted by the components of their paths, as bytes."""
    listed = list(entries)
    if all(entry.path.isascii() for entry in listed):
        return sorted(listed, key=_text_key)
    return sorted(listed, key=_bytes_key)


def _text_key(entry: Entry) -> str:
    return entry.path.replace("/", "\0")


def _bytes_key(entry: Entry) -> bytes:
    return os.fsencode(entry.path).replace(b"/", b"\0")


def _in_order(groups: Sequence[Group]) -> list[Entry]:
    local = [group.entries for group in groups if not group.archive]
    if len(local) == 1:
        entries = local[0]
    else:
        entries = by_components(entry for part in local for entry in part)
    archived = [entry for group in groups if group.archive for entry in group.entries]
    gone = [entry for entry in entries if is_whiteout(entry.path)]
    if gone:
        entries = [entry for entry in entries if not is_whiteout(entry.path)]
    return [*gone, *entries, *archived]


def _check_size(entries: list[Entry]) -> None:
    if len(entries) > limits.ENTRIES:
        raise TooLarge(f"{len(entries)} files: more than {limits.ENTRIES}")
    longest = max((len(entry.path) for entry in entries), default=0)
    # A character is at most four bytes, a component at least two.
    if longest > min(limits.NAME_BYTES // 4, limits.DEPTH * 2):
        for entry in entries:
            check_path(entry.path)


def check_path(path: str) -> None:
    """Raise `TooLarge` if *path* is longer, or nested deeper, than a layer may hold."""
    if len(os.fsencode(path)) > limits.NAME_BYTES:
        raise TooLarge(f"a path of more than {limits.NAME_BYTES} bytes: {path[:80]}…")
    if path.count("/") >= limits.DEPTH:
        raise TooLarge(f"a path nested deeper than {limits.DEPTH}: {path[:80]}…")


def _each_once(groups: Sequence[Group]) -> dict[str, Entry]:
    seen: dict[str, tuple[Entry, str]] = {}
    for group in groups:
        for entry in group.entries:
            before = seen.get(entry.path)
            if before is None:
                seen[entry.path] = entry, group.origin
            else:
                seen[entry.path] = _reconciled(before, (entry, group.origin))
    return {path: entry for path, (entry, _) in seen.items()}


def _reconciled(first: tuple[Entry, str], second: tuple[Entry, str]) -> tuple[Entry, str]:
    if first[0].kind == second[0].kind == DIRECTORY:
        return second
    if _alike(first[0]) == _alike(second[0]) and _same_bytes(first[0], second[0]):
        return first
    places = first[1] if first[1] == second[1] else f"{first[1]} and from {second[1]}"
    twice = "twice from" if first[1] == second[1] else "from"
    raise Conflict(
        f"/{first[0].path} comes {twice} {places}, and they differ",
        hint="leave one out with `--exclude`, or say where it goes with `SRC:/DEST`",
    )


def _alike(entry: Entry) -> tuple[object, ...]:
    return entry._replace(mtime=0, source=None, stat=None)


def _same_bytes(first: Entry, second: Entry) -> bool:
    if first.kind != FILE or first.source == second.source:
        return True
    one, other = _chunks(first.source, first.size), _chunks(second.source, second.size)
    return all(a == b for a, b in zip(one, other, strict=True))


def _chunks(source: Source, size: int) -> Iterator[bytes]:
    """Yield *size* bytes of *source*, in chunks that are all of one size but the last."""
    if source is None or isinstance(source, bytes):
        data = source or b""
        yield from (data[at : at + _CHUNK] for at in range(0, size, _CHUNK))
        return
    path, offset = source if isinstance(source, Span) else (source, 0)
    with open(path, "rb") as file:
        file.seek(offset)
        for at in range(0, size, _CHUNK):
            yield file.read(min(_CHUNK, size - at))


def _first_places(entries: list[Entry], by_path: dict[str, Entry]) -> list[Entry]:
    placed = dict.fromkeys(entry.path for entry in entries)
    return [by_path[path] for path in placed]


def _check_parents(by_path: dict[str, Entry], groups: Sequence[Group]) -> None:
    fine = {""}
    for parent in {path.rpartition("/")[0] for path in by_path}:
        while parent not in fine:
            above = by_path.get(parent)
            if above is not None and above.kind != DIRECTORY:
                below = next(path for path in by_path if path.startswith(f"{parent}/"))
                raise Conflict(
                    f"/{parent} of {_origin(parent, groups)} is not a directory, but "
                    f"/{below} of {_origin(below, groups)} needs one",
                    hint="leave one out, or say where it goes with `SRC:/DEST`",
                )
            fine.add(parent)
            parent = parent.rpartition("/")[0]


def _check_whiteouts(by_path: dict[str, Entry], groups: Sequence[Group]) -> None:
    # The same layer cannot hide a path and have it: runtimes differ in what is left.
    for mark in takewhile(is_whiteout, by_path):
        gone = hidden(mark)
        if gone is None:
            continue
        new = next((path for path in by_path if f"{path}/".startswith(f"{gone}/")), None)
        if new is not None:
            raise Conflict(
                f"/{gone} is deleted, but {_origin(new, groups)} brings /{new}",
                hint="delete only what nothing replaces: an upper file hides the lower one anyway",
            )


def _origin(path: str, groups: Sequence[Group]) -> str:
    return next(g.origin for g in groups if any(entry.path == path for entry in g.entries))


def _linked(entries: list[Entry], identities: dict[str, Identity]) -> list[Entry]:
    """Make hard links of files that are one on disk, where their attributes agree, too."""
    firsts: dict[tuple[object, ...], str] = {}
    linked: list[Entry] = []
    for entry in entries:
        identity = identities.get(entry.path)
        if identity is None or not isinstance(entry.source, str):
            linked.append(entry)
            continue
        key = (identity, entry.mode, entry.uid, entry.gid, entry.mtime)
        first = firsts.setdefault(key, entry.path)
        if first != entry.path:
            entry = entry._replace(kind=HARDLINK, link=first, size=0, source=None)
        linked.append(entry)
    return linked
