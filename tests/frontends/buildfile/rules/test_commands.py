"""Rules of no rule set: commands, groups of files, other names."""

import pytest

from tests.frontends.buildfile.rules.workspaces import Workspace


def test_a_command_knows_its_sources_outputs_tools_and_labels(workspace: Workspace) -> None:
    text = r"""
sh_binary(name = "tool", srcs = ["tool.sh"])
genrule(
    name = "gen",
    srcs = ["a.txt", "b.txt"],
    outs = ["one.txt", "sub/two.txt"],
    tools = [":tool"],
    cmd = "cat $(SRCS) > $(location one.txt); " +
          "$(location :tool) $(location :a.txt) $${NOT_SET:-} > $(location //:sub/two.txt)",
)
"""
    tool = "#!/bin/sh\necho tool $(cat $1)\n"
    workspace.write({"a.txt": "a\n", "b.txt": "b\n", "tool.sh": tool, "BUILD": text})

    assert workspace.files("//:gen") == {"one.txt": b"a\nb\n", "sub/two.txt": b"tool a\n"}
    assert workspace.files("//:sub/two.txt") == {"sub/two.txt": b"tool a\n"}


def test_the_shorthands_stand_for_the_only_source_and_output(workspace: Workspace) -> None:
    text = 'genrule(name = "g", srcs = ["a.txt"], outs = ["o"], cmd = "tr a b < $< > $@")\n'
    workspace.write({"p/a.txt": "a", "p/BUILD": text})

    assert workspace.files("//p:g") == {"p/o": b"b"}


def test_a_command_has_an_environment_and_caches_that_stay(workspace: Workspace) -> None:
    # A cache is no part of the key, so what was changed is what runs again.
    text = (
        'command(name = "c", outs = ["o"], env = {"WHO": "me"}, caches = ["seen"],'
        ' srcs = ["a.txt"], timeout = 60,\n'
        '    command = "echo $$WHO $$(ls $$SEEN) > $@; touch $$SEEN/before")\n'
    )
    workspace.write({"a.txt": "1", "BUILD": text})
    first = workspace.files("//:c")
    workspace.write({"a.txt": "2"})

    assert first == {"o": b"me\n"}
    assert workspace.files("//:c") == {"o": b"me before\n"}


def test_a_command_may_make_a_directory(workspace: Workspace) -> None:
    text = (
        'command(name = "c", outs = ["d"], directories = True,'
        ' command = "mkdir -p $@/x; echo 1 > $@/x/y")\n'
        'docker_build(name = "image", files = [":c"])\n'
    )
    workspace.write({"BUILD": text})

    assert workspace.files("//:c") == {"d/x/y": b"1\n"}
    assert "d/x/y" in workspace.members("//:image")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('outs = ["o"]', "a genrule without cmd"),
        ('cmd = "true"', "a genrule without outs"),
        ('outs = ["o"], cmd = "cat $(location :nothing) > $@"', "nothing"),
        ('outs = ["o"], cmd = "exit 3"', "3"),
    ],
)
def test_what_a_command_lacks_is_an_error(workspace: Workspace, given: str, message: str) -> None:
    error = workspace.wrong(f'genrule(name = "g", {given})\n', "//:g")

    assert error.message.startswith("BUILD:1:")
    assert message in error.message


def test_groups_aliases_and_suites_stand_for_others(workspace: Workspace) -> None:
    text = (
        'filegroup(name = "f", srcs = ["a.txt"], data = ["b.txt"])\n'
        'alias(name = "other", actual = ":f")\n'
        'sh_test(name = "t", srcs = ["t.sh"], size = "small")\n'
        'test_suite(name = "s", tests = [":t"])\n'
    )
    workspace.write({"a.txt": "a", "b.txt": "b", "t.sh": "#!/bin/sh\nexit 0\n", "BUILD": text})

    assert workspace.files("//:other").keys() == {"a.txt", "b.txt"}
    assert workspace.test("//:t").passed


def test_an_output_group_that_no_rule_has_is_an_error(workspace: Workspace) -> None:
    text = 'docker_build(name = "i")\nfilegroup(name = "f", srcs = [":i"], output_group = "x")\n'

    error = workspace.wrong(text, "//:f")

    assert error.message.startswith("BUILD:2:")
    assert "no rule here has the output group 'x'" in error.message
