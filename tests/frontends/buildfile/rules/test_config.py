"""What images of the docker rules say of their containers (RD-50 … RD-66)."""

import json
from typing import Any

import pytest

from artificer.builder.targets import ImageTarget
from artificer.frontends.buildfile.graph import LoadOptions
from tests.frontends.buildfile.rules.workspaces import DOCKER, Workspace, config_of

BASE = f"""{DOCKER}container_image(
    name = "base",
    env = {{"PATH": "/bin", "Z": "z"}},
    entrypoint = ["/base"],
    cmd = ["run"],
    labels = {{"kept": "1", "changed": "1"}},
    ports = ["80"],
    volumes = ["/data"],
    user = "me",
    workdir = "/srv",
)
"""


def _image(given: str, base: str = 'base = ":base", ') -> str:
    return f'{BASE}container_image(name = "image", {base}{given})\n'


def test_what_is_not_said_is_as_the_base_has_it(workspace: Workspace) -> None:
    assert workspace.settings(_image("")) == workspace.image("//:base").settings


@pytest.mark.parametrize("name", ["Entrypoint", "Cmd"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('["/a", "b c"]', ["/a", "b c"]),
        ('"a b"', ["/bin/sh", "-c", "a b"]),
        ('""', None),
        ("[]", None),
        ("None", None),
    ],
)
def test_a_list_is_executed_a_text_is_for_a_shell_and_nothing_resets(
    workspace: Workspace, name: str, given: str, expected: list[str] | None
) -> None:
    found = workspace.settings(_image(f"{name.lower()} = {given}"))

    assert found[name] == expected


def test_an_entrypoint_does_not_clear_the_command_of_the_base(workspace: Workspace) -> None:
    found = workspace.settings(_image('entrypoint = ["/x"]'))

    assert (found["Entrypoint"], found["Cmd"]) == (["/x"], ["run"])


def test_a_command_is_null_where_it_is_asked_for(workspace: Workspace) -> None:
    found = workspace.settings(_image("null_cmd = True, null_entrypoint = True"))

    assert (found["Entrypoint"], found["Cmd"]) == (None, None)


def test_a_text_is_for_the_shell_of_windows_there(workspace: Workspace) -> None:
    found = workspace.settings(_image('operating_system = "windows", cmd = "dir"', base=""))

    assert found["Cmd"] == [r"%WinDir%\system32\cmd.exe", "/c", "dir"]


def test_env_is_sorted_and_knows_only_the_variables_of_the_base(workspace: Workspace) -> None:
    given = 'env = {"PATH": "/app:$PATH", "B": "${A}-$Z", "A": "1"}'

    assert workspace.settings(_image(given))["Env"] == ["A=1", "B=$A-z", "PATH=/app:/bin", "Z=z"]


def test_env_keeps_its_order_if_none_is_given(workspace: Workspace) -> None:
    base = 'load("@rules_oci//oci:defs.bzl", "oci_image")\noci_image(\n'
    base += '    name = "b", os = "linux", architecture = "amd64", env = {"Z": "1", "A": "2"})\n'
    text = f'{base}{DOCKER}container_image(name = "image", base = ":b", GIVEN)\n'

    kept = workspace.settings(text.replace("GIVEN", ""))
    changed = workspace.settings(text.replace("GIVEN", 'env = {"B": ""}'))

    assert kept["Env"] == ["Z=1", "A=2"]
    assert changed["Env"] == ["A=2", "B=", "Z=1"]


def test_variables_of_make_and_of_the_status_are_replaced_in_keys_and_values(
    workspace: Workspace,
) -> None:
    given = 'env = {"$(WHO)_A": "$(WHO) {STABLE_GIT} $$x {UNKNOWN}"}, cmd = ["$(WHO)"]'
    workspace.write({"BUILD": _image(given)})

    found = workspace.image(options=LoadOptions(defines={"WHO": "me"})).settings

    assert found["Env"][1:] == ["Z=z", "me_A=me abc123 $x {UNKNOWN}"]
    assert found["Cmd"] == ["me"]


def test_a_variable_that_nobody_defined_is_an_error_at_its_line(workspace: Workspace) -> None:
    text = f'{DOCKER}container_image(\n    name = "image",\n    user = "$(WHO)",\n)\n'

    error = workspace.wrong(text)

    assert error.message.startswith("BUILD:4:")
    assert "$(WHO) is not defined" in error.message
    assert "--define WHO=VALUE" in str(error.hint)


def test_labels_are_merged_and_may_be_what_a_file_has(workspace: Workspace) -> None:
    workspace.write({"version.txt": "1.2\n"})
    given = '{"changed": "{STABLE_GIT}", "file": "@//:version.txt", "mail": "@me"}'

    assert workspace.settings(_image(f"labels = {given}"))["Labels"] == {
        "kept": "1",
        "changed": "abc123",
        "file": "1.2",
        "mail": "@me",
    }


def test_a_value_that_looks_like_a_label_is_a_file_for_labels_alone(workspace: Workspace) -> None:
    found = workspace.settings(_image('env = {"A": "@//:none"}'))

    assert "A=@//:none" in found["Env"]


def test_ports_are_merged_and_are_of_tcp_unless_they_say(workspace: Workspace) -> None:
    found = workspace.settings(_image('ports = ["8080", "53/udp", "9/tcp"]'))

    assert found["ExposedPorts"].keys() == {"80/tcp", "8080/tcp", "53/udp", "9/tcp"}


def test_a_port_that_is_none_is_an_error_at_its_line(workspace: Workspace) -> None:
    text = f'{DOCKER}container_image(\n    name = "image",\n    ports = ["http"],\n)\n'

    error = workspace.wrong(text)

    assert error.message.startswith("BUILD:4:")
    assert "not a port: 'http'" in error.message


def test_volumes_are_merged_and_user_and_directory_replace(workspace: Workspace) -> None:
    given = 'volumes = ["/log"], user = "u{STABLE_GIT}", workdir = "/w"'

    found = workspace.settings(_image(given))

    assert found["Volumes"].keys() == {"/data", "/log"}
    assert (found["User"], found["WorkingDir"]) == ("uabc123", "/w")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "1970-01-01T00:00:00Z"),
        ('creation_time = "86400"', "1970-01-02T00:00:00Z"),
        ('creation_time = "86400.5"', "1970-01-02T00:00:00Z"),
        ('creation_time = "1600000000000"', "2020-09-13T12:26:40Z"),
        ('creation_time = "2018-05-01T01:02:03Z"', "2018-05-01T01:02:03Z"),
        ('creation_time = "{BUILD_TIMESTAMP}"', "1970-01-02T00:00:00Z"),
        ("stamp = True", "1970-01-02T00:00:00Z"),
        ('stamp = "@io_bazel_rules_docker//stamp:always"', "1970-01-02T00:00:00Z"),
        ('stamp = "@io_bazel_rules_docker//stamp:use_stamp_flag"', "1970-01-01T00:00:00Z"),
        ("stamp = False", "1970-01-01T00:00:00Z"),
    ],
)
def test_the_time_of_creation_is_what_is_said_in_any_form(
    workspace: Workspace, given: str, expected: str
) -> None:
    workspace.write({"BUILD": _image(given, base="")})

    assert config_of(workspace.image())["created"] == expected


def test_a_time_that_is_none_is_an_error(workspace: Workspace) -> None:
    error = workspace.wrong(_image('creation_time = "yesterday"'), "//:image")

    assert "not a time: 'yesterday'" in error.message


@pytest.mark.parametrize("stamp", ["False", '"@io_bazel_rules_docker//stamp:never"', "0"])
def test_what_is_never_stamped_keeps_its_braces(workspace: Workspace, stamp: str) -> None:
    found = workspace.settings(_image(f'user = "{{STABLE_GIT}}", stamp = {stamp}'))

    assert found["User"] == "{STABLE_GIT}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ("linux", "arm64", None)),
        ('operating_system = "linux"', ("linux", "arm64", None)),
        ('architecture = "amd64"', ("linux", "amd64", None)),
        (
            'operating_system = "windows", os_version = "10.0.1"',
            ("windows", "amd64", "10.0.1"),
        ),
    ],
)
def test_the_platform_is_that_of_the_base_unless_another_is_said(
    workspace: Workspace, given: str, expected: tuple[Any, ...]
) -> None:
    base = f'{DOCKER}container_image(name = "b", architecture = "arm64")\n'
    workspace.write({"BUILD": f'{base}container_image(name = "image", base = ":b", {given})\n'})

    config = config_of(workspace.image())

    assert tuple(map(config.get, ("os", "architecture", "os.version"))) == expected


def test_a_launcher_comes_before_the_entrypoint_once_whatever_the_layers(
    workspace: Workspace,
) -> None:
    load = 'load("@io_bazel_rules_docker//container:container.bzl", "container_layer")\n'
    layers = "".join(f'container_layer(name = "{name}", files = ["f"])\n' for name in "ab")
    given = 'launcher = "tools/start.sh", launcher_args = ["-v"], layers = [":a", ":b"]'
    workspace.write({"f": "f", "tools/start.sh": "#!/bin/sh\n"})

    found = workspace.settings(load + layers + _image(given))

    assert found["Entrypoint"] == ["/start.sh", "-v", "/base"]
    assert workspace.members("//:image")["start.sh"].mode == 0o755


def test_arguments_of_no_launcher_are_an_error(workspace: Workspace) -> None:
    error = workspace.wrong(_image('launcher_args = ["-v"]'))

    assert "launcher_args without a launcher" in error.message


@pytest.mark.parametrize("given", ['"-i  --rm"', '["-i", "--rm"]'])
def test_flags_of_a_run_are_kept_for_it(workspace: Workspace, given: str) -> None:
    workspace.write({"BUILD": _image(f"docker_run_flags = {given}")})

    target = workspace.target("//:image")

    assert isinstance(target, ImageTarget)
    assert target.wishes.run_flags == ("-i", "--rm")


def test_names_to_load_as_and_the_way_to_run_are_kept_for_the_command_line(
    workspace: Workspace,
) -> None:
    given = (
        'repository = "me", tag_name = "t", legacy_repository_naming = True, '
        'legacy_run_behavior = False, experimental_tarball_format = "compressed"'
    )
    workspace.write({"BUILD": _image(given)})
    loaded = workspace.load("//:image")

    attributes = loaded.graph[loaded.roots[0]].attributes

    assert attributes["repository"] == "me"
    assert attributes["tag_name"] == "t"
    assert attributes["legacy_repository_naming"] is True
    assert attributes["legacy_run_behavior"] is False


def test_history_is_that_of_bazel(workspace: Workspace) -> None:
    first = 'container_image(name = "base", files = ["f"])\n'
    second = 'container_image(name = "image", base = ":base", files = ["g"])\n'
    workspace.write({"f": "f", "g": "g", "BUILD": f"{DOCKER}{first}{second}"})

    config = config_of(workspace.image())

    assert config["author"] == "Bazel"
    layers = [line for line in config["history"] if not line.get("empty_layer")]
    assert [line["created_by"] for line in layers] == ["bazel build ..."] * 2


def test_the_files_of_an_image_are_targets_of_their_own(workspace: Workspace) -> None:
    workspace.write({"f": "f", "BUILD": _image('files = ["f"]', base="")})
    image = workspace.image()

    found = {
        ending: next(iter(workspace.files(f"//:image{ending}").values()))
        for ending in (".digest", ".json", ".json.sha256", ".tar")
    }

    assert found[".digest"].decode() == image.digest
    assert json.loads(found[".json"]) == config_of(image)
    assert found[".json.sha256"].decode() == image.config_descriptor.digest.hex
    assert b"manifest.json" in found[".tar"]


def test_an_image_on_nothing_is_in_the_format_of_docker(workspace: Workspace) -> None:
    workspace.write({"BUILD": BASE})

    assert workspace.image("//:base").format == "docker"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("file = []", "did you mean `files`?"),
        ('files = "f"', "container_image.files is a list of labels, not the string 'f'"),
        ("env = []", "container_image.env is a dictionary of strings, not a list"),
        ('operating_system = "beos"', "is one of , linux, windows, not 'beos'"),
    ],
)
def test_what_the_rule_does_not_take_is_an_error_at_its_line(
    workspace: Workspace, given: str, message: str
) -> None:
    error = workspace.wrong(f'{DOCKER}container_image(\n    name = "image",\n    {given},\n)\n')

    assert error.message.startswith("BUILD:4:")
    assert message in f"{error.message} {error.hint}"
