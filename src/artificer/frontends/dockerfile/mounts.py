"""``RUN --mount``: comma-separated fields, and the values that they come to."""

import re
from typing import Any, Literal, NamedTuple, cast

from artificer.frontends.dockerfile.errors import invalid, suggestion
from artificer.frontends.dockerfile.instructions import Lines, MountFlag

_NAMES = {
    "type": "type",
    "target": "target",
    "dst": "target",
    "destination": "target",
    "source": "source",
    "src": "source",
    "from": "from",
    "id": "id",
    "env": "env",
    "sharing": "sharing",
    "size": "size",
    "mode": "mode",
    "uid": "uid",
    "gid": "gid",
    "required": "required",
    "readonly": "readonly",
    "ro": "readonly",
    "readwrite": "readwrite",
    "rw": "readwrite",
}
_ALLOWED = {
    "bind": {"target", "source", "from", "readonly", "readwrite"},
    "cache": {
        "target", "source", "from", "readonly", "readwrite", "id", "sharing", "mode", "uid", "gid",
    },
    "tmpfs": {"target", "size", "readwrite"},
    "secret": {"target", "source", "id", "env", "required", "readonly", "mode", "uid", "gid"},
    "ssh": {"target", "source", "id", "required", "readonly", "mode", "uid", "gid"},
}  # fmt: skip
_FIELDS = {"from": "origin", "readwrite": "readonly"}
_BARE = frozenset({"required", "readonly", "readwrite"})
_VARIABLE = re.compile(r"\$[\w{]")
_UNITS: dict[str, int] = {
    "": 1,
    "b": 1,
    **{unit: 1024 ** (at + 1) for at, unit in enumerate("kmgtp")},
}
_SIZE = re.compile(r"(\d{1,18})([kmgtp]?)i?b?", re.IGNORECASE | re.ASCII)
_QUOTED = re.compile(r'"((?:[^"]|"")*+)"(?=,|\Z)', re.DOTALL)
_TRUTHS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}

MountType = Literal["bind", "cache", "tmpfs", "secret", "ssh"]
Sharing = Literal["shared", "private", "locked"]


class MountOptions(NamedTuple):
    """One mount with typed values; None, or "", is what is not given: the default is its type's.

    *origin* is ``from``. *source* of a secret or an ssh mount is its id.
    """

    type: MountType = "bind"
    target: str = ""
    source: str = ""
    origin: str = ""
    id: str = ""
    env: str = ""
    readonly: bool | None = None
    sharing: Sharing = "shared"
    size: int | None = None
    required: bool = False
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None


def mount_flag(text: str, at: Lines) -> MountFlag:
    """Read one ``--mount``; what needs no variable is checked at once."""
    fields: list[tuple[str, str | None]] = []
    for field in _fields(text, at):
        key, equals, value = field.partition("=")
        name = _NAMES.get(key.strip().lower())
        if name is None:
            raise invalid(
                at, f"a mount has no field {key!r}", word=field, hint=suggestion(key, _NAMES)
            )
        if not equals and name not in _BARE:
            raise invalid(at, f"the field {key} of a mount needs a value", word=field)
        if name == "from" and _VARIABLE.search(value):
            raise invalid(
                at,
                "variables are not replaced in from= of a mount",
                word=field,
                hint="declare a stage with `FROM $NAME AS name` and name that",
            )
        fields.append((name, value if equals else None))
    flag = MountFlag(text, tuple(fields))
    if not any(value and "$" in value for _, value in fields):
        options_of(flag.fields, at)
    return flag


def options_of(fields: tuple[tuple[str, str | None], ...], at: Lines) -> MountOptions:
    """Make typed values of *fields*, whose variables are expanded."""
    kind = next((value for name, value in fields if name == "type"), "bind") or ""
    kind = kind.lower()
    if kind not in _ALLOWED:
        raise invalid(
            at,
            f"no type of mount: {kind!r}",
            word="type=",
            hint=f"there are {', '.join(_ALLOWED)}",
        )
    values: dict[str, Any] = {"type": kind}
    for name, value in fields:
        if name != "type" and name not in _ALLOWED[kind]:
            raise invalid(at, f"a mount of type {kind} has no field {name}", word=name)
        if name != "type":
            values[_FIELDS.get(name, name)] = _value(name, value, at)
    options = MountOptions(**values)
    _check(options, at)
    return options


def _value(name: str, value: str | None, at: Lines) -> str | bool | int:
    text = value or ""
    match name:
        case "readonly" | "required":
            return _truth(name, value, at)
        case "readwrite":
            return not _truth(name, value, at)
        case "sharing":
            return _sharing(text, at)
        case "size":
            return _size(text, at)
        case "mode" | "uid" | "gid":
            return _number(name, text, at)
        case _:
            return text


def _check(options: MountOptions, at: Lines) -> None:
    if options.target and options.target.strip("/.") == "" and options.target.startswith("/"):
        raise invalid(at, "nothing can be mounted at /", word="--mount")
    if options.type in ("secret", "ssh", "tmpfs") and options.readonly is (
        options.type == "tmpfs"
    ):
        way = "writable" if options.type == "tmpfs" else "read-only"
        raise invalid(at, f"a mount of type {options.type} is always {way}", word="--mount")
    if options.id and options.source and options.type in ("secret", "ssh"):
        raise invalid(
            at, f"a mount of type {options.type} has an id or a source, not both", word="source="
        )
    if options.type == "secret" and not (options.id or options.source or options.target):
        raise invalid(at, "a secret needs an id or a target", word="--mount")


def _fields(text: str, at: Lines) -> list[str]:
    """Split *text* as a line of CSV: a field may stand in double quotes, where two mean one."""
    fields: list[str] = []
    start = 0
    while True:
        if text.startswith('"', start):
            match = _QUOTED.match(text, start)
            if not match:
                raise invalid(at, "a quote of a mount has no end", word=text)
            fields.append(match[1].replace('""', '"'))
            end = match.end()
        else:
            end = text.find(",", start)
            end = len(text) if end < 0 else end
            fields.append(text[start:end])
        if end >= len(text):
            return fields
        start = end + 1


def _truth(name: str, value: str | None, at: Lines) -> bool:
    if value is None:
        return True
    truth = _TRUTHS.get(value.lower())
    if truth is None:
        raise invalid(at, f"{name} of a mount is true or false, not {value!r}", word=value)
    return truth


def _sharing(text: str, at: Lines) -> Sharing:
    if text.lower() not in ("shared", "private", "locked"):
        hint = "it is shared, private or locked"
        raise invalid(at, f"no sharing of a cache: {text!r}", word=text, hint=hint)
    return cast("Sharing", text.lower())


def _size(text: str, at: Lines) -> int:
    match = _SIZE.fullmatch(text)
    if not match:
        raise invalid(at, f"not a size: {text!r}", word=text, hint="write it as 64m or 1g")
    size: int = int(match[1]) * _UNITS[match[2].lower()]
    return size


def _number(name: str, text: str, at: Lines) -> int:
    base, most, hint = (
        (8, 0o7777, "it is octal: 0400") if name == "mode" else (10, 2**32 - 1, None)
    )
    digits = "01234567" if base == 8 else "0123456789"
    if not text or len(text) > 11 or text.strip(digits) or int(text, base) > most:
        raise invalid(at, f"not a {name}: {text!r}", word=text, hint=hint)
    return int(text, base)
