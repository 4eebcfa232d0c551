"""What systemd-sysusers(8) makes: users and groups, out of the files of packages."""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from artificer.sources.debian.equivalents.accounts import Accounts, NoNumber, member
from artificer.sources.debian.equivalents.files import Files

_FOLDERS = ("etc/sysusers.d", "run/sysusers.d", "usr/lib/sysusers.d")
_PROGRAMS = ("usr/bin/systemd-sysusers", "usr/bin/systemd-sysusers.standalone")
_MOST = 1000
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_.-]{0,255}")
_NO_LOGIN = "/usr/sbin/nologin"


class _Item(NamedTuple):
    """A line: what it makes, whose name, which number (or path), the rest."""

    kind: str
    name: str
    number: str
    about: str
    home: str
    shell: str


def sysusers(files: Files, words: Sequence[str]) -> None:
    """Make what the files called *words* ask for: groups, then users, then members."""
    if not any(files.is_file(program) for program in _PROGRAMS):
        return
    items = [item for word in words for item in _items(files, word)]
    if len(items) > _MOST:
        raise NoNumber(f"{words[0]} declares more than {_MOST} users and groups")
    accounts = Accounts(files)
    # The groups of users are made with them, so that numbers are given in that order.
    for item in sorted(items, key=lambda one: one.kind != "g"):
        if item.kind in {"g", "u", "u!"}:
            _group(accounts, item)
        if item.kind in {"u", "u!"}:
            _user(accounts, item, files.mtime // 86400)
    accounts.save()
    for item in items:
        if item.kind == "m":
            member(files, (item.name, item.number))


def _items(files: Files, name: str) -> Iterator[_Item]:
    texts = (files.text(f"{folder}/{name}") for folder in _FOLDERS)
    text = next((one for one in texts if one is not None), "")
    for line in text.split("\n"):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        # Only a number may have a colon: before the group of a user.
        plain = all(":" not in word for at, word in enumerate(words) if at != 2)
        if len(words) > 1 and plain and _NAME.fullmatch(words[1]):
            fields = [*("" if word == "-" else word for word in words), "", "", "", "", ""]
            yield _Item(*fields[:6])


def _group(accounts: Accounts, item: _Item) -> None:
    number, colon, group = item.number.partition(":")
    if accounts.row("group", item.name) or (item.kind != "g" and colon and group):
        return
    gid = number if number.isdecimal() else accounts.free_for_both()
    accounts.add("group", f"{item.name}:x:{gid}:")
    accounts.add_shadow("gshadow", f"{item.name}:!*::")


def _user(accounts: Accounts, item: _Item, day: int) -> None:
    if accounts.row("passwd", item.name):
        return
    number, _, group = item.number.partition(":")
    known = accounts.number("group", group or item.name)
    if known is None:
        raise NoNumber(f"the user {item.name} is to be of the group {group}, which is not there")
    gid = str(known)
    uid = number if number.isdecimal() else gid
    if not number.isdecimal() and accounts.has_number("passwd", gid):
        uid = accounts.free_for_both()
    shell = item.shell or ("/bin/sh" if uid == "0" else _NO_LOGIN)
    row = (item.name, "x", uid, gid, item.about, item.home or "/", shell)
    accounts.add("passwd", ":".join(row))
    # Who is locked for good has an account that ended on the first day.
    last = "1" if item.kind == "u!" else ""
    accounts.add_shadow("shadow", f"{item.name}:!*:{day}:::::{last}:")
