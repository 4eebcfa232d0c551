"""The users and groups of an image, and those that packages add to them (passwd(5))."""

from collections.abc import Callable, Iterator

from artificer.errors import ArtificerError

_SYSTEM = range(100, 1000)
_SHADOW_GROUP = 42
_NO_PASSWORD = {"x": "*"}


class NoNumber(ArtificerError):
    """All numbers of system users or groups are taken."""


class Accounts:
    """The files of accounts; *text* gives what one says now, or None where there is none.

    Those who are there already stay as they are. New ones get the next number from 100 that is
    free, or the one they ask for.
    """

    def __init__(self, text: Callable[[str], str | None]) -> None:
        self._before = {name: text(f"etc/{name}") for name in _FILES}
        self._lines = {
            name: [line for line in (found or "").split("\n") if line]
            for name, found in self._before.items()
        }
        self.shadowed = self._before["shadow"] is not None

    def add_user(self, name: str, uid: str, group: str, *rest: str) -> None:
        """Add a system user whose home, shell and description are *rest*."""
        if self._row("passwd", name):
            return
        number = uid or str(self._free("passwd", group))
        gid = self._row("group", group)
        home, shell, gecos = (*rest, "", "", "")[:3]
        group_number = gid[2] if gid else group if group.isdigit() else "65534"
        row = (name, "x", number, group_number, gecos, home, shell)
        self._lines["passwd"].append(":".join(row))

    def add_group(self, name: str, gid: str = "") -> None:
        """Add a system group."""
        if not self._row("group", name):
            self._lines["group"].append(f"{name}:x:{gid or self._free('group', '')}:")

    def add_member(self, user: str, group: str) -> None:
        """Put *user* into *group*."""
        for number, line in enumerate(self._lines["group"]):
            fields = line.split(":")
            members = [one for one in fields[-1].split(",") if one]
            if fields[0] == group and user not in members:
                fields[-1] = ",".join([*members, user])
                self._lines["group"][number] = ":".join(fields)

    def numbers(self, user: str, group: str) -> tuple[int | None, int | None]:
        """The numbers of *user* and *group*; None where one is not named, or not known."""
        return self._number("passwd", user), self._number("group", group)

    def files(self) -> Iterator[tuple[str, str, int, int]]:
        """Yield path, text, mode and group of the files that are other than they were."""
        if self.shadowed:
            self._complete("shadow", "passwd", "::0:99999:7:::")
            self._complete("gshadow", "group", "::")
        for name, (mode, group) in _FILES.items():
            text = "".join(f"{line}\n" for line in self._lines[name])
            if text and text != self._before[name]:
                yield f"etc/{name}", text, mode, group

    def _complete(self, name: str, of: str, rest: str) -> None:
        """Say in the file *name* what *of* must not; passwords that are there move with it."""
        there = {line.partition(":")[0] for line in self._lines[name]}
        for number, line in enumerate(self._lines[of]):
            who, secret, others = (*line.split(":", 2), "", "")[:3]
            if who not in there:
                moved = _NO_PASSWORD.get(secret, secret)
                self._lines[name].append(f"{who}:{moved}{rest}")
            self._lines[of][number] = f"{who}:x:{others}"

    def _row(self, file: str, name: str) -> list[str] | None:
        rows = (line.split(":") for line in self._lines[file])
        return next((row for row in rows if row[0] == name and len(row) > 2), None)

    def _number(self, file: str, name: str) -> int | None:
        row = self._row(file, name)
        text = row[2] if row else name
        return int(text) if text.isdecimal() else None

    def _free(self, file: str, group: str) -> int:
        """The next free number; a user gets that of its own *group*, if no other user has it."""
        taken = {_fields(line)[2] for line in self._lines[file]}
        row = self._row("group", group)
        own = int(row[2]) if row is not None and row[2].isdecimal() else -1
        if own in _SYSTEM and str(own) not in taken:
            return own
        other = "group" if file == "passwd" else "passwd"
        taken |= {_fields(line)[2] for line in self._lines[other]}
        free = next((number for number in _SYSTEM if str(number) not in taken), None)
        if free is None:
            raise NoNumber(
                f"/etc/{file} has no number left from {_SYSTEM.start} to {_SYSTEM.stop - 1}",
                hint="the base has too many users or groups for packages that add some",
            )
        return free


def _fields(line: str) -> list[str]:
    return [*line.split(":"), "", "", ""]


_FILES = {
    "passwd": (0o644, 0),
    "group": (0o644, 0),
    "shadow": (0o640, _SHADOW_GROUP),
    "gshadow": (0o640, _SHADOW_GROUP),
}
