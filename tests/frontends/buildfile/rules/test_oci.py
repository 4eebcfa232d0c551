"""The rules of rules_oci (RO-01 … RO-13)."""

import gzip
from typing import Any

import pytest

from artificer.builder.targets import Load, Pull, Push
from artificer.frontends.buildfile.graph import LoadOptions
from artificer.oci.edit import index_of
from artificer.oci.image import Image, Index
from artificer.oci.platform import Platform
from tests.frontends.buildfile.rules.workspaces import Workspace, config_of
from tests.images.made import tar_of
from tests.sources.test_deb import PACKS

RULES = (
    'load("@rules_oci//oci:defs.bzl", "oci_image", "oci_image_index", "oci_load", "oci_push")\n'
)
PULL = 'load("@rules_oci//oci:pull.bzl", "oci_pull")\n'
LINUX = 'os = "linux", architecture = "amd64"'
BASE = f"""{RULES}oci_image(
    name = "base",
    {LINUX},
    env = {{"Z": "z", "PATH": "/bin"}},
    entrypoint = ["/base"],
    cmd = ["run"],
    labels = {{"kept": "1"}},
    exposed_ports = ["80/tcp"],
    volumes = ["/data"],
)
"""


def _image(given: str) -> str:
    return f'{BASE}oci_image(name = "image", base = ":base", {given})\n'


@pytest.fixture
def both(workspace: Workspace) -> Index:
    """An index of two platforms, in the registry as example.com/app:1."""
    names = ("amd64", "arm64")
    text = "".join(
        f'oci_image(name = "{name}", os = "linux", architecture = "{name}")\n' for name in names
    )
    workspace.write({"BUILD": RULES + text})
    images = [(workspace.image(f"//:{name}"), dict[str, str]()) for name in names]
    index = index_of(images, {}, "oci")
    workspace.registry.hold(index, "example.com/app:1")
    return index


@pytest.mark.parametrize(
    ("given", "tag", "pinned"),
    [
        ('image = "example.com/app:1"', "1", False),
        ('image = "example.com/app", tag = "1"', "1", False),
        ('image = "example.com/app:1@DIGEST"', None, True),
        ('image = "example.com/app", digest = "DIGEST"', None, True),
        ('registry = "example.com", repository = "app", digest = "DIGEST"', None, True),
        ('image = "example.com/app"', "latest", False),
    ],
)
def test_a_pull_names_an_image_in_one_text_or_in_parts(
    workspace: Workspace, both: Index, given: str, tag: str | None, pinned: bool
) -> None:
    given = given.replace("DIGEST", both.digest)
    workspace.write({"WORKSPACE": f'{PULL}oci_pull(name = "base", {given})\n'})

    target = workspace.target("@base")

    assert isinstance(target, Pull)
    assert str(target.name.repository) == "example.com/app"
    assert (target.name.tag, target.name.digest is not None) == (tag, pinned)


def test_each_platform_is_a_repository_of_its_own(workspace: Workspace, both: Index) -> None:
    given = 'image = "example.com/app:1", platforms = ["linux/amd64", "linux/arm64/v8"]'
    workspace.write({"WORKSPACE": f'{PULL}oci_pull(name = "base", {given})\n'})

    found = workspace.image("@base_linux_arm64_v8")

    assert found.digest == both.descriptors[1].digest


def test_an_image_on_an_index_is_for_the_platform_that_is_asked_for(
    workspace: Workspace, both: Index
) -> None:
    pull = f'{PULL}oci_pull(name = "base", image = "example.com/app:1")\n'
    build = f'{RULES}oci_image(name = "image", base = "@base", user = "u")\n'
    workspace.write({"WORKSPACE": pull, "BUILD": build})
    arm = LoadOptions(platforms=(Platform.parse("linux/arm64"),))

    assert config_of(workspace.image(options=arm))["architecture"] == "arm64"
    assert config_of(workspace.image())["architecture"] == "amd64"


def test_of_an_index_no_layer_is_fetched_to_build_on_it(workspace: Workspace) -> None:
    names = ("amd64", "arm64")
    text = "".join(
        f'pkg_tar(name = "t{name}", srcs = ["{name}.txt"])\n'
        f'oci_image(name = "{name}", os = "linux", architecture = "{name}", tars = [":t{name}"])\n'
        for name in names
    )
    workspace.write({f"{name}.txt": name for name in names})
    workspace.write({"BUILD": RULES + text})
    images = [workspace.image(f"//:{name}") for name in names]
    index = index_of([(image, {}) for image in images], {}, "oci")
    workspace.registry.hold(index, "example.com/app:1")
    for image in images:
        workspace.reach.store.discard(image.layers[0].blob.descriptor.digest)
    workspace.write(
        {
            "WORKSPACE": f'{PULL}oci_pull(name = "base", image = "example.com/app:1")\n',
            "BUILD": f'{RULES}oci_image(name = "image", base = "@base", user = "u")\n',
        }
    )
    workspace.registry.requests.clear()

    built = workspace.image()

    digests = {image.layers[0].blob.descriptor.digest for image in images}
    asked = [one for one in workspace.registry.requests if one.rpartition(" ")[2] in digests]
    assert built.layers[0].blob.descriptor.digest in digests
    assert asked == []
    riscv = LoadOptions(platforms=(Platform.parse("linux/riscv64"),))
    assert "no linux/riscv64 image" in workspace.error("//:image", options=riscv).message


def test_a_pull_is_declared_by_a_module_too(workspace: Workspace, both: Index) -> None:
    module = (
        'bazel_dep(name = "rules_oci", version = "2.0.0")\n'
        'oci = use_extension("@rules_oci//oci:extensions.bzl", "oci")\n'
        f'oci.pull(name = "base", image = "example.com/app", digest = "{both.digest}",\n'
        '    platforms = ["linux/amd64", "linux/arm64"])\n'
        'oci.toolchains(crane_version = "v0.1")\n'
        'use_repo(oci, "base", "base_linux_amd64", "base_linux_arm64")\n'
    )
    build = f'{RULES}oci_image(name = "image", base = "@base_linux_arm64", user = "u")\n'
    workspace.write({"MODULE.bazel": module, "BUILD": build})

    assert config_of(workspace.image())["architecture"] == "arm64"


def test_a_tag_is_told_to_be_pinned(workspace: Workspace, both: Index) -> None:
    workspace.write({"WORKSPACE": f'{PULL}oci_pull(name = "base", image = "example.com/app:1")\n'})

    assert workspace.product("@base") == both
    assert any(type(event).__name__ == "Unpinned" for event in workspace.events)


def test_a_platform_is_needed_without_a_base_and_forbidden_with_one(workspace: Workspace) -> None:
    without = workspace.wrong(f'{RULES}oci_image(name = "image")\n', "//:image")
    both = workspace.wrong(_image('architecture = "arm64"'), "//:image")

    assert "without a base, os and architecture are needed" in without.message
    assert "a base says its own platform" in both.message


def test_a_variant_is_kept(workspace: Workspace) -> None:
    given = 'os = "linux", architecture = "arm", variant = "v6"'
    workspace.write({"BUILD": f'{RULES}oci_image(name = "image", {given})\n'})

    config = config_of(workspace.image())

    assert (config["os"], config["architecture"], config["variant"]) == ("linux", "arm", "v6")


def test_each_tar_is_a_layer_with_its_bytes_unchanged(workspace: Workspace) -> None:
    plain = tar_of(("f", b"f"))
    tars = {
        "a.tar": plain,
        "b.tar.gz": gzip.compress(plain),
        "c.tgz": gzip.compress(tar_of(("g", b"g"))),
        "d.tar.zst": PACKS[".zst"](tar_of(("h", b"h"))),
    }
    names = ", ".join(f'"{name}"' for name in tars)
    build = f'{RULES}oci_image(name = "image", {LINUX}, tars = [{names}])\n'
    workspace.write({**tars, "BUILD": build})

    layers = workspace.image().layers

    found = [(layer.descriptor.media_type.rpartition(".")[2], layer.blob) for layer in layers]
    assert [kind for kind, _ in found] == ["tar", "tar+gzip", "tar+gzip", "tar+zstd"]
    for (_, blob), data in zip(found, tars.values(), strict=True):
        with open(workspace.reach.store.blob_path(blob.digest), "rb") as file:
            assert file.read() == data


def test_an_entrypoint_clears_the_command_of_the_base(workspace: Workspace) -> None:
    cleared = workspace.settings(_image('entrypoint = ["/x"]'))
    both = workspace.settings(_image('entrypoint = ["/x"], cmd = ["c"]'))
    alone = workspace.settings(_image('cmd = ["c"]'))

    assert (cleared["Entrypoint"], cleared["Cmd"]) == (["/x"], None)
    assert (both["Entrypoint"], both["Cmd"]) == (["/x"], ["c"])
    assert (alone["Entrypoint"], alone["Cmd"]) == (["/base"], ["c"])


def test_a_command_is_never_for_a_shell_and_may_be_a_file(workspace: Workspace) -> None:
    workspace.write({"cmd.txt": "first\nsecond word\nline%5Cnbreak\n"})

    assert workspace.settings(_image('cmd = "cmd.txt"'))["Cmd"] == [
        *("first", "second word", "line\nbreak")
    ]


def test_env_keeps_its_order_and_knows_what_came_before(workspace: Workspace) -> None:
    given = 'env = {"A": "1", "PATH": "/x:${PATH}", "B": "$A-$NO-$", "Z": "y"}'

    assert workspace.settings(_image(given))["Env"] == ["Z=y", "PATH=/x:/bin", "A=1", "B=1--$"]


def test_a_value_that_looks_like_a_label_is_a_text(workspace: Workspace) -> None:
    assert workspace.settings(_image('labels = {"a": "@//:f"}'))["Labels"]["a"] == "@//:f"


@pytest.mark.parametrize(
    ("name", "field", "text", "expected"),
    [
        ("env", "Env", "A=1\nB=$A\n", ["Z=z", "PATH=/bin", "A=1", "B=1"]),
        ("labels", "Labels", "a=1\nb=x=y\n", {"kept": "1", "a": "1", "b": "x=y"}),
        ("exposed_ports", "ExposedPorts", "53/udp,90\n", {"80/tcp": {}, "53/udp": {}, "90": {}}),
        ("volumes", "Volumes", "/a,/b\n", {"/data": {}, "/a": {}, "/b": {}}),
        ("entrypoint", "Entrypoint", "/a\n-v\n", ["/a", "-v"]),
    ],
)
def test_a_list_or_a_dictionary_may_be_in_a_file(
    workspace: Workspace, name: str, field: str, text: str, expected: Any
) -> None:
    workspace.write({"file.txt": text})

    assert workspace.settings(_image(f'{name} = "file.txt"'))[field] == expected


def test_ports_are_as_given_and_merged(workspace: Workspace) -> None:
    found = workspace.settings(_image('exposed_ports = ["90", "53/udp"], volumes = ["/v"]'))

    assert found["ExposedPorts"].keys() == {"80/tcp", "90", "53/udp"}
    assert found["Volumes"].keys() == {"/data", "/v"}


def test_user_directory_time_and_annotations_are_said(workspace: Workspace) -> None:
    workspace.write({"created.txt": "2020-01-02T03:04:05Z\n"})
    given = (
        'user = "{STABLE_GIT}", workdir = "/w", created = "created.txt", '
        'annotations = {"a": "b"}, resource_set = "mem_512m"'
    )
    found = workspace.settings(_image(given))
    image = workspace.image()

    assert (found["User"], found["WorkingDir"]) == ("abc123", "/w")
    assert config_of(image)["created"] == "2020-01-02T03:04:05Z"
    assert image.annotations["a"] == "b"


def test_the_digest_of_an_image_is_a_target(workspace: Workspace) -> None:
    workspace.write({"BUILD": BASE})

    (digest,) = workspace.files("//:base.digest").values()

    assert digest.decode() == workspace.image("//:base").digest


def test_an_image_on_nothing_is_in_the_format_of_oci_and_keeps_that_of_a_base(
    workspace: Workspace,
) -> None:
    load = 'load("@io_bazel_rules_docker//container:container.bzl", "container_image")\n'
    docker = (
        'container_image(name = "d")\noci_image(name = "on_docker", base = ":d", user = "u")\n'
    )
    workspace.write({"BUILD": load + BASE + docker})

    assert workspace.image("//:base").format == "oci"
    assert workspace.image("//:on_docker").format == "docker"


TWO = "".join(
    f'oci_image(name = "{name}", os = "linux", architecture = "{name}")\n'
    for name in ("amd64", "arm64")
)


def test_an_index_is_made_of_images(workspace: Workspace) -> None:
    index = (
        'oci_image_index(name = "index", images = [":amd64", ":arm64"],'
        ' annotations = {"a": "{STABLE_GIT}"})\n'
    )
    workspace.write({"BUILD": RULES + TWO + index})

    found = workspace.product("//:index")

    assert isinstance(found, Index)
    assert [str(one.platform) for one in found.descriptors] == ["linux/amd64", "linux/arm64"]
    assert found.descriptor.media_type.startswith("application/vnd.oci")
    assert b'"a":"abc123"' in found.manifest


@pytest.mark.parametrize(
    "platforms",
    [
        '["@rules_go//go/toolchain:linux_amd64", "@rules_go//go/toolchain:linux_arm64"]',
        '[":intel", "//:arm"]',
        '["linux/amd64", "linux/arm64"]',
    ],
)
def test_an_index_is_made_of_one_image_for_several_platforms(
    workspace: Workspace, both: Index, platforms: str
) -> None:
    declared = "".join(
        f'platform(name = "{name}", constraint_values = '
        f'["@platforms//os:linux", "@platforms//cpu:{cpu}"])\n'
        for name, cpu in (("intel", "x86_64"), ("arm", "aarch64"))
    )
    index = f'oci_image_index(name = "index", images = [":one"], platforms = {platforms})\n'
    one = 'oci_image(name = "one", base = "@base", user = "u")\n'
    pull = f'{PULL}oci_pull(name = "base", image = "example.com/app:1")\n'
    workspace.write({"WORKSPACE": pull, "BUILD": RULES + declared + one + index})

    found = workspace.product("//:index")

    members = [member for member in found.members if isinstance(member, Image)]
    assert [config_of(one)["architecture"] for one in members] == ["amd64", "arm64"]


def test_platforms_are_for_one_image(workspace: Workspace) -> None:
    given = 'images = [":amd64", ":arm64"], platforms = ["linux/amd64"]'

    error = workspace.wrong(f'{RULES}{TWO}oci_image_index(name = "index", {given})\n', "//:index")

    assert "platforms are for a single image" in error.message


@pytest.mark.parametrize("tags", ['["a:1", "b:{STABLE_GIT}"]', '"tags.txt"'])
def test_an_image_is_loaded_as_what_a_list_or_a_file_says(workspace: Workspace, tags: str) -> None:
    given = f'image = ":base", repo_tags = {tags}, format = "docker", loader = "load.sh"'
    files = {"tags.txt": "a:1\nb:abc123\n", "load.sh": "#!/bin/sh\n"}
    workspace.write({**files, "BUILD": f'{BASE}oci_load(name = "load", {given})\n'})

    target = workspace.target("//:load")

    assert isinstance(target, Load)
    assert target.loader is not None
    assert [name for name, _ in workspace.product("//:load").images] == ["a:1", "b:abc123"]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ('repository = "r.com/a", remote_tags = ["1", "{STABLE_GIT}"]', ["1", "abc123"]),
        ('repository_file = "repo.txt", remote_tags = "tags.txt"', ["2", "3"]),
    ],
)
def test_an_image_is_pushed_under_each_of_its_tags(
    workspace: Workspace, given: str, names: list[str]
) -> None:
    push = f'oci_push(name = "push", image = ":base", {given})\n'
    workspace.write({"repo.txt": "r.com/a\n", "tags.txt": "2\n3\n", "BUILD": BASE + push})

    product = workspace.product("//:push")

    assert isinstance(workspace.target("//:push"), Push)
    assert [name for name, _ in product.images] == [f"r.com/a:{name}" for name in names]


def test_a_push_without_tags_is_by_digest(workspace: Workspace) -> None:
    push = 'oci_push(name = "push", image = ":base", repository = "r.com/a")\n'
    workspace.write({"BUILD": BASE + push})

    assert [name for name, _ in workspace.product("//:push").images] == ["r.com/a"]


@pytest.mark.parametrize("repository", ["r.com/a:tag", "r.com/a@sha256:0"])
def test_a_repository_with_a_tag_is_an_error(workspace: Workspace, repository: str) -> None:
    push = f'oci_push(name = "push", image = ":base", repository = "{repository}")\n'

    assert "a repository has no tag or digest" in workspace.wrong(BASE + push).message
