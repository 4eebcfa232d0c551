"""Users and groups as adduser(8), useradd(8) and pwconv(8) make them (passwd(5), shadow(5))."""

import re
from collections.abc import Sequence

from artificer.errors import ArtificerError
from artificer.sources.debian.equivalents.files import Files

_SYSTEM = range(100, 1000)
_SHADOW_GROUP = 42
_DAY = 86400
DOWNWARDS = "-"
"""Instead of a number: the highest that is free, as useradd(8) takes it for the system."""


_ADDUSER = "usr/sbin/adduser"
_CHFN = "$chfn, '-f',"
_NUMBER = re.compile("[0-9]{1,10}")


class NoNumber(ArtificerError):
    """A user or a group can have no number: none is left, or none is known."""


def user(files: Files, words: Sequence[str]) -> None:
    """Add a system user: name, number, group, home, shell, description."""
    name, uid, group, home, shell, gecos = (*words, "", "", "")[:6]
    accounts = Accounts(files)
    if accounts.row("passwd", name):
        return
    number = uid if uid.isdecimal() else accounts.free("passwd", uid)
    row = accounts.row("group", group)
    gid = next((one for one in ((row or [""] * 3)[2], group) if one.isdecimal()), "65534")
    accounts.add("passwd", f"{name}:x:{number}:{gid}:{_about(files, gecos)}:{home}:{shell}")
    accounts.add_shadow("shadow", f"{name}:!:{accounts.day}::::::")
    accounts.save()


def _about(files: Files, gecos: str) -> str:
    """A description as adduser(8) puts it: until 3.152 by chfn(1), which writes four parts."""
    program = files.text(_ADDUSER)
    return gecos.rstrip(",") if program is not None and _CHFN not in program else gecos


def group(files: Files, words: Sequence[str]) -> None:
    """Add a system group: name, number."""
    name, gid = (*words, "")[:2]
    accounts = Accounts(files)
    if accounts.row("group", name):
        return
    accounts.add("group", f"{name}:x:{gid if gid.isdecimal() else accounts.free('group', gid)}:")
    accounts.add_shadow("gshadow", f"{name}:!::")
    accounts.save()


def member(files: Files, words: Sequence[str]) -> None:
    """Put a user into a group."""
    accounts = Accounts(files)
    for file in ("group", "gshadow"):
        accounts.add_member(file, words[0], words[1])
    accounts.save()


def shadowed(files: Files, _: object = ()) -> None:
    """Move passwords into files of their own."""
    accounts = Accounts(files)
    accounts.complete("shadow", "passwd", f":{accounts.day}:0:99999:7:::")
    accounts.complete("gshadow", "group", "::")
    accounts.save()


def numbers(files: Files, name: str, group_name: str) -> tuple[int | None, int | None]:
    """The numbers of a user and a group; None where one is not named, or not known."""
    accounts = Accounts(files)
    return accounts.number("passwd", name), accounts.number("group", group_name)


class Accounts:
    """The files of accounts as they are, and as they become."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._before = {name: files.text(f"etc/{name}") for name in _FILES}
        self._lines = {
            name: [line for line in (found or "").split("\n") if line]
            for name, found in self._before.items()
        }
        # What is of the first day would ask for a new password at once, so it is of none.
        self.day = str(files.mtime // _DAY or "")

    def row(self, file: str, name: str) -> list[str] | None:
        """The line of *name*, if there is one."""
        rows = (line.split(":") for line in self._lines[file])
        return next((row for row in rows if row[0] == name and len(row) > 2), None)

    def number(self, file: str, name: str) -> int | None:
        """The number of *name*, which may be one itself."""
        row = self.row(file, name)
        text = row[2] if row else name
        return int(text) if _NUMBER.fullmatch(text) else None

    def add(self, file: str, line: str) -> None:
        """Add a line."""
        self._lines[file].append(line)

    def add_shadow(self, file: str, line: str) -> None:
        """Add a line where passwords have files of their own."""
        if self._before[file] is not None:
            self._lines[file].append(line)

    def add_member(self, file: str, name: str, of: str) -> None:
        """Put *name* among the members of the group *of*."""
        for number, line in enumerate(self._lines[file]):
            fields = line.split(":")
            members = [one for one in fields[-1].split(",") if one]
            if fields[0] == of and name not in members:
                fields[-1] = ",".join([*members, name])
                self._lines[file][number] = ":".join(fields)

    def complete(self, name: str, of: str, rest: str) -> None:
        """Say in the file *name* what *of* must not; passwords that are there move with it."""
        there = {line.partition(":")[0] for line in self._lines[name]}
        for number, line in enumerate(self._lines[of]):
            who, word, others = (*line.split(":", 2), "", "")[:3]
            if who not in there:
                moved = "*" if word == "x" else word
                self._lines[name].append(f"{who}:{moved}{rest}")
            self._lines[of][number] = f"{who}:x:{others}"

    def has_number(self, file: str, number: str) -> bool:
        """Whether anybody has *number*."""
        return number in self._taken(file)

    def free(self, file: str, way: str) -> str:
        """The next number that nobody has: from below, or from above."""
        return self._free(self._taken(file), file, way)

    def free_for_both(self) -> str:
        """The highest number that neither a user nor a group has."""
        return self._free(self._taken("passwd") | self._taken("group"), "group", DOWNWARDS)

    def _taken(self, file: str) -> set[str]:
        return {(*line.split(":"), "", "", "")[2] for line in self._lines[file]}

    def _free(self, taken: set[str], file: str, way: str) -> str:
        wanted = reversed(_SYSTEM) if way == DOWNWARDS else iter(_SYSTEM)
        free = next((str(number) for number in wanted if str(number) not in taken), None)
        if free is None:
            raise NoNumber(
                f"/etc/{file} has no number left from {_SYSTEM.start} to {_SYSTEM.stop - 1}",
                hint="the base has too many users or groups for packages that add some",
            )
        return free

    def save(self) -> None:
        """Put the files there that are other than they were."""
        for name, (mode, gid) in _FILES.items():
            text = "".join(f"{line}\n" for line in self._lines[name])
            if not text or text == self._before[name]:
                continue
            self._files.put(f"etc/{name}", text, mode if self._before[name] is None else None)
            if self._before[name] is None:
                self._files.change(f"etc/{name}", gid=gid)


_FILES = {
    "passwd": (0o644, 0),
    "group": (0o644, 0),
    "shadow": (0o640, _SHADOW_GROUP),
    "gshadow": (0o640, _SHADOW_GROUP),
}
