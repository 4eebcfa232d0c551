"""Labels: the names of targets, files and repositories, and patterns over them."""

import re
from functools import lru_cache
from typing import NamedTuple

from artificer.errors import ArtificerError


class InvalidLabel(ArtificerError):
    """A label that Bazel would not take either."""


class PackageId(NamedTuple):
    """A package: the *path* of its directory below the root of *repository* ("" is our own)."""

    repository: str
    path: str

    def __str__(self) -> str:
        """``//nginx``, ``@repo//nginx``."""
        return f"@{self.repository}//{self.path}" if self.repository else f"//{self.path}"

    @property
    def prefix(self) -> str:
        """What `Call.package` holds: ``nginx``, ``@repo//nginx``."""
        return str(self) if self.repository else self.path


class Label(NamedTuple):
    """The target or file *name* of a package. Its text is canonical: ``//a:b``, ``@r//a:b``."""

    repository: str
    package: str
    name: str

    def __str__(self) -> str:
        """``//nginx:nginx``, ``@repo//nginx:nginx``."""
        return f"{self.home}:{self.name}"

    @property
    def home(self) -> PackageId:
        """The package that it is in."""
        return PackageId(self.repository, self.package)


class Pattern(NamedTuple):
    """Several targets: those of *package*, and with *below* of all packages under it.

    *files* counts files as well (``:*``); *excludes* takes away (``-//a/...``).
    """

    package: PackageId
    below: bool
    files: bool = False


# https://bazel.build/concepts/labels: letters, digits and !%-@^_"#$&'()*+,;<=>?[]{|}~/.
_NAME = re.compile(r"""[\w!%\-@^"#$&'()*+,;<=>?\[\]{|}~/. ]+""")
_PACKAGE = re.compile(r"""[\w!%\-@^"#$&'()*+,;<=>?\[\]{|}~/. ]*""")
_REPOSITORY = re.compile(r"[\w.+~-]*")
# Tools of rule sets are named so often that they are worth a note: `@@x//` is canonical form.
_SHOWN = 200


@lru_cache(1 << 16)
def parse_label(text: str, here: PackageId) -> Label:
    """The label that *text* is in a file of the package *here*."""
    repository, rest = _repository(text, here)
    if rest.startswith("//"):
        package, colon, name = rest[2:].partition(":")
        if not colon:
            name = package.rsplit("/", 1)[-1] or repository
    elif repository != here.repository or text.startswith("@"):
        # `@name` is short for `@name//:name`.
        package, name = "", rest or repository
    else:
        package, name = here.path, rest[1:] if rest.startswith(":") else rest
    return Label(repository, _package(package, text), _name(name, text))


def _repository(text: str, here: PackageId) -> tuple[str, str]:
    if not text.startswith("@"):
        return here.repository, text
    name, slashes, rest = text.lstrip("@").partition("//")
    # `@//x` is the main repository from anywhere.
    if not _REPOSITORY.fullmatch(name):
        raise _invalid(text, "a repository's name has letters, digits, `.`, `_`, `-`, `+`, `~`")
    return name, slashes + rest


def _package(package: str, text: str) -> str:
    if not _PACKAGE.fullmatch(package):
        raise _invalid(text, "a package's name has a character that none may have")
    if package.startswith("/") or package.endswith("/") or "//" in package:
        raise _invalid(text, "a package's name has an empty part")
    if any(part in {".", ".."} for part in package.split("/")):
        raise _invalid(text, "a package's name has no `.` or `..`")
    return package


def _name(name: str, text: str) -> str:
    if not name:
        raise _invalid(text, "it names no target")
    if not _NAME.fullmatch(name):
        raise _invalid(text, "a target's name has a character that none may have")
    if name.startswith("/"):
        raise _invalid(text, "a target's name is a path below its package")
    parts = name.split("/")
    if ".." in parts or "" in parts[1:] or ("." in parts and name != "."):
        raise _invalid(text, "a target's name has no `.`, `..` or empty part")
    return name


def _invalid(text: str, why: str) -> InvalidLabel:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return InvalidLabel(f"not a label: {shown!r}: {why}")


def parse_pattern(text: str, here: PackageId) -> Pattern | Label:
    """What *text* asks for on a command line given in the directory of *here*.

    There, ``a/b`` is below *here*; in a BUILD file it would be a file's name.
    """
    absolute = text.startswith(("//", "@", ":"))
    if text in {"...", ":all", ":all-targets", ":*"}:
        return Pattern(here, text == "...", text in {":all-targets", ":*"})
    if not absolute:
        below = f"{here.path}/" if here.path else ""
        text = f"{PackageId(here.repository, '')}{below}{text}"
    package, _, name = text.partition(":")
    if package == "//..." or package.endswith("/..."):
        parent = package.removesuffix("...")
        parent = parent if parent.endswith("//") else parent.removesuffix("/")
        home = parse_label(f"{parent}:all", here).home
        return Pattern(home, below=True, files=name in {"all-targets", "*"})
    if name in {"all", "all-targets", "*"}:
        return Pattern(parse_label(text, here).home, below=False, files=name != "all")
    return parse_label(text, here)
