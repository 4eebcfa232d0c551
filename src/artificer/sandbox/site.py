"""A root of overlays: kept trees below, one upper directory for what commands change."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from typing import NamedTuple

from artificer.oci.digest import Digest
from artificer.sandbox import calls
from artificer.sandbox.command import Chain, Command
from artificer.sandbox.mounting import Base
from artificer.sandbox.ondisk import Owners, set_node, set_time
from artificer.sandbox.overlay import Lender, Upper, mount_overlay
from artificer.sandbox.rung import Found, Place
from artificer.sandbox.running import run_in
from artificer.sandbox.trees import Told, Tree, Trees, root_of
from artificer.sandbox.upper import Changes, Layers, changes_of
from artificer.sandbox.waiting import Watch
from artificer.store.lock import try_lock

_YOUNG = 60.0


class Ground(NamedTuple):
    """What a rung's roots have in common.

    *ids* names the way that ids are mapped, in paths. *marked* says that there is one id only;
    *userxattr* that overlays are made in a user namespace; *own_pids* that processes have a
    namespace of their own. *watch* makes what watches a command, from its root's upper directory
    and the owners of links in there.
    """

    ids: str
    marked: bool
    userxattr: bool
    own_pids: bool
    watch: Callable[[str, Owners], Watch]


class OverlaySite:
    """One root. The process that makes it has entered, and serves no other."""

    def __init__(self, chain: Chain, place: Place, ground: Ground, trees: Trees) -> None:
        self._place = place
        self._ground = ground
        self._trees = trees
        self._chain: list[Tree] = []
        self._aside: Owners = {}
        calls.unshare(calls.CLONE_NEWNS)
        calls.mount("none", "/", None, calls.MS_REC | calls.MS_PRIVATE)
        self._folder, self._lock = _work_folder(place.state, ground.ids)
        self._root = f"{self._folder}/root"
        self._mounted = False
        self._part = 0
        self._new_upper()
        try:
            self.extend(chain)
        except BaseException:
            self.close()
            raise

    def extend(self, layers: Chain) -> None:
        """Put *layers* upon the chain."""
        self._unmount()
        self._chain += self._trees.chain(layers, self._chain)

    def run(self, command: Command, output: int) -> int:
        """Run *command* to its end."""
        self._mount()
        ground = self._ground
        base = Base(
            self._root,
            f"{self._folder}/mounts",
            f"{self._place.state}/caches/{ground.ids}",
            Lender(self._trees, ground.userxattr).lend,
            ground.marked,
            ground.own_pids,
            self._place.check,
        )
        watch = ground.watch(f"{self._part_path}/root", self._aside)
        return run_in(base, command, self._place, watch, output)

    def changes(self) -> list[Found]:
        """Return what differs from the chain."""
        return self._changes().found

    def adopt(self, diff_id: Digest) -> None:
        """Take the changes as the chain's next layer."""
        changes = self._last
        self._unmount()
        told = Told(changes.implied, changes.owners)
        # What the overlay needs beside it must not become part of a tree.
        tree = self._trees.keep(self._part_path, diff_id, told, self._chain)
        self._chain.append(tree)
        self._aside.clear()
        self._new_upper()

    def close(self) -> None:
        """Remove what is not kept."""
        self._unmount()
        shutil.rmtree(self._folder, ignore_errors=True)
        for tree in self._chain:
            os.close(tree.lock)
        os.close(self._lock)

    def _changes(self) -> Changes:
        self._unmount()
        below = f"{self._folder}/below"
        os.makedirs(below, exist_ok=True)
        userxattr = self._ground.userxattr
        mount_overlay(self._folder, "below", self._chain, None, userxattr=userxattr)
        try:
            layers = Layers(
                f"{self._part_path}/root",
                below,
                self._place.times,
                self._aside,
                self._owner_below,
                self._ground.marked and not self._place.allow_lost_owners,
            )
            self._last = changes_of(layers)
        finally:
            calls.unmount(below)
        return self._last

    def _owner_below(self, path: str) -> tuple[int, int] | None:
        for tree in reversed(self._chain):
            if path in tree.owners:
                return tree.owners[path]
            if os.path.lexists(f"{tree.root}/{path}"):
                return None
        return None

    @property
    def _part_path(self) -> str:
        return f"{self._folder}/part-{self._part}"

    def _new_upper(self) -> None:
        self._part += 1
        self._last = Changes([], [], {})
        os.makedirs(f"{self._part_path}/root")

    def _mount(self) -> None:
        if self._mounted:
            return
        upper = f"{self._part_path}/root"
        # The root of an overlay looks like its upper directory.
        look = root_of(self._chain)
        set_node(upper, look.node, marked=self._ground.marked)
        set_time(upper, look.mtime)
        work = f"work-{time.monotonic_ns()}"
        os.makedirs(f"{self._folder}/{work}")
        os.makedirs(self._root, exist_ok=True)
        self._moved_work(work)
        mount_overlay(
            self._folder,
            "root",
            self._chain,
            Upper(f"part-{self._part}/root", work),
            userxattr=self._ground.userxattr,
        )
        self._mounted = True
        self._tell_owners()

    def _tell_owners(self) -> None:
        """Note whom links of the trees belong to, by what their inodes are in the root."""
        for path in {path for tree in self._chain for path in tree.owners}:
            owner = self._owner_below(path)
            with contextlib.suppress(OSError):
                status = os.lstat(f"{self._root}/{path}")
                if owner is not None:
                    self._aside[(status.st_dev, status.st_ino)] = owner

    def _moved_work(self, work: str) -> None:
        """Remove the work directories of earlier mounts."""
        for name in os.listdir(self._folder):
            if name.startswith("work-") and name != work:
                shutil.rmtree(f"{self._folder}/{name}", ignore_errors=True)

    def _unmount(self) -> None:
        if self._mounted:
            os.chdir("/")
            calls.unmount(self._root, 0)
            self._mounted = False


def _work_folder(state: str, ids: str) -> tuple[str, int]:
    """Return a new folder and its lock, as long as which is open it is in use."""
    above = f"{state}/work/{ids}"
    os.makedirs(above, exist_ok=True)
    sweep(above)
    folder = f"{above}/{os.getpid()}-{time.monotonic_ns()}"
    os.mkdir(folder, 0o700)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try_lock(descriptor)
    return folder, descriptor


def sweep(above: str) -> int:
    """Remove the folders of processes that were killed; give how many there were."""
    gone = 0
    for name in os.listdir(above):
        path = f"{above}/{name}"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            # One that was made just now may not be locked yet.
            if time.time() - os.fstat(descriptor).st_mtime > _YOUNG and try_lock(descriptor):
                shutil.rmtree(path, ignore_errors=True)
                gone += 1
        finally:
            os.close(descriptor)
    return gone
