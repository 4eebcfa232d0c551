"""What deb-systemd-helper(1p) makes: links that enable units, and its memory of them."""

import fnmatch
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from artificer.layers.entry import SYMLINK
from artificer.sources.debian.equivalents.files import Files

_STATES = {
    "system": "var/lib/systemd/deb-systemd-helper-enabled",
    "user": "var/lib/systemd/deb-systemd-user-helper-enabled",
}
_SYSTEMCTL = "usr/bin/systemctl"
_SHARED = re.compile(r"libsystemd-shared-([0-9]{1,4})\.so")
_ONE_NAME = 256
_PRESETS = ("etc", "run", "usr/local/lib", "usr/lib")
_WANTS = {"wantedby": "wants", "requiredby": "requires"}
_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]+\.[a-z]+")
_TEMPLATE = re.compile(r"(.*@)(\.\w+)")
_MOST = 64


class _Link(NamedTuple):
    path: str
    target: str


def unit_enabled(files: Files, words: Sequence[str]) -> None:
    """Enable a unit, the second of *words*, of an instance, the first, if it was not disabled."""
    instance, unit = words
    state = _state(instance, unit)
    links = _closure(files, instance, unit)
    systemctl = files.is_file(_SYSTEMCTL)
    known = files.text(state)
    before = dict.fromkeys(line for line in (known or "").split("\n") if line)
    if any(not _is_link(files, line) for line in before):
        unit_noted(files, words)
        return
    creates = True
    if systemctl:
        creates = known is None and _is_wanted(files, instance, unit)
        creates = creates or (
            known is not None and any(_is_link(files, one.path) for one in links)
        )
    for link in links:
        before.setdefault(link.path)
        mark = link.path.replace(f"/etc/systemd/{instance}/", f"/{_STATES[instance]}/", 1)
        if files.is_file(mark):
            continue
        if creates and not _is_link(files, link.path):
            files.put_link(link.path, _target(files, link) if systemctl else link.target)
        files.put(mark, b"")
    if links:
        files.put(state, "".join(f"{line}\n" for line in before))


def _target(files: Files, link: _Link) -> str:
    """What systemctl(1) calls a unit: since 256 it knows those of the system by no other name."""
    known = ("/lib/systemd/user/",) if _version(files) < _ONE_NAME else ("/lib/systemd/",)
    return f"/usr{link.target}" if link.target.startswith(known) else link.target


def _version(files: Files) -> int:
    """Which systemd it is, by its library."""
    for folder in files.listdir("usr/lib"):
        for name in files.listdir(f"usr/lib/{folder}/systemd"):
            match = _SHARED.fullmatch(name)
            if match:
                return int(match[1])
    return _ONE_NAME


def unit_noted(files: Files, words: Sequence[str]) -> None:
    """Note which links would enable a unit, without making any."""
    instance, unit = words
    links = _closure(files, instance, unit)
    files.put(_state(instance, unit), "".join(f"{one.path}\n" for one in links))


def _state(instance: str, unit: str) -> str:
    return f"{_STATES[instance]}/{unit}.dsh-also"


def _is_link(files: Files, path: str) -> bool:
    entry = files.itself(path)
    return entry is not None and entry.kind == SYMLINK


def _unit_path(files: Files, instance: str, unit: str) -> str | None:
    folders = (f"etc/systemd/{instance}", f"lib/systemd/{instance}", f"usr/lib/systemd/{instance}")
    paths = (f"{folder}/{unit}" for folder in folders)
    return next((path for path in paths if files.is_file(path)), None)


def _closure(files: Files, instance: str, unit: str) -> list[_Link]:
    """All links that enabling *unit* makes, with those of units that are enabled along with it."""
    return list(_links(files, instance, unit, {unit}))


def _links(files: Files, instance: str, unit: str, visited: set[str]) -> Iterator[_Link]:
    path = _unit_path(files, instance, unit)
    if path is None or len(visited) > _MOST:
        return
    folder, target = f"/etc/systemd/{instance}", f"/{path}"
    wanted, name = [], unit
    for key, value in _settings(files.text(path) or ""):
        names = [one for one in re.sub("[\"']", "", value).split() if _NAME.fullmatch(one)]
        if key in _WANTS:
            wanted += [f"{folder}/{one}.{_WANTS[key]}" for one in names]
        elif key == "also":
            new = [one for one in dict.fromkeys(names) if one not in visited]
            visited.update(new)
            for one in new:
                yield from _links(files, instance, one, visited)
        elif key == "alias":
            yield from (_Link(f"{folder}/{one}", target) for one in names if one != unit)
        elif key == "defaultinstance":
            name = _instance(unit, value.strip("\"' "))
    yield from (_Link(f"{one}/{name}", target) for one in wanted)


def _instance(unit: str, name: str) -> str:
    match = _TEMPLATE.fullmatch(unit)
    return unit if match is None or "/" in name else f"{match[1]}{name}{match[2]}"


def _settings(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        key, equals, value = line.strip().partition("=")
        if equals and value:
            yield key.lower(), value


def _is_wanted(files: Files, instance: str, unit: str) -> bool:
    """Whether the presets of the image let *unit* be enabled: the first line that names it."""
    found: dict[str, str] = {}
    for place in _PRESETS:
        folder = f"{place}/systemd/{instance}-preset"
        for name in files.listdir(folder):
            if name.endswith(".preset"):
                found.setdefault(name, files.text(f"{folder}/{name}") or "")
    for name in sorted(found):
        for line in found[name].split("\n"):
            words = line.split()
            if len(words) > 1 and fnmatch.fnmatchcase(unit, words[1]):
                return words[0] == "enable"
    return True
