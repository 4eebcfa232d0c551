"""What WORKSPACE files fetch besides images (RD-14), and what is chosen by a platform."""

import base64
import io
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from artificer.builder.build import Sources
from artificer.builder.graph import make
from artificer.builder.known import Known
from artificer.builder.targets import GitTree, Graph, TargetId
from artificer.builder.task import GraphOptions
from artificer.frontends.buildfile.graph import LoadOptions
from artificer.oci.platform import Platform
from tests.frontends.buildfile.rules.workspaces import DOCKER, Workspace, config_of, web_of

HTTP = 'load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive", "http_file")\n'
REMOTE = "https://example.com/x.git"
DATA = b"hello\n"
SUM = sha256(DATA).hexdigest()
INTEGRITY = "sha256-" + base64.b64encode(sha256(DATA).digest()).decode()


def _file(workspace: Workspace, given: str) -> str:
    """A WORKSPACE with one http_file; the file is at URL."""
    workspace.write({"away/data.txt": DATA})
    url = f"file://{workspace.root}/away/data.txt"
    given = given.replace("URL", url).replace("GONE", url.replace("/away/", "/gone/"))
    text = f'{HTTP}http_file(name = "data", {given})\n'
    workspace.write({"WORKSPACE": text, "BUILD": ""})
    return url


@pytest.mark.parametrize(
    "given",
    [
        f'url = "URL", sha256 = "{SUM}"',
        f'urls = ["GONE", "URL"], sha256 = "{SUM}"',
        f'urls = ["URL"], integrity = "{INTEGRITY}"',
        'url = "URL"',
    ],
)
@pytest.mark.parametrize("label", ["@data//file", "@data//file:data.txt", "@data//file:file"])
def test_a_file_is_fetched_and_verified(workspace: Workspace, given: str, label: str) -> None:
    _file(workspace, given)

    assert list(workspace.files(label).values()) == [DATA]


def test_a_file_may_be_told_its_name_and_be_a_program(workspace: Workspace) -> None:
    given = f'url = "URL", sha256 = "{SUM}", downloaded_file_path = "bin/tool", executable = True'
    _file(workspace, given)
    given = 'files = ["@data//file:bin/tool"], mode = ""'
    build = f'{DOCKER}container_image(name = "image", {given})\n'
    workspace.write({"BUILD": build})

    assert workspace.members("//:image")["tool"].mode == 0o755


def test_a_wrong_hash_shows_both(workspace: Workspace) -> None:
    _file(workspace, f'url = "URL", sha256 = "{"0" * 64}"')

    message = workspace.error("@data//file").message

    assert "0" * 64 in message
    assert SUM in message


def test_a_hash_that_is_none_is_an_error_at_its_line(workspace: Workspace) -> None:
    _file(workspace, 'url = "URL", sha256 = "12"')

    assert workspace.error("@data//file").message.startswith("WORKSPACE:2:")


def test_a_file_without_a_url_is_an_error(workspace: Workspace) -> None:
    _file(workspace, "")

    assert "http_file without a url" in workspace.error("@data//file").message


def _archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in (("site-1/web/index.html", b"<html>"), ("site-1/web/a/b", b"b")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("rule", ["http_archive", "new_http_archive"])
@pytest.mark.parametrize("build", ['build_file = "site.BUILD"', "build_file_content = CONTENT"])
def test_an_archive_is_unpacked_with_a_build_file_of_ours(
    workspace: Workspace, tmp_path: Path, rule: str, build: str
) -> None:
    content = 'filegroup(name = "web", srcs = glob(["web/**"]), visibility = ["//:__pkg__"])'
    url = f"file://{workspace.root}/away/site.tar.gz"
    given = f'url = "{url}", strip_prefix = "site-1", {build.replace("CONTENT", repr(content))}'
    text = f'{DOCKER}container_image(name = "image", files = ["@site//:web"], data_path = "/x")\n'
    workspace.write(
        {
            "away/site.tar.gz": _archive(),
            "site.BUILD": content,
            "WORKSPACE": f'{rule}(name = "site", {given})\n',
            "BUILD": text,
        }
    )

    def unpacked(graph: Graph, one: TargetId) -> str:
        sources = Sources(workspace.reach, Known(workspace.reach))
        outcome = make([one], graph, sources, GraphOptions(web=web_of(workspace.reach)))
        outcome.check()
        for file in outcome.products[one].files:  # type: ignore[union-attr]
            path = tmp_path / "site" / file.short
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(Path(file.path).read_bytes())
        return str(tmp_path / "site")

    product = workspace.product("@site//:web", options=LoadOptions(trees=unpacked))

    shorts = [file.short for file in product.files]
    assert shorts == ["external/site/web/a/b", "external/site/web/index.html"]


def test_patches_and_commands_of_an_archive_are_errors(workspace: Workspace) -> None:
    text = f'{HTTP}http_archive(name = "x", url = "http://x.com/y.zip", patch_cmds = ["ls"])\n'
    workspace.write({"WORKSPACE": text, "BUILD": ""})
    workspace.load("//:all")
    workspace.write({"BUILD": 'filegroup(name = "needs_it", srcs = ["@x//:file"])\n'})

    assert "commands are not run while fetching" in workspace.error("//:all").message


@pytest.mark.parametrize(
    ("given", "target"),
    [
        (f'commit = "{"a" * 40}"', GitTree(REMOTE, commit="a" * 40)),
        ('commit = "abcdef12"', GitTree(REMOTE, "abcdef12")),
        ('tag = "v1", init_submodules = True', GitTree(REMOTE, "refs/tags/v1", submodules=True)),
        ('branch = "b", strip_prefix = "d/"', GitTree(REMOTE, "refs/heads/b", strip="d")),
        ("", GitTree(REMOTE)),
    ],
)
@pytest.mark.parametrize("rule", ["git_repository", "new_git_repository"])
def test_a_repository_of_git_is_a_revision(
    workspace: Workspace, rule: str, given: str, target: GitTree
) -> None:
    workspace.write({"WORKSPACE": f'{rule}(name = "x", remote = "{REMOTE}", {given})\n'})

    assert workspace.target("@x//:checked_out.git") == target


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ('commit = "a", tag = "b"', "commit and tag are given"),
        ('branch = "a..b"', "not a branch, tag or commit"),
        ('branch = "b", strip_prefix = "../x"', "goes upwards"),
        ('branch = "b", patches = ["x"]', "patches are not applied"),
        ('branch = "b", patch_cmds = ["x"]', "commands are not run"),
    ],
)
def test_what_git_cannot_check_out_is_an_error_at_its_line(
    workspace: Workspace, given: str, why: str
) -> None:
    text = f'\ngit_repository(name = "x", remote = "{REMOTE}", {given})\n'
    workspace.write({"WORKSPACE": text, "BUILD": ""})

    message = workspace.error("@x//:y").message

    assert message.startswith("WORKSPACE:2:")
    assert why in message


def test_a_remote_that_would_run_a_program_is_an_error(workspace: Workspace) -> None:
    workspace.write({"WORKSPACE": 'git_repository(name = "x", remote = "ext::sh -c id")\n'})

    assert "not a repository of git" in workspace.error("@x//:y").message


@pytest.mark.parametrize(
    ("condition", "platform", "expected"),
    [
        ("@io_bazel_rules_go//go/platform:linux_arm64", "linux/arm64", "arm64"),
        ("@platforms//cpu:arm64", "linux/arm64", "arm64"),
        ("@platforms//cpu:arm64", "linux/amd64", "amd64"),
    ],
)
def test_an_architecture_is_selected_by_the_platform(
    workspace: Workspace, condition: str, platform: str, expected: str
) -> None:
    choice = f'select({{"{condition}": "arm64", "//conditions:default": "amd64"}})'
    build = f'{DOCKER}container_image(name = "image", architecture = {choice})\n'
    workspace.write({"BUILD": build})
    options = LoadOptions(platforms=(Platform.parse(platform),))

    assert config_of(workspace.image(options=options))["architecture"] == expected
