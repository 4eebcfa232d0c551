import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.builder.staged.ignore import Ignore, leaves_out
from artificer.layers.patterns import InvalidPattern, ignored


def left_out(ignore: Ignore, path: str) -> bool:
    run = 0
    parts = path.split("/")
    for count in range(1, len(parts) + 1):
        run = ignore.run("/".join(parts[:count]), run)
    return leaves_out(run)


@pytest.mark.parametrize(
    ("patterns", "out", "kept"),
    [
        (["*.log"], ["a.log"], ["d/a.log", "log"]),
        (["**/*.log"], ["a.log", "d/a.log", "d/e/.log"], ["a.logs"]),
        (["**/tmp"], ["tmp", "d/tmp", "d/tmp/x"], ["tmpx", "d/xtmp"]),
        (["docs"], ["docs", "docs/a", "docs/a/b"], ["d/docs", "docs2"]),
        (["/docs/"], ["docs/a"], ["x/docs"]),
        (["docs/**/*.md"], ["docs/a.md", "docs/x/y/a.md"], ["a.md", "docs"]),
        (["*", "!keep"], ["a", "a/b"], ["keep", "keep/x"]),
        (["docs", "!docs/keep/*.md"], ["docs/a", "docs/keep"], ["docs/keep/a.md"]),
        (["docs", "!docs/keep", "docs/keep/x"], ["docs/keep/x"], ["docs/keep/y"]),
        (["!a", "a"], ["a"], []),
        (["a?c", "[x-z]1"], ["abc", "y1"], ["a/c", "w1"]),
        (["te\\*t"], ["te*t"], ["text"]),
        (["../x", ".", ""], [], ["x", "a"]),
        (["**"], ["a", "a/b"], []),
        (["a/./b//c"], ["a/b/c"], ["a/b"]),
        (["**/x*y"], ["xy", "d/x1y"], ["d/x/y"]),
        (["**/a/b"], ["a/b", "x/a/b", "x/a/b/c"], ["b"]),
    ],
)
def test_the_last_pattern_that_names_a_path_or_a_directory_above_it_decides(
    patterns: list[str], out: list[str], kept: list[str]
) -> None:
    ignore = Ignore(patterns)

    assert [path for path in out if not left_out(ignore, path)] == []
    assert [path for path in kept if left_out(ignore, path)] == []
    assert [ignore(path) for path in (*out, *kept)] == [True] * len(out) + [False] * len(kept)


def test_a_single_exclamation_mark_is_refused() -> None:
    with pytest.raises(InvalidPattern):
        Ignore(["a", "!"])


WORDS = st.sampled_from(["a", "b", "*", "**", "a*", "*b", "?", "[ab]", "c.d", "*.d"])
LINES = st.tuples(st.sampled_from(["", "!"]), st.lists(WORDS, min_size=1, max_size=3))
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "c.d", "x"]), min_size=1, max_size=4)


@given(st.lists(LINES.map(lambda line: line[0] + "/".join(line[1])), max_size=6), PATHS)
def test_it_says_what_trying_every_pattern_says(lines: list[str], path: list[str]) -> None:
    assert left_out(Ignore(lines), "/".join(path)) is ignored(lines)("/".join(path))


@given(st.lists(LINES.map(lambda line: line[0] + "/".join(line[1])), max_size=6), PATHS)
def test_a_directory_is_passed_over_only_where_nothing_below_is_taken_in(
    lines: list[str], path: list[str]
) -> None:
    ignore, run = Ignore(lines), 0
    for count in range(1, len(path)):
        above = "/".join(path[:count])
        run = ignore.run(above, run)
        if leaves_out(run) and not ignore.takes_in_below(above, run):
            assert left_out(ignore, "/".join(path))
            return


def test_a_thousand_patterns_cost_little_more_than_one() -> None:
    kinds = ["**/name{}", "**/*.e{}", "dir{}/*.c", "a/b{}/c", "**/x{}*y", "top{}*", "!k{}/z"]
    ignore = Ignore([kinds[n % len(kinds)].format(n) for n in range(1000)])
    paths = [f"src/d{n % 100}/module{n}.py" for n in range(20_000)]

    started = time.process_time()
    for path in paths:
        ignore.run(path, 0)

    assert (time.process_time() - started) / len(paths) < 40e-6
