"""What pam-auth-update(8) makes: the common files of PAM, out of the profiles of packages."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from artificer.sources.debian.equivalents.files import Files

_PROFILES = "usr/share/pam-configs"
_TEMPLATES = "usr/share/pam"
_MADE = "etc/pam.d"
_STATE = "var/lib/pam"
_TYPES = ("auth", "account", "password", "session", "session-noninteractive")
_FIELD = re.compile(r"(\S+):\s+(.*)")
_LINE = re.compile(r"((?:\[[^]]+\]|\w+)\s+\S+)\s*(.*)")
_PRIMARY = '# here are the per-package modules (the "Primary" block)'
_FALLBACK = "# here's the fallback if no module succeeds"
_ADDITIONAL = '# and here are more per-package modules (the "Additional" block)'
_END = "# end of pam-auth-update config"
_STACK = "[default=1]\t\t\tpam_permit.so"
_NO_MODULE = "pam_tally"  # no longer part of PAM


class _Profile(NamedTuple):
    """What a package has for PAM."""

    name: str
    fields: Mapping[str, str]

    @property
    def rank(self) -> tuple[float, str]:
        """By what profiles are ordered, the highest first."""
        text = self.fields.get("Priority", "").strip()
        return (float(text) if re.fullmatch(r"-?[0-9]+(?:\.[0-9]*)?", text) else 0.0), self.name

    def is_of(self, kind: str, block: str) -> bool:
        """Whether it has lines for the *block* of *kind*."""
        return self.fields.get(f"{kind}-Type") == block

    def lines(self, kind: str, *, first: bool) -> list[str]:
        """Its lines for *kind*; those for who is first in a block may be others."""
        initial = self.fields.get(f"{kind}-Initial") if first else None
        text = initial or self.fields.get(kind, "")
        return [line for line in text.split("\n") if line]


def pam_auth_update(files: Files, _: object = ()) -> None:
    """Take up new profiles that are enabled by default; files that somebody has edited stay."""
    profiles = sorted(_profiles(files), key=lambda one: one.rank, reverse=True)
    seen = set((files.text(f"{_STATE}/seen") or "").split("\n"))
    before = _enabled(files, profiles)
    if any(not _is_made(files, kind, before) for kind in _TYPES):
        return
    if not before:
        seen = set()
    names = {one.name for one in before}
    wanted = [
        one
        for one in profiles
        if one.name in names
        or (one.fields.get("Default", "").strip() == "yes" and one.name not in seen)
    ]
    enabled = _without_conflicts(wanted)
    files.put(f"{_STATE}/seen", "".join(f"{one.name}\n" for one in profiles))
    for kind in _TYPES:
        made = _made(files, kind, enabled)
        if made is not None:
            files.put(f"{_MADE}/common-{kind}", made)
            files.put(f"{_STATE}/{kind}", _saved(kind, enabled))


def _profiles(files: Files) -> Iterator[_Profile]:
    for name in files.listdir(_PROFILES):
        text = files.text(f"{_PROFILES}/{name}")
        if text is None or name.endswith("~") or re.fullmatch("#.+#", name):
            continue
        fields = _fields(text)
        if not any(_NO_MODULE in value for value in fields.values()):
            yield _Profile(name, fields)


def _fields(text: str) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.removesuffix("\n").split("\n"):
        match = _FIELD.match(f"{line}\n")
        if match:
            name = match[1].removesuffix("-Final")
            found[name] = [match[2]]
        elif line.strip():
            found.setdefault(name, []).append(line.strip())
    fields = {name: "\n".join(filter(None, lines)) for name, lines in found.items()}
    if "Session-Interactive-Only" not in fields:
        for part in ("-Type", "", "-Initial"):
            if f"Session{part}" in fields:
                fields[f"Session-noninteractive{part}"] = fields[f"Session{part}"]
    return fields


def _enabled(files: Files, profiles: Sequence[_Profile]) -> list[_Profile]:
    """The profiles that are enabled, as the files that were saved have it."""
    saved = "\n".join(files.text(f"{_STATE}/{kind}") or "" for kind in _TYPES)
    names = set(re.findall("(?m)^Module: (.*)$", saved))
    return [one for one in profiles if one.name in names]


def _is_made(files: Files, kind: str, enabled: Sequence[_Profile]) -> bool:
    """Whether the file of *kind* is not there, or as this makes it."""
    text = files.text(f"{_MADE}/common-{kind}")
    return text is None or text == _made(files, kind, enabled)


def _without_conflicts(enabled: Sequence[_Profile]) -> list[_Profile]:
    out: set[str] = set()
    for one in enabled:
        if one.name not in out:
            out.update(one.fields.get("Conflicts", "").split(", "))
    return [one for one in enabled if one.name not in out]


def _made(files: Files, kind: str, enabled: Sequence[_Profile]) -> str | None:
    """The file of *kind*; None where its template is not there, or has no place for modules."""
    out: list[str] = []
    until = ""
    waiting = [(_PRIMARY, _FALLBACK, "Primary"), (_ADDITIONAL, _END, "Additional")]
    for line in (files.text(f"{_TEMPLATES}/common-{kind}") or "").split("\n"):
        if until and not line.startswith(until):
            continue
        until = ""
        out.append(line)
        if waiting and line.startswith(waiting[0][0]):
            _, until, block = waiting.pop(0)
            out += _block(kind, block, enabled)
    return "\n".join(out) if not waiting and not until else None


def _block(kind: str, block: str, enabled: Sequence[_Profile]) -> list[str]:
    service = kind.removesuffix("-noninteractive")
    lines = _lines(kind, block, enabled)
    if block == "Primary" and not lines:
        return [f"{service}\t{_STACK}"]
    # What jumps to the end of the stack has to know how far that is.
    last = len(lines) if block == "Primary" else len(lines) - 1
    return [f"{service}\t{_jumping(line, last - at)}" for at, line in enumerate(lines)]


def _lines(kind: str, block: str, enabled: Sequence[_Profile]) -> list[str]:
    found = [one for one in enabled if one.is_of(kind.capitalize(), block)]
    return [
        line
        for at, one in enumerate(found)
        for line in one.lines(kind.capitalize(), first=at == 0)
    ]


def _jumping(line: str, count: int) -> str:
    match = _LINE.match(line)
    if match is None:
        return f"{line} "
    options = " ".join(match[2].split())
    return f"{match[1].replace('end', str(count))} {options}"


def _saved(kind: str, enabled: Sequence[_Profile]) -> str:
    """What is noted of the lines of *kind*, before jumps are known."""
    out = []
    for block in ("Primary", "Additional"):
        found = [one for one in enabled if one.is_of(kind.capitalize(), block)]
        for at, one in enumerate(found):
            lines = one.lines(kind.capitalize(), first=at == 0)
            out += [f"Module: {one.name}", *lines] if lines else []
        if block == "Primary" and not found:
            out += ["Module: null", _STACK]
    return "".join(f"{line}\n" for line in out)
