"""What is asked of a Dockerfile instead of an image: a case file for each rule and call."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.frontends.dockerfile.calls.check import check_json
from artificer.frontends.dockerfile.calls.tables import marked_lines
from artificer.frontends.dockerfile.lint.check import violations
from artificer.frontends.dockerfile.lint.rules import RULES
from artificer.frontends.dockerfile.parse import dockerfile
from tests.frontends.dockerfile.call_case import Case
from tests.frontends.dockerfile.test_lines import fastest

CASES = os.path.join(os.path.dirname(__file__), "../../cases/dockerfile/calls")


def case_text(name: str) -> str:
    with open(os.path.join(CASES, name), encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("name", sorted(os.listdir(CASES)))
def test_an_answer_is_what_its_case_says(name: str) -> None:
    case = Case.read(case_text(name))

    assert case.result() == case.expected


def test_there_are_docker_s_22_rules() -> None:
    assert len(RULES) == len({rule.name for rule in RULES}) == 22
    assert [rule.name for rule in RULES if rule.experimental] == ["InvalidDefinitionDescription"]


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_a_case_shows_a_rule_broken(rule: str) -> None:
    texts = [case_text(name) for name in sorted(os.listdir(CASES))]

    assert [text for text in texts if f"rule 6.8 {rule}" in text and f"WARNING: {rule} - " in text]


def test_a_url_is_the_name_in_words() -> None:
    urls = {rule.name: rule.url.rsplit("/", 2)[1] for rule in RULES}

    assert urls["JSONArgsRecommended"] == "json-args-recommended"
    assert urls["FromPlatformFlagConstDisallowed"] == "from-platform-flag-const-disallowed"
    assert urls["UndefinedArgInFrom"] == "undefined-arg-in-from"
    assert urls["SecretsUsedInArgOrEnv"] == "secrets-used-in-arg-or-env"


def test_rules_that_need_variables_are_silent_without_them() -> None:
    read = dockerfile(b"FROM a:$B\nCMD c\nLABEL d=$E\n", "D")

    assert [found.rule.name for found in violations(read)] == [
        "InvalidDefaultArgInFrom",
        "JSONArgsRecommended",
    ]


def test_the_file_in_an_answer_is_the_file_byte_for_byte() -> None:
    import base64

    data = b"\xef\xbb\xbf# caf\xe9\r\nFROM a\r\n"
    answer = json.loads(check_json(dockerfile(data, "D"), ()))

    assert base64.b64decode(answer["sources"][0]["data"]) == data


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [(1, 1, [1, 2, 3]), (5, 5, [3, 4, 5, 6, 7]), (9, 9, [7, 8, 9]), (4, 6, [3, 4, 5, 6, 7])],
)
def test_an_excerpt_has_some_lines_around(first: int, last: int, shown: list[int]) -> None:
    lines = [str(number) for number in range(1, 10)]

    text = marked_lines(lines, "D", first, last).splitlines()

    assert [int(line.split()[0]) for line in text[2:-1]] == shown
    assert [int(line.split()[0]) for line in text if ">>>" in line] == [*range(first, last + 1)]


def test_an_excerpt_shows_no_control_characters() -> None:
    assert "\x1b" not in marked_lines(["FROM \x1b[31m"], "D", 1, 1)


LINES = st.sampled_from(
    [
        *(
            "FROM scratch",
            "FROM a AS B",
            "from b as c",
            "FROM --platform=x/y $I",
            "ARG I=a",
            "ARG",
        ),
        *("ENV a b", "ENV $a=b c=$d", "# check=skip=all", "# check=", "# c it", "", "RUN a \\"),
        *(
            "COPY a b",
            "COPY --from=b a b",
            "ADD $x /",
            "CMD a",
            "CMD []",
            "ENTRYPOINT a",
            "SHELL []",
        ),
        *("WORKDIR a", "WORKDIR $a", "EXPOSE $p/TCP 1:2", "EXPOSE ${", "USER ", "MAINTAINER a"),
        *("RUN --mount=type=cache,target=$a b", "RUN --mount=id=$b,type=ssh a", "ONBUILD RUN a"),
        *("# check=error=true", "# escape=`", "HEALTHCHECK NONE", "LABEL a=${b:?c}", "FROM ${x#}"),
    ]
)


@given(st.lists(LINES, max_size=12))
def test_whatever_is_asked_has_an_answer_or_an_error(lines: list[str]) -> None:
    for call in ("check", "check json", "targets", "targets json", "outline", "outline json"):
        case = Case.read(f"rule any\ncall {call}\nignore a\n----\n{chr(10).join(lines)}\n----\n")

        assert case.result() or "outline" in call


def test_the_time_to_check_grows_as_the_lines() -> None:
    def check(count: int) -> None:
        lines = "".join(f"ENV a{n}=$b{n}\nLABEL c{n}=$d{n}\nUSER e\n" for n in range(count))
        case = Case.read(f"rule any\n----\nFROM scratch\n{lines}----\n")
        case.result()

    small = fastest(lambda: check(200))
    large = fastest(lambda: check(1600))

    assert large < 0.1 + 20 * small
