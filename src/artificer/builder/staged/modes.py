"""What `--chmod` makes of a mode: octal, or symbolic as chmod(1) reads it."""

import re
from typing import NamedTuple

from artificer.errors import Misused

_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)")
_ACTION = re.compile(r"([-+=])([ugo]|[rwxXst]*)")
_OCTAL = re.compile(r"[0-7]{1,5}")
_SHIFTS = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1}
_MASKED = 0o022
"""What a clause that names nobody leaves alone, as the usual umask does."""


class InvalidMode(Misused):
    """A mode that cannot be read."""


class Action(NamedTuple):
    """One change: *who* are letters of ``ugo``, *sign* of ``-+=``; *mask* is left alone."""

    who: str
    sign: str
    what: str
    mask: int


class Mode(NamedTuple):
    """A mode to give: *fixed*, or what *actions* make of a file's own."""

    fixed: int | None = None
    actions: tuple[Action, ...] = ()

    def of(self, own: int, *, directory: bool) -> int:
        """Return the mode of a file that has *own*."""
        if self.fixed is not None:
            return self.fixed
        mode = own
        for action in self.actions:
            mode = _acted(action, mode, directory=directory)
        return mode


def parse_mode(text: str) -> Mode:
    """Read ``755``, ``0644``, ``u=rwX,go=rX``, ``+x`` or ``g=u``."""
    if _OCTAL.fullmatch(text) and int(text, 8) <= 0o7777:
        return Mode(int(text, 8))
    actions: list[Action] = []
    for part in text.split(","):
        clause = _CLAUSE.fullmatch(part)
        if clause is None:
            raise InvalidMode(
                f"not a mode: {text!r}", hint="write it in octal (0755), or like u=rwX,go=rX"
            )
        who = "ugo" if "a" in clause[1] or not clause[1] else clause[1]
        mask = 0 if clause[1] else _MASKED
        found: list[tuple[str, str]] = _ACTION.findall(clause[2])
        actions += [Action(who, sign, what, mask) for sign, what in found]
    return Mode(None, tuple(actions))


def _acted(action: Action, mode: int, *, directory: bool) -> int:
    bits = _bits(action, mode, directory=directory)
    if action.sign == "+":
        return mode | bits
    if action.sign == "-":
        return mode & ~bits
    # As chmod(1): a sign for nobody in particular clears what the umask would not set, too.
    cleared = sum(7 << _SHIFTS[who] for who in set(action.who))
    cleared |= 0o1000 if "o" in action.who else 0
    if not directory:
        cleared |= (0o4000 if "u" in action.who else 0) | (0o2000 if "g" in action.who else 0)
    return (mode & ~cleared) | bits


def _bits(action: Action, mode: int, *, directory: bool) -> int:
    if action.what in _SHIFTS and action.what:
        each = (mode >> _SHIFTS[action.what]) & 7
    else:
        each = sum(_BITS[letter] for letter in set(action.what) if letter in _BITS)
        if "X" in action.what and (directory or mode & 0o111):
            each |= 1
    bits = sum(each << _SHIFTS[who] for who in set(action.who)) & ~action.mask
    if "s" in action.what:
        bits |= (0o4000 if "u" in action.who else 0) | (0o2000 if "g" in action.who else 0)
    return bits | (0o1000 if "t" in action.what else 0)
