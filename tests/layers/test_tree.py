import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.layers.entry import DIRECTORY, FILE, SYMLINK
from artificer.layers.index import File, Index
from artificer.layers.tree import TooManyLinks, Tree


def layer(*lines: str) -> Index:
    """Return an index: `a/` is a directory, `a -> b` a link, all else files."""
    files = []
    for line in lines:
        path, arrow, link = line.partition(" -> ")
        kind = SYMLINK if arrow else DIRECTORY if path.endswith("/") else FILE
        files.append(File(path.rstrip("/"), kind, 0o711, 0, 0, 0, 0, 0, link))
    return Index(files)


def paths(tree: Tree) -> list[str]:
    return [f"{file.path}/" if file.kind == DIRECTORY else file.path for file in tree]


def test_upper_layers_add_and_replace() -> None:
    tree = Tree([layer("a/", "a/x", "b"), layer("a/y", "b", "c")])

    assert paths(tree) == ["a/", "a/x", "a/y", "b", "c"]
    assert [tree.layer_of(path) for path in ("a", "a/x", "b", "nothing")] == [0, 0, 1, None]


def test_a_whiteout_hides_a_file_or_a_whole_directory() -> None:
    tree = Tree([layer("a/", "a/x", "a/y/", "a/y/z"), layer("a/.wh.x", "a/.wh.y", "b/.wh.c")])

    assert paths(tree) == ["a/"]


def test_a_whiteout_does_not_hide_what_its_own_layer_has() -> None:
    for upper in (layer("a/.wh.x", "a/x/", "a/x/new"), layer("a/x/", "a/x/new", "a/.wh.x")):
        assert paths(Tree([layer("a/", "a/x/", "a/x/old"), upper])) == ["a/", "a/x/", "a/x/new"]


def test_an_opaque_directory_hides_what_is_below_it_in_lower_layers() -> None:
    tree = Tree([layer("a/", "a/x", "b"), layer("a/", "a/y", "a/.wh..wh..opq")])

    assert paths(tree) == ["a/", "a/y", "b"]


def test_an_opaque_root_hides_everything() -> None:
    assert paths(Tree([layer("a/", "b"), layer(".wh..wh..opq", "c")])) == ["c"]


def test_the_marks_of_aufs_are_no_files() -> None:
    assert paths(Tree([layer("a", ".wh..wh.plnk", ".wh..wh.aufs")])) == ["a"]


def test_a_file_replaces_a_directory_and_a_directory_a_file() -> None:
    tree = Tree([layer("a/", "a/x", "b", "l -> a"), layer("a", "b/", "b/y", "l/", "l/z")])

    assert paths(tree) == ["a", "b/", "b/y", "l/", "l/z"]


def test_one_layer_may_contradict_itself() -> None:
    assert paths(Tree([layer("a/", "a/x", "a", "a/y")])) == ["a/", "a/y"]


def test_directories_without_an_entry_are_there() -> None:
    tree = Tree([layer("a/b/c")])

    found = tree.lookup("a/b")
    assert found is not None
    assert found[:5] == ("a/b", DIRECTORY, 0o755, 0, 0)
    root = tree.lookup("")
    assert root is not None
    assert root.kind == DIRECTORY


def test_the_root_may_have_an_entry() -> None:
    root = Tree([Index([File("", DIRECTORY, 0o700, 1, 1, 0, 0, 0)])]).lookup("/")

    assert root is not None
    assert root.mode == 0o700


LINKS = layer(
    "usr/bin/sh", "bin -> usr/bin", "abs -> /usr", "up -> ../../usr", "deep/l -> ../bin/sh",
    "dangling -> no/where", "a -> b", "b -> a", "self -> self", "usr/x -> /bin", "f",
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("bin", "usr/bin"),
        ("bin/sh", "usr/bin/sh"),
        ("/bin//./sh", "usr/bin/sh"),
        ("abs/bin", "usr/bin"),
        ("up/bin", "usr/bin"),
        ("deep/l", "usr/bin/sh"),
        ("dangling", "no/where"),
        ("dangling/x", "no/where/x"),
        ("usr/x/sh", "usr/bin/sh"),
        ("bin/../f", "usr/f"),
        ("../../f", "f"),
        ("f/below", "f/below"),
        ("missing/a/b", "missing/a/b"),
        ("", ""),
    ],
)
def test_links_are_followed_inside_the_image(path: str, real: str) -> None:
    assert Tree([LINKS]).resolve(path) == real


@pytest.mark.parametrize("path", ["a", "b/x", "self"])
def test_links_without_end_are_refused(path: str) -> None:
    with pytest.raises(TooManyLinks):
        Tree([LINKS]).resolve(path)


def test_forty_links_are_followed_and_no_more() -> None:
    tree = Tree([layer(*(f"l{n} -> l{n + 1}" for n in range(50)))])

    assert tree.resolve("l10") == "l50"
    with pytest.raises(TooManyLinks):
        tree.resolve("l9")


def test_a_lookup_follows_the_last_link_only_if_asked() -> None:
    tree = Tree([LINKS])

    followed, link = tree.lookup("bin/../../deep/l"), tree.lookup("deep/l", follow=False)
    assert followed is not None
    assert link is not None
    assert (followed.path, link.kind) == ("usr/bin/sh", SYMLINK)
    assert tree.lookup("missing") is tree.lookup("f/x") is tree.lookup("dangling") is None
    assert tree.is_directory("bin")
    assert not tree.is_directory("bin/sh")


def test_names_are_listed_by_their_bytes() -> None:
    tree = Tree([layer("d/é", "d/\udcff", "d/z", "d/Z", "l -> d")])

    assert tree.listdir("l") == ["Z", "z", "é", "\udcff"]
    assert tree.listdir("d/z") == tree.listdir("missing") == []


def test_a_walk_is_sorted_by_components() -> None:
    tree = Tree([layer("a-b", "a/", "a/x", "a.b", "l -> a")])

    assert [file.path for file in tree] == ["a", "a/x", "a-b", "a.b", "l"]
    assert [file.path for file in tree.walk("l")] == ["a/x"]
    assert list(tree.walk("a-b")) == []


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=3)
LAYERS = st.lists(
    st.lists(st.tuples(NAMES.map("/".join), st.sampled_from(["", "/", "wh", "opq"])), max_size=6),
    max_size=4,
)


@given(LAYERS)
def test_merging_is_what_unpacking_one_after_another_gives(
    layers: list[list[tuple[str, str]]],
) -> None:
    """Compare with a plain model: a dictionary that is told one layer after the other."""
    model: dict[str, str] = {}
    indexes = []
    for lines in layers:
        names = []
        for path, sort in sorted(lines, key=lambda line: line[1] not in {"wh", "opq"}):
            parent, _, name = path.rpartition("/")
            if sort == "wh":
                names.append(f"{parent}/.wh.{name}".lstrip("/"))
                forget(model, path)
            elif sort == "opq":
                names.append(f"{path}/.wh..wh..opq")
                forget(model, path, itself=False)
        for path, sort in lines:
            if sort not in {"wh", "opq"}:
                names.append(path + sort)
                put(model, path, DIRECTORY if sort else FILE)
        indexes.append(layer(*names))

    assert {file.path: file.kind for file in Tree(indexes)} == model


def forget(model: dict[str, str], path: str, *, itself: bool = True) -> None:
    for known in list(model):
        if (known == path and itself) or known.startswith(f"{path}/"):
            del model[known]


def put(model: dict[str, str], path: str, kind: str) -> None:
    parts = path.split("/")
    for end in range(1, len(parts)):
        model["/".join(parts[:end])] = DIRECTORY
    if kind == FILE:
        forget(model, path)
    model[path] = kind
