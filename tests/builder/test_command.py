"""Commands run in a clean place, with their inputs alone, and keep what they declare."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from artificer.builder.actions.make_words import Words, WrongWord, expanded
from artificer.builder.outcome import BuildFailed
from artificer.builder.products import Files, Passed
from artificer.builder.targets import Command, ImageTarget, Output, Program, TargetId
from artificer.builder.task import GraphOptions
from artificer.errors import Cancelled
from artificer.events import CommandOutput, Event
from artificer.images.reach import Reach
from artificer.layers.entry import DIRECTORY, FILE, SYMLINK
from tests.builder.graphs import PLAIN, Workspace, put, started, tree
from tests.parts.waiting import lifetime, processes_with, wait_until

Make = Callable[[str], Reach]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def command(
    workspace: Workspace, text: str, outs: tuple[str, ...] = ("out",), **fields: object
) -> TargetId:
    return workspace.add("//pkg:made", Command(text, "pkg", outs, **fields))  # type: ignore[arg-type]


def error_of(workspace: Workspace, one: TargetId, reach: Reach) -> BuildFailed:
    with pytest.raises(BuildFailed) as caught:
        workspace.made(one, reach)
    return caught.value


def test_a_command_makes_its_outputs_of_its_inputs(workspace: Workspace, reach: Reach) -> None:
    source = workspace.file("pkg/in.txt", "hello\n")
    one = command(workspace, "tr a-z A-Z < $< > $@", sources=(source,))

    assert workspace.files(one, reach) == {"pkg/out": b"HELLO\n"}


def test_what_is_not_declared_is_not_there_and_not_kept(
    workspace: Workspace, reach: Reach
) -> None:
    workspace.file("pkg/other", "x")
    one = command(workspace, "ls pkg > $@; touch $(RULEDIR)/extra")

    assert workspace.files(one, reach) == {"pkg/out": b"out\n"}


def test_the_environment_is_clean(
    workspace: Workspace, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    one = command(workspace, "env | cut -d= -f1 | sort > $@", env=(("MINE", "1"),))

    names = workspace.files(one, reach)["pkg/out"].decode().split()

    assert set(names) - {"_", "SHLVL", "PWD", "OLDPWD"} == {
        *("HOME", "LANG", "MINE", "PATH", "SOURCE_DATE_EPOCH", "TMPDIR")
    }


def test_an_output_of_a_command_is_the_input_of_another(
    workspace: Workspace, reach: Reach
) -> None:
    first = workspace.add("//a:first", Command("echo 1 > $@", "a", ("one", "two")[:1]))
    second = workspace.add(
        "//b:second",
        Command(
            "cat $(location //a:first) $(SRCS) > $@",
            "b",
            ("out",),
            (Output(first),),
            locations=(("//a:first", Output(first)),),
        ),
    )

    assert workspace.files(second, reach) == {"b/out": b"1\n1\n"}


def test_a_tool_is_on_the_path(workspace: Workspace, reach: Reach) -> None:
    tool = workspace.file("tools/greet", "#!/bin/sh\necho hi\n", executable=True)
    one = command(workspace, "greet > $@", tools=(tool,))

    assert workspace.files(one, reach) == {"pkg/out": b"hi\n"}


def test_a_made_file_can_be_executed_by_the_next_command(
    workspace: Workspace, reach: Reach
) -> None:
    script = "printf '#!/bin/sh\\necho made\\n' > $@; chmod +x $@"
    tool = workspace.add("//t:tool", Command(script, "t", ("tool",)))
    one = command(
        workspace,
        "$(location :tool) > $@",
        tools=(Output(tool),),
        locations=((":tool", Output(tool)),),
    )

    assert workspace.files(one, reach) == {"pkg/out": b"made\n"}


def test_what_a_command_writes_is_told_line_by_line(
    workspace: Workspace, reach: Reach, heard: list[Event]
) -> None:
    workspace.made(command(workspace, "echo one; echo two >&2; touch $@"), reach)

    lines = [event.line for event in heard if isinstance(event, CommandOutput)]
    assert lines == ["one", "two"]


def test_a_failing_command_is_told_with_its_last_line(workspace: Workspace, reach: Reach) -> None:
    error = error_of(workspace, command(workspace, "echo no such thing; exit 3"), reach)

    assert "the command failed with exit code 3: no such thing" in error.message


def test_a_missing_output_is_an_error(workspace: Workspace, reach: Reach) -> None:
    error = error_of(workspace, command(workspace, "touch pkg/other"), reach)

    assert "did not make pkg/out" in error.message
    assert error.hint == "beside it there is other"


def test_an_unset_variable_and_a_broken_pipe_fail(workspace: Workspace, reach: Reach) -> None:
    assert (
        "unbound" in error_of(workspace, command(workspace, "echo $$NOT_SET > $@"), reach).message
    )
    broken = command(workspace, "false | cat > $@")

    assert "exit code 1" in error_of(workspace, broken, reach).message


def test_a_command_that_does_not_end_is_killed_with_all_it_started(
    workspace: Workspace, reach: Reach
) -> None:
    life = lifetime()
    text = f"sleep {life} & sleep {life}"

    error = error_of(workspace, command(workspace, text, timeout=0.3), reach)

    assert "did not end within 0.3 seconds" in error.message
    wait_until(lambda: not processes_with(life))


def test_stopping_kills_the_command(workspace: Workspace, reach: Reach) -> None:
    import threading

    life = lifetime()
    threading.Timer(0.3, reach.stop.set).start()

    with pytest.raises(Cancelled):
        workspace.made(command(workspace, f"sleep {life}"), reach)
    wait_until(lambda: not processes_with(life))


def test_a_cache_is_kept_between_commands_and_no_part_of_the_key(
    workspace: Workspace, reach: Reach
) -> None:
    text = 'echo x >> "$$CACHE/log"; wc -l < "$$CACHE/log" > $@; cat $(SRCS) >> $@'
    source = workspace.file("pkg/in", "1")
    one = command(workspace, text, sources=(source,), caches=(("mine", "CACHE"),))

    assert workspace.files(one, reach)["pkg/out"].split() == [b"1", b"1"]
    workspace.file("pkg/in", "2 and more")
    assert workspace.files(one, reach)["pkg/out"].split() == [b"2", b"2", b"and", b"more"]


def test_nothing_of_the_work_is_left(workspace: Workspace, reach: Reach) -> None:
    workspace.made(command(workspace, "mkdir a; touch a/b $@; chmod 0 a/b; chmod 0500 a"), reach)

    assert os.listdir(f"{reach.store.root}/state/work") == []


def test_a_directory_is_kept_if_it_is_declared_as_one(workspace: Workspace, reach: Reach) -> None:
    text = "mkdir -p $@/deep; echo 1 > $@/deep/b; ln -s deep/b $@/a"

    product = workspace.made(command(workspace, text, directories=True), reach)

    assert isinstance(product, Files)
    assert [(one.short, one.kind) for one in product.files] == [
        ("pkg/out/a", "link"),
        ("pkg/out/deep/b", "file"),
    ]
    assert "declared as a file" in error_of(workspace, command(workspace, text), reach).message


def test_a_directory_keeps_its_links_and_what_is_empty(
    workspace: Workspace, reach: Reach, tmp_path: Path
) -> None:
    source = workspace.file("pkg/in.txt", "in\n")
    text = (
        "mkdir -p $@/empty/inner $@/sub; ln -s sub $@/dir; ln -s /bin/busybox $@/sh; "
        "ln -s $$PWD/$< $@/input; ln -s gone $@/later"
    )
    made = command(workspace, text, sources=(source,), directories=True)
    listing = "cd pkg/out && find . -mindepth 1 -printf '%P %y %l\\n' | sort > $$OLDPWD/$@"
    listed = workspace.add(
        "//pkg:listed", Command(listing, "pkg", ("list",), sources=(Output(made),))
    )
    image = workspace.add("//pkg:image", ImageTarget(content=put(made)))

    text_of = workspace.files(listed, reach)["pkg/list"].decode()
    files = tree(workspace.image(image, reach), reach)
    again = workspace.image(image, reach)

    assert text_of.splitlines() == [
        "dir l sub",
        "empty d ",
        "empty/inner d ",
        "input f ",
        "later l gone",
        "sh l /bin/busybox",
        "sub d ",
    ]
    assert {path: file.kind for path, file in files.items()} == {
        "out": DIRECTORY,
        "out/dir": SYMLINK,
        "out/empty": DIRECTORY,
        "out/empty/inner": DIRECTORY,
        "out/input": FILE,
        "out/later": SYMLINK,
        "out/sh": SYMLINK,
        "out/sub": DIRECTORY,
    }
    assert again.digest == workspace.image(image, reach).digest


def test_a_link_of_a_directory_to_what_is_gone_later_is_an_error(
    workspace: Workspace, reach: Reach
) -> None:
    one = command(workspace, "mkdir -p $@ other; ln -s $$PWD/other $@/x", directories=True)

    assert "leads to what is gone later" in error_of(workspace, one, reach).message


def test_executable_outputs_say_so(workspace: Workspace, reach: Reach) -> None:
    product = workspace.made(command(workspace, "touch $@", executable=True), reach)

    assert isinstance(product, Files)
    assert product.files[0].executable


def test_a_large_input_cannot_be_written_to_unseen(workspace: Workspace, reach: Reach) -> None:
    source = workspace.file("pkg/large", b"x" * (17 * 1024 * 1024))
    one = command(workspace, "echo y >> $<; touch $@", sources=(source,))

    assert "wrote to its input pkg/large" in error_of(workspace, one, reach).message


def test_a_define_that_the_command_names_is_part_of_its_key(
    workspace: Workspace, reach: Reach, heard: list[Event]
) -> None:
    one = command(workspace, "echo $(MODE) > $@")

    def out(mode: str, other: str) -> bytes:
        options = GraphOptions(variables={"MODE": mode, "OTHER": other})
        return workspace.files(one, reach, options)["pkg/out"]

    assert [out("a", "1"), out("a", "2"), out("b", "2")] == [b"a\n", b"a\n", b"b\n"]
    assert len(started(heard)) == 2


def test_a_test_that_passed_is_not_run_again(
    workspace: Workspace, reach: Reach, heard: list[Event]
) -> None:
    script = workspace.file("t/test.sh", "#!/bin/sh\ncat t/data\n", executable=True)
    data = workspace.file("t/data", "fine\n")
    one = workspace.add("//t:test", Program(script, (data,), test=True))
    options = PLAIN._replace(tests=True)

    assert workspace.made(one, reach, options) == Passed(passed=True, output="fine")
    workspace.made(one, reach, options)
    assert len(started(heard)) == 1


def test_a_test_that_failed_is_run_again(
    workspace: Workspace, reach: Reach, heard: list[Event]
) -> None:
    script = workspace.file("t/test.sh", "#!/bin/sh\nexit 1\n", executable=True)
    one = workspace.add("//t:test", Program(script, test=True))
    options = PLAIN._replace(tests=True)

    assert workspace.made(one, reach, options) == Passed(passed=False, output="")
    workspace.made(one, reach, options)
    assert len(started(heard)) == 2


LOCATED: Mapping[str, tuple[str, ...]] = {":one": ("pkg/one",), ":two": ("pkg/a", "pkg/b c")}
WORDS = Words(("s1", "s2"), ("pkg/out",), "pkg", LOCATED, {"MODE": "fast"})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$@ $(@) $(OUTS)", "pkg/out pkg/out pkg/out"),
        ("$(SRCS) $^", "s1 s2 s1 s2"),
        ("$(location :one) $(execpath :one) $(rootpath :one)", "pkg/one pkg/one pkg/one"),
        ("$(locations :two)", "pkg/a 'pkg/b c'"),
        ("$(location out) $(location :out)", "pkg/out pkg/out"),
        ("$(@D) $(RULEDIR) $(BINDIR)", "pkg pkg ."),
        ("$(MODE) ${MODE}", "fast fast"),
        ("$$HOME $$(date)", "$HOME $(date)"),
        ('\'\\"\' "x" "$(locations :two)"', '\'\\"\' "x" "pkg/a pkg/b c"'),
        ("it\\'s '$(locations :two)'", "it\\'s 'pkg/a pkg/b c'"),
    ],
)
def test_a_variable_stands_for(text: str, wanted: str) -> None:
    assert expanded(text, WORDS) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$(NOPE)", r"\$\(NOPE\) is not known"),
        ("$<", "stands for one source, and there are 2"),
        ("$(location :two)", "stands for one file"),
        ("$(location :nope)", "does not name it"),
        ("a $ b", "a lone"),
        ("$HOME", "a lone"),
    ],
)
def test_a_variable_that_stands_for_nothing_is_an_error(text: str, message: str) -> None:
    with pytest.raises(WrongWord, match=message):
        expanded(text, WORDS)


def test_what_a_killed_build_left_is_removed_by_the_next(
    workspace: Workspace, reach: Reach
) -> None:
    work = Path(f"{reach.store.root}/state/work")
    (work / "dead" / "root").mkdir(parents=True)
    (work / "dead.lock").touch()

    workspace.made(command(workspace, "touch $@"), reach)

    assert list(work.iterdir()) == []
