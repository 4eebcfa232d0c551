"""Dockerfiles, evaluated: a case file for each rule."""

import os
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.errors import ArtificerError, Unauthorized
from artificer.frontends.dockerfile.contexts import named_context
from artificer.frontends.dockerfile.errors import InvalidDockerfile
from artificer.frontends.dockerfile.options import Options
from artificer.frontends.dockerfile.parse import dockerfile
from artificer.frontends.dockerfile.recipe import Made, recipe
from artificer.oci.platform import Platform
from artificer.oci.reference import Named, Reference, parse_name
from tests.frontends.dockerfile.recipe_case import Case

CASES = os.path.join(os.path.dirname(__file__), "../../cases/dockerfile/recipe")


@pytest.mark.parametrize("name", sorted(os.listdir(CASES)))
def test_a_dockerfile_comes_to_what_its_case_says(name: str) -> None:
    with open(os.path.join(CASES, name), encoding="utf-8") as file:
        case = Case.read(file.read())

    assert case.result() == case.expected


def made(text: str, options: Options | None = None, **configs: Mapping[str, Any]) -> Made:
    def base_of(reference: Reference, platform: Platform) -> Mapping[str, Any]:
        name = reference.familiar if isinstance(reference, Named) else str(reference)
        return {"config": configs.get(name, {}), **platform.document()}

    return recipe(dockerfile(text.encode(), "Dockerfile"), options or Options(), base_of)


def test_commands_are_needed_only_where_a_needed_stage_runs_some() -> None:
    assert made("FROM a AS x\nRUN y\nFROM scratch\nCOPY --from=x / /").runs
    assert not made("FROM a AS x\nRUN y\nFROM scratch\nCOPY a /").runs


def test_bases_of_stages_that_are_not_needed_are_not_looked_up() -> None:
    asked: list[Reference] = []

    def base_of(reference: Reference, _platform: Platform) -> Mapping[str, Any]:
        asked.append(reference)
        return {}

    recipe(dockerfile(b"FROM a\nFROM b\nCOPY --from=c / /", "Dockerfile"), Options(), base_of)

    assert asked == [parse_name("b")]


def test_a_base_that_is_not_there_is_told_with_its_line_and_a_stage_of_that_sound() -> None:
    def base_of(reference: Reference, _platform: Platform) -> Mapping[str, Any]:
        if str(reference).endswith("alpine"):
            return {}
        raise Unauthorized(f"{reference}: pull denied", hint="log in")

    def failing(text: bytes) -> Unauthorized:
        with pytest.raises(Unauthorized) as raised:
            recipe(dockerfile(text, "Dockerfile"), Options(), base_of)
        return raised.value

    near, far = failing(b"FROM alpine AS builder\nFROM buildr"), failing(b"FROM alpine\nFROM x")

    assert near.message == "Dockerfile:2: docker.io/library/buildr: pull denied"
    assert near.hint == "did you mean the stage builder? Only those above can be used"
    assert far.hint == "log in"


def test_a_config_that_holds_nonsense_is_read_as_far_as_it_makes_sense() -> None:
    nonsense = {"Env": ["A=1", 5, "B", "C="], "OnBuild": "RUN x", "Shell": "sh", "Labels": [1]}

    stage = made("FROM a\nLABEL x=y\nRUN z", a=nonsense).recipe.stages[0]

    assert stage.settings["Env"][:3] == ["A=1", "B=", "C="]
    assert stage.settings["Labels"] == {"x": "y"}
    assert [instruction.line for instruction in stage.instructions][1:] == [
        "RUN /bin/sh -c z # buildkit"
    ]


def test_a_stage_does_not_change_the_config_of_its_base() -> None:
    base = {"Labels": {"a": "1"}, "OnBuild": ["ENV T=1"], "Volumes": {"/v": {}}}

    result = made("FROM a AS x\nLABEL b=2\nVOLUME /w\nONBUILD ENV U=1\nFROM x\nLABEL c=3", a=base)

    assert base == {"Labels": {"a": "1"}, "OnBuild": ["ENV T=1"], "Volumes": {"/v": {}}}
    assert result.recipe.stages[0].settings["Labels"] == {"a": "1", "b": "2"}
    assert result.recipe.stages[0].settings["OnBuild"] == ["ENV U=1"]
    assert "OnBuild" not in result.recipe.stages[1].settings


def test_triggers_that_lead_from_stage_to_stage_end_before_the_stack_does() -> None:
    stages = "FROM a AS b\n" * 200

    with pytest.raises(InvalidDockerfile, match="by triggers"):
        made(stages, a={"OnBuild": ["COPY --from=b / /"]})


def test_a_dockerfile_of_many_lines_takes_linear_time() -> None:
    started = time.process_time()
    lines = [f"LABEL l{n}=${{A:-{n}}}\nEXPOSE {n + 1}\nONBUILD RUN {n}" for n in range(5000)]
    stages = [f"FROM s{n} AS s{n + 1}" for n in range(3000)]

    made("\n".join(("FROM a AS x", *lines, "FROM a AS s0", *stages)), Options(all_stages=True))

    assert time.process_time() - started < 10


NAMES = (
    *("FROM", "RUN", "COPY", "ADD", "ENV", "ARG", "LABEL", "CMD", "ENTRYPOINT", "SHELL"),
    *("WORKDIR", "USER", "EXPOSE", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "ONBUILD COPY"),
    *("MAINTAINER", "ONBUILD RUN"),
)
WORDS = (
    *("a", "$A", "${B:-x}", "${C?no}", "'q q'", '"d $A"', "/", "..", "./x/../y", "a*", "\\$"),
    *(
        "https://h/x.git",
        "https://h/x",
        "git@h:x.git",
        '["a","b"]',
        "1:2",
        ":",
        "65536",
        "1-2/udp",
    ),
    *("A=1", "B=$A", "=", "--", "--from=a", "--from=0", "--from=9", "--chown=$A", "--chmod=9"),
    *("--mount=type=cache,target=$A", "--mount=from=a,target=x", "--network=none", "--parents"),
    *("--exclude=$A", "--checksum=$A", "--keep-git-dir", "SIGTERM", "NONE", "CMD", "AS", "b"),
    *("scratch", "busybox", "$TARGETARCH", "{}", "é", "--interval=1s", "\\", "<<EOF\n$A ${B\nEOF"),
)
LINES = st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from(WORDS), max_size=4))


@given(lines=st.lists(LINES, max_size=6), value=st.sampled_from(("", "x", "/y z")))
def test_any_dockerfile_is_evaluated_or_refused(
    lines: list[tuple[str, list[str]]], value: str
) -> None:
    text = "\n".join(("FROM alpine AS a", *(f"{name} {' '.join(words)}" for name, words in lines)))
    options = Options(build_args={"A": value}, contexts=(named_context("b=./b"),))
    try:
        result = made(text, options, busybox={"OnBuild": ["COPY --from=a x y"]})
    except ArtificerError:
        return
    assert result.recipe.stages[result.recipe.target]
