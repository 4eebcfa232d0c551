"""What a lock comes to where some of its packages are to stay as they are."""

from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import pytest

from artificer.builder.debian.locking import Earlier, NotKept, locked_now
from artificer.builder.debian.tools import DebTools
from artificer.builder.recipe import AddDebs
from artificer.events import Event, Note
from artificer.images.reach import Reach
from artificer.sandbox.client import NoSandbox, Sandbox
from artificer.sources.debian.resolving.explain import Unsatisfiable
from artificer.sources.debian.values import Locked, Wanted
from tests.parts.archive import Made, SmallArchive, made
from tests.parts.machine_archive import web_over

Lock = Callable[..., tuple[Locked, ...]]
NEWER = made("app", "2", Depends="lib, tool")
OLD = (made("app", "1", Depends="lib, tool"), made("lib", "1"), made("tool", "1"))


def no_sandbox() -> Sandbox:
    raise NoSandbox("nothing can be run")


@pytest.fixture
def lock(reach: Reach, tmp_path: Path) -> Lock:
    """Lock `app` out of an archive that lists *packages* alone; files of others stay with it."""

    def locked(
        *packages: Made, old: tuple[Locked, ...] = (), update: tuple[str, ...] = ()
    ) -> tuple[Locked, ...]:
        archive = SmallArchive(tmp_path / "archive").add(*packages).publish()
        earlier = Earlier({"amd64": old}, update)
        with web_over(reach.store, report=reach.report) as web:
            tools = DebTools(web, no_sandbox)
            step = AddDebs(Wanted(("app",)), (archive.archive(),), level="unpack")
            found = locked_now(step, "", {"amd64": None}, reach, tools, earlier)
        return found.packages["amd64"]

    return locked


def versions(packages: tuple[Locked, ...]) -> list[str]:
    return sorted(f"{one.name} {one.version}" for one in packages)


def test_others_stay_though_no_archive_lists_them(lock: Lock, heard: list[Event]) -> None:
    old = lock(*OLD)

    new = lock(NEWER, made("lib", "2"), OLD[2], old=old, update=("app",))

    assert versions(new) == ["app 2", "lib 1", "tool 1"]
    assert [one for one in new if one.name != "app"] == [one for one in old if one.name != "app"]
    assert Note("stay as they were locked, though no archive lists them: lib 1") in heard


def test_others_stay_that_archives_have_no_more_in_any_version(lock: Lock) -> None:
    old = lock(*OLD)

    new = lock(NEWER, made("lib", "2"), old=old, update=("app",))

    assert versions(new) == ["app 2", "lib 1", "tool 1"]


def test_what_is_asked_for_by_name_may_be_gone_in_any_version(lock: Lock) -> None:
    old = lock(*OLD)

    new = lock(OLD[1], made("tool", "2"), old=old, update=("tool",))

    assert versions(new) == ["app 1", "lib 1", "tool 2"]


def test_what_cannot_be_had_any_more_is_named_with_a_way_out(lock: Lock, tmp_path: Path) -> None:
    old = lock(*OLD)
    rmtree(tmp_path / "archive/pool")

    with pytest.raises(NotKept, match=r"nor have their files: lib 1, tool 1$") as caught:
        lock(NEWER, made("lib", "2"), made("tool", "2"), old=old, update=("app",))

    assert caught.value.hint == "update them as well: add `--update lib --update tool`"
    names = ("app", "lib", "tool")
    assert versions(lock(NEWER, made("lib", "2"), made("tool", "2"), old=old, update=names)) == [
        *("app 2", "lib 2", "tool 2")
    ]


def test_many_that_cannot_be_had_are_not_all_named(lock: Lock, tmp_path: Path) -> None:
    names = [f"lib{number}" for number in range(10)]
    needs = ", ".join(names)
    old = lock(made("app", "1", Depends=needs), *(made(name, "1") for name in names))
    rmtree(tmp_path / "archive/pool")

    newer = [made(name, "2") for name in names]
    with pytest.raises(NotKept, match=r"lib7 1 and 2 more$") as caught:
        lock(made("app", "2", Depends=needs), *newer, old=old, update=("app",))

    assert caught.value.hint == "lock all of them anew, without names of packages"


def test_what_has_to_be_updated_as_well_is_named(lock: Lock) -> None:
    old = lock(*OLD)
    newer = made("app", "2", Depends="lib (= 2), tool")

    with pytest.raises(NotKept, match=r"app depends on lib \(= 2\)") as caught:
        lock(newer, made("lib", "2"), OLD[2], old=old, update=("app",))

    assert caught.value.hint == "update them as well: add `--update lib`"


def test_what_cannot_be_installed_is_told_as_ever(lock: Lock) -> None:
    old = lock(*OLD)

    with pytest.raises(Unsatisfiable, match="none"):
        lock(made("app", "2", Depends="none"), *OLD[1:], old=old, update=("app",))
