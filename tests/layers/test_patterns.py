import itertools
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.layers.patterns import (
    InvalidPattern,
    compiled,
    expanded,
    ignore_lines,
    ignored,
    is_pattern,
)

CASES = Path(__file__).parent.parent / "cases" / "ignore"


def case_lines() -> list[tuple[str, str, str]]:
    lines = []
    for file in sorted(CASES.glob("*.txt")):
        patterns = ""
        for line in file.read_text().splitlines():
            if line.startswith("== "):
                patterns = line[3:].replace(" ; ", "\n")
            elif line and not line.startswith("%"):
                lines.append((patterns, line[0], line[2:]))
    return lines


@pytest.mark.parametrize(("patterns", "sign", "path"), case_lines())
def test_ignore_files_mean_what_docker_means(patterns: str, sign: str, path: str) -> None:
    assert ignored(ignore_lines(patterns))(path) is (sign == "-")


def test_comments_empty_lines_and_a_byte_order_mark_are_no_patterns() -> None:
    assert ignore_lines("\ufeff# a comment\n\n  a  \n #b\n") == ["a", "#b"]


@pytest.mark.parametrize("pattern", ["!", " ! ", "[a", "a\\", "../a", "..", "[z-a]", "[]"])
def test_patterns_that_mean_nothing_are_errors(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        ignored([pattern])


def test_only_negations_keep_a_directory_from_being_skipped() -> None:
    assert ignored(["a", "b"]).prunes
    assert not ignored(["a", "!a/b"]).prunes
    assert ignored([]).prunes


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/bin/*", "bin/a", True),
        ("bin/*", "bin/a/b", False),
        ("bin", "bin/a", False),
        ("**", "a/b/c", True),
        ("app/**", "app/a/b", True),
        ("app/**", "app", False),
        ("**/x", "x", True),
        ("a?c", "a/c", False),
        ("a[^b]c", "a/c", False),
        ("a[.-0]c", "a/c", False),
        ("a\\*c", "a*c", True),
        ("a\\*c", "abc", False),
        ("*.js", "a\n.js", True),
        ("a", "a\n", False),
    ],
)
def test_a_rule_names_exactly_its_paths(pattern: str, path: str, matches: bool) -> None:
    assert bool(compiled(pattern).match(path)) is matches


def test_words_expand_as_in_a_shell(tmp_path: Path) -> None:
    for name in ("b.js", "a.js", ".hidden.js", "c.css", "d/e.js", "d/f/g.js"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def names(path: str) -> list[str]:
        full = tmp_path / path
        return os.listdir(full) if full.is_dir() else []

    assert expanded("*.js", names) == ["a.js", "b.js"]
    assert expanded(".*.js", names) == [".hidden.js"]
    assert expanded("*/*.js", names) == ["d/e.js"]
    assert expanded("**/*.js", names) == ["a.js", "b.js", "d/e.js", "d/f/g.js"]
    assert expanded("./d/[e-g].js", names) == ["./d/e.js"]
    assert expanded("x/*.js", names) == []
    assert expanded("a.js/*", names) == []
    assert expanded(f"{tmp_path}/*.css", os.listdir) == [f"{tmp_path}/c.css"]


def test_only_special_characters_make_a_pattern() -> None:
    assert is_pattern("a*")
    assert is_pattern("a?")
    assert is_pattern("[a]")
    assert not is_pattern("a.b")
    assert not is_pattern("~/a")


def test_lines_of_an_ignore_file_end_with_newlines_and_nothing_else() -> None:
    assert ignore_lines("a\x0cb\r\nc\u2028d\n\x85e\n") == ["a\x0cb", "c\u2028d", "e"]


def matches(pattern: tuple[str, ...], path: str) -> bool:
    """Whether *path* matches, found by trying everything."""
    if not pattern:
        return not path
    first, rest = pattern[0], pattern[1:]
    if first == "*":
        ends = range(len(path.split("/")[0]) + 1)
        return any(matches(rest, path[end:]) for end in ends)
    if first == "**/":
        below = [at + 1 for at, letter in enumerate(path) if letter == "/"]
        return any(matches(rest, path[start:]) for start in [0, *below])
    return path.startswith(first) and matches(rest, path[len(first) :])


COMPONENTS = st.lists(st.sampled_from(["*", "a", "b", "ab"]), min_size=1, max_size=5).filter(
    lambda parts: ("*", "*") not in itertools.pairwise(parts)
)
SEGMENTS = st.sampled_from(["**/", ""])


@given(
    st.lists(st.tuples(SEGMENTS, COMPONENTS), min_size=1, max_size=4),
    st.lists(st.text("ab", min_size=1, max_size=6), min_size=1, max_size=6),
)
def test_a_pattern_matches_what_trying_every_way_finds(
    parts: list[tuple[str, list[str]]], path: list[str]
) -> None:
    words: list[str] = []
    for number, (deep, component) in enumerate(parts):
        words += [deep] * bool(deep) + component + ["/"] * (number + 1 < len(parts))

    assert bool(compiled("".join(words)).match("/".join(path))) is matches(
        tuple(words), "/".join(path)
    )


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 40 + "b", "a" * 255),
        ("**/a/" * 30 + "b", "a/" * 120 + "c"),
        ("**/*a*a*a/" * 10 + "b", "aaaa/" * 100 + "c"),
        ("*[a-z]" * 40 + "0", "a" * 255),
    ],
)
def test_many_wildcards_take_no_longer_than_their_number(pattern: str, path: str) -> None:
    match = compiled(pattern).match

    started = time.thread_time()
    assert not match(path)
    assert time.thread_time() - started < 0.5
