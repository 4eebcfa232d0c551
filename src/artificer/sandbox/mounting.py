"""The mounts of a command, from values to what is done: prepared outside of its namespaces."""

import contextlib
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, assert_never

from artificer.errors import ArtificerError
from artificer.layers.entry import DIRECTORY
from artificer.sandbox import calls
from artificer.sandbox.caches import Kept, share, taken
from artificer.sandbox.command import Bind, Cache, Chain, Command, Mount, Secret, Socket, Tmpfs
from artificer.sandbox.inside import Action, bind, mode_at, mount_at
from artificer.sandbox.ondisk import Node, node_of, set_node
from artificer.sandbox.points import Points, opened, real_path
from artificer.sandbox.relay import relay
from artificer.sandbox.system import FILES, FOLDERS, mount_dev, mount_files, mount_proc, mount_sys


class BadMount(ArtificerError):
    """A mount that cannot be made as it is asked for."""


class Lend(Protocol):
    """Gives the files of a chain."""

    def __call__(
        self, folder: str, chain: Chain, /, *, writable: bool
    ) -> AbstractContextManager[str]:
        """Say where they are, for a while; what is written there is lost. *folder* is for it."""


class Base(NamedTuple):
    """What mounts are made of: *root* is where they go, *folder* a place for this command's.

    *lend* gives files of chains for as long as they are wanted, *caches* is where caches are. With
    *marked* there is one user only, without *own_pids* no namespace of processes. *check* raises
    something once nobody waits for the command.
    """

    root: str
    folder: str
    caches: str
    lend: Lend
    marked: bool
    own_pids: bool
    check: Callable[[], None]


class Mounts:
    """All mounts of one command: `actions` make them; `release` ends what was prepared."""

    def __init__(self, base: Base, command: Command) -> None:
        self._base = base
        self._command = command
        self._points = Points(base.root)
        self._taken = contextlib.ExitStack()
        self._caches: dict[str, Kept] = {}
        self._private = f"{base.folder}/private"
        os.makedirs(self._private, exist_ok=True)

    def actions(self) -> tuple[Action, ...]:
        """Prepare everything, and return what is to be done inside."""
        base, command = self._base, self._command
        point = self._points.make
        for path in FOLDERS:
            point(path, directory=True)
        for path in FILES:
            point(path, directory=False)
        self._take_caches()
        # The outer ones first.
        mounts = sorted(command.mounts, key=lambda mount: mount.target)
        own = [self._prepared(number, one) for number, one in enumerate(mounts)]
        self._points.restore()
        return (
            lambda: calls.mount("none", "/", None, calls.MS_REC | calls.MS_PRIVATE),
            lambda: calls.mount("private", self._private, "tmpfs", calls.MS_NOSUID, "mode=700"),
            lambda: mount_dev(base.root, command),
            lambda: mount_proc(base.root, own_pids=base.own_pids),
            lambda: mount_sys(base.root),
            lambda: mount_files(base.root, self._private, command),
            *own,
        )

    def release(self) -> None:
        """Unmount and unlock; take the mount points back that were made."""
        self._taken.close()
        self._points.take_back()

    def _prepared(self, number: int, mount: Mount) -> Action:
        match mount:
            case Bind():
                return self._bind(number, mount)
            case Cache():
                return self._cache(number, mount)
            case Tmpfs():
                self._point(mount.target, directory=True)
                return lambda: _mount_tmpfs(self._base.root, mount)
            case Secret():
                self._point(mount.target, directory=False)
                return lambda: self._put_secret(number, mount)
            case Socket():
                self._point(mount.target, directory=False)
                return lambda: self._put_socket(number, mount)
            case _ as never:
                assert_never(never)

    def _point(self, target: str, *, directory: bool) -> None:
        """Make the mount point *target*, unless it lies in another mount: then inside, later."""
        for one in (*FOLDERS, *(mount.target for mount in self._command.mounts)):
            if target != one and f"{target}/".startswith(f"{one.rstrip('/')}/"):
                return
        try:
            self._points.make(target, directory=directory)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise BadMount(f"cannot mount anything at {target}: {why}") from error

    def _bind(self, number: int, mount: Bind) -> Action:
        source = _source(self._lent(number, mount.chain, writable=mount.writable), mount.path)
        directory = os.path.isdir(source)
        self._point(mount.target, directory=directory)
        root, read_only = self._base.root, not mount.writable
        return lambda: _bind_at(source, root, mount.target, read_only=read_only)

    def _lent(self, number: int, chain: Chain, *, writable: bool) -> str:
        """Return where the files of *chain* are until the command is through."""
        folder = f"{self._base.folder}/mount-{number}"
        return self._taken.enter_context(self._base.lend(folder, chain, writable=writable))

    def _take_caches(self) -> None:
        """Take all caches at once, in one order everywhere: else two commands might deadlock."""
        caches = {one.id: one for one in self._command.mounts if isinstance(one, Cache)}
        for _, one in sorted(caches.items()):
            self._caches[one.id] = kept = taken(
                self._base.caches, one.id, one.sharing, self._base.check
            )
            self._taken.callback(os.close, kept.lock)

    def _cache(self, number: int, mount: Cache) -> Action:
        kept = self._caches[mount.id]
        if kept.new:
            node = Node(DIRECTORY, mount.mode, mount.uid, mount.gid)
            if mount.chain:
                source = _source(self._lent(number, mount.chain, writable=False), mount.path)
                copy_tree(source, kept.path, marked=self._base.marked)
            set_node(kept.path, node, marked=self._base.marked)
            share(kept, mount.sharing)
            self._caches[mount.id] = kept._replace(new=False)
        self._point(mount.target, directory=True)
        root = self._base.root
        return lambda: _bind_at(kept.path, root, mount.target, read_only=mount.readonly)

    def _put_secret(self, number: int, mount: Secret) -> None:
        path = f"{self._private}/secret-{number}"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(mount.data)
            file.flush()
            if not self._base.marked:
                os.fchown(descriptor, mount.uid, mount.gid)
            os.fchmod(descriptor, mount.mode)
            os.utime(descriptor, (0, 0))
        _bind_at(path, self._base.root, mount.target, read_only=True)

    def _put_socket(self, number: int, mount: Socket) -> None:
        path = f"{self._private}/socket-{number}"
        # By its name it will be out of reach: the relay's root becomes the command's, too.
        real = os.open(mount.path, os.O_PATH)
        mount = mount._replace(path=f"/proc/self/fd/{real}")
        relay(mount._replace(uid=0, gid=0) if self._base.marked else mount, path)
        os.close(real)
        _bind_at(path, self._base.root, mount.target, read_only=False)


def _bind_at(source: str, root: str, target: str, *, read_only: bool) -> None:
    _see_to(root, target, directory=os.path.isdir(source))
    bind(source, root, target, read_only=read_only)


def _see_to(root: str, target: str, *, directory: bool) -> None:
    """Make the point *target* where it lies in another mount."""
    try:
        os.close(opened(root, target))
    except FileNotFoundError:
        Points(root).make(target, directory=directory)


def _mount_tmpfs(root: str, mount: Tmpfs) -> None:
    _see_to(root, mount.target, directory=True)
    size = f",size={mount.size}" if mount.size else ""
    options = f"mode={mode_at(root, mount.target):o}{size}"
    mount_at(root, mount.target, "tmpfs", calls.MS_NOSUID | calls.MS_NODEV, options)


def _source(root: str, path: str) -> str:
    source = f"{root}{real_path(root, path)}"
    if not os.path.lexists(source):
        raise BadMount(
            f"there is no /{path.lstrip('/')} to be mounted", hint="is it in the stage or context?"
        )
    return source


def copy_tree(source: str, target: str, *, marked: bool) -> None:
    """Copy what is in the directory *source* into *target*, with owners and times."""
    for name in os.listdir(source):
        one, other = f"{source}/{name}", f"{target}/{name}"
        status = os.lstat(one)
        if stat.S_ISDIR(status.st_mode):
            os.mkdir(other, 0o700)
            copy_tree(one, other, marked=marked)
        elif stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(one), other)
        elif stat.S_ISREG(status.st_mode):
            shutil.copyfile(one, other)
        else:
            continue
        set_node(other, node_of(one, status), marked=marked)
        times = status.st_atime_ns, status.st_mtime_ns
        os.utime(other, ns=times, follow_symlinks=False)
