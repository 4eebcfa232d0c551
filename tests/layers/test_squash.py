from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry, Span
from artificer.layers.index import File, Index
from artificer.layers.squash import LostLink, squashed
from artificer.layers.tree import Tree
from artificer.layers.whiteout import OPAQUE, hidden, is_whiteout, whiteout


def entry(line: str) -> Entry:
    """Return an entry: `a/` is a directory, `a -> b` a link, `a => b` a hard link, `-a` gone."""
    if line.startswith("-"):
        return whiteout(line[1:], 7)
    for arrow, kind in ((" -> ", SYMLINK), (" => ", HARDLINK)):
        if arrow in line:
            path, _, link = line.partition(arrow)
            return Entry(path, kind, 0o777, 0, 0, 0, 9, link, None)
    if line.endswith("/"):
        return Entry(line[:-1], DIRECTORY, 0o700, 1, 1, 0, 9, "", None)
    path, _, text = line.partition("=")
    return Entry(path, FILE, 0o644, 0, 0, len(text), 9, "", text.encode())


def told(one: Entry) -> str:
    if is_whiteout(one.path):
        return f"-{hidden(one.path)}"
    if one.kind in {SYMLINK, HARDLINK}:
        return f"{one.path} {'->' if one.kind == SYMLINK else '=>'} {one.link}"
    if one.kind == DIRECTORY:
        return f"{one.path}/"
    return f"{one.path}={one.source.decode()}" if isinstance(one.source, bytes) else one.path


def index(entries: Sequence[Entry]) -> Index:
    files: dict[str, File] = {}
    for one in entries:
        linked = files.get(one.link) if one.kind == HARDLINK else None
        body = one.source if isinstance(one.source, bytes) else b""
        content = body.ljust(32, b".")[:32] if one.kind == FILE else b""
        files[one.path] = File(*one[:7], 0, one.link, content, one.xattrs, one.device)
        if linked is not None:
            files[one.path] = linked._replace(path=one.path, kind=HARDLINK, link=one.link)
    return Index(files.values())


def squash(base: Sequence[str], *layers: Sequence[str]) -> list[str]:
    tree = Tree([index([entry(line) for line in base])])
    listed = [[entry(line) for line in layer] for layer in layers]
    return [told(one) for one in squashed(tree, listed, mtime=7)]


def test_later_layers_win() -> None:
    assert squash([], ["a=1", "b=1"], ["b=2", "c=2"]) == ["a=1", "b=2", "c=2"]


def test_what_one_layer_brings_and_another_takes_away_leaves_no_trace() -> None:
    assert squash(["d/"], ["d/", "d/x=1", "e/", "e/y=1"], ["-d/x", "-e", "z=1"]) == ["z=1"]


def test_what_is_taken_from_the_base_is_a_whiteout() -> None:
    assert squash(["d/", "d/x=1", "k=1"], ["-d/x"], ["-k"]) == ["-k", "-d/x", "d/"]


def test_what_is_taken_away_and_brought_again_is_no_whiteout() -> None:
    assert squash(["k=1"], ["-k"], ["k=2"]) == ["k=2"]


def test_a_directory_that_is_made_anew_names_what_it_lacks() -> None:
    base = ["d/", "d/x=1", "d/y=1", "d/s/", "d/s/t=1"]

    assert squash(base, ["-d"], ["d/", "d/y=2"]) == ["-d/s", "-d/x", "d/", "d/y=2"]


def test_a_file_in_place_of_a_directory_hides_all_that_was_in_it() -> None:
    assert squash(["d/", "d/x=1"], ["d=1"]) == ["d=1"]
    assert squash(["d/", "d/x=1"], ["d=1"], ["d/", "d/y=1"]) == ["-d/x", "d/", "d/y=1"]
    assert squash(["d/", "d/x=1"], ["d=1"], ["-d"]) == ["-d"]


def test_no_directory_is_opaque() -> None:
    assert squash(["d/", "d/x=1"], ["d/", f"d/{OPAQUE}=", "d/y=1"]) == ["-d/x", "d/", "d/y=1"]


def test_names_of_one_file_stay_names_of_one_file() -> None:
    links = ["b=1", "c => b", "d => b"]

    assert squash([], links) == ["b=1", "c => b", "d => b"]
    assert squash([], links, ["a=2"]) == ["a=2", "b=1", "c => b", "d => b"]


def test_a_name_that_is_replaced_is_no_longer_one_of_the_others() -> None:
    links = ["b=1", "c => b", "d => b"]

    assert squash([], links, ["b=2"]) == ["b=2", "c=1", "d => c"]
    assert squash([], links, ["-b"]) == ["c=1", "d => c"]
    assert squash([], links, ["a=3", "c => a"]) == ["a=3", "b=1", "c => a", "d => b"]


def test_a_hard_link_may_name_a_file_of_an_earlier_layer() -> None:
    assert squash([], ["b=1"], ["a => b"]) == ["a=1", "b => a"]


def test_a_hard_link_to_nothing_is_refused() -> None:
    with pytest.raises(LostLink, match="/a is a hard link to /b"):
        squash(["b=1"], ["a => b"])


def test_bytes_are_not_touched() -> None:
    span = entry("b")._replace(source=Span("/tar", 512), size=5)
    link = entry("a => b")

    merged = squashed(Tree([]), [[span, link]], mtime=0)

    assert merged[0].source == Span("/tar", 512)
    assert merged[0].size == 5
    assert merged[1].size == 0


def test_directories_above_are_as_the_base_has_them() -> None:
    tree = Tree([index([entry("d/")._replace(mode=0o1777)])])

    merged = squashed(tree, [[entry("d/x=1"), entry("e/y=1")]], mtime=7)

    modes = {one.path: (oct(one.mode), one.mtime) for one in merged}
    assert modes["d"] == ("0o1777", 9)
    assert modes["e"] == ("0o755", 7)


def test_a_directory_like_the_bases_is_left_out() -> None:
    assert squash(["d/", "e/"], ["d/", "e/", "e/x=1"]) == ["e/", "e/x=1"]


NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@st.composite
def layers(draw: st.DrawFn) -> list[Entry]:
    """A layer as one is: no path twice, nothing below a file, all directories named."""
    found: dict[str, Entry] = {}
    for path in draw(st.lists(PATHS, max_size=6, unique=True)):
        kind = draw(st.sampled_from([FILE, FILE, DIRECTORY, SYMLINK, HARDLINK]))
        parts = path.split("/")
        parents = ["/".join(parts[:count]) for count in range(1, len(parts))]
        if path in found or any(found.get(one, _DIR).kind != DIRECTORY for one in parents):
            continue
        for parent in parents:
            found.setdefault(parent, _DIR._replace(path=parent))
        first = next((one.path for one in found.values() if one.kind == FILE), None)
        found[path] = _made(path, kind, first, draw(st.integers(0, 99)))
    gone = [path for path in draw(st.lists(PATHS, max_size=3, unique=True)) if path not in found]
    return [*(whiteout(path, 7) for path in gone), *found.values()]


_DIR = Entry("", DIRECTORY, 0o750, 3, 3, 0, 5, "", None)


def _made(path: str, kind: str, first: str | None, number: int) -> Entry:
    plain = Entry(path, FILE, 0o600 + number % 8, number, 0, 2, number, "", b"%02d" % number)
    if kind == HARDLINK and first is not None:
        return plain._replace(kind=HARDLINK, size=0, link=first, source=None)
    if kind in {DIRECTORY, SYMLINK}:
        link = "x" if kind == SYMLINK else ""
        return plain._replace(kind=kind, size=0, link=link, source=None)
    return plain


def files(tree: Tree) -> list[tuple[object, ...]]:
    """What there is, whichever name of a file has its bytes."""
    return [
        (one.path, FILE if one.kind == HARDLINK else one.kind, *one[2:7], one.content)
        for one in tree
    ]


@settings(max_examples=400)
@given(layers(), st.lists(layers(), max_size=4))
def test_one_layer_comes_to_what_several_do(base: list[Entry], upper: list[list[Entry]]) -> None:
    below = index(base)

    one = squashed(Tree([below]), upper, mtime=7)

    assert files(Tree([below, index(one)])) == files(
        Tree([below, *(index(layer) for layer in upper)])
    )


@settings(max_examples=200)
@given(layers(), st.lists(layers(), max_size=4))
def test_one_layer_is_canonical(base: list[Entry], upper: list[list[Entry]]) -> None:
    one = squashed(Tree([index(base)]), upper, mtime=7)

    paths = [entry.path for entry in one]
    there = [path for path in paths if not is_whiteout(path)]
    gone = [hidden(path) for path in paths if is_whiteout(path)]
    assert len(set(paths)) == len(paths)
    assert paths[: len(gone)] == [path for path in paths if is_whiteout(path)]
    assert there == sorted(there, key=lambda path: path.split("/"))
    assert not set(gone).intersection(there)
    assert all(path.rpartition("/")[0] in {"", *there} for path in there)
    assert all(entry.link in there[: there.index(entry.path)] for entry in one if _links(entry))
    assert squashed(Tree([index(base)]), [one], mtime=7) == one


def _links(one: Entry) -> bool:
    return one.kind == HARDLINK
