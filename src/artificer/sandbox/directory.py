"""A root that is a directory: commands run in it, and a look at it tells what they changed."""

import os
import stat
from collections.abc import Callable, Collection
from contextlib import suppress
from hashlib import sha256

from artificer.layers.entry import FILE, HARDLINK
from artificer.layers.inflate import plain
from artificer.layers.read import members
from artificer.layers.tape import StreamTape
from artificer.oci.digest import Digest
from artificer.sandbox.command import Chain, Command, TreeLayer
from artificer.sandbox.ondisk import Node
from artificer.sandbox.parting import part
from artificer.sandbox.roots import Roots
from artificer.sandbox.rung import Found, Place
from artificer.sandbox.scan import Area, Candidates, Telling, candidates, digest_of, noted, told
from artificer.sandbox.snapshot import clock
from artificer.sandbox.trees import raw

SKIPPED = frozenset(("dev", "proc", "sys"))
"""What the machine has in a root, and no layer."""

Runner = Callable[[str, Command, int], int]
"""Runs a command in a folder's ``root``, with a descriptor for output; returns its exit code."""

Shown = Callable[[Node, os.stat_result], Node]


class DirectorySite:
    """One root: unpacked, or taken from those that were kept, and given back if it is clean."""

    def __init__(
        self, chain: Chain, place: Place, roots: Roots, run: Runner, shown: Shown
    ) -> None:
        self._layers = list(chain)
        self._roots = roots
        self._run = run
        self._telling = Telling(place.times, shown, self._held)
        self._root = roots.take(chain)
        self._top = os.stat(self._root.root)
        self._clean = True
        self._last: tuple[Candidates, frozenset[str]] = (Candidates({}, []), frozenset())

    def run(self, command: Command, output: int) -> int:
        """Run *command* to its end."""
        self._clean = False
        self._roots.change(self._root)
        before = self._root.snapshot
        for path in before.unread:
            before.digests[path] = digest_of(f"{self._root.root}/{path}")
        before.unread.clear()
        return self._run(self._root.folder, command, output)

    def changes(self) -> list[Found]:
        """Return what differs from the chain."""
        area = self._area()
        changed = candidates(area)
        found = told(area, changed, self._telling)
        self._last = changed, frozenset(one.entry.path for one in found if one.same)
        self._clean = all(one.same for one in found)
        return found

    def adopt(self, diff_id: Digest) -> None:
        """Take the changes as the chain's next layer."""
        part(self._root.root, self._root.folder, *self._last)
        noted(self._area(), *self._last)
        self._restore_top()
        chain = (*self._root.chain, str(diff_id))
        self._root = self._root._replace(chain=chain, since=clock(self._root.folder))
        self._clean = True
        self._roots.tell(self._root)

    def extend(self, layers: Chain) -> None:
        """Put *layers* upon the chain."""
        self._layers += layers
        # Half a layer may be there if it cannot be read to its end.
        clean, self._clean = self._clean, False
        self._root = self._roots.extended(self._root, layers)
        self._clean = clean
        self._top = os.stat(self._root.root)

    def close(self) -> None:
        """Keep the root for whoever wants the same; what was half done goes."""
        if self._clean:
            self._roots.keep(self._root)
        else:
            self._roots.drop(self._root)

    def _restore_top(self) -> None:
        """Let the root itself, which is in no layer of changes, look as the chain says."""
        top, path = self._top, self._root.root
        with suppress(PermissionError):
            os.chown(path, top.st_uid, top.st_gid)
        os.chmod(path, stat.S_IMODE(top.st_mode))
        os.utime(path, ns=(top.st_atime_ns, top.st_mtime_ns))

    def _area(self) -> Area:
        root = self._root
        return Area(root.root, root.snapshot, root.since, SKIPPED)

    def _held(self, paths: Collection[str]) -> dict[str, bytes]:
        """What files held: noted when they were adopted, or read from the layers once more."""
        digests = self._root.snapshot.digests
        known = {path: digests[path] for path in paths if path in digests}
        wanted = set(paths) - known.keys()
        for layer in reversed(self._layers):
            if not wanted:
                break
            found = _digests(layer, wanted)
            wanted -= found.keys()
            known |= found
        return known


def _digests(layer: TreeLayer, wanted: Collection[str]) -> dict[str, bytes]:
    """Return the sha256 of those files of *layer* that are *wanted*."""
    found: dict[str, bytes] = {}
    links: dict[str, list[str]] = {}
    for member in members(StreamTape(plain(raw(layer)))):
        entry = member.entry
        if entry.kind == HARDLINK and entry.path in wanted:
            links.setdefault(entry.link, []).append(entry.path)
        elif entry.kind == FILE and entry.path in wanted:
            hashed = sha256()
            for chunk in member.chunks():
                hashed.update(chunk)
            found[entry.path] = hashed.digest()
    for target, digest in (_digests(layer, links.keys()) if links else {}).items():
        found |= dict.fromkeys(links[target], digest)
    return found
