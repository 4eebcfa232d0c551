"""Rungs of namespaces where overlays are refused: each root is a directory of its own.

The kernel is older than 5.11, or the state directory is on an overlay itself (a container's own
file system). What commands changed is found by a look at the directory, as in a chroot.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from artificer.sandbox import calls
from artificer.sandbox.command import Chain, Command
from artificer.sandbox.directory import SKIPPED, DirectorySite
from artificer.sandbox.mounting import Base
from artificer.sandbox.namespaces import FullMapRung, Overlays, RangeMapRung, RootRung, use
from artificer.sandbox.roots import Roots
from artificer.sandbox.rung import Place
from artificer.sandbox.running import run_in


class _Directories(Overlays):
    def try_out(self, state: str) -> None:
        """Mount a directory below *state* at another place; use files in it."""
        folder = f"{state}/try-{os.getpid()}"
        os.makedirs(f"{folder}/gone")
        try:
            calls.mount(folder, folder, None, calls.MS_BIND)
            try:
                use(folder, marked=False)
            finally:
                calls.unmount(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def open(self, chain: Chain, place: Place) -> DirectorySite:  # type: ignore[override]
        """Make a root of *chain*."""
        calls.unshare(calls.CLONE_NEWNS)
        calls.mount("none", "/", None, calls.MS_REC | calls.MS_PRIVATE)
        kind = self.ids()
        folder = f"{place.state}/roots/{kind}"
        roots = Roots(folder, marked=False, skipped=SKIPPED, check=place.check)

        def run(folder: str, command: Command, output: int) -> int:
            root = f"{folder}/root"
            lend = _Lender(roots).lend
            caches = f"{place.state}/caches/{kind}"
            mounts = f"{folder}/mounts"
            base = Base(
                root,
                mounts,
                caches,
                lend,
                marked=False,
                own_pids=self.own_pids,
                check=place.check,
            )
            # A root must be a mount; its devices are not to be used.
            calls.mount(root, root, None, calls.MS_BIND)
            try:
                flags = calls.MS_BIND | calls.MS_REMOUNT | calls.MS_NODEV
                calls.mount("none", root, None, flags)
                return run_in(base, command, place, self.watch(root, {}), output)
            finally:
                calls.unmount(root)

        return DirectorySite(chain, place, roots, run, lambda node, _: node)


class _Lender:
    def __init__(self, roots: Roots) -> None:
        self._roots = roots

    @contextmanager
    def lend(self, _folder: str, chain: Chain, *, writable: bool) -> Iterator[str]:
        """Take a root of *chain* for a while; one that may be written to goes."""
        root = self._roots.take(chain)
        try:
            yield root.root
        finally:
            (self._roots.drop if writable else self._roots.keep)(root)


class RootDirectoryRung(_Directories, RootRung):
    """Root of the machine, without overlays."""

    name = "root-directory"


class FullMapDirectoryRung(_Directories, FullMapRung):
    """Root in a user namespace with all ids, without overlays."""

    name = "full-map-directory"


class RangeMapDirectoryRung(_Directories, RangeMapRung):
    """A user with subordinate ids, without overlays."""

    name = "range-map-directory"
