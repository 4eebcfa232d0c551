"""Names of users and groups, looked up in an image's own files."""

import re
from collections.abc import Callable

from artificer.errors import ArtificerError, Misused

_NUMBER = re.compile(r"[0-9]{1,10}")
_MOST_ID = 0xFFFF_FFFE

Read = Callable[[str], bytes]
"""Gives the bytes of a file of the image; empty where it has none."""


class UnknownOwner(ArtificerError):
    """A user or a group that the image does not know."""


def owner_of(text: str, read: Read) -> tuple[int, int]:
    """Return uid and gid of ``USER[:GROUP]``; only names need *read*.

    A number alone is its own group, a name alone has the group of its entry.
    """
    user, colon, group = text.partition(":")
    if not user or (colon and not group):
        raise Misused(f"not an owner: {text!r}", hint="write USER or USER:GROUP")
    uid = gid = _number(user)
    if uid is None:
        uid, gid = _user(user, read)
    if colon:
        gid = _number(group)
        if gid is None:
            gid = _group(group, read)
    assert uid is not None  # noqa: S101 - both are known by now
    assert gid is not None  # noqa: S101
    return uid, gid


def is_named(text: str) -> bool:
    """Whether ``USER[:GROUP]`` has to be looked up."""
    return any(_number(part) is None for part in text.split(":"))


def _number(text: str) -> int | None:
    if not _NUMBER.fullmatch(text):
        return None
    if int(text) > _MOST_ID:
        raise Misused(f"not an owner: {text}")
    return int(text)


def _user(name: str, read: Read) -> tuple[int, int]:
    known = []
    for fields in _rows(read("/etc/passwd")):
        if len(fields) > 3 and fields[2].isdigit() and fields[3].isdigit():
            if fields[0] == name:
                return int(fields[2]), int(fields[3])
            known.append(fields[0])
    raise _unknown("user", name, known)


def _group(name: str, read: Read) -> int:
    known = []
    for fields in _rows(read("/etc/group")):
        if len(fields) > 2 and fields[2].isdigit():
            if fields[0] == name:
                return int(fields[2])
            known.append(fields[0])
    raise _unknown("group", name, known)


def _rows(data: bytes) -> list[list[str]]:
    return [line.split(":") for line in data.decode("utf-8", "replace").splitlines()]


def _unknown(what: str, name: str, known: list[str]) -> UnknownOwner:
    there = ", ".join(known[:10]) + (" …" if len(known) > 10 else "")
    return UnknownOwner(
        f"the image has no {what} called {name}",
        hint=f"its {what}s are {there}" if known else "write a number: it has no such names",
    )
