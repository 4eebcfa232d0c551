"""Overlays: many trees as one, with or without a directory for what changes."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from artificer.sandbox.calls import MS_NODEV, MS_RDONLY, mount, unmount
from artificer.sandbox.command import Chain
from artificer.sandbox.trees import Tree, Trees

# An upper directory holds all of what changed, and nothing that another mount could not read.
_TRUSTED = ",redirect_dir=nofollow,metacopy=off,index=off,xino=off"
_USER = ",userxattr"
# What is synced to a directory that goes when the build does is time for nothing (Linux 5.10).
_VOLATILE = ",volatile"
_EMPTY = ("empty", "void")


class Upper(NamedTuple):
    """Where changes go: *path*, and the empty directory *work*, both in the overlay's folder."""

    path: str
    work: str


def mount_overlay(
    folder: str, target: str, trees: Sequence[Tree], upper: Upper | None, *, userxattr: bool
) -> None:
    """Mount *trees*, lowest first, at *target*, which lies in *folder*, as all of *upper* does.

    The names of 127 trees must fit into a page of options: so they are links in *folder*, and
    relative to it. Devices are not usable, as they are not in a user namespace. The process is
    in "/" afterwards.
    """
    lowers = _links(folder, trees)
    options = "lowerdir=" + ":".join(reversed(lowers))
    if upper is not None:
        options += f",upperdir={upper.path},workdir={upper.work}"
    options += _USER if userxattr else _TRUSTED
    flags = MS_NODEV if upper is not None else MS_NODEV | MS_RDONLY
    os.chdir(folder)
    try:
        if upper is None:
            mount("overlay", target, "overlay", flags, options)
            return
        try:
            mount("overlay", target, "overlay", flags, options + _VOLATILE)
        except OSError:
            mount("overlay", target, "overlay", flags, options)
    finally:
        os.chdir("/")


class Lender(NamedTuple):
    """Lends files of chains as overlays of *trees*."""

    trees: Trees
    userxattr: bool

    @contextlib.contextmanager
    def lend(self, folder: str, chain: Chain, *, writable: bool) -> Iterator[str]:
        """Mount *chain* in *folder* for a while and yield where; what is written there is lost."""
        found = self.trees.chain(chain)
        for name in ("m", "u", "w"):
            os.makedirs(f"{folder}/{name}")
        try:
            upper = Upper("u", "w") if writable else None
            mount_overlay(folder, "m", found, upper, userxattr=self.userxattr)
            try:
                yield f"{folder}/m"
            finally:
                unmount(f"{folder}/m")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            for tree in found:
                os.close(tree.lock)


def _links(folder: str, trees: Sequence[Tree]) -> list[str]:
    """Return names for the directories of *trees*, and of empty ones below them."""
    for name in _EMPTY:
        os.makedirs(f"{folder}/{name}", exist_ok=True)
    visible = list(trees)
    for number, tree in enumerate(trees):
        if tree.hides_all:
            visible = list(trees[number:])
    # No overlay has one directory twice. Of a layer that comes again (RUN true, RUN true) the
    # upper one decides all that the lower one did.
    visible = list({tree.root: tree for tree in reversed(visible)}.values())[::-1]
    # Without an upper directory there must be two lower ones.
    names = list(_EMPTY[len(visible) :]) or [_EMPTY[0]]
    for number, tree in enumerate(visible):
        name = f"{number:x}"
        link = f"{folder}/{name}"
        if not os.path.islink(link) or os.readlink(link) != tree.root:
            if os.path.islink(link):
                os.unlink(link)
            os.symlink(tree.root, link)
        names.append(name)
    return names
