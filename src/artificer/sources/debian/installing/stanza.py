"""A stanza of dpkg's status file, byte for byte as dpkg writes it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from artificer.sources.debian.resolving.relations import parse_relations, shown

_FIRST = (
    "Essential",
    "Protected",
    "Status",
    "Priority",
    "Section",
    "Installed-Size",
    "Origin",
    "Maintainer",
    "Bugs",
    "Architecture",
    "Multi-Arch",
    "Source",
    "Version",
    "Config-Version",
)
_RELATIONS = (
    "Replaces",
    "Provides",
    "Depends",
    "Pre-Depends",
    "Recommends",
    "Suggests",
    "Breaks",
    "Conflicts",
    "Enhances",
)
_LAST = (
    "Conffiles",
    "Filename",
    "Size",
    "MD5sum",
    "SHA256",
    "Description",
    "Triggers-Pending",
    "Triggers-Awaited",
)
_LEFT_OUT = ("package", "revision", "msdos-filename", "filename", "size", "md5sum", "sha256")


REMOVED = "remove-on-upgrade"


class Conffile(NamedTuple):
    """A file whose changes dpkg keeps; *flag* may be ``obsolete`` or ``remove-on-upgrade``."""

    path: str
    md5: str
    flag: str = ""

    def __str__(self) -> str:
        return f"{self.path} {self.md5} {self.flag}".rstrip()


def stanza(fields: Mapping[str, str], status: str, conffiles: Sequence[Conffile] = ()) -> bytes:
    """The stanza of a package that is in *status* (``install ok unpacked``).

    *fields* are those of its control file, and ``Config-Version`` where it was configured once.
    """
    values = {name.lower(): (name, value) for name, value in fields.items()}
    package = values.get("package", ("", ""))[1]
    values["status"] = "Status", status
    values.pop("conffiles", None)
    if conffiles:
        text = "".join(f"\n {conffile}" for conffile in conffiles)
        values["conffiles"] = "Conffiles", text
    lines = [f"Package: {package}"]
    for name in (*_FIRST, *_RELATIONS, *_LAST):
        _, value = values.pop(name.lower(), ("", ""))
        value = _normal(name, value)
        if value and name.lower() not in _LEFT_OUT:
            lines.append(f"{name}:{value}" if name == "Conffiles" else f"{name}: {value}")
    lines += [
        f"{name}: {value}"
        for key, (name, value) in values.items()
        if key not in _LEFT_OUT and value
    ]
    return "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"


def control_fields(raw: bytes) -> dict[str, str]:
    """The fields of one stanza, with all blanks but those around a whole value, as in dpkg."""
    text = raw.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    lines = (line for line in text.split("\n") if line.strip() and line[0] != "#")
    fields: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if line[0] in " \t":
            fields.setdefault(name, [""]).append(line)
        else:
            name, _, value = line.partition(":")
            name = name.rstrip()
            fields[name] = [value]
    return {
        name: "\n".join(value).lstrip(" \t").rstrip() for name, value in fields.items() if name
    }


def conffiles_of(text: str) -> tuple[Conffile, ...]:
    """What the field ``Conffiles`` of a status file says."""
    found = []
    for line in text.split("\n"):
        words = line.strip().split(" ")
        flag = words.pop() if words[-1] in {"obsolete", REMOVED} else ""
        if len(words) > 1:
            found.append(Conffile(" ".join(words[:-1]), words[-1], flag))
    return tuple(found)


def _normal(name: str, value: str) -> str:
    """*value* as dpkg writes the field *name*; empty where it does not."""
    if name in _RELATIONS:
        return ", ".join(shown(clause) for clause in parse_relations(value))
    if name in {"Essential", "Protected"}:
        return "yes" if value.lower() == "yes" else ""
    if name == "Multi-Arch":
        return "" if value == "no" else value
    if name in {"Version", "Config-Version"}:
        return value.removeprefix("0:")
    return value
