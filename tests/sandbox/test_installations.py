"""An installation in a root gives the same layers whatever runs its commands."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from artificer.builder.debian.rooted import Room, carried_out
from artificer.events import CommandOutput, Event
from artificer.images.reach import Reach
from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry, Span
from artificer.layers.index import index_of
from artificer.layers.read import layer_members
from artificer.layers.squash import squashed
from artificer.layers.tree import Tree
from artificer.layers.whiteout import whiteout
from artificer.sandbox.client import Sandbox
from artificer.sandbox.command import TreeLayer
from artificer.sources.debian.installing.actions import ScriptFailed
from artificer.sources.debian.installing.installation import Action, Installation
from artificer.stop import Stop
from artificer.store.blobs import open_store
from tests.sandbox import roots

PATH = (("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),)


def entry(path: str, data: bytes = b"", **more: Any) -> Entry:
    return Entry(path, FILE, 0o644, 0, 0, len(data), roots.LONG_AGO, "", data)._replace(**more)


def directory(path: str, mode: int = 0o755) -> Entry:
    return Entry(path, DIRECTORY, mode, 0, 0, 0, roots.LONG_AGO, "", None)


def shell(script: str, **more: Any) -> Action:
    return Action(
        ("/bin/sh", "-c", script), PATH, "one", "postinst", "postinst of one 1"
    )._replace(**more)


PACKAGE = (
    directory("opt"),
    directory("opt/one"),
    entry("opt/one/a", b"a\n"),
    entry("opt/one/b", b"b\n", mode=0o755, uid=33, gid=33),
    Entry("opt/one/c", HARDLINK, 0o644, 0, 0, 0, roots.LONG_AGO, "opt/one/a", None),
    Entry("opt/one/l", SYMLINK, 0o777, 0, 0, 0, roots.LONG_AGO, "a", None),
    entry("opt/one/temporary", b"t\n"),
    directory("srv"),
    entry("srv/f0", b"of the package\n"),
)
PLAN = Installation(
    before=(shell("rm /srv/f1; mkdir /srv/kept; echo before > /srv/kept/x"),),
    entries=(whiteout("srv/f2", 0), *PACKAGE),
    removed=("srv/f2",),
    commands=(
        shell(
            "test ! -e /srv/f2 && cat /srv/f0 && rm /opt/one/temporary && chown web /opt/one/b && "
            "echo new > /opt/one/new && ln /opt/one/new /opt/one/again && rm -r /srv/dir && "
            "rm /srv/kept/x && mkdir /srv/web/of-one && chown web:extra /srv/web/of-one"
        ),
        shell("cat > /opt/one/read", stdin=b"what it reads\n"),
    ),
    scripts=(),
)


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture
def reach(
    sandbox_folder: Path,
    tmp_path: Path,
    heard: list[Event],
) -> Reach:
    """A store that other users can read."""
    offline: Any = None
    place = sandbox_folder / f"store-{tmp_path.name}"
    store = open_store(str(place))
    for folder in (place, place / "tmp"):
        folder.chmod(0o755)
    return Reach(store, offline, heard.append, Stop())


@pytest.fixture
def boxes(_boxes: dict[str, Sandbox]) -> dict[str, Sandbox]:
    return _boxes


@pytest.fixture
def spools() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def tree(base: TreeLayer) -> Tree:
    return Tree([index_of(layer_members([Path(base.path).read_bytes()]))])


def installed(
    plan: Installation,
    box: Sandbox,
    base: TreeLayer,
    tree: Tree,
    reach: Reach,
    spools: ExitStack,
) -> list[Entry]:
    layers = carried_out(plan, Room((base,), lambda: box, reach, spools))
    return squashed(tree, layers, mtime=0)


def told(entries: Sequence[Entry]) -> list[tuple[object, ...]]:
    return [(*one[:8], content(one)) for one in entries]


def content(one: Entry) -> bytes:
    match one.source:
        case Span(path, offset):
            with open(path, "rb") as file:
                return os.pread(file.fileno(), one.size, offset)
        case bytes(data):
            return data
        case _:
            return b""


@pytest.mark.parametrize("rung", [one for one in roots.EVERYWHERE if one != "proot"])
def test_an_installation_comes_to_the_same_on_every_rung(
    rung: str,
    boxes: dict[str, Sandbox],
    base: TreeLayer,
    tree: Tree,
    reach: Reach,
    spools: ExitStack,
) -> None:
    found = installed(PLAN, boxes[rung], base, tree, reach, spools)

    assert told(found) == told(installed(PLAN, boxes["root"], base, tree, reach, spools))
    paths = {one.path: one for one in found}
    assert {path for path in paths if ".wh." in path} == {
        "srv/.wh.dir",
        "srv/.wh.f1",
        "srv/.wh.f2",
    }
    assert "opt/one/temporary" not in paths
    assert "srv/kept/x" not in paths
    assert content(paths["opt/one/read"]) == b"what it reads\n"
    assert content(paths["srv/f0"]) == b"of the package\n"
    assert (paths["opt/one/b"].uid, paths["opt/one/b"].gid) == (33, 33)
    assert paths["opt/one/c"].link == "opt/one/a"
    assert paths["opt/one/new"].link == "opt/one/again"
    assert (paths["srv/web/of-one"].uid, paths["srv/web/of-one"].gid) == (33, 77)
    assert paths["opt/one/again"].mtime == 0
    assert paths["opt/one/a"].mtime == roots.LONG_AGO


def test_without_commands_no_sandbox_is_started(reach: Reach, spools: ExitStack) -> None:
    plan = Installation((), PACKAGE, (), (), ())

    def never() -> Sandbox:
        raise AssertionError("a sandbox was asked for")

    assert carried_out(plan, Room((), never, reach, spools)) == [PACKAGE]


def test_a_script_that_fails_says_which_and_leaves_no_file(
    boxes: dict[str, Sandbox],
    base: TreeLayer,
    reach: Reach,
    spools: ExitStack,
    heard: list[Event],
) -> None:
    script = "echo dpkg: error processing package one '(--configure):'; echo ' it broke'; exit 3"
    plan = PLAN._replace(before=(), commands=(shell(script, package=""),))

    with pytest.raises(ScriptFailed, match="one: not configured: it broke"):
        carried_out(plan, Room((base,), lambda: boxes["root"], reach, spools))

    assert CommandOutput("dpkg", " it broke") in heard
    assert not any(name for *_, name in os.walk(f"{reach.store.root}/blobs"))
