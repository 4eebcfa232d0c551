"""`artificer query`: how targets hang together."""

import json
from pathlib import Path

import pytest

from tests.cli.outside import Cli

BUILD = """\
genrule(name = "a", srcs = ["f.txt"], outs = ["a.txt"], cmd = "cp $< $@", tags = ["x", "y"])
genrule(name = "b", srcs = [":a"], outs = ["b.txt"], cmd = "cp $< $@")
genrule(name = "c", srcs = [":b", ":a.txt"], outs = ["c.txt"], cmd = "touch $@")
sh_test(name = "t", srcs = ["t.sh"])
test_suite(name = "s", tests = [":t"])
"""


@pytest.fixture
def site(cli: Cli, work: Path) -> Cli:
    """A workspace with the package //p."""
    (work / "MODULE.bazel").write_text("")
    (work / "p").mkdir()
    (work / "p" / "BUILD").write_text(BUILD)
    for name in ("f.txt", "t.sh"):
        (work / "p" / name).write_text("#!/bin/sh\n")
    return cli


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("deps(//p:b)", "b a f.txt"),
        ("deps(//p:c, 1)", "c b a"),
        ("rdeps(//..., //p:a, 1)", "a b c"),
        ("allrdeps(set(//p:f.txt //p:b)) ^ //p:all", "b a c"),
        ("kind('.*_test rule', //...)", "t"),
        ("kind('source file', deps(//p:c))", "f.txt"),
        ("attr(tags, '[\\[ ]x[,\\]]', //p:all)", "a"),
        ("filter(':[ab]$', //p:all)", "a b"),
        ("labels(srcs, //p:b)", "a"),
        ("tests(//p:s)", "t"),
        ("somepath(//p:c, //p:f.txt)", "c a f.txt"),
        ("somepath(//p:a, //p:c)", ""),
        ("allpaths(//p:c, //p:a)", "c b a"),
        ("//p:all - //p:a - kind(sh_test, //...)", "b c s"),
        ("//p:all except (//p:a union //p:b)", "c t s"),
        ("let x = //p:b in deps($x) intersect //p:all", "b a"),
        ("some(//p:all)", "a"),
        ("buildfiles(//p:a)", "BUILD"),
    ],
)
def test_a_query_has_its_answer(site: Cli, query: str, answer: str) -> None:
    found = site("query", query).stdout.split()

    assert found == [f"//p:{name}" for name in answer.split()]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("nothing(//p:a)", "no such function of queries: nothing"),
        ("deps(//p:a", "')' is missing"),
        ("deps()", "where a target or a function is expected"),
        ("deps(//p:a, many)", "takes a number"),
        ("kind('[', //p:a)", "not a regular expression"),
        ("kind(//p:a)", "takes 2 to 2 arguments"),
        ("//p:a //p:b )", "one word too many"),
        ("$x + //p:a", "no such variable"),
        ("", "names no target"),
    ],
)
def test_what_is_no_query_is_refused(site: Cli, query: str, told: str) -> None:
    assert told in site("query", query, code=2).error if query else True


def test_answers_have_several_forms(site: Cli) -> None:
    build = site("query", "//p:a", "--output=build").stdout
    graph = site("query", "deps(//p:b)", "--output", "graph").stdout
    document = json.loads(site("query", "//p:b", "--output=json").stdout)

    assert site("query", "//p:t", "--output=label_kind").stdout == "sh_test rule //p:t\n"
    assert site("query", "//p:t", "--output=package").stdout == "p\n"
    assert site("query", "//p:b", "--output=location").stdout.startswith("p/BUILD:2:1: genrule")
    assert build.splitlines()[:3] == ["# p/BUILD:1:1", "genrule(", '    name = "a",']
    assert '    tags = ["x", "y"],' in build
    assert '  "//p:b" -> "//p:a"' in graph
    assert document[0]["needs"] == ["//p:a"]
    assert document[0]["kind"] == "genrule rule"


def test_a_target_that_is_wrong_is_told_and_the_others_are_found(site: Cli, work: Path) -> None:
    wrong = 'docker_build(name = "wrong", env = {"A": "$(NOTHING)"})\n'
    (work / "p" / "BUILD").write_text(f'filegroup(name = "x")\n{wrong}')

    done = site("query", "//p:all")

    assert done.stdout.split() == ["//p:x", "//p:wrong"]
    assert done.lines[:2] == ["warning: p/BUILD:2:1: $(NOTHING) is not defined", f"  {wrong[:-1]}"]
