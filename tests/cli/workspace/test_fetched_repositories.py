"""Repositories that have to be fetched: their targets, their own BUILD files, their macros."""

import io
import tarfile
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.git_server import commit

DEFS = """\
load(":names.bzl", "NAME")

def page(name, text):
    native.genrule(name = name, outs = [name + ".html"], cmd = "echo %s %s >$@" % (NAME, text))

def labels():
    return [str(Label("//lib:tool.sh")), str(Label(":x"))]
"""
LIBRARY = {
    "lib/BUILD": """\
load("//lib:names.bzl", "NAME")
load("@helpers//:h.bzl", "upper")
exports_files(["tool.sh"])
genrule(
    name = "made",
    srcs = ["data/in.txt"],
    outs = ["sub/out.txt"],
    cmd = "echo $< $(RULEDIR) %s >$@; cat data/in.txt 2>/dev/null || cat $< >>$@" % upper(NAME),
    visibility = ["//visibility:public"],
)
filegroup(name = "all", srcs = glob(["data/**"]), visibility = ["//visibility:public"])
""",
    "lib/names.bzl": 'NAME = "library"\n',
    "lib/defs.bzl": DEFS,
    "lib/tool.sh": "#!/bin/sh\necho tool\n",
    "lib/data/in.txt": "in\n",
}
BUILD = """\
load("@library//lib:defs.bzl", "labels", "page")
page(name = "index", text = "one")
genrule(name = "labels", outs = ["labels.txt"], cmd = "echo %s >$@" % " ".join(labels()))
genrule(name = "copy", srcs = ["@library//lib:made"], outs = ["copy.txt"], cmd = "cat $< >$@")
genrule(
    name = "run",
    tools = ["@library//lib:tool.sh"],
    outs = ["run.txt"],
    cmd = "$(location @library//lib:tool.sh) >$@",
)
"""


def _archive(path: Path, files: dict[str, str]) -> str:
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"top/{name}")
            info.size, info.mode = len(text), 0o755 if text.startswith("#!") else 0o644
            tar.addfile(info, io.BytesIO(text.encode()))
    return f"file://{path}"


@pytest.fixture
def away(tmp_path: Path) -> Path:
    """A directory that is no part of the workspace."""
    folder = tmp_path / "away"
    folder.mkdir()
    return folder


def _declared(kind: str, away: Path) -> str:
    """A repository @library of *kind*."""
    if kind == "git_repository":
        found = commit(away / "library", LIBRARY)
        return f'git_repository(name = "library", remote = "{away}/library", commit = "{found}")\n'
    if kind == "http_archive":
        url = _archive(away / "library.tar.gz", LIBRARY)
        return f'http_archive(name = "library", url = "{url}", strip_prefix = "top")\n'
    for name, text in LIBRARY.items():
        path = away / "library" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    return f'local_repository(name = "library", path = "{away}/library")\n'


@pytest.mark.parametrize("kind", ["git_repository", "http_archive", "local_repository"])
def test_macros_and_targets_of_other_repositories_are_theirs(
    cli: Cli, work: Path, away: Path, kind: str
) -> None:
    helpers = _archive(away / "helpers.tgz", {"h.bzl": "def upper(x):\n    return x.upper()\n"})
    text = f'http_archive(name = "helpers", url = "{helpers}", strip_prefix = "top")\n'
    (work / "WORKSPACE").write_text(_declared(kind, away) + text)
    (work / "BUILD").write_text(BUILD)

    cli("build", "//...", "@library//lib:made")

    out = work / "artificer-bin"
    assert (out / "index.html").read_text() == "library one\n"
    assert (out / "labels.txt").read_text() == "@library//lib:tool.sh @library//lib:x\n"
    assert (out / "run.txt").read_text() == "tool\n"
    line = "external/library/lib/data/in.txt external/library/lib LIBRARY\nin\n"
    assert (out / "copy.txt").read_text() == line
    assert (out / "external/library/lib/sub/out.txt").read_text() == line


def test_a_macro_of_the_workspace_file_comes_from_a_repository_declared_before(
    cli: Cli, work: Path, away: Path
) -> None:
    url = _archive(away / "file.tgz", {"x": "x"})
    deps = (
        'load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive")\n'
        f'def deps():\n    http_archive(name = "more", url = "{url}", strip_prefix = "top",\n'
        '        build_file_content = "exports_files([\\"x\\"])")\n'
    )
    commit(away / "rules", {"deps.bzl": deps, "BUILD": ""})
    (work / "WORKSPACE").write_text(
        f'git_repository(name = "rules", remote = "{away}/rules", branch = "main")\n'
        'load("@rules//:deps.bzl", "deps")\ndeps()\n'
    )
    (work / "BUILD").write_text('genrule(name="g",srcs=["@more//:x"],outs=["o"],cmd="cat $<>$@")')

    done = cli("build", "//:g")

    assert (work / "artificer-bin" / "o").read_text() == "x"
    assert "has no commit: whatever is there now was taken" in done.stderr


def test_what_cannot_be_fetched_is_an_error_only_where_it_is_needed(cli: Cli, work: Path) -> None:
    (work / "WORKSPACE").write_text(
        'http_archive(name = "gone", url = "file:///nowhere/x.tgz")\n'
        'load("@gone//:deps.bzl", "deps")\ndeps()\n'
    )
    (work / "BUILD").write_text(
        'genrule(name = "g", outs = ["o"], cmd = "echo 1 >$@")\n'
        'genrule(name = "h", srcs = ["@gone//:x"], outs = ["p"], cmd = "cat $< >$@")\n'
    )

    done = cli("build", "//:g")
    failed = cli("build", "//:h", code=1)

    assert "@gone cannot be read" in done.stderr
    assert done.stderr.count("no such file or directory") == 1
    assert "nowhere" in failed.error


def test_rules_that_want_more_of_bazel_are_refused_where_they_are_needed(
    cli: Cli, work: Path, away: Path
) -> None:
    url = _archive(away / "r.tgz", {"r.bzl": "x = not_there\ndef r(name):\n    pass\n"})
    (work / "WORKSPACE").write_text(
        f'http_archive(name = "rules", url = "{url}", strip_prefix = "top")\n'
    )
    (work / "BUILD").write_text(
        'load("@rules//:r.bzl", "r")\nr(name = "r")\n'
        'genrule(name = "g", outs = ["o"], cmd = "echo 1 >$@")\n'
    )

    done = cli("build", "//:g")
    failed = cli("build", "//:r", code=1)

    assert "@rules//:r.bzl cannot be evaluated" in done.stderr
    assert "artificer does not have the rule r of @rules//:r.bzl" in failed.error


def test_a_module_from_git_takes_the_place_of_one_from_a_registry(
    cli: Cli, work: Path, away: Path
) -> None:
    found = commit(away / "library", {"BUILD": 'exports_files(["x"])', "x": "x\n"})
    (work / "MODULE.bazel").write_text(
        'bazel_dep(name = "library", repo_name = "mine")\n'
        f'git_override(module_name="library", remote="{away}/library", commit="{found}")\n'
        'bazel_dep(name = "rules_oci")\n'
        'git_override(module_name="rules_oci", remote="x", patch_strip = 1, patches = ["//:p"])\n'
    )
    (work / "BUILD").write_text('genrule(name="g",srcs=["@mine//:x"],outs=["o"],cmd="cat $<>$@")')

    cli("build", "//:g")

    assert (work / "artificer-bin" / "o").read_text() == "x\n"


def test_a_branch_is_pinned_by_the_lock(cli: Cli, work: Path, away: Path) -> None:
    first = commit(away / "library", {"BUILD": 'exports_files(["x"])', "x": "1\n"})
    (work / "WORKSPACE").write_text(
        f'git_repository(name = "library", remote = "file://{away}/library", branch = "main")\n'
    )
    (work / "BUILD").write_text(
        'genrule(name = "g", srcs = ["@library//:x"], outs = ["o"], cmd = "cat $< >$@")\n'
    )

    refused = cli("build", "--locked", "//:g", code=1)
    told = cli("lock").stdout
    second = commit(away / "library", {"x": "2\n"})
    cli("build", "--locked", "//:g")
    locked = (work / "artificer-bin" / "o").read_text()
    cli("lock", "--check")
    moved = cli("lock", "--update").stdout
    cli("build", "//:g")

    assert "artificer.lock" in refused.error
    assert told == f"+ file://{away}/library refs/heads/main {first}\n"
    assert locked == "1\n"
    assert moved == f"~ file://{away}/library refs/heads/main {first[:12]} → {second[:12]}\n"
    assert (work / "artificer-bin" / "o").read_text() == "2\n"


def test_a_library_of_c_of_another_repository_is_linked(cli: Cli, work: Path, away: Path) -> None:
    build = (
        'cc_library(name = "lib", srcs = ["lib.c"], hdrs = ["lib.h"], includes = ["."],\n'
        '    visibility = ["//visibility:public"])\n'
    )
    files = {
        "src/BUILD": build,
        "src/lib.c": '#include "src/lib.h"\nint seven(void) { return 7; }\n',
        "src/lib.h": "int seven(void);\n",
    }
    found = commit(away / "library", files)
    (work / "WORKSPACE").write_text(
        f'git_repository(name = "library", remote = "{away}/library", commit = "{found}")\n'
    )
    (work / "main.c").write_text(
        '#include "src/lib.h"\n#include <lib.h>\nint main(void) { return seven(); }\n'
    )
    (work / "BUILD").write_text(
        'cc_binary(name = "p", srcs = ["main.c"], deps = ["@library//src:lib"])\n'
        'genrule(name = "g", tools = [":p"], outs = ["o"],\n'
        '    cmd = "$(location :p) || echo $$? >$@")\n'
    )

    cli("build", "//:g")

    assert (work / "artificer-bin" / "o").read_text() == "7\n"


def test_links_of_a_repository_lead_nowhere_else(cli: Cli, work: Path, away: Path) -> None:
    build = (
        'package(default_visibility = ["//visibility:public"])\n'
        'filegroup(name = "f", srcs = glob(["*.txt"]))\n'
    )
    commit(away / "library", {"BUILD": build, "a.txt": "1"})
    (away / "library" / "out.txt").symlink_to("/etc/passwd")
    (away / "library" / "in.txt").symlink_to("a.txt")
    found = commit(away / "library", {})
    (work / "WORKSPACE").write_text(
        f'git_repository(name = "library", remote = "{away}/library", commit = "{found}")\n'
    )
    (work / "BUILD").write_text('filegroup(name = "f", srcs = ["@library//:f"])')

    done = cli("query", "--output=label", 'deps("//:f")')

    assert "in.txt" in done.stdout
    assert "out.txt" not in done.stdout
