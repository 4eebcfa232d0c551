import subprocess
import sys
import time
from pathlib import Path

import pytest

from artificer.builder.targets import (
    Graph,
    Group,
    ImageTarget,
    Output,
    Pull,
    Refused,
    SourceFile,
    TargetId,
    Written,
)
from artificer.events import Event, Note
from artificer.frontends.buildfile.graph import LoadOptions, load_graph, load_repositories
from artificer.frontends.buildfile.grouping import CORE
from artificer.frontends.buildfile.place import BuildFileError
from artificer.frontends.buildfile.schema import (
    Call,
    Context,
    Renamed,
    Rule,
    number,
    string_dict,
)
from artificer.oci.platform import Platform
from tests.frontends.buildfile.rulebook import BOOK
from tests.frontends.buildfile.workspaces import IMAGE, failed, load, write


def test_only_packages_that_are_needed_are_read(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "a/BUILD": 'filegroup(name = "a", srcs = ["//b"])',
            "b/BUILD": 'filegroup(name = "b", visibility = ["//visibility:public"])',
            "c/BUILD": 'fail("nobody asked for this")',
        },
    )

    loaded = load(root, "//a")

    assert list(map(str, loaded.graph)) == ["//a:a", "//b:b"]


def test_a_file_of_the_workspace_is_a_source_with_its_path(tmp_path: Path) -> None:
    root = write(tmp_path, {"a/BUILD": f'{IMAGE}image(name = "i", files = ["x"])', "a/x": ""})

    (declared,) = load(root).graph.values()

    assert isinstance(declared.target, ImageTarget)
    assert declared.target.content.puts[0].source == SourceFile(f"{root}/a/x", "a/x")


def test_an_error_shows_the_line_and_a_caret(tmp_path: Path) -> None:
    root = write(tmp_path, {"a/BUILD": 'filegroup(name = "x", srcs = [y])\n'})

    error = failed(root)

    assert error.message == (
        "a/BUILD:1:31: variable `y` not found\n"
        '  filegroup(name = "x", srcs = [y])\n'
        "                                ^"
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('f(name = "x")', None),
        ('d = {"nginx": "@a", "less": "@b"}\nd["ngin"]', "do you mean nginx?"),
        ('d = {"nginx": "@a"}\nd["emacs"]', None),
    ],
)
def test_a_key_that_is_not_there_may_be_another(
    tmp_path: Path, text: str, hint: str | None
) -> None:
    assert failed(write(tmp_path, {"BUILD": text})).hint == hint


def test_an_error_in_a_macro_says_who_called_it(tmp_path: Path) -> None:
    defs = 'def outer(n):\n    inner(n)\n\ndef inner(n):\n    fail("no")\n'
    root = write(tmp_path, {"BUILD": 'load(":defs.bzl", "outer")\nouter(1)', "defs.bzl": defs})

    message = failed(root).message

    assert message.startswith("defs.bzl:5:5: no\n")
    assert message.endswith("  called at defs.bzl:2\n  called at BUILD:2")


def test_an_error_of_an_attribute_in_a_macro_says_who_called_it(tmp_path: Path) -> None:
    defs = f"{IMAGE}def m(n):\n    image(name = n, filez = [])\n"
    root = write(tmp_path, {"BUILD": 'load(":defs.bzl", "m")\nm("x")', "defs.bzl": defs})

    message = failed(root).message

    assert message.startswith("defs.bzl:3:5: image has no attribute `filez`\n")
    assert message.endswith("  called at BUILD:2")


def test_a_target_is_declared_once_for_each_platform(tmp_path: Path) -> None:
    root = write(tmp_path, {"BUILD": 'made(name = "x", outs = ["y"])'})
    amd, arm = Platform("linux", "amd64"), Platform("linux", "arm64")

    loaded = load(root, "//:x", options=LoadOptions(platforms=(amd, arm)))

    found = {id_.platform: declared.target for id_, declared in loaded.graph.items()}
    assert found == {amd: Written("y", "k8"), arm: Written("y", "aarch64")}


def test_without_a_platform_a_select_goes_by_the_machine(tmp_path: Path) -> None:
    text = f'{IMAGE}image(name = "i", cmd = select({{"@platforms//cpu:arm64": "arm"}}))'
    root = write(tmp_path, {"BUILD": text})

    loaded = load(root, options=LoadOptions(host=Platform("linux", "arm64")))

    (declared,) = loaded.graph.values()
    assert declared.id.platform is None
    assert declared.attributes["cmd"] == "arm"


def test_a_pull_is_for_the_platform_of_who_needs_it(tmp_path: Path) -> None:
    workspace = 'load("@rules_image//:x.bzl", "pull")\npull(name = "base", image = "debian")'
    build = f'{IMAGE}image(name = "i", base = "@base//image")'
    arm = Platform("linux", "arm64")

    root = write(tmp_path, {"WORKSPACE": workspace, "BUILD": build})
    loaded = load(root, options=LoadOptions(platforms=(arm,)))

    pull = loaded.graph[TargetId("@base//image:image", arm)].target
    assert isinstance(pull, Pull)
    assert pull.platform == arm


def test_with_keep_going_every_error_is_told(tmp_path: Path) -> None:
    wrong = 'image(name = "a", files = ["x"])\nimage(name = "b", level = 12)\n'
    text = f'{IMAGE}{wrong}filegroup(name = "c")'
    root = write(tmp_path, {"BUILD": text})

    loaded = load(root, options=LoadOptions(keep_going=True))

    assert [f.message.split("\n")[0] for f in loaded.failures] == [
        "BUILD:2:28: no target or file //:x: BUILD declares no x, and there is no such file",
        "BUILD:3:1: a level is at most 9",
    ]
    kinds = [type(declared.target) for declared in loaded.graph.values()]
    assert kinds == [Refused, Refused, Group]


def test_a_rule_that_is_not_ours_says_what_to_do(tmp_path: Path) -> None:
    root = write(tmp_path, {"BUILD": 'java_binary(name = "x")'})

    (declared,) = load(root).graph.values()

    assert isinstance(declared.target, Refused)
    assert declared.target.reason == "artificer does not have the rule java_binary"
    assert "genrule" in declared.target.hint


def test_a_repository_by_a_rule_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    workspace = 'load("@other//:x.bzl", "thing")\nthing(name = "base")'
    root = write(
        tmp_path, {"WORKSPACE": workspace, "BUILD": 'filegroup(name = "x", srcs = ["@base//a"])'}
    )

    target = load(root).graph[TargetId("@base//a:a")].target

    assert isinstance(target, Refused)
    assert "@base" in target.reason
    assert "WORKSPACE:2:1" in target.hint


def test_an_unknown_repository_names_the_macro_that_may_declare_it(tmp_path: Path) -> None:
    workspace = 'load("@other//:x.bzl", "deps")\ndeps()'
    root = write(
        tmp_path, {"WORKSPACE": workspace, "BUILD": 'filegroup(name = "x", srcs = ["@base//a"])'}
    )

    error = failed(root)

    assert error.message.startswith("BUILD:1:31: no repository @base")
    assert error.hint == (
        "perhaps @other//:x.bzl%deps does, called at WORKSPACE:2:1: artificer does not have it"
    )


def test_a_rule_set_under_another_name_is_known_by_its_source(tmp_path: Path) -> None:
    workspace = (
        'http_archive(name = "docker", urls = ["https://x/y/rules_oci/releases/v1.tar.gz"])\n'
        'load("@docker//oci:defs.bzl", "oci_image")\n'
    )
    build = 'load("@docker//oci:defs.bzl", "oci_image")\noci_image(name = "x")'
    book = BOOK._replace(modules={"@rules_oci": {"oci_image": "image"}})
    root = write(tmp_path, {"WORKSPACE": workspace, "BUILD": build})

    loaded = load_graph(root, ["//:x"], LoadOptions(), book)

    assert [declared.rule for declared in loaded.graph.values()] == ["image"]


def test_an_archive_is_fetched_when_its_files_are_needed(tmp_path: Path) -> None:
    files = tmp_path / "unpacked"
    write(files, {"a.txt": "", "sub/b.txt": ""})
    content = (
        "package(default_visibility = ['//visibility:public'])\n"
        "filegroup(name = 'all', srcs = glob(['**/*.txt']))"
    )
    workspace = (
        f'http_archive(name = "a", url = "http://x/a", build_file_content = """{content}""")'
    )
    build = 'filegroup(name = "x", srcs = ["@a//:all"])\nfilegroup(name = "y")'
    root = write(tmp_path / "w", {"WORKSPACE": workspace, "BUILD": build})
    made: list[TargetId] = []

    def trees(graph: Graph, id_: TargetId) -> str:
        made.append(id_)
        assert TargetId("@a//:fetched") in graph
        return str(files)

    load(root, "//:y", options=LoadOptions(trees=trees))
    assert made == []
    loaded = load(root, "//:x", options=LoadOptions(trees=trees))

    assert made == [TargetId("@a//:unpacked")]
    target = loaded.graph[TargetId("@a//:all")].target
    assert target == Group(
        (
            SourceFile(f"{files}/a.txt", "external/a/a.txt"),
            SourceFile(f"{files}/sub/b.txt", "external/a/sub/b.txt"),
        )
    )


def test_an_archive_that_nobody_may_fetch_is_an_error(tmp_path: Path) -> None:
    workspace = "http_archive(name = 'a', url = 'http://x/a.tar')"
    build = 'filegroup(name = "x", srcs = ["@a//:all"])'
    root = write(tmp_path, {"WORKSPACE": workspace, "BUILD": build})

    assert "have to be fetched" in failed(root).message


def test_the_targets_of_the_workspace_are_known_apart(tmp_path: Path) -> None:
    workspace = (
        'http_file(name = "f", url = "http://x/f")\n'
        'load("@rules_image//:x.bzl", "pull")\npull(name = "base", image = "debian")\n'
        'http_archive(name = "a", url = "http://x/a.tar")\n'
        'local_repository(name = "here", path = "x")\n'
    )
    root = write(tmp_path, {"WORKSPACE": workspace})

    graph = load_repositories(root, LoadOptions(), BOOK).graph

    assert [str(id_) for id_ in graph] == [
        "@f//file:file",
        "@base//image:image",
        "@base_linux_arm64//image:image",
        "@a//:fetched",
        "@a//:unpacked",
    ]


def test_what_a_file_prints_is_a_note(tmp_path: Path) -> None:
    text = (
        f'{IMAGE}print("for", 1)\nimage(name = "x", cmd = select({{"//conditions:default": ""}}))'
    )
    root = write(tmp_path, {"BUILD": text})
    told: list[Event] = []

    load(root, options=LoadOptions(report=told.append))

    assert told == [Note("for 1")]


def test_a_pattern_without_packages_is_an_error(tmp_path: Path) -> None:
    root = write(tmp_path, {"web/BUILD": ""})

    error = failed(root, "//wep/...")

    assert error.message == "no packages below //wep"
    assert error.hint == "did you mean `web`?"


def test_a_pattern_is_relative_to_where_it_was_given(tmp_path: Path) -> None:
    root = write(tmp_path, {"a/b/BUILD": 'filegroup(name = "b")\nfilegroup(name = "c")'})

    for pattern in ("b", "b:b", "//a/b", "b/..."):
        loaded = load(root, pattern, options=LoadOptions(directory="a"))
        assert TargetId("//a/b:b") in loaded.roots


def test_a_made_file_by_name_is_the_makers_output(tmp_path: Path) -> None:
    root = write(tmp_path, {"BUILD": 'made(name = "x", outs = ["y"])'})

    loaded = load(root, "//:y")

    assert loaded.roots == (TargetId("//:y"),)
    assert loaded.graph[TargetId("//:y")].target == Group((Output(TargetId("//:x"), "y"),))


def test_a_chain_of_thousands_of_targets_loads(tmp_path: Path) -> None:
    text = "".join(f'filegroup(name = "f{n}", srcs = [":f{n + 1}"])\n' for n in range(3000))
    root = write(tmp_path, {"BUILD": text + 'filegroup(name = "f3000")'})

    assert len(load(root, "//:f0").graph) == 3001


def test_an_error_in_a_file_that_is_loaded_stays_in_that_file(tmp_path: Path) -> None:
    root = write(tmp_path, {"BUILD": 'load(":a.bzl", "x")', "a.bzl": "x = 1 // 0\n"})

    error = failed(root)

    assert isinstance(error, BuildFileError)
    assert error.message.startswith("a.bzl:1:5:")


def test_the_interpreter_is_not_loaded_by_the_schema() -> None:
    code = "import sys, artificer.frontends.buildfile.schema; print('starlark' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def test_a_thousand_targets_load_in_a_moment(tmp_path: Path) -> None:
    files = {"shared/BUILD": 'filegroup(name = "s", visibility = ["//visibility:public"])'}
    for package in range(20):
        calls = (
            f'image(name = "i{n}", files = ["//shared:s", "BUILD"], env = {{"N": "{n}"}})'
            for n in range(50)
        )
        files[f"p{package}/BUILD"] = IMAGE + "\n".join(calls)
    root = write(tmp_path, files)
    start = time.process_time()

    loaded = load(root)

    assert len(loaded.roots) == 1001
    # Measured: 0.2 s. The limit only catches what grows with the square.
    assert time.process_time() - start < 2


def test_a_rule_may_ask_for_all_that_the_context_knows(tmp_path: Path) -> None:
    found: dict[str, object] = {}

    def probe(call: Call, context: Context) -> Group:
        found.update(
            root=context.root,
            workspace=context.workspace,
            platform=context.platform,
            defines=context.defines,
            mode=context.compilation_mode,
            variable=context.variables["COMPILATION_MODE"],
            file=context.file("sub"),
            glob=[file.short for file in context.glob(["**"], ["BUILD"])],
            rule=getattr(context.call(":other"), "rule", None),
            none=context.call("x.txt"),
            label=call.label,
            flags=(call.flag("testonly"), call.number("level"), call.given("level")),
            values=(call.pairs("env"), call.strings("tags"), call.string("deprecation")),
        )
        return Group()

    rule = Rule("probe", {"level": number(3), "env": string_dict()}, probe)
    book = BOOK._replace(rules={**BOOK.rules, "probe": rule}, native=frozenset({"probe"}))
    text = 'probe(name = "p", tags = ["t"], env = {"K": "v"})\nfilegroup(name = "other")'
    root = write(tmp_path, {"a/BUILD": text, "a/x.txt": "", "a/sub/y.txt": ""})

    options = LoadOptions(defines={"d": "1"}, compilation_mode="opt")
    load_graph(root, ["//a:p"], options, book)

    assert found == {
        "root": root,
        "workspace": "__main__",
        "platform": None,
        "defines": {"d": "1"},
        "mode": "opt",
        "variable": "opt",
        "file": SourceFile(f"{root}/a/sub", "a/sub"),
        "glob": ["a/sub/y.txt", "a/x.txt"],
        "rule": CORE["filegroup"],
        "none": None,
        "label": "//a:p",
        "flags": (False, 3, False),
        "values": ((("K", "v"),), ("t",), ""),
    }


def test_a_repository_may_be_another_name_for_targets(tmp_path: Path) -> None:
    rule = Rule("renamed", {}, repository=lambda c, x: {c.name: Renamed({":a": "//:real"})})
    book = BOOK._replace(rules={**BOOK.rules, "renamed": rule}, workspace=frozenset({"renamed"}))
    build = 'filegroup(name = "real")\nfilegroup(name = "x", srcs = ["@r//:a"])'
    root = write(tmp_path, {"WORKSPACE": 'renamed(name = "r")', "BUILD": build})

    loaded = load_graph(root, ["//:x"], LoadOptions(), book)

    assert loaded.graph[TargetId("//:x")].target == Group((Output(TargetId("//:real")),))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('ratio = "x"', "a number, not the string 'x'"),
        ("stamp = 2", "a boolean, not the number 2"),
        ("level = True", "a whole number, not a boolean"),
        ('groups = {"a": "b"}', "a dictionary of lists of strings, not a dictionary"),
        ("cmd = {}", "a string or a list of strings, not a dictionary"),
        ("base = []", "a label, not a list"),
        ("files = [[]]", "a list of labels, not a list with a list in it"),
        ('env = ["a"]', "a dictionary of strings, not a list"),
    ],
)
def test_a_value_of_another_kind_is_told(tmp_path: Path, given: str, message: str) -> None:
    root = write(tmp_path, {"BUILD": f'{IMAGE}image(name = "x", {given})'})

    assert message in failed(root).message


def test_values_of_the_right_kind_are_taken(tmp_path: Path) -> None:
    given = (
        'ratio = 1.5, stamp = 1, level = 2, groups = {"a": ["b"]}, cmd = ("a", "b"), env = None'
    )
    root = write(tmp_path, {"BUILD": f'{IMAGE}image(name = "x", {given})'})

    (declared,) = load(root).graph.values()

    assert declared.attributes == {
        "name": "x",
        "ratio": 1.5,
        "stamp": True,
        "level": 2,
        "groups": {"a": ["b"]},
        "cmd": ["a", "b"],
        "env": None,
    }


def test_a_test_takes_what_every_test_takes(tmp_path: Path) -> None:
    text = 'load("@rules_image//:x.bzl", "image_test")\nimage_test(name = "x", size = "tiny")'

    error = failed(write(tmp_path, {"BUILD": text}))

    assert "image_test.size is one of small, medium, large, enormous" in error.message
