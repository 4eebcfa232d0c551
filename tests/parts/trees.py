"""Trees of files as others' tars and layers have them, to be compared."""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

_XATTR = "SCHILY.xattr."
_OPAQUE = ".wh..wh..opq"


class Node(NamedTuple):
    """A file as whoever unpacks it gets it; *content* is a hash, a target or device numbers."""

    kind: str
    mode: int
    owner: tuple[int, int]
    content: str
    xattrs: tuple[tuple[str, str], ...]


Tree = dict[str, Node]


def tree_of_tar(path: Path, below: Mapping[str, Node] | None = None) -> Tree:
    """What is there once the tar (or layer) at *path* is unpacked upon *below*."""
    found: Tree = dict(below or {})
    with tarfile.open(path) as tar:
        for member in tar:
            name = member.name.removeprefix("./").strip("/")
            folder, _, last = name.rpartition("/")
            if last == _OPAQUE:
                _forget(found, folder, itself=False)
            elif last.startswith(".wh."):
                _forget(found, f"{folder}/{last[4:]}".strip("/"), itself=True)
            elif member.islnk():
                found[name] = found[member.linkname.removeprefix("./").strip("/")]
            elif name not in {"", "."}:
                found[name] = _node(tar, member)
    return found


def tree_of_layout(folder: Path, tag: str) -> Tree:
    """The files of an image in an OCI layout, all its layers one upon the other."""
    return tree_of_layers(layers_of(folder, tag))


def tree_of_layers(paths: list[Path]) -> Tree:
    """The files of some layers, one upon the other."""
    tree: Tree = {}
    for path in paths:
        tree = tree_of_tar(path, tree)
    return tree


def layers_of(folder: Path, tag: str) -> list[Path]:
    """The layers of an image in an OCI layout, the lowest first."""
    index = json.loads((folder / "index.json").read_text())
    ref = "org.opencontainers.image.ref.name"
    digest = next(
        one["digest"]
        for one in index["manifests"]
        if one.get("annotations", {}).get(ref, tag) == tag
    )
    manifest = json.loads(_blob(folder, digest).read_text())
    return [_blob(folder, one["digest"]) for one in manifest["layers"]]


def differences(theirs: Mapping[str, Node], ours: Mapping[str, Node]) -> dict[str, str]:
    """Each path that is not the same in both, with what is not."""
    found = {}
    for path in sorted(theirs.keys() | ours.keys()):
        one, other = theirs.get(path), ours.get(path)
        if one is None or other is None:
            found[path] = "missing" if other is None else "added"
        elif one != other:
            pairs = zip(Node._fields, one, other, strict=True)
            found[path] = " ".join(name for name, a, b in pairs if a != b)
    return found


def lines_in(path: Path, names: Iterable[str]) -> dict[str, set[str]]:
    """The lines of some files of the tar at *path*."""
    wanted = set(names)
    found: dict[str, set[str]] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            name = member.name.removeprefix("./").strip("/")
            file = tar.extractfile(member) if name in wanted and member.isreg() else None
            if file is not None:
                found[name] = set(file.read().decode().splitlines())
    return found


def _forget(tree: Tree, path: str, *, itself: bool) -> None:
    below = [name for name in tree if name.startswith(f"{path}/")]
    for name in (*below, *((path,) if itself else ())):
        tree.pop(name, None)


def _node(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Node:
    content = ""
    if member.issym():
        content = member.linkname
    elif member.isreg():
        file = tar.extractfile(member)
        content = hashlib.file_digest(file, "sha256").hexdigest() if file else ""  # type: ignore[arg-type]
    elif member.isdev() and not member.isfifo():
        content = f"{member.devmajor}:{member.devminor}"
    kind = "file" if member.isreg() else chr(member.type[0])
    mode = 0o777 if member.issym() else member.mode & 0o7777
    # A user's own attributes and those of access lists are no part of a package.
    xattrs = sorted(
        (key.removeprefix(_XATTR), value)
        for key, value in member.pax_headers.items()
        if key.startswith(_XATTR)
    )
    return Node(kind, mode, (member.uid, member.gid), content, tuple(xattrs))


def _blob(folder: Path, digest: str) -> Path:
    return folder / "blobs" / digest.replace(":", "/")
