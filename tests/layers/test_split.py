import re
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry
from artificer.layers.split import BUCKET, LARGE, MIB, MOST, WHOLE, partition

Tree = dict[str, int]  # sizes of files by their paths


def entries_of(tree: Tree) -> list[Entry]:
    parents = {
        "/".join(parts[:count])
        for parts in (path.split("/") for path in tree)
        for count in range(1, len(parts))
    }
    return sorted([*map(directory, parents), *(file(path, tree[path]) for path in tree)])


def directory(path: str) -> Entry:
    return Entry(path, DIRECTORY, 0o755, 0, 0, 0, 0, "", None)


def file(path: str, size: int) -> Entry:
    return Entry(path, FILE, 0o644, 0, 0, size, 0, "", f"/src/{path}")


def changed(before: list[list[Entry]], after: list[list[Entry]]) -> int:
    return sum(layer not in before for layer in after)


def wishes(tree: Tree) -> tuple[int, int]:
    """How many buckets each class of the paths below wants."""
    sizes = [0, 0]
    for path, size in tree.items():
        sizes[not _DEPENDENCY.search(path + "/")] += 512 + size
    return -(-sizes[0] // BUCKET), -(-sizes[1] // BUCKET)


_DEPENDENCY = re.compile(r"/node_modules/|^usr/lib/|^vendor/|\.so/")


LARGE_TREE = {f"srv/d{n % 40}/f{n}": 2 * MIB for n in range(200)}


def test_up_to_128_mib_a_tree_is_one_layer() -> None:
    exactly = entries_of({"a": WHOLE - 512})
    more = entries_of({"a": WHOLE - 512 - 512, "b": 1})

    assert partition(exactly) == [exactly]
    assert len(partition(more)) == 2
    assert partition([]) == []


def test_no_more_layers_than_asked_for() -> None:
    tree = entries_of({f"d{n}/node_modules{'/x' * (n % 2)}/f": 60 * MIB for n in range(100)})

    layers = {most: partition(tree, most=most) for most in (1, 2, 3, 100)}

    assert [len(layers[most]) for most in (1, 2, 3)] == [1, 2, 3]
    assert 20 <= len(layers[100]) <= MOST


def test_layers_have_about_64_mib() -> None:
    layers = partition(entries_of({f"d{n}/f{n}": MIB for n in range(1024)}))

    sizes = [sum(entry.size for entry in layer) for layer in layers]
    assert len(layers) == 1024 // 64 + 1
    assert max(sizes) < 2 * BUCKET


def test_dependencies_come_before_the_application() -> None:
    tree = LARGE_TREE | {
        "app/node_modules/a/b": 5 * MIB,
        "usr/lib/c": 5 * MIB,
        "opt/app/some.so.1.2": 5,
        "lib.py": 5 * MIB,
    }

    layers = partition(entries_of(tree))

    first = [entry.path for entry in layers[0] if entry.kind == FILE]
    assert first == ["app/node_modules/a/b", "opt/app/some.so.1.2", "usr/lib/c"]


def test_a_hard_link_goes_with_its_file() -> None:
    tree = entries_of(LARGE_TREE | {"srv/big": 9 * MIB})
    links = [
        Entry(f"zz/{n}/{name}", HARDLINK, 0o644, 0, 0, 0, 0, target.format(n), None)
        for n in range(10)
        for name, target in (("a", "srv/big"), ("b", "srv/d1/f1"), ("c", "zz/{}/a"))
    ]

    layers = partition([*tree, *links])

    where = {
        entry.path: n
        for n, layer in enumerate(layers)
        for entry in layer
        if entry.kind != DIRECTORY
    }
    assert all(where[link.path] == where[link.link] for link in links)


def test_whiteouts_are_in_the_first_layer() -> None:
    out = [file("srv/d3/.wh..wh..opq", 0), file("srv/d7/.wh.x", 0)]
    tree = entries_of(LARGE_TREE)

    before, after = partition(tree), partition(sorted([*tree, *out]))

    assert all(entry in after[0] for entry in out)
    assert changed(before, after) == 1


def test_a_symbolic_link_lies_with_the_files_of_its_directory() -> None:
    tree = entries_of(LARGE_TREE)
    link = Entry("srv/d3/zlink", SYMLINK, 0o777, 0, 0, 0, 0, "x", None)

    (layer,) = [layer for layer in partition([*tree, link]) if link in layer]

    assert file("srv/d3/f3", 2 * MIB) in layer


_directories = st.sampled_from(
    [
        *("", "app/", "app/a/", "app/a/b/", "app/c/", "srv/x/y/z/", "srv/x/", "data/"),
        *("app/node_modules/a/", "app/node_modules/b/", "usr/lib/c/", "vendor/d/e/"),
    ]
)
_paths = st.builds(
    "{}{}{}".format, _directories, st.integers(0, 9), st.sampled_from(["", ".so", ".txt"])
)
_sizes = st.sampled_from([0, 1, MIB, LARGE - 1, LARGE, 20 * MIB, 60 * MIB])
_trees = st.dictionaries(_paths, _sizes, min_size=5, max_size=80)


def promised(before: Tree, after: Tree) -> int:
    wish, other = wishes(before), wishes(after)
    if wish == other:
        return 2
    ceiling = max(sum(wish), sum(other)) > MOST and all(max(wish, other))
    moved = any((before.get(p, 0) < LARGE) != (after.get(p, 0) < LARGE) for p in before)
    return 3 + ceiling + moved


@given(_trees, st.integers(2, 30))
def test_every_entry_is_in_one_layer_and_every_layer_has_its_parents(
    tree: Tree, most: int
) -> None:
    entries = entries_of(tree)
    order = {entry: n for n, entry in enumerate(entries)}

    layers = partition(entries, most=most)

    files = [entry for layer in layers for entry in layer if entry.kind == FILE]
    assert sorted(files) == [entry for entry in entries if entry.kind == FILE]
    assert {entry for layer in layers for entry in layer} == set(entries)
    assert len(layers) <= min(most, MOST)
    for layer in layers:
        paths = {entry.path for entry in layer} | {""}
        assert all(entry.path.rpartition("/")[0] in paths for entry in layer)
        assert all(order[first] < order[second] for first, second in pairwise(layer))


@given(_trees, st.data())
def test_changing_a_file_changes_one_layer(tree: Tree, data: st.DataObject) -> None:
    entries = entries_of(tree)
    index = data.draw(st.sampled_from([n for n, e in enumerate(entries) if e.kind == FILE]))
    other = list(entries)
    other[index] = entries[index]._replace(source=b"other")

    assert changed(partition(entries), partition(other)) == 1


@given(_trees, _paths, _sizes)
def test_adding_or_removing_a_file_changes_two_layers_three_at_a_step(
    tree: Tree, path: str, size: int
) -> None:
    assume(path not in tree and sum(tree.values()) > WHOLE)
    more = tree | {path: size}
    before, after = partition(entries_of(tree)), partition(entries_of(more))

    assert changed(before, after) <= promised(tree, more)
    assert changed(after, before) <= promised(tree, more)


@given(_trees, _sizes, st.data())
def test_another_size_changes_two_layers_three_at_a_step(
    tree: Tree, size: int, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(sorted(tree)))
    other = tree | {path: size}
    assume(min(sum(tree.values()), sum(other.values())) > WHOLE)

    assert changed(*(partition(entries_of(each)) for each in (tree, other))) <= promised(
        tree, other
    )


@pytest.mark.parametrize("most", [2, 5, 24])
def test_one_byte_over_a_step_changes_three_layers(most: int) -> None:
    for count in range(2, 30):
        tree = {f"d{n}/f": BUCKET // 8 - 1024 for n in range(count * 8)}
        rest = count * BUCKET - sum(size + 512 for size in tree.values())
        exactly, over = entries_of(tree | {"x": rest - 512}), entries_of(tree | {"x": rest - 511})

        before, after = partition(exactly, most=most), partition(over, most=most)

        assert changed(before, after) <= 3
