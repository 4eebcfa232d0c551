"""Which Debian packages an image has, by dpkg's database or `status.d`. Pure.

Written for `artificer packages list`; whoever installs packages asks it, too.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from artificer.layers.entry import FILE, HARDLINK
from artificer.layers.tree import Tree
from artificer.sources.debian.deb822 import stanzas
from artificer.sources.debian.values import Installed

STATUS = "var/lib/dpkg/status"
PIECES = "var/lib/dpkg/status.d"
"""A file for each package, where there is no dpkg: distroless images have it so."""
RELEASES = ("etc/os-release", "usr/lib/os-release")

_NO_STANZA = (".md5sums", ".list", ".conffiles", ".triggers")
_DIGITS = 16
_GONE = frozenset({"not-installed", "config-files"})


class Distribution(NamedTuple):
    """What os-release(5) says an image is."""

    id: str = ""
    version: str = ""
    name: str = ""
    codename: str = ""


class Listed(NamedTuple):
    """A package that an image has, and the *path* of the file that says so."""

    package: Installed
    path: str


class Changed(NamedTuple):
    """A package that two images have differently; None is one that has it not."""

    name: str
    architecture: str
    before: str | None
    after: str | None


def files_of(tree: Tree) -> tuple[str, ...]:
    """The paths of the files that say which packages *tree* has, in their order."""
    pieces = [f"{PIECES}/{name}" for name in tree.listdir(PIECES) if not name.endswith(_NO_STANZA)]
    return tuple(path for path in (STATUS, *pieces) if _is_file(tree, path))


def release_of(tree: Tree) -> str | None:
    """The path of the file that says which distribution *tree* is."""
    return next((path for path in RELEASES if _is_file(tree, path)), None)


def _is_file(tree: Tree, path: str) -> bool:
    file = tree.lookup(path)
    return file is not None and file.kind in {FILE, HARDLINK}


def installed(files: Mapping[str, bytes]) -> tuple[Installed, ...]:
    """The packages that *files* list, sorted; of one that is there twice, what came first."""
    return tuple(one.package for one in listed(files))


def listed(files: Mapping[str, bytes]) -> tuple[Listed, ...]:
    """`installed`, with the file that each package was found in.

    What was removed and left its configuration behind is none.
    """
    found: dict[tuple[str, str], Listed] = {}
    for path, data in files.items():
        for fields in stanzas(data, f"/{path}"):
            one = _installed(fields)
            if one is not None and one.status not in _GONE:
                found.setdefault((one.name, one.architecture), Listed(one, path))
    return tuple(found[key] for key in sorted(found))


def size_of(package: Installed) -> int | None:
    """What *package* says its files take, in bytes; it is an estimate, in steps of 1024."""
    text = package.field("Installed-Size").strip()
    return int(text) * 1024 if text.isdecimal() and len(text) < _DIGITS else None


def _installed(fields: Mapping[str, str]) -> Installed | None:
    lower = {key.lower(): value for key, value in fields.items()}
    name, version = lower.get("package", "").strip(), lower.get("version", "").strip()
    words = lower.get("status", "install ok installed").split()
    if not name or len(words) != 3:
        return None
    return Installed(
        name,
        version,
        lower.get("architecture", "").strip(),
        tuple(fields.items()),
        words[2],
        words[0],
    )


def source_of(package: Installed) -> tuple[str, str]:
    """The source package of *package*, and its version: its own unless it says otherwise."""
    name, _, rest = package.field("Source").strip().partition(" ")
    version = rest.strip().removeprefix("(").removesuffix(")")
    return name or package.name, version or package.version


def distribution(data: bytes) -> Distribution:
    """What a file of os-release(5) says."""
    found: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            found[key] = _unquoted(value.strip())
    return Distribution(
        found.get("ID", ""),
        found.get("VERSION_ID", ""),
        found.get("PRETTY_NAME", ""),
        found.get("VERSION_CODENAME", ""),
    )


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    for escaped in ('\\"', "\\$", "\\`", "\\\\"):
        text = text.replace(escaped, escaped[1])
    return text


def changes(before: Iterable[Installed], after: Iterable[Installed]) -> tuple[Changed, ...]:
    """What was added, removed, or is there in another version, sorted by name."""
    was = {(one.name, one.architecture): one.version for one in before}
    now = {(one.name, one.architecture): one.version for one in after}
    return tuple(
        Changed(*key, was.get(key), now.get(key))
        for key in sorted(was.keys() | now.keys())
        if was.get(key) != now.get(key)
    )
