import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry
from artificer.layers.index import File, Index
from artificer.layers.merge import Conflict
from artificer.layers.place import STANDARD, needs_index, placed
from artificer.layers.tree import Tree


def entry(line: str) -> Entry:
    """Return an entry: `a/` is a directory, `a -> b` a link, `a => b` a hard link, else a file."""
    for arrow, kind in ((" -> ", SYMLINK), (" => ", HARDLINK)):
        if arrow in line:
            path, _, link = line.partition(arrow)
            return Entry(path, kind, 0o777, 0, 0, 0, 9, link, None)
    if line.endswith("/"):
        return Entry(line[:-1], DIRECTORY, 0o700, 1, 1, 0, 9, "", None)
    return Entry(line, FILE, 0o644, 0, 0, len(line), 9, "", line.encode())


def base(*lines: str) -> Tree:
    files = []
    for line in lines:
        found = entry(line)
        mode = 0o711 if found.kind == DIRECTORY else found.mode
        files.append(File(*found[:2], mode, *found[3:7], 0, found.link))
    return Tree([Index(files)])


def landed(tree: Tree | None, *lines: str) -> list[str]:
    """Return what is written: `+` marks directories that were made, `=` those of the base."""
    marks = {0o755: "+", 0o711: "="}
    found = placed([entry(line) for line in lines], tree, mtime=5)
    return [
        f"{entry.path}/{marks.get(entry.mode, '')}"
        if entry.kind == DIRECTORY
        else f"{entry.path}{' => ' + entry.link if entry.kind == HARDLINK else ''}"
        for entry in found
    ]


def own(tree: Tree, *lines: str) -> list[str]:
    """Return what is written besides directories of the base."""
    return [line for line in landed(tree, *lines) if not line.endswith("=")]


BASE = base(
    "usr/", "usr/bin/", "usr/bin/sh", "bin -> usr/bin", "tmp/", "var/run -> /run", "run/",
    "data -> /mnt/data", "sh -> bin/sh", "etc/",
)  # fmt: skip


def test_parents_that_nobody_has_are_made_before_what_is_in_them() -> None:
    assert landed(None, "a/b/c", "a/d", "x") == ["a/+", "a/b/+", "a/b/c", "a/d", "x"]


def test_a_parent_that_is_made_is_plain() -> None:
    assert placed([entry("a/b")], None, mtime=5)[0] == Entry(
        "a", DIRECTORY, 0o755, 0, 0, 0, 5, "", None
    )


def test_parents_that_the_base_has_stay_as_they_are() -> None:
    # Docker and podman make a directory that the layer does not have 0755 and 0:0.
    assert landed(BASE, "usr/bin/x", "usr/local/x", "tmp/x") == [
        "usr/=", "usr/bin/=", "usr/bin/x", "usr/local/+", "usr/local/x", "tmp/=", "tmp/x",
    ]  # fmt: skip
    tree = Tree(
        [Index([File("tmp", DIRECTORY, 0o1777, 3, 4, 0, 5, 0, xattrs=(("user.a", b"1"),))])]
    )
    assert placed([entry("tmp/x")], tree)[0] == Entry(
        "tmp", DIRECTORY, 0o1777, 3, 4, 0, 5, "", None, (("user.a", b"1"),)
    )


def test_what_is_deleted_changes_no_directory_and_makes_none() -> None:
    assert landed(BASE, "usr/bin/.wh.sh", "missing/.wh.x") == [
        "usr/=", "usr/bin/=", "usr/bin/.wh.sh", "missing/.wh.x",
    ]  # fmt: skip


def test_a_named_directory_is_kept_even_if_the_base_has_it() -> None:
    assert landed(BASE, "tmp/", "tmp/x") == ["tmp/", "tmp/x"]


def test_a_directory_that_is_named_later_comes_before_its_contents() -> None:
    assert landed(None, "a/b/c", "a/b/", "a/") == ["a/", "a/b/", "a/b/c"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("bin/x", ["usr/bin/x"]),
        ("bin/", ["usr/bin/"]),
        ("bin/sub/", ["usr/bin/sub/"]),
        ("bin/sub/x", ["usr/bin/sub/+", "usr/bin/sub/x"]),
        ("var/run/pid", ["run/pid"]),
        ("data/x", ["mnt/+", "mnt/data/+", "mnt/data/x"]),
        ("bin/.wh.sh", ["usr/bin/.wh.sh"]),
        (".wh.bin", [".wh.bin"]),
        ("nothing/here/.wh.x", ["nothing/here/.wh.x"]),
    ],
)
def test_links_of_the_base_to_directories_are_followed(line: str, found: list[str]) -> None:
    assert own(BASE, line) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("bin", ["bin"]),
        ("sh", ["sh"]),
        ("tmp", ["tmp"]),
        ("data/", ["data/"]),
        ("sh/", ["sh/"]),
        ("usr/bin/sh/", ["usr/bin/sh/"]),
        ("usr/bin/sh/x", ["usr/bin/sh/+", "usr/bin/sh/x"]),
        ("bin -> elsewhere", ["bin"]),
    ],
)
def test_an_entry_replaces_what_the_base_has_at_its_path(line: str, found: list[str]) -> None:
    assert own(BASE, line) == found


def test_hard_links_follow_what_they_name() -> None:
    assert own(BASE, "bin/a", "opt => bin/a", "bin/b => opt") == [
        "usr/bin/a",
        "opt => usr/bin/a",
        "usr/bin/b => opt",
    ]


def test_two_paths_that_are_one_in_the_base_are_a_conflict_if_they_differ() -> None:
    one, other = entry("bin/x"), entry("usr/bin/x")
    with pytest.raises(Conflict, match="/usr/bin/x"):
        placed([one, other], BASE)
    same = other._replace(source=one.source, size=one.size)
    assert [entry.path for entry in placed([one, same], BASE)][2:] == ["usr/bin/x"]


def test_nothing_changes_where_nothing_has_to() -> None:
    entries = [entry(line) for line in ("a/", "a/x", "b")]

    assert placed(entries, BASE) == entries
    assert placed([], None) == []


@pytest.mark.parametrize("top", sorted(STANDARD))
def test_a_standard_directory_needs_the_index(top: str) -> None:
    assert needs_index([entry("a"), entry(f"{top}/x")], "", ())
    assert needs_index([entry(f"{top}/")], "", ())
    assert not needs_index([entry(f"{top}x/y"), entry(f"app/{top}")], "", ())


@pytest.mark.parametrize(
    ("path", "workdir", "volumes", "needed"),
    [
        ("app/x", "/app", (), True),
        ("app/x", "/app/", (), True),
        ("app", "/app", (), True),
        ("app/deep/x", "/app", (), True),
        ("apple", "/app", (), False),
        ("app/x", "/", (), False),
        ("app/x", "", (), False),
        ("app/x", "/app/deep", (), False),
        ("data/x", "/", ("/x", "/data"), True),
        ("a/.wh.x", "/", (), True),
    ],
)
def test_the_working_directory_and_volumes_need_the_index(
    path: str, workdir: str, volumes: tuple[str, ...], needed: bool
) -> None:
    assert needs_index([entry(path)], workdir, volumes) is needed


def test_no_entry_needs_no_index() -> None:
    assert not needs_index([], "/app", ("/data",))


PATHS = st.lists(st.sampled_from(["a", "b", "c", "bin"]), min_size=1, max_size=4).map("/".join)


@given(st.lists(PATHS, unique=True, max_size=8), st.booleans())
def test_every_parent_is_there_once_and_first(paths: list[str], known: bool) -> None:
    above = {path[:at] for path in paths for at in range(len(path)) if path[at] == "/"}
    lines = [f"{path}/" if path in above else path for path in paths]
    tree = base("bin -> usr", "usr/") if known else None

    found = [entry.path for entry in placed([entry(line) for line in lines], tree)]

    assert len(set(found)) == len(found)
    for number, path in enumerate(found):
        parent = path.rpartition("/")[0]
        assert not parent or parent in found[:number]
