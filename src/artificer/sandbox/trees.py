"""Unpacked layers, kept: one directory for each way that ids are mapped and each diff_id."""

import hashlib
import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from artificer.errors import ArtificerError
from artificer.layers.inflate import plain
from artificer.layers.read import members
from artificer.layers.tape import StreamTape
from artificer.oci.digest import Digest, hasher_of
from artificer.sandbox.command import Chain, TreeLayer
from artificer.sandbox.extract import PLAIN, Extraction, Implied, Manner
from artificer.sandbox.ondisk import node_of
from artificer.store.lock import lock_shared, lock_while, try_lock

_CHUNK = 1 << 18
_FORMAT = 1
_BOOT = "/proc/sys/kernel/random/boot_id"


class WrongLayer(ArtificerError):
    """A layer's bytes are not what its image says."""


class Tree(NamedTuple):
    """An unpacked layer: its files are in *root*.

    *owners* tells whom links and the like belong to, by path. *hides_all* says that nothing of
    lower layers is left, *named* that the layer says what the root directory is. *lock* is a
    descriptor: the tree stays as long as it is open.
    """

    root: str
    implied: tuple[str, ...]
    owners: dict[str, tuple[int, int]]
    hides_all: bool
    named: bool
    lock: int


class Trees:
    """The trees below *folder* (``STATE/trees/IDMAP``), all unpacked in one *manner*.

    *check* raises something once nobody wants them any more.
    """

    def __init__(self, folder: str, manner: Manner, check: Callable[[], None]) -> None:
        self._folder = folder
        self._manner = manner
        self._check = check
        os.makedirs(folder, exist_ok=True)
        with open(_BOOT) as file:
            self._boot = file.read().strip()

    def chain(self, layers: Chain, below: Sequence[Tree] = ()) -> list[Tree]:
        """Return the trees of *layers* upon those of *below*, unpacked where they are missing.

        They stay, whoever prunes, until their locks are closed.
        """
        trees = list(below)
        for layer in layers:
            trees.append(self._tree(layer, trees))
        return trees[len(below) :]

    def _tree(self, layer: TreeLayer, below: Sequence[Tree]) -> Tree:
        """Return the tree of one layer.

        Directories that a layer has files in but does not name look like those below it, so one
        diff_id can need several trees: all but the first have what they look like in their name.
        """
        found = self._fitting(_name(layer.diff_id), below)
        if found is not None:
            return found
        with _held(f"{self._folder}/{_name(layer.diff_id)}.lock", self._check):
            return self._fitting(_name(layer.diff_id), below) or self._unpacked(layer, below)

    def _fitting(self, name: str, below: Sequence[Tree]) -> Tree | None:
        first = self._opened(name)
        if first is None:
            return None
        look = _signature(first.implied, below)
        if look == _look(first):
            return first
        os.close(first.lock)
        return self._opened(f"{name}-{look}")

    def _opened(self, name: str) -> Tree | None:
        path = f"{self._folder}/{name}"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        lock_shared(descriptor)
        try:
            with open(f"{path}/meta.json", "rb") as file:
                told: dict[str, Any] = json.load(file)
            same = os.path.samestat(os.stat(path), os.fstat(descriptor))
        except (OSError, ValueError):
            same, told = False, {}
        # What was not yet written to disk when a machine went down may be there in part.
        if not same or (told.get("format"), told.get("boot")) != (_FORMAT, self._boot):
            os.close(descriptor)
            if same:
                _removed(path)
            return None
        os.utime(descriptor)
        owners = {path: (uid, gid) for path, (uid, gid) in told["owners"].items()}
        implied = tuple(told["implied"])
        hides, named = told["hides"], told["named"]
        return Tree(f"{path}/root", implied, owners, hides, named, descriptor)

    def _unpacked(self, layer: TreeLayer, below: Sequence[Tree]) -> Tree:
        part = f"{self._folder}/.part-{os.getpid()}-{time.monotonic_ns()}"
        os.makedirs(f"{part}/root", 0o755)
        try:
            extraction = Extraction(
                f"{part}/root", self._manner, lambda path: look_of(path, below)
            )
            # A prune removes what is old and not held.
            with _held(part, self._check, os.O_RDONLY | os.O_DIRECTORY):
                unpack(layer, extraction, self._check)
            return self.keep(part, layer.diff_id, extraction, below)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def keep(
        self, part: str, diff_id: Digest, told: "Extraction | Told", below: Sequence[Tree]
    ) -> Tree:
        """Make the directory *part*, whose files are in ``root``, the tree of *diff_id*."""
        known = self._fitting(_name(diff_id), below)
        if known is not None:
            shutil.rmtree(part, ignore_errors=True)
            return known
        implied = sorted(told.implied)
        document = {
            "format": _FORMAT,
            "boot": self._boot,
            "implied": implied,
            "owners": told.owners,
            "hides": told.hides_all,
            "named": told.names_root,
        }
        with open(f"{part}/meta.json", "w") as file:
            json.dump(document, file)
        # Where there is one already, this one looks different, or is one too many.
        first = f"{self._folder}/{_name(diff_id)}"
        if not (_moved(part, first) or _moved(part, f"{first}-{_signature(implied, below)}")):
            shutil.rmtree(part, ignore_errors=True)
        tree = self._fitting(_name(diff_id), below)
        if tree is None:
            raise WrongLayer(f"the files of {diff_id} went while they were unpacked")
        return tree


def prune(folder: str, older_than: float) -> int:
    """Remove trees that nobody used for *older_than* seconds; give the bytes that were freed.

    What processes that were killed have left in *folder* goes, too.
    """
    freed = 0
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".lock"):
            freed += _removed(f"{folder}/{name}", older_than)
    return freed


def _removed(path: str, older_than: float = 0) -> int:
    """Remove a tree that nobody uses; give the bytes that were freed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        if time.time() - os.fstat(descriptor).st_mtime < older_than or not try_lock(descriptor):
            return 0
        gone = f"{os.path.dirname(path)}/.gone-{os.getpid()}-{time.monotonic_ns()}"
        os.rename(path, gone)
        size = sum(_sizes(gone))
        shutil.rmtree(gone, ignore_errors=True)
        return size
    finally:
        os.close(descriptor)


class Told(NamedTuple):
    """What is to be remembered of a directory that becomes a tree."""

    implied: Iterable[str]
    owners: dict[str, tuple[int, int]]
    hides_all: bool = False
    names_root: bool = False


@contextmanager
def _held(
    path: str, check: Callable[[], None], flags: int = os.O_RDWR | os.O_CREAT
) -> Iterator[None]:
    """Hold a file's lock, so that of those who want to do one thing only one does it."""
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        lock_while(descriptor, check)
        yield
    finally:
        os.close(descriptor)


def root_of(trees: Sequence[Tree]) -> Implied:
    """Return what the root directory of *trees* looks like."""
    for tree in reversed(trees):
        if tree.named:
            status = os.stat(tree.root)
            return Implied(node_of(tree.root, status), status.st_mtime_ns // 1_000_000_000)
        if tree.hides_all:
            break
    return PLAIN


def look_of(path: str, below: Sequence[Tree]) -> Implied:
    """Return what the directory at *path* looks like in the merged *below*; `PLAIN` if none is."""
    for tree in reversed(below):
        place = f"{tree.root}/{path}"
        try:
            status = os.lstat(place)
        except NotADirectoryError:
            return PLAIN
        except FileNotFoundError:
            if tree.hides_all or _cuts(tree.root, path):
                return PLAIN
            continue
        if not stat.S_ISDIR(status.st_mode):
            return PLAIN
        return Implied(node_of(place, status), status.st_mtime_ns // 1_000_000_000)
    return PLAIN


def _cuts(root: str, path: str) -> bool:
    """Whether something in the tree at *root* hides what lower trees have at *path*."""
    parts = path.split("/")
    for count in range(1, len(parts)):
        place = f"{root}/{'/'.join(parts[:count])}"
        try:
            status = os.lstat(place)
        except OSError:
            return False
        if not stat.S_ISDIR(status.st_mode) or is_opaque(place):
            return True
    return False


def is_opaque(path: str) -> bool:
    """Whether the directory at *path* hides what lower directories have in it."""
    for name in ("trusted.overlay.opaque", "user.overlay.opaque"):
        try:
            if os.getxattr(path, name, follow_symlinks=False) == b"y":
                return True
        except OSError:
            continue
    return False


def _moved(path: str, to: str) -> bool:
    try:
        os.rename(path, to)
    except OSError:
        return False
    return True


def _name(diff_id: Digest) -> str:
    return diff_id.replace(":", "-")


def _signature(implied: Iterable[str], below: Sequence[Tree]) -> str:
    return _hashed({path: look_of(path, below) for path in implied})


def _look(tree: Tree) -> str:
    looks = {}
    for path in tree.implied:
        place = f"{tree.root}/{path}"
        status = os.lstat(place)
        looks[path] = Implied(node_of(place, status), status.st_mtime_ns // 1_000_000_000)
    return _hashed(looks)


def _hashed(looks: dict[str, Implied]) -> str:
    # Sorted, and repr of plain values: the same everywhere.
    return hashlib.sha256(repr(sorted(looks.items())).encode()).hexdigest()[:16]


def unpack(layer: TreeLayer, extraction: Extraction, check: Callable[[], None]) -> None:
    """Write the files of *layer*, and see that its bytes are what its diff_id says.

    *check* raises something once that is not wanted any more.
    """
    hasher = hasher_of(layer.diff_id.algorithm)
    try:
        for member in members(StreamTape(_hashed_plain(layer, hasher, check))):
            extraction.add(member.entry, member.chunks())
        extraction.finish()
    finally:
        extraction.close()
    if hasher.hexdigest() != layer.diff_id.hex:
        raise WrongLayer(
            f"a layer does not hash to its diff_id {layer.diff_id}",
            hint="the image's config and its layers do not belong together; pull it again",
        )


def _hashed_plain(layer: TreeLayer, hasher: Any, check: Callable[[], None]) -> Iterator[bytes]:
    for chunk in plain(raw(layer)):
        check()
        hasher.update(chunk)
        yield chunk


def raw(layer: TreeLayer) -> Iterator[bytes]:
    """Yield the bytes of the blob of *layer*."""
    with open(layer.path, "rb", buffering=0) as file:
        file.seek(layer.offset)
        left = layer.size or sys.maxsize
        while left and (chunk := file.read(min(left, _CHUNK))):
            left -= len(chunk)
            yield chunk


def _sizes(path: str) -> Iterator[int]:
    for folder, _, names in os.walk(path):
        for name in names:
            yield os.lstat(f"{folder}/{name}").st_blocks * 512
