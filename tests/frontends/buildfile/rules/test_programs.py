"""Programs of C and Go by the host's toolchain, and images of them (RD-79 … RD-81)."""

import shutil
import subprocess
from pathlib import Path

import pytest

from artificer.events import TargetDone
from artificer.frontends.buildfile.graph import LoadOptions
from tests.frontends.buildfile.rules.workspaces import Workspace, content_of
from tests.parts.commands import missing

LOAD = (
    'load("@io_bazel_rules_docker//cc:image.bzl", "cc_image")\n'
    'load("@io_bazel_rules_docker//go:image.bzl", "go_image")\n'
    'load("@io_bazel_rules_go//go:def.bzl", "go_binary", "go_library")\n'
)
MAIN = '#include <stdio.h>\n#include "lib/greet.h"\nint main() { puts(greet()); return 0; }\n'
C = {
    "main.c": MAIN,
    "lib/greet.h": "const char *greet(void);\n",
    "lib/greet.c": '#include "lib/greet.h"\nconst char *greet(void) { return WHO; }\n',
    "lib/BUILD": (
        'cc_library(name = "greet", srcs = ["greet.c"], hdrs = ["greet.h"],\n'
        '    defines = [\'WHO="hello"\'], visibility = ["//visibility:public"])\n'
    ),
    "BUILD": 'cc_binary(name = "program", srcs = ["main.c"], deps = ["//lib:greet"])\n',
}


@pytest.fixture
def _go() -> None:
    if shutil.which("go") is None:
        missing("go")


def _said(workspace: Workspace, label: str, tmp_path: Path, path: str = "") -> str:
    """What the program *label* (or *path* of an image) prints."""
    program = tmp_path / "program"
    if path:
        layer = workspace.image(label).layers[-1]
        program.write_bytes(content_of(workspace.tar_of(layer), path))
    else:
        (data,) = workspace.files(label).values()
        program.write_bytes(data)
    program.chmod(0o755)
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout


def test_a_program_of_c_is_linked_with_libraries_of_other_packages(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.write(C)

    assert _said(workspace, "//:program", tmp_path) == "hello\n"


def test_a_changed_header_of_a_library_is_compiled_in(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.write(C)
    before = workspace.files("//:program")
    workspace.write({"lib/BUILD": C["lib/BUILD"].replace("hello", "bye")})

    assert workspace.files("//:program") != before
    assert _said(workspace, "//:program", tmp_path) == "bye\n"


def test_a_changed_source_is_the_only_one_that_is_compiled(workspace: Workspace) -> None:
    build = C["BUILD"].replace('"main.c"', '"main.c", "other.c", "own.h"')
    own = {"own.h": "#define SIX 6\n", "other.c": '#include "own.h"\nint six = SIX;\n'}
    workspace.write({**C, **own, "BUILD": build})
    workspace.files("//:program")
    workspace.events.clear()

    workspace.write({"other.c": '#include "own.h"\nint six = SIX + 1;\n'})
    workspace.files("//:program")

    done = [event for event in workspace.events if isinstance(event, TargetDone)]
    assert [event.label for event in done if not event.why] == [
        "//:_objs/program/other.c.o",
        "//:program",
    ]


def test_the_sources_of_a_group_are_compiled_together(
    workspace: Workspace, tmp_path: Path
) -> None:
    group = 'filegroup(name = "both", srcs = ["main.c", "other.c"])\n'
    workspace.write({**C, "other.c": "int six = 6;\n"})
    workspace.write({"BUILD": group + C["BUILD"].replace('"main.c"', '":both"')})

    assert _said(workspace, "//:program", tmp_path) == "hello\n"


def test_all_of_a_package_is_made_without_objects_as_targets(workspace: Workspace) -> None:
    workspace.write(C)

    assert [root.label for root in workspace.load("//:all").roots] == ["//:program"]


def test_a_program_of_cxx_is_compiled_as_such(workspace: Workspace, tmp_path: Path) -> None:
    code = "#include <iostream>\nint main() { std::cout << TEXT << std::endl; }\n"
    given = 'srcs = ["m.cc"], local_defines = [\'TEXT="cxx"\'], copts = ["-std=c++17"]'
    workspace.write({"m.cc": code, "BUILD": f'cc_binary(name = "program", {given})\n'})

    assert _said(workspace, "//:program", tmp_path) == "cxx\n"


def test_the_mode_of_compilation_is_heard(workspace: Workspace) -> None:
    workspace.write(C)

    plain = workspace.product("//:program")
    small = workspace.product("//:program", options=LoadOptions(compilation_mode="opt"))

    assert plain.files[0].digest != small.files[0].digest


def test_a_program_without_sources_is_an_error(workspace: Workspace) -> None:
    assert "without sources" in workspace.wrong('cc_binary(name = "p")\n', "//:p").message
    go = f'{LOAD}go_binary(name = "p")\n'
    assert "without sources" in workspace.wrong(go, "//:p").message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("linkshared = True", "shared libraries"),
        ('include_prefix = "x"', "say `includes`"),
        ("linkshard = True", "did you mean `linkshared`"),
    ],
)
def test_what_is_not_linked_here_is_an_error(
    workspace: Workspace, given: str, message: str
) -> None:
    error = workspace.wrong(f'cc_binary(name = "p", srcs = ["main.c"], {given})\n', "//:p")

    assert message in f"{error.message} {error.hint}"


def test_an_image_of_c_on_nothing_starts_a_program_that_needs_nothing(
    workspace: Workspace, tmp_path: Path
) -> None:
    image = (
        'cc_image(name = "image", srcs = ["main.c"], deps = ["//lib:greet"], data = ["d.txt"],'
        ' args = ["-v"], env = {"A": "1"})\n'
    )
    workspace.write({**C, "d.txt": "d", "app/BUILD": "", "BUILD": LOAD + image})

    settings = workspace.image().settings
    found = workspace.members("//:image")

    assert (settings["Entrypoint"], settings["Cmd"]) == (["/app/image.binary"], ["-v"])
    assert settings["WorkingDir"] == "/app/image.binary.runfiles/test"
    assert settings["Env"] == ["A=1"]
    assert found["app/image.binary.runfiles/test/d.txt"].isfile()
    assert _said(workspace, "//:image", tmp_path, "app/image.binary") == "hello\n"
    headers = subprocess.check_output(["readelf", "-l", tmp_path / "program"], text=True)
    assert "INTERP" not in headers


def test_an_image_may_be_of_a_program_that_is_there(workspace: Workspace) -> None:
    text = (
        'load("@io_bazel_rules_docker//container:container.bzl", "container_image")\n'
        'container_image(name = "base", cmd = ["x"])\n'
        'cc_image(name = "image", binary = ":program", base = ":base")\n'
    )
    workspace.write({**C, "BUILD": LOAD + C["BUILD"] + text})

    settings = workspace.image().settings

    assert settings["Entrypoint"] == ["/app/image.binary"]
    assert settings.get("Cmd") is None
    assert workspace.members("//:image")["app/image.binary"].mode == 0o755


GO = {
    "app/main.go": 'package main\n\nvar Who = "go"\n\nfunc main() { println2(Who) }\n',
    "app/other.go": 'package main\n\nimport "fmt"\n\nfunc println2(s string) { fmt.Println(s) }\n',
    "app/BUILD": LOAD
    + (
        'go_library(name = "lib", srcs = ["main.go", "other.go"], importpath = "x")\n'
        'go_binary(name = "program", embed = [":lib"], x_defs = {"main.Who": "set"})\n'
        'go_image(name = "image", embed = [":lib"], pure = "on",\n'
        '    goarch = "amd64", goos = "linux", layers = [":lib"], tag_name = "t")\n'
    ),
}


@pytest.mark.usefixtures("_go")
def test_a_program_of_go_is_built_of_its_library(workspace: Workspace, tmp_path: Path) -> None:
    workspace.write(GO)

    assert _said(workspace, "//app:program", tmp_path) == "set\n"
    assert _said(workspace, "//app:image", tmp_path, "app/app/image.binary") == "go\n"
    assert workspace.image("//app:image").settings["Entrypoint"] == ["/app/app/image.binary"]


@pytest.mark.usefixtures("_go")
def test_a_program_of_a_module_is_built_by_its_package(
    workspace: Workspace, tmp_path: Path
) -> None:
    library = 'package lib\n\nfunc Who() string { return "module" }\n'
    main = 'package main\n\nimport (\n\t"fmt"\n\t"example.com/m/lib"\n)\n\n'
    main += "func main() { fmt.Println(lib.Who()) }\n"
    build = {
        "lib/BUILD": LOAD + 'go_library(name = "lib", srcs = ["lib.go"], importpath = "l",'
        ' visibility = ["//visibility:public"])\n',
        "app/BUILD": LOAD + 'go_binary(name = "program", srcs = ["main.go"], deps = ["//lib"])\n',
    }
    workspace.write({"go.mod": "module example.com/m\n\ngo 1.19\n", "BUILD": "", **build})
    workspace.write({"lib/lib.go": library, "app/main.go": main})

    assert _said(workspace, "//app:program", tmp_path) == "module\n"


@pytest.mark.usefixtures("_go")
def test_a_program_of_go_without_a_module_has_libraries_of_other_packages(
    workspace: Workspace, tmp_path: Path
) -> None:
    public = 'visibility = ["//visibility:public"])\n'
    main = 'package main\n\nimport "example.com/m/outer"\n\nfunc main() { outer.Say() }\n'
    outer = (
        'package outer\n\nimport (\n\t_ "embed"\n\t"fmt"\n\t"example.com/m/inner"\n)\n\n'
        "//go:embed text/t.txt\nvar t string\n\n"
        "func Say() { fmt.Print(inner.Who(), more(), t) }\n"
    )
    workspace.write(
        {
            "app/BUILD": LOAD
            + 'go_binary(name = "program", srcs = ["main.go"], deps = ["//outer"])\n',
            "app/main.go": main,
            "outer/BUILD": LOAD
            + 'go_library(name = "part", srcs = ["more.go"])\n'
            + 'go_library(name = "outer", srcs = ["outer.go"], embed = [":part"], '
            + 'embedsrcs = ["text/t.txt"], importpath = "example.com/m/outer", '
            + f'deps = ["//deep/inner"], {public}',
            "outer/outer.go": outer,
            "outer/more.go": 'package outer\n\nfunc more() string { return "-more-" }\n',
            "outer/text/t.txt": "embedded\n",
            "deep/inner/BUILD": LOAD
            + 'genrule(name = "made", outs = ["made.go"], '
            + 'cmd = "echo \'package inner; func Who() string { return \\"inner\\" }\' >$@")\n'
            + 'go_library(name = "inner", srcs = [":made"], '
            + f'importpath = "example.com/m/inner", {public}',
        }
    )

    assert _said(workspace, "//app:program", tmp_path) == "inner-more-embedded\n"


def test_a_library_of_go_that_nothing_could_import_is_an_error(workspace: Workspace) -> None:
    workspace.write({"l.go": "package l\n", "m.go": "package main\n"})
    text = f'{LOAD}go_binary(name = "p", srcs = ["m.go"], deps = [":l"])\n'
    text += 'go_library(name = "l", srcs = ["l.go"])\n'

    error = workspace.wrong(text, "//:p")

    assert "//:l has no importpath" in error.message


def test_each_dependency_has_a_layer_that_images_share(workspace: Workspace) -> None:
    public = 'visibility = ["//visibility:public"]'
    layers = 'layers = ["//lib:lower", "//lib:upper", ":plain"], data = ["own.txt"]'
    programs = "".join(
        f'cc_image(name = "{name}", srcs = ["{name}.c"], {layers})\n' for name in ("one", "two")
    )
    plain = 'load("@io_bazel_rules_docker//container:container.bzl", "container_layer")\n'
    plain += 'container_layer(name = "plain", files = ["own.txt"], directory = "/plain")\n'
    workspace.write(
        {
            "lib/BUILD": f'cc_library(name = "lower", data = ["lower.txt"], {public})\n'
            f'cc_library(name = "upper", deps = [":lower"], data = ["d/upper.txt"], {public})\n',
            "lib/lower.txt": "lower",
            "lib/d/upper.txt": "upper",
            "own.txt": "own",
            "one.c": "int main(void) { return 0; }\n",
            "two.c": "int main(void) { return 1; }\n",
            "BUILD": LOAD + plain + programs,
        }
    )

    one, two = workspace.image("//:one"), workspace.image("//:two")
    members = [workspace.members("//:one", at) for at in range(4)]

    assert [layer.diff_id for layer in one.layers[:3]] == [
        layer.diff_id for layer in two.layers[:3]
    ]
    files = [
        {path: member.linkname for path, member in each.items() if not member.isdir()}
        for each in members
    ]
    assert files[:3] == [
        {"app/test/lib/lower.txt": ""},
        {"app/test/lib/d/upper.txt": ""},
        {"plain/own.txt": ""},
    ]
    assert files[3] == {
        "app/one.binary": "",
        "app/one.binary.runfiles/test/own.txt": "",
        "app/one.binary.runfiles/test/lib/lower.txt": "/app/test/lib/lower.txt",
        "app/one.binary.runfiles/test/lib/d/upper.txt": "/app/test/lib/d/upper.txt",
    }


def test_scripts_and_copies_are_programs_and_files(workspace: Workspace) -> None:
    load = (
        'load("@bazel_skylib//rules:write_file.bzl", "write_file")\n'
        'load("@bazel_skylib//rules:copy_file.bzl", "copy_file")\n'
    )
    text = (
        'sh_binary(name = "run", srcs = ["run.sh"], data = ["d.txt"])\n'
        'write_file(name = "w", out = "w.txt", content = ["a", "b"])\n'
        'copy_file(name = "c", src = "w.txt", out = "sub/c.txt")\n'
    )
    workspace.write({"run.sh": "#!/bin/sh\n", "d.txt": "d", "BUILD": load + text})

    assert workspace.files("//:run").keys() == {"run.sh", "d.txt"}
    assert workspace.files("//:c") == {"sub/c.txt": b"a\nb"}
