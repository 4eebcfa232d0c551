import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.errors import Misused
from artificer.frontends.buildfile.files import Files, InvalidGlob, find_root, matcher
from tests.frontends.buildfile.workspaces import write


def test_the_root_is_the_nearest_directory_with_a_workspace(tmp_path: Path) -> None:
    write(tmp_path, {"inner/WORKSPACE": "", "inner/a/b/x": ""})

    assert find_root(str(tmp_path / "inner" / "a" / "b")) == str(tmp_path / "inner")


def test_without_a_workspace_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="WORKSPACE or MODULE") as caught:
        find_root(str(tmp_path))

    assert "MODULE.bazel" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*", "a", True),
        ("*", ".hidden", True),
        ("*.txt", "a.txt", True),
        ("*.txt", ".a.txt", False),
        ("*.txt", "b/a.txt", False),
        ("**/*.txt", "a.txt", True),
        ("**/*.txt", "b/c/a.txt", True),
        ("b/**", "b/c/d", True),
        ("b/**", "bb/c", False),
        ("a*c", "abbc", True),
        ("a.c", "abc", False),
        ("[a]", "a", False),
        ("[a]", "[a]", True),
        ("b/**/d", "b/d", True),
    ],
)
def test_a_pattern_matches_what_it_does_in_bazel(pattern: str, path: str, matches: bool) -> None:
    assert matcher(pattern)(path) is matches


@pytest.mark.parametrize("pattern", ["", "/x", "a/../b", "./a", "a//b", "a**", "**b/c", "a?"])
def test_a_pattern_that_bazel_refuses_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidGlob):
        matcher(pattern)


_NAMES = ["a", "b.txt", ".c", "d", "e.txt"]
_PARTS = ["*", "**", "*.txt", "a", "d", "b*", "*.*", ".c"]


@given(pattern=st.lists(st.sampled_from(_PARTS), min_size=1, max_size=3).map("/".join))
def test_walking_by_a_pattern_finds_what_matches_it(
    pattern: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.getbasetemp() / "walked"
    if not root.exists():
        for first in _NAMES:
            (root / first).mkdir(parents=True)
            for second in _NAMES:
                (root / first / second).write_text("")
    files = Files(str(root))
    every = [f"{a}/{b}" for a in _NAMES for b in _NAMES]

    found = files.glob("", [pattern], directories=False)

    assert sorted(found) == sorted(path for path in every if matcher(pattern)(path))


def test_links_to_outputs_and_back_are_not_followed(tmp_path: Path) -> None:
    root = write(tmp_path, {"a/x": "", "out/y": ""})
    os.symlink("out", tmp_path / "bazel-bin")
    os.symlink("..", tmp_path / "a" / "up")
    os.symlink("out", tmp_path / "linked")

    found = Files(root).glob("", ["**"], directories=False)

    assert found == {"MODULE.bazel", "a/x", "out/y", "linked/y"}


def test_a_name_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff")).write_text("")

    with pytest.raises(InvalidGlob, match="not UTF-8"):
        Files(str(tmp_path)).glob("", ["*"], directories=False)
