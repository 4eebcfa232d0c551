"""What ldconfig(8) makes: links by the names that libraries have, and the loader's cache."""

import fnmatch
import os
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from artificer.layers.entry import FILE, HARDLINK, SYMLINK
from artificer.sources.debian.equivalents.elf import Library, library
from artificer.sources.debian.equivalents.files import Files
from artificer.sources.debian.equivalents.ldcache import Cached, ld_cache, newer, read_ld_cache

CACHE = "etc/ld.so.cache"
_CONFIGURED = "etc/ld.so.conf"
_PROGRAMS = ("sbin/ldconfig.real", "sbin/ldconfig")
_GENERATOR = re.compile(rb"ldconfig \([ -(*-~]{1,200}\) [ -~]{1,200}? release version [ -~]{1,40}")
_BUILT_IN = ("/lib", "/usr/lib")
_LIBRARY = re.compile(r"(?:lib|ld-).*\.so.*|ld\.so\..*|ld64\.so\..*", re.DOTALL)
_MOST_PROGRAM = 8 << 20
_MOST_FILES = 200  # settings that include one another, each one deeper


class _Found(NamedTuple):
    """A name in a directory that is a library's; *link*: it is one that stands for itself."""

    name: str
    soname: str
    flags: int
    link: bool


def ldconfig(files: Files, _: object = ()) -> None:
    """Make the links and the cache, if the image has an ldconfig that would.

    What the base's cache says of the base's libraries is believed: they are not read again.
    """
    generator = _generator(files)
    known = {one.path: one for one in read_ld_cache(_bytes(files, CACHE))}
    if generator is None or (files.has_base and not known):
        return
    found: list[Cached] = []
    for directory, hwcaps in _directories(files):
        for one in _libraries(files, directory, known):
            if not one.link:
                _link(files, directory, one)
            path = f"{directory}/{one.soname}"
            found.append(Cached(one.soname, path, one.flags, hwcaps))
    files.put(CACHE, ld_cache(found, generator, big=bool(found) and found[0].flags == 0x0403))


def _generator(files: Files) -> str | None:
    """What ldconfig says of itself in its caches, out of the program."""
    for path in _PROGRAMS:
        if files.is_file(path):
            match = _GENERATOR.search(files.part(path, 0, _MOST_PROGRAM))
            return match[0].decode() if match else None
    return None


def _bytes(files: Files, path: str) -> bytes:
    return files.read(path) if files.is_file(path) else b""


def _directories(files: Files) -> Iterator[tuple[str, str]]:
    """Yield each directory that is searched once, and what below ``glibc-hwcaps`` it is."""
    seen: set[str] = set()
    for directory in (*_configured(files, _CONFIGURED, set()), *_BUILT_IN):
        real = files.resolve(directory)
        if real in seen or not files.is_directory(directory):
            continue
        seen.add(real)
        for name in files.listdir(f"{directory}/glibc-hwcaps"):
            yield f"{directory}/glibc-hwcaps/{name}", name
        yield directory, ""


def _configured(files: Files, path: str, seen: set[str]) -> Iterator[str]:
    """Yield the directories that *path* names, and what it includes: each file once."""
    real = files.resolve(path)
    if real in seen or len(seen) >= _MOST_FILES:
        return
    seen.add(real)
    for line in (files.text(path) or "").split("\n"):
        words = line.partition("#")[0].split()
        if words[:1] == ["include"]:
            for pattern in words[1:]:
                where = (
                    pattern if pattern.startswith("/") else f"{os.path.dirname(path)}/{pattern}"
                )
                for one in _matching(files, where):
                    yield from _configured(files, one, seen)
        elif words and words[0] not in {"include", "hwcap"}:
            text = line.partition("#")[0].strip().partition("=")[0].rstrip()
            if text.startswith("/"):
                yield text.rstrip("/") or "/"


def _matching(files: Files, pattern: str) -> Iterator[str]:
    folder, _, name = pattern.rpartition("/")
    for one in files.listdir(folder):
        if fnmatch.fnmatchcase(one, name) and not one.startswith("."):
            yield f"{folder}/{one}"


def _libraries(files: Files, directory: str, known: Mapping[str, Cached]) -> list[_Found]:
    """The libraries of *directory*, one of each name."""
    chosen: dict[str, _Found] = {}
    for name in files.listdir(directory):
        one = _found(files, directory, name, known)
        if one is None:
            continue
        other = chosen.get(one.soname)
        better = other is None or (
            (other.link and not one.link)
            or (other.link == one.link and newer(other.name, one.name) < 0)
        )
        if better:
            chosen[one.soname] = one
    return list(chosen.values())


def _found(files: Files, directory: str, name: str, known: Mapping[str, Cached]) -> _Found | None:
    if not _LIBRARY.fullmatch(name) or name.endswith((".dpkg-new", ".dpkg-tmp", "-gdb.py")):
        return None
    path = f"{directory}/{name}"
    itself, target = files.itself(path), files.lookup(path)
    if itself is None or target is None or target.kind not in {FILE, HARDLINK}:
        return None
    link = itself.kind == SYMLINK
    if files.is_of_base(target.path):
        told = known.get(path)
        return _Found(name, name, told.flags, link=True) if told else None
    read: Library | None = library(lambda at, size: files.part(target.path, at, size))
    if read is None:
        return None
    soname = read.soname if read.soname is not None else _implicit(name)
    if link and name != soname:
        link = name.endswith(".so") and soname.startswith(name)
    return _Found(name, name if link else soname, read.flags, link)


def _implicit(name: str) -> str:
    """What ldconfig calls a library that has no name for itself: by its file up to the version."""
    match = re.match(r"(ld-.*?\.so\.[^.]*|.*?\.so\.[^.]*).*", name)
    return name if match is None else match[1]


def _link(files: Files, directory: str, one: _Found) -> None:
    """Let the library's name lead to the file that has it."""
    path = f"{directory}/{one.soname}"
    if files.resolve(path) == files.resolve(f"{directory}/{one.name}"):
        return
    there = files.itself(path)
    if there is None or there.kind == SYMLINK:
        files.put_link(path, one.name)
