import errno
import os
import random
import socket
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer import limits
from artificer.errors import ArtificerError
from artificer.events import Event, SocketSkipped, unheard
from artificer.layers.entry import (
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
    Stat,
    stat_of,
    told,
)
from artificer.layers.patterns import ignored
from artificer.layers.rules import Rules, parse_chmod, parse_chown
from artificer.layers.select import LocalPath, TarFile, entries_of
from artificer.layers.walk import Unfit, Unreadable, unreadable, with_xattrs


def tree(root: Path, *lines: str) -> Path:
    """Make files: `a/` is a directory, `a -> b` a link, `a = text` a file."""
    for line in lines:
        path, arrow, target = line.partition(" -> ")
        path, _, text = path.partition(" = ")
        full = root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        if arrow:
            full.symlink_to(target)
        elif path.endswith("/"):
            full.mkdir(exist_ok=True)
        else:
            full.write_text(text)
    return root


def walked(root: Path, rules: Rules | None = None) -> list[Entry]:
    return entries_of([LocalPath(f"{root}/.")], rules or Rules())


def paths(entries: list[Entry]) -> list[str]:
    return [f"{entry.path}/" if entry.kind == DIRECTORY else entry.path for entry in entries]


def shape(entries: list[Entry]) -> list[tuple[object, ...]]:
    """Return what a layer is made of: no stat, and bytes instead of where they are."""
    return [
        (
            *entry[:8],
            Path(entry.source).read_bytes() if isinstance(entry.source, str) else None,
            *entry[9:11],
        )
        for entry in entries
    ]


def test_a_walk_is_sorted_by_the_components_as_bytes(tmp_path: Path) -> None:
    tree(tmp_path, "a/x", "a-b", "a.c", "B", "é", "z/", "中")
    with open(os.fsencode(tmp_path) + b"/\xff", "wb"):
        pass

    assert paths(walked(tmp_path)) == ["B", "a/", "a/x", "a-b", "a.c", "z/", "é", "中", "\udcff"]


def test_modes_owners_and_times_are_normalised(tmp_path: Path) -> None:
    tree(tmp_path, "plain", "run", "d/", "l -> plain")
    os.mkfifo(tmp_path / "pipe")
    for name, mode in (("plain", 0o640), ("run", 0o4711), ("d", 0o1700), ("pipe", 0o600)):
        (tmp_path / name).chmod(mode)

    found = {entry.path: entry for entry in walked(tmp_path, Rules(mtime=5))}

    assert {path: (entry.kind, entry.mode) for path, entry in found.items()} == {
        "plain": (FILE, 0o644),
        "run": (FILE, 0o755),
        "d": (DIRECTORY, 0o755),
        "l": (SYMLINK, 0o777),
        "pipe": (FIFO, 0o644),
    }
    assert {(entry.uid, entry.gid, entry.mtime) for entry in found.values()} == {(0, 0, 5)}


def test_what_is_on_disk_is_kept_if_asked_for(tmp_path: Path) -> None:
    path = tree(tmp_path, "run") / "run"
    path.chmod(0o4711)
    os.utime(path, ns=(0, 1_999_999_999))
    rules = Rules(mtime=None, chmod=(parse_chmod("preserve"),), chown=(parse_chown("preserve"),))

    (entry,) = walked(tmp_path, rules)

    status = path.stat()
    assert (entry.mode, entry.mtime) == (0o4711, 1)
    assert (entry.uid, entry.gid) == (status.st_uid, status.st_gid)


def test_the_last_rule_that_names_a_path_wins(tmp_path: Path) -> None:
    tree(tmp_path, "bin/a", "bin/b", "c", "l -> c")
    rules = Rules(
        chmod=tuple(map(parse_chmod, ("0600", "/bin/*=0755", "**/b=04755"))),
        chown=tuple(map(parse_chown, ("bin/**=7", "c=1:2"))),
    )

    found = {entry.path: entry[2:5] for entry in walked(tmp_path, rules)}

    assert found == {
        "bin": (0o600, 0, 0),
        "bin/a": (0o755, 7, 7),
        "bin/b": (0o4755, 7, 7),
        "c": (0o600, 1, 2),
        "l": (0o777, 0, 0),
    }


def test_an_entry_has_the_stat_that_the_walk_saw(tmp_path: Path) -> None:
    path = tree(tmp_path, "a = hello") / "a"

    (entry,) = walked(tmp_path)

    status = path.stat()
    assert entry.size == 5
    assert entry.source == str(path)
    assert entry.stat is not None
    assert told(entry.stat) == (
        status.st_mode, 5, status.st_mtime_ns, status.st_ctime_ns, status.st_ino,
    )  # fmt: skip


def test_links_inside_a_tree_are_kept(tmp_path: Path) -> None:
    tree(tmp_path, "a", "to-file -> a", "to-dir -> d", "d/x", "broken -> nowhere", "out -> /etc")

    found = {entry.path: entry.link for entry in walked(tmp_path) if entry.kind == SYMLINK}

    assert found == {"to-file": "a", "to-dir": "d", "broken": "nowhere", "out": "/etc"}


def test_links_are_followed_if_asked_for(tmp_path: Path) -> None:
    tree(tmp_path, "outside/x = 1", "in/to-dir -> ../outside", "in/f -> to-dir/x")

    found = walked(tmp_path / "in", Rules(follow=True))

    assert [(entry.path, entry.kind, entry.size) for entry in found] == [
        ("f", FILE, 1),
        ("to-dir", DIRECTORY, 0),
        ("to-dir/x", FILE, 1),
    ]


@pytest.mark.parametrize("target", [".", "..", "../d", "self"])
def test_links_that_lead_back_are_refused_when_followed(tmp_path: Path, target: str) -> None:
    tree(tmp_path, "d/e/", f"d/self -> {target}")

    with pytest.raises(ArtificerError, match="self"):
        entries_of([LocalPath(f"{tmp_path}/d")], Rules(follow=True))


def test_a_broken_link_cannot_be_followed(tmp_path: Path) -> None:
    tree(tmp_path, "broken -> nowhere")

    with pytest.raises(Unreadable, match=r"broken: no such file"):
        walked(tmp_path, Rules(follow=True))


def test_the_same_directory_may_be_followed_to_twice(tmp_path: Path) -> None:
    tree(tmp_path, "d/x", "l -> d", "m -> d")

    assert paths(walked(tmp_path, Rules(follow=True))) == ["d/", "d/x", "l/", "l/x", "m/", "m/x"]


def test_hard_links_name_the_first_path_of_the_file(tmp_path: Path) -> None:
    tree(tmp_path, "b/y = hi", "c")
    os.link(tmp_path / "b/y", tmp_path / "a")
    os.link(tmp_path / "b/y", tmp_path / "z")

    found = {entry.path: entry for entry in walked(tmp_path)}

    assert (found["a"].kind, found["a"].size) == (FILE, 2)
    assert [found[path][1:8] for path in ("b/y", "z")] == [
        (HARDLINK, 0o644, 0, 0, 0, 0, "a"),
        (HARDLINK, 0o644, 0, 0, 0, 0, "a"),
    ]


def test_hard_links_are_found_across_words(tmp_path: Path) -> None:
    tree(tmp_path, "b/y = hi", "a/")
    os.link(tmp_path / "b/y", tmp_path / "a/x")

    words = [LocalPath(f"{tmp_path}/b"), LocalPath(f"{tmp_path}/a")]

    for order in (words, words[::-1]):
        found = {entry.path: entry.link for entry in entries_of(order, Rules())}
        assert (found["a/x"], found["b/y"]) == ("", "a/x")


def test_one_file_with_two_modes_is_two_files(tmp_path: Path) -> None:
    tree(tmp_path, "a = hi")
    os.link(tmp_path / "a", tmp_path / "b")

    found = walked(tmp_path, Rules(chmod=(parse_chmod("b=0600"),)))

    assert [(entry.kind, entry.size) for entry in found] == [(FILE, 2), (FILE, 2)]


def test_a_link_whose_other_names_are_elsewhere_is_a_file(tmp_path: Path) -> None:
    tree(tmp_path, "in/a = hi")
    os.link(tmp_path / "in/a", tmp_path / "b")

    assert [entry.kind for entry in walked(tmp_path / "in")] == [FILE]


def test_sockets_are_skipped_and_told(tmp_path: Path) -> None:
    events: list[Event] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/sock")
        found = entries_of([LocalPath(f"{tmp_path}/.")], Rules(), report=events.append)

    assert found == []
    assert events == [SocketSkipped(f"{tmp_path}/sock")]


def test_devices_come_from_tars_only() -> None:
    with pytest.raises(Unfit, match="a device: /dev/null") as caught:
        entries_of([LocalPath("/dev/null")], Rules())

    assert caught.value.hint is not None
    assert "--tar" in caught.value.hint


def test_what_is_excluded_is_not_looked_at(tmp_path: Path) -> None:
    tree(tmp_path, "keep", "no/secret/x", ".wh.odd", "a/keep.pyc", "b/x.py")
    (tmp_path / "no/secret").chmod(0)
    rules = Rules(excluded=ignored(["no", ".wh.*", "**/*.pyc"]))

    try:
        assert paths(walked(tmp_path, rules)) == ["a/", "b/", "b/x.py", "keep"]
    finally:
        (tmp_path / "no/secret").chmod(0o700)


def test_what_is_excluded_may_be_taken_in_again_below(tmp_path: Path) -> None:
    tree(tmp_path, "docs/a", "docs/README", "docs/deep/b", "x")

    found = walked(tmp_path, Rules(excluded=ignored(["docs", "!docs/README", "!docs/deep"])))

    assert paths(found) == ["docs/README", "docs/deep/", "docs/deep/b", "x"]


def test_patterns_are_relative_to_each_named_directory(tmp_path: Path) -> None:
    tree(tmp_path, "one/a", "one/b", "two/a", "two/x/a")
    rules = Rules(excluded=ignored(["a"]))
    words = [LocalPath(f"{tmp_path}/one"), LocalPath(f"{tmp_path}/two")]

    assert paths(entries_of(words, rules)) == ["one/", "one/b", "two/", "two/x/", "two/x/a"]


def test_names_that_are_whiteouts_are_refused(tmp_path: Path) -> None:
    tree(tmp_path, "d/.wh.x")

    with pytest.raises(Unfit, match=r"\.wh\.x: a name") as caught:
        walked(tmp_path)

    assert caught.value.hint is not None
    assert "--delete" in caught.value.hint


def test_what_cannot_be_read_is_named() -> None:
    error = unreadable(PermissionError(errno.EACCES, "Permission denied", b"d/\xff"))

    assert error.message == "d/\udcff: permission denied"
    assert error.exit_code == 1
    assert unreadable(OSError("odd")).message == "a file: odd"


def test_directories_may_nest_255_deep(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(limits.DEPTH):
        deep /= "d"
    deep.mkdir(parents=True)

    assert len(walked(tmp_path)) == limits.DEPTH
    (deep / "d").touch()
    with pytest.raises(ArtificerError, match="deeper than 255"):
        walked(tmp_path)


def test_extended_attributes_of_users_are_kept(tmp_path: Path) -> None:
    path = tree(tmp_path, "a", "d/", "l -> a") / "a"
    try:
        os.setxattr(path, "user.b", b"2")
        os.setxattr(path, "user.a", b"\0")
    except OSError:
        pytest.skip("no extended attributes here")

    found = {entry.path: entry.xattrs for entry in with_xattrs(walked(tmp_path))}

    assert found == {"a": (("user.a", b"\0"), ("user.b", b"2")), "d": (), "l": ()}


def test_a_file_that_is_gone_has_no_extended_attributes(tmp_path: Path) -> None:
    entries = walked(tree(tmp_path, "a"))
    (tmp_path / "a").unlink()

    assert with_xattrs(entries) == entries


def test_file_capabilities_are_kept_and_other_attributes_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attributes = {"security.capability": b"caps", "security.selinux": b"x", "trusted.a": b"y"}
    entries = walked(tree(tmp_path, "a"))
    monkeypatch.setattr(os, "listxattr", lambda _: list(attributes), raising=False)
    monkeypatch.setattr(os, "getxattr", lambda _, name: attributes[name], raising=False)

    assert with_xattrs(entries)[0].xattrs == (("security.capability", b"caps"),)


def test_a_tree_may_be_too_deep_to_look_into(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(limits.DEPTH + 2):
        deep /= "d"
    deep.mkdir(parents=True)

    with pytest.raises(Unfit, match="nested deeper than 255"):
        walked(tmp_path)


def test_a_system_without_extended_attributes_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = walked(tree(tmp_path, "a"))
    monkeypatch.delattr(os, "listxattr", raising=False)

    assert with_xattrs(entries) == entries


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([0o022, 0o077, 0o002]))
def test_the_same_files_give_the_same_entries_anywhere(
    tmp_path_factory: pytest.TempPathFactory, rng: random.Random, umask: int
) -> None:
    lines = ["a/x = 1", "a/y = 2", "b", "c/d/e = 3", "l -> a/x", "run", "é/z"]
    first = tmp_path_factory.mktemp("one")
    tree(first, *lines)
    (first / "run").chmod(0o755)
    rng.shuffle(lines)
    second = tmp_path_factory.mktemp("two")
    before, zone = os.umask(umask), os.environ.get("TZ")
    try:
        os.environ["TZ"] = "Asia/Tokyo"
        time.tzset()
        tree(second, *lines)
        (second / "run").chmod(stat.S_IRWXU)
        assert shape(walked(first)) == shape(walked(second))
    finally:
        os.umask(before)
        os.environ.pop("TZ")
        if zone is not None:
            os.environ["TZ"] = zone
        time.tzset()


def test_a_walk_says_nothing_when_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert entries_of([LocalPath(f"{tmp_path}/.")], Rules(), report=unheard) == []


def test_all_that_was_looked_at_is_told(tmp_path: Path) -> None:
    tree(tmp_path, "d/a", "d/sub/b", "d/l -> a", "d/no/x", "d/no/keep", "named -> d/a")
    os.link(tmp_path / "d/a", tmp_path / "d/hard")
    rules = Rules(excluded=ignored(["no", "!no/keep"]))
    words = [LocalPath(f"{tmp_path}/d"), LocalPath(f"{tmp_path}/named")]
    seen: list[tuple[str, Stat]] = []

    entries_of(words, rules, seen=seen)

    told = {path.removeprefix(f"{tmp_path}/") for path, _ in seen}
    assert told == {"d", "d/a", "d/hard", "d/l", "d/no", "d/no/keep", "d/sub", "d/sub/b", "named"}
    assert all(stat_of(os.lstat(path)) == known for path, known in seen)


def test_what_a_pattern_looked_at_is_told(tmp_path: Path) -> None:
    tree(tmp_path, "d/a.js", "d/b.css")
    seen: list[tuple[str, Stat]] = []

    entries_of([LocalPath(f"{tmp_path}/*/*.js")], Rules(), seen=seen)

    told = {path for path, _ in seen}
    assert {str(tmp_path), f"{tmp_path}/d", f"{tmp_path}/d/a.js"} <= told


def test_an_archive_is_told_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.tar").touch()
    seen: list[tuple[str, Stat]] = []

    entries_of([TarFile(f"{tmp_path}/a.tar"), TarFile("-")], Rules(), seen=seen)

    assert [path for path, _ in seen] == [f"{tmp_path}/a.tar"]
