"""What programs of an image stand on: the system, the loaders of their libraries, interpreters."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from artificer.errors import ArtificerError
from artificer.images.files import read_file, tree_of
from artificer.images.reach import Reach
from artificer.layers.entry import FILE, HARDLINK
from artificer.layers.tree import Tree
from artificer.oci.image import Image

_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_RELEASE_BYTES = 64 * 1024
_LINE = re.compile(r"""(ID|VERSION_ID)=(["']?)([^"'\n]*)\2\s*""")
# What the kernel is told to start a program by (PT_INTERP): it names one of these folders.
_LOADER_FOLDERS = ("lib", "lib32", "lib64", "libx32")
_LOADER = re.compile(r"ld-(linux|musl)[\w.-]*\.so\.\d+|ld64\.so\.\d+|ld\.so\.\d+")
# Their libraries lie in folders of this very version.
_INTERPRETER_FOLDERS = ("bin", "usr/bin", "usr/local/bin")
_INTERPRETER = re.compile(r"(python|pypy|ruby|perl|php)\d+\.\d+")


class Unfit(ArtificerError):
    """A base that an image's own layers would probably not work upon."""


class Foundation(NamedTuple):
    """*system* is ``debian 12``, or nothing; *loaders* and *interpreters* are paths."""

    system: str
    loaders: tuple[str, ...]
    interpreters: tuple[str, ...]


def foundation_of(image: Image, reach: Reach) -> Foundation:
    """Return what *image* offers to programs, read out of the lists of its files."""
    tree = tree_of(image, reach)
    return Foundation(
        _system(image, tree, reach),
        tuple(_found(tree, _LOADER_FOLDERS, _LOADER)),
        tuple(_found(tree, _INTERPRETER_FOLDERS, _INTERPRETER)),
    )


def check_fit(old: Image, new: Image, reach: Reach) -> None:
    """Raise `Unfit` unless what was built upon *old* may be expected to run upon *new*.

    That is: the same system and version, and every loader and interpreter that there was.
    """
    was, now = foundation_of(old, reach), foundation_of(new, reach)
    problems = []
    if was.system != now.system:
        problems.append(f"it is {now.system or 'no known system'}, not {was.system or 'none'}")
    for path in (*was.loaders, *was.interpreters):
        if path not in (*now.loaders, *now.interpreters):
            problems.append(f"it has no {path}")
    if problems:
        raise Unfit(
            f"the new base {new.digest.short} does not fit: {'; '.join(problems)}",
            hint="build the image anew upon it, or use --force if you know that it works",
        )


def _system(image: Image, tree: Tree, reach: Reach) -> str:
    for path in _RELEASE:
        file = tree.lookup(path)
        if file is not None and file.kind in {FILE, HARDLINK}:
            text = read_file(image, path, _RELEASE_BYTES, reach).decode("utf-8", "replace")
            return system_of(text)
    return ""


def system_of(release: str) -> str:
    """Return what an os-release says that the system is: ``debian 12``, ``alpine 3.19``.

    Of a version the first two numbers count: alpine's third is a patch of the same libraries.
    """
    told = {}
    for line in release.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match:
            told[match[1]] = match[3]
    version = ".".join(told.get("VERSION_ID", "").split(".")[:2])
    return f"{told.get('ID', '')} {version}".strip()


def _found(tree: Tree, folders: tuple[str, ...], pattern: re.Pattern[str]) -> Iterator[str]:
    for folder in folders:
        for name in tree.listdir(folder):
            if pattern.fullmatch(name):
                yield f"/{folder}/{name}"
