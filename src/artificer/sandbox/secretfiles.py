"""Secrets as files in memory, at paths of a chroot that has no file there."""

import os
import stat
from collections.abc import Callable, Iterable
from typing import NamedTuple

from artificer.sandbox.calls import RESOLVE_IN_ROOT, openat2
from artificer.sandbox.command import Secret
from artificer.sandbox.marks import Device, Marks
from artificer.sandbox.tracee import AT_FDCWD, Identity, Spot, Tracee


class SecretFile(NamedTuple):
    """An open *file* in memory, and what it should look like."""

    file: int
    mode: int
    owner: tuple[int, int]

    def is_for(self, identity: Identity) -> bool:
        """Whether *identity* may read it."""
        uid, gid = self.owner
        shift = 6 if identity.uid == uid else 3 if identity.gid == gid else 0
        return identity.uid == 0 or bool(self.mode >> shift & os.R_OK)

    @property
    def marks(self) -> Marks:
        """What is shown of it."""
        return Marks(self.owner, Device(stat.S_IFREG | self.mode, 0, 0))


class SecretFiles:
    """The secrets of one command in the chroot *root*."""

    def __init__(self, root: str, secrets: Iterable[Secret]) -> None:
        self._files: dict[bytes, SecretFile] = {}
        self._names: set[bytes] = set()
        for secret in secrets:
            self._add(root, secret)

    def __bool__(self) -> bool:
        return bool(self._files)

    def close(self) -> None:
        """Forget them all."""
        for file in {found.file for found in self._files.values()}:
            os.close(file)
        self._files.clear()

    def find(
        self, path: bytes, tracee: Tracee, shown: Callable[[bytes], bytes]
    ) -> SecretFile | None:
        """Return the secret that *path* is to *tracee*."""
        above, _, name = path.rpartition(b"/")
        if name not in self._names:
            return None
        if path in self._files:
            return self._files[path]
        # Through a link, or from the working directory on.
        try:
            with tracee.opened(
                Spot(AT_FDCWD, above or (b"/" if path[:1] == b"/" else b"."))
            ) as at:
                folder = shown(os.readlink(f"/proc/self/fd/{at}".encode()))
        except OSError:
            return None
        return self._files.get(folder.rstrip(b"/") + b"/" + name)

    def _add(self, root: str, secret: Secret) -> None:
        file = os.memfd_create("secret", os.MFD_CLOEXEC)
        left = memoryview(secret.data)
        while left:
            left = left[os.write(file, left) :]
        found = SecretFile(file, secret.mode, (secret.uid, secret.gid))
        path = os.fsencode(secret.target)
        self._files[path] = found
        self._names.add(os.path.basename(path))
        self._files.setdefault(_real(root, path), found)


def _real(root: str, path: bytes) -> bytes:
    """Return *path* without links, as far as it is there."""
    above, _, name = path.rpartition(b"/")
    try:
        top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            folder = openat2(top, above.lstrip(b"/"), os.O_PATH, RESOLVE_IN_ROOT)
        finally:
            os.close(top)
    except OSError:
        return path
    try:
        named = os.readlink(f"/proc/self/fd/{folder}".encode())
    finally:
        os.close(folder)
    base = os.fsencode(os.path.realpath(root))
    return named.removeprefix(base) + b"/" + name
