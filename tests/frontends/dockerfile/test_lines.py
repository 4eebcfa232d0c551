"""The joiner of lines, and what reads words: whatever the text, and in linear time."""

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from artificer.errors import ArtificerError
from artificer.frontends.dockerfile.errors import InvalidDockerfile
from artificer.frontends.dockerfile.lines import statements
from artificer.frontends.dockerfile.parse import dockerfile
from artificer.frontends.dockerfile.words import (
    NotOnlyText,
    flag_words,
    heredoc_words,
    json_words,
    quoted_words,
)

PIECES = (
    *("RUN ", "COPY ", "FROM a\n", "ONBUILD ", "ENV ", "ARG ", "HEALTHCHECK ", "CMD ", "LABEL "),
    *("\\", "`", "\n", "\r\n", "\\\n", " ", "\t", "#", "# escape=`\n", "# check=", "# syntax=a"),
    *("<<", "<<-", "EOF", "\nEOF\n", "'", '"', "$", "{", "}", "=", "--", "--mount=", "--from="),
    *("[", "]", ",", "type=cache", "target=/", "a", "é", "\0", "\ufeff", "\x85", "\u2028", "/"),
)
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40).map("".join)


@given(TEXTS)
@example('FROM a\nRUN <<"" x\n')
@example("FROM a\nCOPY <<A\n")
@example("# check=\nFROM a")
@example("FROM a\nCOPY -- a")
def test_any_text_is_a_dockerfile_or_an_error_that_says_where(text: str) -> None:
    try:
        said = dockerfile(text.encode("utf-8", "surrogatepass"), "D").path
    except InvalidDockerfile as error:
        said = error.message

    assert said.startswith("D")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_dockerfile_or_an_error(data: bytes) -> None:
    try:
        dockerfile(b"FROM a\n" + data, "D")
    except InvalidDockerfile:
        return


@given(TEXTS, st.sampled_from("\\`"))
def test_every_line_belongs_to_at_most_one_instruction(text: str, escape: str) -> None:
    try:
        found = list(statements(text, "D", escape))
    except ArtificerError:
        return

    ends = [0, *(statement.at.last for statement in found)]
    starts = [statement.at.place.line for statement in found]
    assert all(end < start for end, start in zip(ends, starts, strict=False))
    assert ends[-1] <= text.count("\n") + 1


@given(st.lists(st.text("abc \t", min_size=1), min_size=1, max_size=5))
def test_joined_lines_are_the_lines_without_their_escapes(lines: list[str]) -> None:
    joined = "".join(lines).strip()

    found = list(statements("\\\n".join(lines), "D"))

    assert [statement.at.code for statement in found] == ([joined] if joined else [])


@given(st.lists(st.text("abc", min_size=1), max_size=8))
def test_words_that_are_quoted_are_read_as_they_were(words: list[str]) -> None:
    assert quoted_words(" ".join(words), "\\") == words
    assert flag_words(" ".join(f'"--{word}"' for word in words) + " x")[0] == []
    assert flag_words(" ".join(f"--{word}" for word in words) + " x") == (
        [f"--{word}" for word in words],
        "x",
    )


def test_an_array_that_nests_deeply_is_no_array_of_words() -> None:
    assert json_words("[" * 200_000) is None


@pytest.mark.parametrize("text", ["[1]", "[null]", "[[]]", '["a", {}]', "[true]", "[1e9]"])
def test_an_array_of_other_things_than_strings_is_an_error(text: str) -> None:
    with pytest.raises(NotOnlyText):
        json_words(text)


def test_a_long_number_in_an_array_costs_nothing() -> None:
    with pytest.raises(NotOnlyText):
        json_words(f"[{'1' * 100_000}]")


@pytest.mark.parametrize(
    "piece",
    [
        *("a ", "'", '"', "\\", "\\ ", "<<a ", "<<'a' ", '"\\', "--a ", '--"', "a=b ", "$", "`"),
        *(
            "a\\\n",
            "# a\n",
            "\n",
            "\\\n",
            "\t\\ \n",
            "RUN a\n",
            "RUN <<E\nE\n",
            "COPY <<E d/\nE\n",
        ),
        *("[", '["', "[[", "{", ",", "--mount=type=cache,target=/a "),
    ],
)
def test_the_time_to_read_a_text_grows_as_its_length(piece: str) -> None:
    def read(length: int) -> None:
        text = piece * (length // len(piece))
        for before in ("FROM a\n", "FROM a\nRUN ", "FROM a\nENV a=", "FROM a\nCOPY "):
            try:
                dockerfile((before + text).encode(), "D")
            except InvalidDockerfile:
                continue

    small = fastest(lambda: read(10_000))
    large = fastest(lambda: read(160_000))

    # 16 times the text; twice that is allowed for, four times would be the square already.
    assert large < 0.05 + 40 * small


@pytest.mark.parametrize("piece", ["'", '"', "\\", "<<a ", "\\'", '"\\', " "])
def test_the_time_to_split_words_grows_as_their_length(piece: str) -> None:
    def split(length: int) -> None:
        text = "<<" + piece * (length // len(piece))
        heredoc_words(text)
        quoted_words(text, "\\")
        quoted_words(text, "`")
        flag_words("--" + text)

    small = fastest(lambda: split(10_000))
    large = fastest(lambda: split(160_000))

    assert large < 0.05 + 40 * small


def fastest(act: Callable[[], None]) -> float:
    """The shortest of three runs, in seconds of this thread."""
    times = []
    for _ in range(3):
        start = time.thread_time()
        act()
        times.append(time.thread_time() - start)
    return min(times)


def test_a_dockerfile_of_ten_megabytes_is_read_in_seconds() -> None:
    line = b"RUN --mount=type=cache,target=/x make -j8 && make install PREFIX=/usr/local && echo\n"
    data = b"FROM a\n" + line * (10 * 1024 * 1024 // len(line))

    start = time.thread_time()
    read = dockerfile(data, "D")

    assert len(read.stages[0].body) > 120_000
    assert time.thread_time() - start < 30
