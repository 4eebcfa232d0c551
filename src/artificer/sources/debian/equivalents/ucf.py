"""What ucf(1) and ucfr(1) make: settings that a package copies, and their memory of them."""

import hashlib
from collections.abc import Sequence

from artificer.sources.debian.equivalents.files import Files

_STATE = "var/lib/ucf"
_NOT_KEPT = 25600


def ucf(files: Files, words: Sequence[str]) -> None:
    """Put the settings, the first of *words*, at the second, unless they were edited there."""
    source, path = words
    if not files.is_file(source):
        return
    first = files.lookup(source)
    data = files.read(source)
    known = _lines(files, "hashfile")
    if files.is_file(path) and f"{_md5(files.read(path))}  {path}" not in known:
        return
    kept = [line for line in known if line.partition("  ")[2] != path]
    places = (path, f"{_STATE}/cache/{path.replace('/', ':')}")
    for place in places if len(data) < _NOT_KEPT else places[:1]:
        files.put(place, data, first.mode if first is not None else None)
        files.change(place, mtime=first.mtime if first is not None else None)
    _write(files, "hashfile", [*kept, f"{_md5(data)}  {path}"])


def ucfr(files: Files, words: Sequence[str]) -> None:
    """Note that settings, the second of *words*, are of the package that is the first."""
    line = f"{words[0]} \t {words[1]}"
    known = _lines(files, "registry")
    if line not in known:
        _write(files, "registry", [*known, line])


def _lines(files: Files, name: str) -> list[str]:
    return (files.text(f"{_STATE}/{name}") or "").split("\n")[:-1]


def _write(files: Files, name: str, lines: Sequence[str]) -> None:
    files.put(f"{_STATE}/{name}", "".join(f"{line}\n" for line in lines))


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
