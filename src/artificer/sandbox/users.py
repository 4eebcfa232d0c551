"""Users and groups as the files of a root name them: who a command runs as."""

from typing import NamedTuple

from artificer.errors import ArtificerError

_NUMBERS = 1 << 32


class UnknownUser(ArtificerError):
    """A user or group that the root's files do not have."""


class Identity(NamedTuple):
    """Who a process is: ids, supplementary groups, and where home is."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def identity(user: str, passwd: bytes, group: bytes) -> Identity:
    """Return who ``USER[:GROUP]`` is by the bytes of /etc/passwd and /etc/group.

    As runc: a number needs no line; an unknown one has "/" for a home. With a group that is given
    there are no others. The group itself is always one of the supplementary ones, too.
    """
    name, colon, wanted = user.partition(":")
    rows = _rows(passwd, 7)
    row = _row(rows, name or "0", 2)
    if row is None and not _is_number(name or "0"):
        raise UnknownUser(
            f"user {name!r} is not in the /etc/passwd of the root",
            hint="make it with `RUN useradd`, or give its number",
        )
    uid = int(row[2]) if row else int(name or "0")
    home = (row[5] if row else "") or ("/root" if uid == 0 and row is None else "/")
    if colon and wanted:
        gid = _group(wanted, group)
        return Identity(uid, gid, (gid,), home)
    gid = int(row[3]) if row and _is_number(row[3]) else 0
    groups = (
        sorted(
            int(line[2])
            for line in _rows(group, 4)
            if row and row[0] in line[3].split(",") and _is_number(line[2])
        )
        if row
        else []
    )
    return Identity(uid, gid, (gid, *(one for one in groups if one != gid)), home)


def _group(wanted: str, group: bytes) -> int:
    row = _row(_rows(group, 4), wanted, 2)
    if row is not None:
        return int(row[2])
    if _is_number(wanted):
        return int(wanted)
    raise UnknownUser(
        f"group {wanted!r} is not in the /etc/group of the root",
        hint="make it with `RUN groupadd`, or give its number",
    )


def _row(rows: list[list[str]], wanted: str, column: int) -> list[str] | None:
    """Return the row that is called *wanted*, or else has it as its number."""
    for row in rows:
        if row[0] == wanted and _is_number(row[column]):
            return row
    if not _is_number(wanted):
        return None
    return next(
        (row for row in rows if _is_number(row[column]) and int(row[column]) == int(wanted)), None
    )


def _rows(data: bytes, columns: int) -> list[list[str]]:
    lines = data.decode("utf-8", "surrogateescape").splitlines()
    rows = [line.strip().split(":") for line in lines if not line.startswith("#")]
    return [row + [""] * (columns - len(row)) for row in rows if len(row) > 2]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text[:11]) < _NUMBERS
