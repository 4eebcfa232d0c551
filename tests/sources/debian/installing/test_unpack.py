"""Where the files of packages go, and whose they are."""

import os
from typing import BinaryIO

import pytest

from artificer.errors import ArtificerError
from artificer.events import BlobProgress, Event
from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK
from artificer.sources.debian.deb import BadPackage
from artificer.sources.debian.installing import ahead
from artificer.sources.debian.installing.install import installation
from artificer.sources.debian.installing.installation import Base, Installation, Options
from artificer.sources.debian.installing.layout import Layout
from artificer.sources.debian.installing.replacing import replaces
from artificer.sources.debian.installing.stream import Reading, unpacked
from artificer.sources.debian.installing.unpack import FileConflict, Owner, Placement, open_debs
from artificer.stop import Stop
from tests.parts.archive import TIME, File, Made, made
from tests.sources.debian.workbench import Bench, base_at, put, text_of

UNPACK = Options(level="unpack")


def installed(bench: Bench, *packages: Made, base: Base | None = None) -> Installation:
    return installation(bench.debs(*packages), base, UNPACK)


def paths(value: Installation) -> set[str]:
    return {entry.path for entry in value.entries}


def test_how_much_of_packages_is_read_is_told(bench: Bench) -> None:
    told: list[Event] = []
    files = bench.paths(made("a"), made("b"), made("c"))

    open_debs(files, bench.spool, threads=2, stop=Stop(), report=told.append)

    found = [one for one in told if isinstance(one, BlobProgress)]
    size = sum(map(os.path.getsize, files))
    assert [(one.name, one.total) for one in found] == [("3 packages", size)] * 3
    assert [one.done for one in found] == sorted({one.done for one in found})
    assert found[-1].done == size


def test_files_go_through_the_links_of_merged_usr(bench: Bench) -> None:
    package = made(
        "old",
        files={
            "bin/old": "x",
            "bin/again": File(link="./bin/old", hard=True),
            "lib/a/b.so": "so",
            "lib64/ld.so": File(link="/lib/a/b.so"),
        },
    )

    value = installed(bench, package)

    kinds = {one.path: (one.kind, one.link) for one in value.entries}
    assert kinds["usr/bin/again"] == (FILE, "")
    assert kinds["usr/bin/old"] == (HARDLINK, "usr/bin/again")
    assert kinds["usr/lib64/ld.so"] == (SYMLINK, "/lib/a/b.so")
    assert kinds["bin"] == (SYMLINK, "usr/bin")
    assert kinds["usr/bin"] == (DIRECTORY, "")
    assert not any(path.startswith(("bin/", "lib/")) for path in kinds)


def test_a_package_that_brings_the_links_itself_has_them_as_it_likes(bench: Bench) -> None:
    package = made("base-files", files={"usr/bin/": File(), "bin": File(link="usr/bin")})

    value = installed(bench, package, made("a", files={"bin/a": "x"}))

    assert {"bin", "usr/bin/a"} <= paths(value)
    assert "lib64" not in paths(value)


def test_a_base_without_merged_usr_stays_so(bench: Bench) -> None:
    root = bench.folder / "root"
    (root / "bin").mkdir(parents=True)
    (root / "usr").mkdir()

    value = installed(bench, made("a", files={"bin/a": "x"}), base=base_at(root))

    assert "bin/a" in paths(value)
    assert not {"bin", "usr/bin"} & paths(value)


def test_links_to_directories_of_the_base_are_followed(bench: Bench) -> None:
    root = bench.folder / "root"
    (root / "run/lock").mkdir(parents=True)
    (root / "var").mkdir()
    (root / "var/run").symlink_to("/run")

    value = installed(bench, made("a", files={"var/run/lock/a": "x"}), base=base_at(root))

    assert "run/lock/a" in paths(value)
    assert "var/run" not in paths(value)


def test_directories_of_the_base_stay_as_they_are(bench: Bench) -> None:
    root = bench.folder / "root"
    (root / "srv").mkdir(parents=True)

    value = installed(bench, made("a", files={"srv/a/b": "x"}), base=base_at(root))

    assert "srv/a" in paths(value)
    assert "srv" not in paths(value)


def test_one_file_of_two_packages_is_an_error_that_names_both(bench: Bench) -> None:
    one, two = made("one", "1.5", files={"usr/x": "1"}), made("two", files={"usr/x": "2"})

    with pytest.raises(FileConflict, match=r"/usr/x is in two 1 and also in one 1\.5"):
        installed(bench, one, two)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_replaces_another_has_its_file(bench: Bench, order: tuple[int, int]) -> None:
    both = (
        made("one", "1", files={"usr/x": "1"}),
        made("two", files={"usr/x": "2"}, Replaces="one (<< 2)"),
    )

    value = installed(bench, *(both[number] for number in order))
    configured = installation(
        bench.debs(*(both[number] for number in order)), None, Options(runs=True)
    )

    assert text_of(value.entries, "usr/x") == "2"
    assert text_of(configured.entries, "usr/x") == "2"
    assert "/usr/x" not in text_of(configured.entries, "var/lib/dpkg/info/one.list")


def test_what_replaces_an_older_version_does_not_replace_this(bench: Bench) -> None:
    one = made("one", "2", files={"usr/x": "1"})
    two = made("two", files={"usr/x": "2"}, Replaces="one (<< 2)")

    with pytest.raises(FileConflict):
        installed(bench, one, two)


def libraries(content: str) -> tuple[Made, Made]:
    one = {"usr/share/l": "x", "usr/lib/a": "a"}
    two = {"usr/share/l": content, "usr/lib/b": "b"}
    return (
        made("lib", "1", "amd64", files=one, Multi_Arch="same"),
        made("lib", "1", "i386", files=two, Multi_Arch="same"),
    )


def test_a_file_that_is_the_same_for_several_architectures_is_shared(bench: Bench) -> None:
    value = installation(bench.debs(*libraries("x")), None, Options())

    info = "var/lib/dpkg/info"
    assert {f"{info}/lib:amd64.list", f"{info}/lib:i386.list"} <= paths(value)
    assert "/usr/share/l" in text_of(value.entries, f"{info}/lib:i386.list")


def test_one_package_for_two_architectures_is_noted_twice(bench: Bench) -> None:
    both = [made("lib", "1", name, Multi_Arch="same") for name in ("amd64", "i386")]
    root = bench.root("root")
    put(root, installed(bench, both[0]).entries)

    together = installed(bench, *both)
    later = installed(bench, both[1], base=base_at(root))
    again = installed(bench, both[0], base=base_at(root))

    native, foreign = "var/lib/dpkg/status.d/lib", "var/lib/dpkg/status.d/lib:i386"
    assert "Architecture: amd64" in text_of(together.entries, native)
    assert "Architecture: i386" in text_of(together.entries, foreign)
    assert native not in paths(later)
    assert {foreign, f"{foreign}.md5sums"} <= paths(later)
    assert foreign not in paths(again)


def test_a_file_that_differs_between_architectures_is_an_error(bench: Bench) -> None:
    with pytest.raises(FileConflict, match="/usr/share/l"):
        installed(bench, *libraries("y"))


def test_files_are_put_beside_those_that_are_diverted(bench: Bench) -> None:
    root = bench.root("root")
    diversions = "/bin/a\n/bin/a.real\nother\n"
    (root / "var/lib/dpkg/diversions").write_text(diversions)

    value = installed(bench, made("a", files={"bin/a": "x"}), base=base_at(root))
    own = installed(bench, made("other", files={"bin/a": "x"}), base=base_at(root))

    assert "usr/bin/a.real" in paths(value)
    assert "usr/bin/a" in paths(own)


def test_a_directory_where_a_file_is_to_be_is_an_error(bench: Bench) -> None:
    with pytest.raises(FileConflict, match="/usr/a of two is a directory already"):
        installed(bench, made("one", files={"usr/a/b": "1"}), made("two", files={"usr/a": "2"}))


@pytest.mark.parametrize(
    "files",
    [{"usr/a": "1", "usr/a/": File()}, {"usr/a": "1", "usr/a/b": "2"}],
    ids=["itself", "above a file"],
)
def test_a_file_that_is_a_directory_too_is_an_error(
    bench: Bench, files: dict[str, File | str]
) -> None:
    with pytest.raises(BadPackage, match="one: /usr/a is a file, and a directory"):
        installed(bench, made("one", files=files))


def test_a_file_where_another_package_has_a_directory_is_an_error(bench: Bench) -> None:
    one, two = made("one", files={"usr/a": "1"}), made("two", files={"usr/a/b": "2"})
    placement = Placement(Layout(None, {}), replaces)
    first, second = bench.debs(one, two)
    placement.add(first)

    with pytest.raises(FileConflict, match="/usr/a is in two 1 and also in one 1"):
        placement.add(second)


def test_a_file_of_a_base_where_a_directory_is_to_be_is_an_error(bench: Bench) -> None:
    root = bench.folder / "root"
    (root / "usr").mkdir(parents=True)
    (root / "usr/a").touch()
    layout = Layout(base_at(root).tree, {})
    owners = {"usr/a": Owner("old", "3", "amd64", same=False)}
    (deb,) = bench.debs(made("new", files={"usr/a/b": "1"}))

    with pytest.raises(FileConflict, match="/usr/a is in new 1 and also in old 3"):
        Placement(layout, replaces, owners=owners).add(deb)


def test_directories_that_no_package_has_itself_are_none_for_links(bench: Bench) -> None:
    (deb,) = bench.debs(made("a", files={"usr/a/b": "1", "usr/a": File(link="c")}))
    bare = deb._replace(entries=tuple(one for one in deb.entries if one.kind != DIRECTORY))

    placed = Placement(Layout(None, {}), replaces).add(bare)

    assert [entry.path for entry in placed.entries] == ["usr/a/b"]


def test_owners_modes_and_times_are_the_packages(bench: Bench) -> None:
    package = made("a", files={"usr/a": File(b"x", 0o4750, owner=(12, 34))})

    value = installed(bench, package)

    entry = next(one for one in value.entries if one.path == "usr/a")
    assert (entry.mode, entry.uid, entry.gid, entry.mtime) == (0o4750, 12, 34, TIME)


def test_a_name_that_hides_files_of_lower_layers_is_an_error(bench: Bench) -> None:
    with pytest.raises(ArtificerError, match="a name that no layer can hold"):
        installed(bench, made("a", files={"usr/.wh.bin": "x"}))


@pytest.mark.parametrize("threads", [1, 3])
def test_streamed_packages_are_what_installed_ones_are(bench: Bench, threads: int) -> None:
    packages = [made(f"p{n}", files={f"bin/{n}": "x" * n * 1000}) for n in range(20)]
    reading = Reading(bench.spool, Stop(), threads)

    found = []
    for part in unpacked(bench.paths(*packages), None, UNPACK, reading):
        found += [(one.path, one.kind, one.size) for one in part.entries]
        names = {one.path: one for one in part.entries}
        if part.placed is not None:
            path = f"usr/bin/{part.placed.package.name[1:]}"
            assert text_of(part.entries, path) == "x" * names[path].size

    value = installed(bench, *packages)
    assert sorted(found) == sorted((one.path, one.kind, one.size) for one in value.entries)


def test_a_damaged_package_ends_the_stream_with_its_name(bench: Bench) -> None:
    paths_of = bench.paths(made("a"), made("b"), made("c"))
    with open(paths_of[1], "r+b") as file:
        file.truncate(200)

    with pytest.raises(ArtificerError, match=r"b_1_all\.deb"):
        list(unpacked(paths_of, None, UNPACK, Reading(bench.spool, Stop())))


def test_a_stream_that_is_not_read_to_its_end_leaves_no_thread(bench: Bench) -> None:
    packages = [made(f"p{n}") for n in range(50)]

    stream = unpacked(bench.paths(*packages), None, UNPACK, Reading(bench.spool, Stop()))
    first = next(stream)
    stream.close()  # type: ignore[attr-defined]

    assert first.placed is not None


def test_status_of_what_is_only_unpacked_is_in_status_d(bench: Bench) -> None:
    value = installed(bench, made("a", "1.2", scripts={"postinst": "#!/bin/sh\nset -e\n"}))

    assert "Version: 1.2" in text_of(value.entries, "var/lib/dpkg/status.d/a")
    assert [(one.script, one.fate) for one in value.scripts] == [("postinst", "skipped")]
    assert not value.commands
    assert value.owners["usr/share/doc/a/copyright"] == "a"


def test_a_large_package_is_decompressed_on_disk(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    spooled = []

    def spool() -> BinaryIO:
        spooled.append(bench.spool())
        return spooled[-1]

    monkeypatch.setattr(ahead, "IN_MEMORY", 100)
    monkeypatch.setattr(ahead, "ROOM", 10)
    packages = [made(f"p{n}", files={f"usr/{n}": "x" * 9000}) for n in range(6)]

    parts = list(unpacked(bench.paths(*packages), None, UNPACK, Reading(spool, Stop())))

    assert len(spooled) == len(packages)
    assert all(file.closed for file in spooled)
    assert [one.placed.package.name for one in parts if one.placed] == [f"p{n}" for n in range(6)]


def test_a_small_package_that_becomes_large_is_decompressed_on_disk(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    spooled = []

    def spool() -> BinaryIO:
        spooled.append(bench.spool())
        return spooled[-1]

    monkeypatch.setattr(ahead, "IN_MEMORY", 1 << 20)
    packages = made("small"), made("bomb", files={"usr/zeros": "0" * (2 << 20)})

    parts = list(unpacked(bench.paths(*packages), None, UNPACK, Reading(spool, Stop())))

    assert len(spooled) == 1
    assert [one.placed.package.name for one in parts if one.placed] == ["small", "bomb"]
