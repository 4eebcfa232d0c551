"""What a request for packages comes to, and when that is known from the last time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from artificer.builder.debian.choice import Chosen
from artificer.builder.debian.chosen import resolved
from artificer.builder.debian.recalled import asked
from artificer.builder.debian.tools import DebTools
from artificer.builder.recipe import AddDebs
from artificer.images.reach import Reach
from artificer.oci.edit import empty
from artificer.oci.platform import LINUX_AMD64
from artificer.sandbox.client import NoSandbox, Sandbox
from artificer.sources.debian.values import Archive, Pin, Wanted
from tests.parts.archive import SmallArchive, made
from tests.parts.machine_archive import web_over

KIND = "debs-chosen"
APP = Wanted(("app",))
SCRATCH = empty(LINUX_AMD64, "oci")


def no_sandbox() -> Sandbox:
    raise NoSandbox("nothing can be run")


@pytest.fixture
def small(tmp_path: Path) -> SmallArchive:
    archive = SmallArchive(tmp_path / "archive")
    return archive.add(made("app", "1", Depends="lib"), made("lib", "1"), made("other", "1"))


Choose = Callable[..., Chosen]


@pytest.fixture
def choose(reach: Reach, small: SmallArchive) -> Choose:
    def chosen(archive: Archive, wanted: Wanted = APP) -> Chosen:
        with web_over(reach.store, report=reach.report) as web:
            tools, step = DebTools(web, no_sandbox), AddDebs(wanted, (archive,))
            return resolved(step, SCRATCH, "amd64", reach, tools)

    return chosen


def versions(chosen: Chosen) -> list[str]:
    return [f"{one.name} {one.version}" for one in chosen.packages]


def records(reach: Reach) -> list[str]:
    return [one.key for one in reach.store.records(KIND)]


@pytest.mark.parametrize("flat", [False, True])
def test_a_request_is_resolved_once_while_the_archive_says_the_same(
    choose: Choose, small: SmallArchive, reach: Reach, flat: bool
) -> None:
    small.publish()
    archive = small.archive()
    if flat:
        small.flat(made("app", "1", Depends="lib"), made("lib", "1"), folder="flat")
        archive = Archive(f"file://{small.root}", "flat/", trusted=True)
        (small.root / "flat/Release").unlink()
        (small.root / "flat/InRelease").unlink()

    first = choose(archive)
    (name,) = records(reach)
    again = choose(archive)

    assert again == first
    assert versions(first) == ["lib 1", "app 1"]
    assert records(reach) == [name]


def test_what_is_known_is_taken(choose: Choose, small: SmallArchive, reach: Reach) -> None:
    small.publish()
    choose(small.archive())
    (name,) = records(reach)
    reach.store.set_record(KIND, name, b'{"packages": [], "remove": ["x:amd64"], "why": "y"}')

    assert choose(small.archive()) == Chosen((), ("x:amd64",), "y")


def test_a_new_date_of_the_archive_alone_changes_nothing(
    choose: Choose, small: SmallArchive, reach: Reach
) -> None:
    small.publish()
    choose(small.archive())
    small.publish(Date="Wed, 15 Nov 2023 00:00:00 UTC")
    choose(small.archive())

    assert len(records(reach)) == 1


def test_a_new_version_in_the_archive_is_taken(choose: Choose, small: SmallArchive) -> None:
    small.publish()
    choose(small.archive())
    small.add(made("lib", "2")).publish()

    assert versions(choose(small.archive())) == ["lib 2", "app 1"]


@pytest.mark.parametrize(
    "other",
    [
        Wanted(("app", "lib=1")),
        Wanted(("app",), recommends=True),
        Wanted(("app",), exclude=("other",)),
        Wanted(("app",), pins=(Pin(("lib",), "version", "1", 1001),)),
    ],
)
def test_another_request_is_another_matter(
    choose: Choose, small: SmallArchive, reach: Reach, other: Wanted
) -> None:
    small.publish()
    choose(small.archive())
    choose(small.archive(), other)

    assert len(records(reach)) == 2


def test_another_priority_of_the_archive_is_another_matter(
    choose: Choose, small: SmallArchive, reach: Reach
) -> None:
    small.publish()
    choose(small.archive())
    choose(small.archive()._replace(pin=1001))
    small.publish(NotAutomatic="yes")
    choose(small.archive())

    assert len(records(reach)) == 3


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"packages": [["a"]], "remove": [], "why": ""}',
        b'{"packages": [["a","1","amd64",[],"x","0","",false]], "remove": [], "why": ""}',
        b'{"packages": [["a","1","amd64",[1],"x",0,"",false]], "remove": [], "why": ""}',
        b'{"packages": [], "remove": [1], "why": ""}',
    ],
)
def test_a_damaged_record_is_none(
    choose: Choose, small: SmallArchive, reach: Reach, damage: bytes
) -> None:
    small.publish()
    first = choose(small.archive())
    (name,) = records(reach)
    reach.store.set_record(KIND, name, damage)

    assert choose(small.archive()) == first
    assert choose(small.archive()) == first


def test_what_was_chosen_before_is_known_as_soon_as_archives_are_asked(
    choose: Choose, small: SmallArchive, reach: Reach
) -> None:
    small.publish()
    step = AddDebs(APP, (small.archive(),))
    with web_over(reach.store) as web:
        before = asked(step, SCRATCH, "amd64", web)
        chosen = choose(small.archive())
        after = asked(step, SCRATCH, "amd64", web)

    assert (before.known, after.known) == (None, chosen)
