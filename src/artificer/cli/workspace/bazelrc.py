"""Bazel's rc files: options for its commands, by line, with the files that they import."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from artificer import limits
from artificer.errors import Misused
from artificer.frontends.buildfile.files import ROOTS, first_file

_SYSTEM = "/etc/bazel.bazelrc"
_IMPORTS = 20
# What a command takes besides its own lines, the least special first.
_ABOVE: Mapping[str, tuple[str, ...]] = {
    "build": ("always", "common"),
    "test": ("always", "common", "build"),
    "run": ("always", "common", "build"),
    "clean": ("always", "common", "build"),
    "info": ("always", "common", "build"),
    "query": ("always", "common"),
    "cquery": ("always", "common", "build", "test"),
}


class InvalidRc(Misused):
    """An rc file that cannot be read, or has a line that is none."""


class Line(NamedTuple):
    """A line of an rc file: *words* are options for *command*, if *config* is asked for."""

    place: str
    command: str
    config: str
    words: tuple[str, ...]


class Wanted(NamedTuple):
    """Which files are read: the usual ones as far as they are wanted, then *files*."""

    system: bool = True
    workspace: bool = True
    home: bool = True
    files: tuple[str, ...] = ()

    def without(self, kind: str, *, given: bool) -> "Wanted":
        """The same, with the usual file of *kind* only if *given* says so."""
        return Wanted(
            given if kind == "system" else self.system,
            given if kind == "workspace" else self.workspace,
            given if kind == "home" else self.home,
            self.files,
        )


def rc_lines(wanted: Wanted, directory: str, home: str) -> tuple[Line, ...]:
    """Every line of the files that *wanted* names, for a call in *directory*."""
    root = _root(directory)
    usual = [
        _SYSTEM if wanted.system else "",
        os.path.join(root, ".bazelrc") if wanted.workspace and root else "",
        os.path.join(home, ".bazelrc") if wanted.home and home else "",
    ]
    lines: list[Line] = []
    seen: set[str] = set()
    for path in filter(None, usual):
        real = os.path.realpath(path)
        if os.path.isfile(real) and real not in seen:
            seen.add(real)
            lines += _read(path, root, 0)
    for path in wanted.files:
        if path == os.devnull:
            break
        lines += _read(os.path.join(directory, path), root, 0)
    return tuple(lines)


def lines_for(command: str, lines: Sequence[Line], config: str = "") -> Iterator[Line]:
    """Those of *lines* that *command* takes, the least special first; they may be none.

    With *config*, those of that configuration; none at all is an error.
    """
    found = False
    for name in (*_ABOVE.get(command, ()), command):
        for line in lines:
            if line.command == name and line.config == config:
                found = True
                yield line
    if config and not found and not any(line.config == config for line in lines):
        known = sorted({line.config for line in lines if line.config})
        raise InvalidRc(
            f"--config={config}: no rc file defines it",
            hint=f"they define {', '.join(known)}" if known else "no .bazelrc has a configuration",
        )


def _root(directory: str) -> str:
    current = os.path.abspath(directory)
    while first_file(current, ROOTS) is None:
        parent = os.path.dirname(current)
        if parent == current:
            return ""
        current = parent
    return current


def _read(path: str, root: str, depth: int) -> Iterator[Line]:
    if depth > _IMPORTS:
        raise InvalidRc(f"{path}: rc files that import each other")
    for number, text in _whole_lines(path):
        place = f"{path}:{number}"
        try:
            words = shlex.split(text, comments=True)
        except ValueError as error:
            raise InvalidRc(f"{place}: {str(error).lower()}") from error
        if not words:
            continue
        if words[0] in {"import", "try-import"}:
            yield from _imported(words, place, root, depth)
            continue
        command, _, config = words[0].partition(":")
        yield Line(place, command, config, tuple(words[1:]))


def _imported(words: Sequence[str], place: str, root: str, depth: int) -> Iterator[Line]:
    if len(words) != 2:
        raise InvalidRc(f"{place}: {words[0]} takes one file")
    path = words[1].replace("%workspace%", root)
    if "%" in path:
        raise InvalidRc(f"{place}: only %workspace% stands for something: {words[1]}")
    if words[0] == "try-import" and not os.path.isfile(path):
        return
    if not os.path.isfile(path):
        raise InvalidRc(f"{place}: there is no {path} to import")
    yield from _read(path, root, depth + 1)


def _whole_lines(path: str) -> Iterator[tuple[int, str]]:
    """The lines of *path*, those that end with a backslash joined, each with its number."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(limits.BUILD_FILE_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise InvalidRc(f"{path} cannot be read: {str(reason).lower()}") from error
    if len(text) > limits.BUILD_FILE_BYTES:
        raise InvalidRc(f"{path} has more than {limits.BUILD_FILE_BYTES} bytes")
    start, joined = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        yield start, joined + line
        start, joined = number + 1, ""
