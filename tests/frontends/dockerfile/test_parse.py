"""Dockerfiles, parsed: a case file for each rule, and what no case file can hold."""

import os

import pytest

from artificer import limits
from artificer.frontends.dockerfile.errors import InvalidDockerfile
from artificer.frontends.dockerfile.instructions import Copy, Heredoc, keyword
from artificer.frontends.dockerfile.parse import dockerfile, trigger
from tests.frontends.dockerfile.parse_case import Case

CASES = os.path.join(os.path.dirname(__file__), "../../cases/dockerfile/parse")


@pytest.mark.parametrize("name", sorted(os.listdir(CASES)))
def test_a_dockerfile_is_read_as_its_case_says(name: str) -> None:
    with open(os.path.join(CASES, name), encoding="utf-8", newline="") as file:
        case = Case.read(file.read())

    assert case.result() == case.expected


@pytest.mark.parametrize("text", ["RUN echo \0", "RUN <<A\n\0\nA"])
def test_a_nul_byte_is_an_error(text: str) -> None:
    with pytest.raises(InvalidDockerfile, match=r"^Dockerfile:[23]: .* with a NUL byte"):
        dockerfile(f"FROM a\n{text}\n".encode(), "Dockerfile")


def test_a_nul_byte_in_a_comment_means_nothing() -> None:
    assert dockerfile(b"# \0\nFROM a\n", "Dockerfile").stages[0].start.image == "a"


def test_an_error_names_the_file_as_it_was_given() -> None:
    with pytest.raises(InvalidDockerfile, match=r"^some/where.dockerfile:2: "):
        dockerfile(b"FROM a\nX\n", "some/where.dockerfile")


def test_an_instruction_knows_its_lines_and_what_they_say() -> None:
    text = "FROM a\n# it copies\n  COPY b \\\n# between\n  <<EOF c/\nx\nEOF\nRUN d\n"
    copy = dockerfile(text.encode(), "D").stages[0].body[0]

    assert isinstance(copy, Copy)
    assert (str(copy.at.place), copy.at.last) == ("D:3:3", 7)
    assert copy.at.text == "  COPY b \\\n# between\n  <<EOF c/\nx\nEOF"
    assert copy.at.code == "COPY b   <<EOF c/"
    assert copy.at.comments == ("it copies",)


def test_a_long_line_is_shown_around_what_is_wrong() -> None:
    words = "a" * 5000
    with pytest.raises(InvalidDockerfile) as caught:
        dockerfile(f"FROM a\nCOPY --exclude={words} --lnk {words} b\n".encode(), "D")

    message, excerpt, carets = caught.value.message.split("\n")
    assert message == "D:2: COPY has no flag --lnk"
    assert len(excerpt) < 220
    assert excerpt[carets.index("^") : carets.rindex("^") + 1] == "--lnk"


def test_tabs_are_taken_off_the_lines_of_a_heredoc_only_behind_newlines() -> None:
    heredoc = Heredoc("E", "\ta\r\tb\n\t\tc\u2028\td\n", expand=True, chomp=True, word="<<-E")

    assert heredoc.text == "a\r\tb\nc\u2028\td\n"


def test_a_trigger_of_an_image_is_one_instruction() -> None:
    assert keyword(trigger("RUN <<A\nx\nA", "alpine")) == "RUN"
    for expression in ("", "RUN a\nRUN b", "FROM a", "ONBUILD RUN a", "MAINTAINER a"):
        with pytest.raises(InvalidDockerfile, match=r"^onbuild of alpine:1: "):
            trigger(expression, "alpine")


def test_more_bytes_than_the_limit_are_refused() -> None:
    data = b"FROM a\n" + b"#" * (limits.DOCKERFILE_BYTES - 7)

    assert dockerfile(data, "D").stages
    with pytest.raises(InvalidDockerfile, match="a Dockerfile of more than"):
        dockerfile(data + b"#", "D")


def test_an_instruction_longer_than_the_limit_is_refused() -> None:
    most = limits.INSTRUCTION_CHARACTERS - len("RUN ")
    lines = "a\\\n" * (most - 1) + "a\n"

    assert dockerfile(f"FROM a\nRUN {lines}".encode(), "D").stages
    with pytest.raises(InvalidDockerfile, match=r"D:2: an instruction of more than"):
        dockerfile(f"FROM a\nRUN a{lines}".encode(), "D")


def test_a_heredoc_longer_than_the_limit_is_refused() -> None:
    text = "a" * (limits.HEREDOC_CHARACTERS - 1) + "\n"

    assert dockerfile(f"FROM a\nRUN <<E\n{text}E\n".encode(), "D").stages
    with pytest.raises(InvalidDockerfile, match=r"D:2: a heredoc of more than"):
        dockerfile(f"FROM a\nRUN <<E\na{text}E\n".encode(), "D")


def test_more_instructions_than_the_limit_are_refused() -> None:
    lines = b"USER a\n" * (limits.INSTRUCTIONS - 1)

    assert dockerfile(b"FROM a\n" + lines, "D").stages
    with pytest.raises(InvalidDockerfile, match=r"^D:200001: more than 200000 instructions"):
        dockerfile(b"FROM a\nUSER a\n" + lines, "D")
