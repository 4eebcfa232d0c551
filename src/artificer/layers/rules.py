"""Which files are taken, and what becomes of their mode, owner and time."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from artificer.errors import Misused
from artificer.layers.patterns import Ignored, compiled

Lookup = Callable[[str], int | None]
"""From a name to a number, as a passwd or group file has it; None when it has not."""

_MOST_SECONDS = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that RFC 3339 can write
_MOST_ID = 0xFFFF_FFFE  # (uid_t) -1 means "leave as it is" to chown
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))"
)


class InvalidRule(Misused):
    """A word for a mode, an owner or a time that cannot be read."""


class ModeRule(NamedTuple):
    """Paths that *pattern* names get *mode*; None keeps what the file on disk has."""

    pattern: re.Pattern[str]
    mode: int | None


class OwnerRule(NamedTuple):
    """Paths that *pattern* names get *owner* (uid, gid); None keeps what the file has."""

    pattern: re.Pattern[str]
    owner: tuple[int, int] | None


class Rules(NamedTuple):
    """What is left out of named directories, and which attributes the rest gets.

    Without rules a file is 0644, or 0755 when its owner may execute it, a directory 0755, all
    0:0; of several rules that name a path the last wins. *mtime* None keeps the times of files
    on disk; archives keep their own unless *archive_mtime* is given.
    """

    excluded: Ignored = Ignored()
    chmod: tuple[ModeRule, ...] = ()
    chown: tuple[OwnerRule, ...] = ()
    mtime: int | None = 0
    archive_mtime: int | None = None
    follow: bool = False

    def mode(self, path: str, normal: int, own: int) -> int:
        """Return the mode of *path*: by the last rule that names it, else *normal*."""
        for rule in reversed(self.chmod):
            if rule.pattern.match(path):
                return own if rule.mode is None else rule.mode
        return normal

    def owner(self, path: str, normal: tuple[int, int], own: tuple[int, int]) -> tuple[int, int]:
        """Return the owner of *path*: by the last rule that names it, else *normal*."""
        for rule in reversed(self.chown):
            if rule.pattern.match(path):
                return own if rule.owner is None else rule.owner
        return normal


def parse_chmod(word: str) -> ModeRule:
    """Read `0755`, `PATTERN=0755` or `PATTERN=preserve`; without a pattern it is for all."""
    pattern, value = _split(word)
    if value == "preserve":
        return ModeRule(pattern, None)
    digits = value.removeprefix("0o")
    if not re.fullmatch(r"[0-7]{3,5}", digits) or int(digits, 8) > 0o7777:
        raise InvalidRule(
            f"not a mode: {value!r}", hint="write it in octal: `--chmod 'bin/*=0755'`"
        )
    return ModeRule(pattern, int(digits, 8))


def parse_chown(
    word: str, *, user: Lookup | None = None, group: Lookup | None = None
) -> OwnerRule:
    """Read `UID[:GID]`, `PATTERN=UID[:GID]` or `PATTERN=preserve`.

    A number alone is its own group, too. Names need *user* and *group*, which look them up.
    """
    pattern, value = _split(word)
    if value == "preserve":
        return OwnerRule(pattern, None)
    owner, colon, owners_group = value.partition(":")
    uid = _number(owner, user, word)
    return OwnerRule(pattern, (uid, _number(owners_group, group, word) if colon else uid))


def parse_mtime(word: str) -> int | None:
    """Read seconds since 1970, an RFC 3339 time, or `preserve` (None)."""
    if word == "preserve":
        return None
    if re.fullmatch(r"[0-9]{1,12}", word):
        seconds = int(word)
    else:
        match = _RFC3339.fullmatch(word)
        seconds = -1 if match is None else _seconds(match.groups())
    if not 0 <= seconds <= _MOST_SECONDS:
        raise InvalidRule(
            f"not a time: {word!r}",
            hint="write seconds since 1970, an RFC 3339 time such as 2024-05-01T12:00:00Z, "
            "or `preserve`",
        )
    return seconds


def _split(word: str) -> tuple[re.Pattern[str], str]:
    pattern, equals, value = word.rpartition("=")
    if equals and not pattern.strip("/"):
        raise InvalidRule(f"a rule without a pattern: {word!r}", hint="write PATTERN=VALUE")
    return compiled(pattern if equals else "**"), value


def _number(text: str, lookup: Lookup | None, word: str) -> int:
    if re.fullmatch(r"[0-9]{1,10}", text) and int(text) <= _MOST_ID:
        return int(text)
    number = lookup(text) if lookup is not None and text else None
    if number is None:
        raise InvalidRule(
            f"not an owner: {text!r} in {word!r}",
            hint="write numbers: `--chown 'app/**=1000:1000'`",
        )
    return number


def _seconds(groups: Sequence[str | None]) -> int:
    year, month, day, hour, minute, second = (int(group or 0) for group in groups[:6])
    if not (1 <= month <= 12 and 1 <= day <= _month_days(year, month)):
        return -1
    if hour > 23 or minute > 59 or second > 60:
        return -1
    offset = (int(groups[7] or 0) * 60 + int(groups[8] or 0)) * 60
    local = (_days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second
    return local + offset if groups[6] == "-" else local - offset


def _month_days(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]


def _days(year: int, month: int, day: int) -> int:
    """Return the days since 1970-01-01 (datetime would cost 3 ms to import)."""
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400
    return days + sum(_month_days(year, past) for past in range(1, month)) + day - 1 - 719_162
