"""The files of a workspace: its root, its packages, and what a glob finds in them."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from artificer.errors import ArtificerError, Misused

WORKSPACES = ("WORKSPACE.bazel", "WORKSPACE")
MODULE = "MODULE.bazel"
ROOTS = (MODULE, *WORKSPACES, "WORKSPACE.bzlmod", "REPO.bazel")
BUILD_FILES = ("BUILD.bazel", "BUILD")
# Links that a build leaves at the root: to follow them would be to read outputs as sources.
_OUTPUTS = ("bazel-", "artificer-")


class InvalidGlob(ArtificerError):
    """A pattern that Bazel would not take either."""


def find_root(directory: str) -> str:
    """The directory at or above *directory* that is the root of a workspace."""
    current = os.path.abspath(directory)
    while True:
        if any(os.path.isfile(os.path.join(current, name)) for name in ROOTS):
            return current
        parent = os.path.dirname(current)
        if parent == current:
            raise Misused(
                f"no workspace: neither {directory} nor any directory above it has a "
                "WORKSPACE or MODULE.bazel file",
                hint="an empty file called MODULE.bazel makes a directory a workspace",
            )
        current = parent


def first_file(directory: str, names: Sequence[str]) -> str | None:
    """Which of *names* is a file in *directory*; the first counts."""
    return next((n for n in names if os.path.isfile(os.path.join(directory, n))), None)


class Files:
    """The files below the root of a repository, each directory read once.

    *instead* is the BUILD file of its root, where another one stands in for it: its path in
    errors, and its text. They may be *fetched*, and so another's.
    """

    def __init__(
        self, root: str, instead: tuple[str, str] | None = None, *, fetched: bool = False
    ) -> None:
        self.root = root
        self.instead = instead
        self.fetched = fetched
        self._listed: dict[str, list[tuple[str, bool]]] = {}
        self._build_files: dict[str, str | None] = {}
        self._ignored = _ignored(root)

    def path(self, *parts: str) -> str:
        """Where a file is that is called *parts* below the root."""
        return os.path.join(self.root, *filter(None, parts))

    def build_file(self, package: str) -> str | None:
        """The name of the BUILD file of *package*, None if that is no package."""
        if package not in self._build_files:
            found = first_file(self.path(package), BUILD_FILES)
            if self.instead and not package:
                found = self.instead[0]
            self._build_files[package] = None if self._is_ignored(package) else found
        return self._build_files[package]

    def package_of(self, path: str) -> str | None:
        """The innermost package that holds the file *path*."""
        while path:
            path = path.rpartition("/")[0]
            if self.build_file(path):
                return path
        return None

    def packages(self, below: str) -> list[str]:
        """All packages at or below the directory *below*, sorted."""
        found = [below] if self.build_file(below) else []
        for name, is_directory in self._list(below):
            child = f"{below}/{name}" if below else name
            if is_directory and not self._is_ignored(child):
                found += self.packages(child)
        return found

    def subpackages(self, package: str, pattern: "Glob") -> list[str]:
        """The packages right below *package* (none within another) that *pattern* takes."""
        found: list[str] = []
        for name, is_directory in self._list(package):
            child = f"{package}/{name}" if package else name
            if is_directory and not self._is_ignored(child):
                found += [child] if self.build_file(child) else self.subpackages(child, _ALL)
        skip = len(package) + 1 if package else 0
        return [child for child in found if pattern(child[skip:])]

    def glob(self, package: str, patterns: Sequence[str], *, directories: bool) -> set[str]:
        """The files of *package* (not of those below it) that match one of *patterns*."""
        found: set[str] = set()
        for pattern in patterns:
            parts = checked_glob(pattern).split("/")
            found.update(self._matching(package, "", parts, directories=directories))
        return found

    def _matching(
        self, package: str, done: str, parts: Sequence[str], *, directories: bool
    ) -> Iterator[str]:
        first, rest = parts[0], parts[1:]
        below = parts if first == "**" else rest
        if first == "**":
            # No directory at all is also matched by `**`; a last one stands for all files below.
            yield from self._matching(package, done, rest or ["*"], directories=directories)
        matches = _part(first)
        for name, is_directory in self._list(f"{package}/{done}".strip("/")):
            if not matches(name):
                continue
            path = f"{done}/{name}" if done else name
            if is_directory and self.build_file(f"{package}/{path}".strip("/")):
                continue
            if not below and (directories or not is_directory):
                yield path
            if below and is_directory:
                yield from self._matching(package, path, below, directories=directories)

    def _list(self, directory: str) -> list[tuple[str, bool]]:
        """The names in *directory*, sorted, and whether each is a directory."""
        if directory not in self._listed:
            self._listed[directory] = self._read(directory)
        return self._listed[directory]

    def _read(self, directory: str) -> list[tuple[str, bool]]:
        try:
            with os.scandir(self.path(directory)) as entries:
                found = sorted(
                    (e.name, e.is_dir()) for e in entries if not self._leads_out(e, directory)
                )
        except (FileNotFoundError, NotADirectoryError):
            return []
        for name, _ in found:
            if not name.isprintable() and not name.isascii():
                _checked_name(name, directory)
        return found

    def _leads_out(self, entry: "os.DirEntry[str]", directory: str) -> bool:
        """Whether *entry* is a link to outputs, or back to where it is in."""
        if not entry.is_symlink():
            return False
        if not directory and entry.name.startswith(_OUTPUTS):
            return True
        here = os.path.realpath(self.path(directory))
        there = os.path.realpath(entry.path)
        return here == there or here.startswith(f"{there}/")

    def _is_ignored(self, directory: str) -> bool:
        return any(directory == i or directory.startswith(f"{i}/") for i in self._ignored)


Glob = Callable[[str], bool]


def _checked_name(name: str, directory: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.path.join(directory, name).encode(errors="surrogateescape")
        raise InvalidGlob(f"a file's name is not UTF-8: {shown!r}") from None


def checked_glob(pattern: str) -> str:
    """*pattern*, if it is one that stays within its package."""
    parts = pattern.split("/")
    if not pattern or pattern.startswith("/") or "" in parts[:-1] or {".", ".."} & set(parts):
        raise InvalidGlob(f"not a pattern of files below the package: {pattern!r}")
    if any("**" in part and part != "**" for part in parts):
        raise InvalidGlob(f"`**` is only allowed as a whole part of a path: {pattern!r}")
    if "?" in pattern:
        raise InvalidGlob(f"`?` is not allowed in a pattern: {pattern!r}", hint="`*` is")
    return pattern


@cache
def matcher(pattern: str) -> Glob:
    """Whether a path below the package matches *pattern*."""
    regex = ""
    parts = checked_glob(pattern).split("/")
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            regex += ".*" if last else "(?:[^/]+/)*"
        else:
            regex += _regex(part) + ("" if last else "/")
    compiled = re.compile(regex, re.DOTALL)
    return lambda path: compiled.fullmatch(path) is not None


def _regex(part: str) -> str:
    # As in Bazel: `*` alone takes hidden files, `*.txt` does not.
    hidden = "(?![.])" if part.startswith("*") and part != "*" else ""
    return hidden + "[^/]*".join(map(re.escape, part.split("*")))


@cache
def _part(part: str) -> Glob:
    if part in {"*", "**"}:
        return lambda _: True
    if "*" not in part:
        return part.__eq__
    compiled = re.compile(_regex(part), re.DOTALL)
    return lambda name: compiled.fullmatch(name) is not None


_ALL = matcher("**")


def _ignored(root: str) -> tuple[str, ...]:
    try:
        with open(os.path.join(root, ".bazelignore"), encoding="utf-8") as file:
            lines = (line.strip().strip("/") for line in file)
            return tuple(line for line in lines if line and not line.startswith("#"))
    except FileNotFoundError:
        return ()
