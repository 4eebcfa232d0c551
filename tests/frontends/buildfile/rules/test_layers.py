"""Files of the docker rules to layers (RD-20 … RD-36): what a tar reader sees."""

import gzip
import io
import lzma
import tarfile

import pytest

from tests.frontends.buildfile.rules.debs import deb_of
from tests.frontends.buildfile.rules.workspaces import DOCKER, Workspace, content_of
from tests.images.made import tar_of
from tests.sources.test_deb import PACKS

FILES = {"app/a/x.txt": "x", "app/a/b/y.txt": "y", "app/run.sh": "#!/bin/sh\n"}


def _paths(workspace: Workspace, attributes: str, package: str = "app") -> dict[str, int]:
    """The files (not the directories) of an image with *attributes*, and their modes."""
    build = f'{DOCKER}container_image(name = "image", {attributes})\n'
    workspace.write({**FILES, f"{package}/BUILD": build})
    found = workspace.members(f"//{package}:image")
    return {path: info.mode for path, info in found.items() if not info.isdir()}


def test_files_are_put_by_their_names_without_a_data_path(workspace: Workspace) -> None:
    given = 'files = ["a/x.txt", "a/b/y.txt"], directory = "/srv/"'

    assert _paths(workspace, given) == {"srv/x.txt": 0o555, "srv/y.txt": 0o555}


@pytest.mark.parametrize(
    ("data_path", "expected"),
    [
        (".", {"a/x.txt", "a/b/y.txt"}),
        ("./a", {"x.txt", "b/y.txt"}),
        ("a", {"x.txt", "b/y.txt"}),
        ("a/b", {"app/a/x.txt", "y.txt"}),
        ("/", {"app/a/x.txt", "app/a/b/y.txt"}),
        ("/app/a", {"x.txt", "b/y.txt"}),
        ("", {"x.txt", "y.txt"}),
    ],
)
def test_a_data_path_is_stripped_and_the_rest_is_kept(
    workspace: Workspace, data_path: str, expected: set[str]
) -> None:
    given = f'files = ["a/x.txt", "a/b/y.txt"], data_path = "{data_path}"'

    assert _paths(workspace, given).keys() == expected


def test_a_data_path_that_goes_upwards_is_an_error_at_its_line(workspace: Workspace) -> None:
    text = f'{DOCKER}container_image(\n    name = "image",\n    data_path = "../x",\n)\n'

    error = workspace.wrong(text)

    assert error.message.startswith("BUILD:4:")
    assert "data_path goes upwards: '../x'" in error.message


def test_a_directory_is_for_files_tars_and_debs_and_nothing_else(workspace: Workspace) -> None:
    workspace.write({"app/t.tar": tar_of(("in.tar", b"t")), "app/p.deb": deb_of("some-pkg")})
    found = _paths(
        workspace,
        'directory = "opt", files = ["a/x.txt"], tars = ["t.tar"], debs = ["p.deb"], '
        'symlinks = {"/l": "/opt/x.txt"}, empty_files = ["/e"]',
    )

    assert {"opt/x.txt", "opt/in.tar", "l", "e"} <= found.keys()
    assert "opt/var/lib/dpkg/status.d/some-pkg" in found


def test_empty_directories_are_not_below_the_directory_and_can_be_entered(
    workspace: Workspace,
) -> None:
    given = 'directory = "opt", mode = "0o644", empty_dirs = ["/data"], empty_files = ["f"]'
    workspace.write({"BUILD": f'{DOCKER}container_image(name = "image", {given})\n'})

    found = workspace.members("//:image")

    assert (found["data"].mode, found["f"].mode) == (0o755, 0o644)


def test_tars_are_merged_into_one_layer_in_their_order(workspace: Workspace) -> None:
    tars = {
        f"{name}.tar{ending}": pack(tar_of((name, b"1"), ("both", name.encode())))
        for name, ending, pack in (
            ("one", "", bytes),
            ("two", ".gz", gzip.compress),
            ("three", ".xz", lzma.compress),
            ("five", ".bz2", PACKS[".bz2"]),
            ("six", ".zst", PACKS[".zst"]),
        )
    }
    tars["four.tgz"] = gzip.compress(tar_of(("four", b"4")))
    names = ", ".join(f'"{name}"' for name in tars)
    build = f'{DOCKER}container_image(name = "image", tars = [{names}])\n'
    workspace.write({**tars, "BUILD": build})

    image = workspace.image()

    tar = workspace.tar_of(image.layers[0])
    assert len(image.layers) == 1
    assert content_of(tar, "both") == b"one"
    assert {"one", "two", "three", "four", "five", "six"} <= workspace.members("//:image").keys()
    assert any("both of two.tar.gz is left out" in text for text in workspace.warnings())


def test_owners_of_tars_are_kept_and_everything_else_is_roots(workspace: Workspace) -> None:
    info = {"uid": 1000, "gid": 50, "uname": "me", "mtime": 12345}
    build = (
        f'{DOCKER}container_image(name = "image", tars = ["t.tar"], files = ["f"],'
        'symlinks = {"l": "f"})\n'
    )
    workspace.write({"t.tar": _tar_with(info), "f": "f", "BUILD": build})

    found = workspace.members("//:image")

    assert (found["in"].uid, found["in"].gid, found["in"].uname, found["in"].mtime) == (
        *(1000, 50, "", 0),
    )
    assert {(found[path].uid, found[path].gid) for path in ("f", "l")} == {(0, 0)}


def _tar_with(fields: dict[str, object]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo("in")
        for name, value in fields.items():
            setattr(info, name, value)
        tar.addfile(info)
    return file.getvalue()


@pytest.mark.parametrize(
    ("given", "own", "of_tar"),
    [
        ("", 0, 0),
        ("mtime = 5", 5, 5),
        ("mtime = -1", 0, 0),
        ("portable_mtime = True", 946684800, 946684800),
        ("enable_mtime_preservation = True", 0, 12345),
    ],
)
def test_times_are_one_unless_those_of_tars_are_kept(
    workspace: Workspace, given: str, own: int, of_tar: int
) -> None:
    build = f'{DOCKER}container_image(name = "image", tars = ["t.tar"], files = ["f"], {given})\n'
    workspace.write({"t.tar": _tar_with({"mtime": 12345}), "f": "f", "BUILD": build})

    found = workspace.members("//:image")

    assert (found["f"].mtime, found["in"].mtime) == (own, of_tar)


def test_two_kinds_of_time_are_an_error(workspace: Workspace) -> None:
    text = f'{DOCKER}container_image(name = "image", mtime = 1, portable_mtime = True)\n'

    assert "you may not set both mtime and portable_mtime" in workspace.wrong(text).message


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("0o644", (0o644, 0o644)), ("0755", (0o755, 0o755)), ("", (0o644, 0o755))],
)
def test_one_mode_is_for_all_files_and_none_goes_by_what_is_executable_here(
    workspace: Workspace, mode: str, expected: tuple[int, int]
) -> None:
    found = _paths(workspace, f'files = ["a/x.txt", "run.sh"], mode = "{mode}"')

    assert (found["x.txt"], found["run.sh"]) == expected


def test_a_mode_that_is_none_is_an_error(workspace: Workspace) -> None:
    text = f'{DOCKER}container_image(name = "image", mode = "rwx")\n'

    assert "not a mode: 'rwx'" in workspace.wrong(text).message


def test_links_are_relative_to_the_root_also_with_a_slash(workspace: Workspace) -> None:
    # rules_docker wrote /app/l beside ./app, in a tree of its own.
    build = f'{DOCKER}container_image(name = "image", symlinks = {{"/app/l": "/x", "m": "l"}})\n'
    workspace.write({"BUILD": build})

    found = workspace.members("//:image")

    assert (found["app/l"].linkname, found["m"].linkname) == ("/x", "l")
    assert found["app/l"].issym()


def test_only_gzip_is_a_compression_of_the_docker_rules(workspace: Workspace) -> None:
    load = 'load("@io_bazel_rules_docker//container:layer.bzl", "container_layer")\n'
    other = workspace.wrong(f'{load}container_layer(name = "l", compression = "bzip2")\n')
    options = 'compression_options = ["--fast"]'
    refused = workspace.wrong(f'{load}container_layer(name = "l", {options})\n')

    assert "compression is one of , gzip, not 'bzip2'" in other.message
    assert "the encoder is fixed" in refused.message


def test_windows_layers_have_files_below_files_and_empty_hives(workspace: Workspace) -> None:
    given = 'operating_system = "windows", files = ["f"]'
    build = f'{DOCKER}container_image(name = "image", {given})\n'
    workspace.write({"f": "f", "BUILD": build})

    assert workspace.members("//:image").keys() == {"Files", "Files/f", "Hives"}


def test_layers_come_in_their_order_and_bring_their_environment(workspace: Workspace) -> None:
    load = 'load("@io_bazel_rules_docker//container:container.bzl", "container_layer")\n'
    layers = "".join(
        f'container_layer(name = "{name}", files = ["{name}.txt"], env = {{"ENV_{name}": "1"}})\n'
        for name in ("one", "two")
    )
    image = 'container_image(name = "image", layers = [":one", ":two"], files = ["own.txt"])\n'
    files = dict.fromkeys(("one.txt", "two.txt", "own.txt"), "x")
    workspace.write({**files, "BUILD": load + DOCKER + layers + image})

    found = [workspace.members("//:image", at).keys() for at in range(3)]

    assert found == [{"one.txt"}, {"two.txt"}, {"own.txt"}]
    assert workspace.image().settings["Env"] == ["ENV_one=1", "ENV_two=1"]


def test_of_files_with_one_path_the_first_wins_with_a_warning(workspace: Workspace) -> None:
    build = f'{DOCKER}container_image(name = "image", files = ["a/f", "b/f"])\n'
    workspace.write({"a/f": "first", "b/f": "second", "BUILD": build})

    tar = workspace.tar_of(workspace.image().layers[0])

    assert content_of(tar, "f") == b"first"
    assert any("/f of its files is left out" in text for text in workspace.warnings())


def test_a_layer_of_its_own_has_an_output_that_is_its_tar(workspace: Workspace) -> None:
    load = 'load("@io_bazel_rules_docker//container:container.bzl", "container_layer")\n'
    build = f'{load}container_layer(name = "l", files = ["f"])\n'
    workspace.write({"f": "f", "BUILD": build})

    (tar,) = workspace.files("//:l-layer.tar").values()

    assert content_of(tar, "f") == b"f"


def test_what_an_image_has_is_what_others_yield(workspace: Workspace) -> None:
    build = (
        'genrule(name = "gen", outs = ["sub/made.txt"], cmd = "echo hi > $@")\n'
        f'{DOCKER}container_image(name = "image", files = [":gen"], data_path = ".")\n'
    )
    workspace.write({"BUILD": build})

    assert "sub/made.txt" in workspace.members("//:image")
