"""Owners and modes that an image's administrator gave to files of packages (dpkg-statoverride)."""

from collections.abc import Callable, Sequence

from artificer.layers.entry import DIRECTORY, FILE, Entry
from artificer.sources.debian.equivalents.accounts import numbers
from artificer.sources.debian.equivalents.files import Files
from artificer.sources.debian.installing.database import lines_in

Override = tuple[int | None, int | None, int]


def overrides(data: bytes, real: Callable[[str], str], base: Files) -> dict[str, Override]:
    """Owner, group and mode by real path, as the file ``statoverride`` of *base* says."""
    found: dict[str, Override] = {}
    for line in lines_in(data):
        words = line.split(" ", 3)
        if len(words) == len(("user", "group", "mode", "path")) and _is_octal(words[2]):
            user, group = (word.removeprefix("#") for word in words[:2])
            path = real(words[3].lstrip("/"))
            found[path] = (*numbers(base, user, group), int(words[2], 8) & 0o7777)
    return found


def overridden(entries: Sequence[Entry], wanted: dict[str, Override]) -> list[Entry]:
    """*entries* with the owners and modes that are *wanted* of them."""
    return [_with(one, wanted[one.path]) if one.path in wanted else one for one in entries]


def _with(entry: Entry, override: Override) -> Entry:
    if entry.kind not in {FILE, DIRECTORY}:
        return entry
    uid, gid, mode = override
    return entry._replace(
        uid=entry.uid if uid is None else uid, gid=entry.gid if gid is None else gid, mode=mode
    )


def _is_octal(text: str) -> bool:
    return text.isdecimal() and not set(text) & set("89")
