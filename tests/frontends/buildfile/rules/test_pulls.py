"""Images that come in by the docker rules: pulled, imported, loaded (RD-01 … RD-13)."""

import gzip
import lzma
from collections.abc import Callable

import pytest

from artificer.builder.targets import Pull
from artificer.oci.edit import index_of
from artificer.oci.image import Image
from artificer.oci.platform import Platform
from tests.frontends.buildfile.rules.workspaces import (
    DOCKER,
    Workspace,
    config_of,
)

RULES = (
    'load("@io_bazel_rules_docker//container:container.bzl", "container_bundle",'
    ' "container_flatten", "container_image", "container_import", "container_push")\n'
)
LOADS = (
    'load("@io_bazel_rules_docker//container:container.bzl", "container_load", "container_pull")\n'
)
IMAGE = RULES + 'container_image(name = "image", files = ["f"], cmd = ["c"])\n'


@pytest.fixture
def base(workspace: Workspace) -> Image:
    """An image of two layers."""
    load = 'load("@io_bazel_rules_docker//container:container.bzl", "container_layer")\n'
    layer = 'container_layer(name = "l", files = ["g"])\n'
    image = 'container_image(name = "image", files = ["f"], layers = [":l"], cmd = ["c"])\n'
    workspace.write({"f": "f", "g": "g", "BUILD": load + layer + DOCKER + image})
    return workspace.image()


def _pull(workspace: Workspace, given: str, rule: str = "container_pull") -> None:
    text = f'{LOADS}{rule}(name = "base", {given})\n'
    workspace.write({"WORKSPACE": text, "BUILD": f"{IMAGE.replace('cmd', 'user = None, cmd')}"})


def test_a_pull_names_registry_repository_and_tag(workspace: Workspace, base: Image) -> None:
    workspace.registry.hold(base, "example.com/team/app:1")
    _pull(workspace, 'registry = "example.com", repository = "team/app", tag = "1"')

    assert workspace.image("@base//image").digest == base.digest


def test_a_pull_without_a_tag_is_of_latest(workspace: Workspace, base: Image) -> None:
    workspace.registry.hold(base, "example.com/app:latest")
    _pull(workspace, 'registry = "https://example.com", repository = "app"')

    assert workspace.image("@base//image").digest == base.digest


def test_the_registry_of_docker_is_called_as_in_2017(workspace: Workspace, base: Image) -> None:
    workspace.registry.hold(base, "docker.io/library/app:1")
    _pull(workspace, 'registry = "index.docker.io", repository = "library/app", tag = "1"')

    assert workspace.image("@base//image").digest == base.digest


def test_a_digest_decides_and_the_tag_is_not_looked_at(workspace: Workspace, base: Image) -> None:
    workspace.registry.hold(base, "example.com/app:other")
    given = f'repository = "app", tag = "moved", digest = "{base.digest}"'
    _pull(workspace, f'registry = "example.com", {given}')

    assert workspace.image("@base//image").digest == base.digest
    assert not any("moved" in request for request in workspace.registry.requests)


def test_a_digest_may_be_that_of_an_index(workspace: Workspace, base: Image) -> None:
    index = index_of([(base, {})], {}, "docker")
    workspace.registry.hold(index, "example.com/app:1")
    given = f'repository = "app", digest = "{index.digest}", architecture = "amd64"'
    _pull(workspace, f'registry = "example.com", {given}')

    assert workspace.image("@base//image").digest == base.digest


def test_a_platform_of_an_index_is_chosen_by_its_parts(workspace: Workspace) -> None:
    given = 'name = "{0}", architecture = "{0}"'
    workspace.write(
        {
            "BUILD": DOCKER
            + "".join(f"container_image({given.format(a)})\n" for a in ("arm64", "s390x"))
        }
    )
    images = [workspace.image(f"//:{name}") for name in ("arm64", "s390x")]
    workspace.registry.hold(
        index_of([(one, {}) for one in images], {}, "docker"), "example.com/a:1"
    )
    _pull(
        workspace, 'registry = "example.com", repository = "a", tag = "1", architecture = "s390x"'
    )

    assert workspace.image("@base//image").digest == images[1].digest


def test_the_parts_of_a_platform_are_kept(workspace: Workspace) -> None:
    given = 'architecture = "arm", cpu_variant = "v6", os = "windows", os_version = "10.0.1"'
    _pull(workspace, f'registry = "example.com", repository = "a", {given}')

    target = workspace.target("@base//image")

    assert isinstance(target, Pull)
    assert target.platform == Platform.normal("windows", "arm", "v6", "10.0.1")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('docker_client_config = "//:config.json"', "who may pull is said outside"),
        ('cred_helpers = ["//:helper"]', "who may pull is said outside"),
        ('os_features = ["win32k"]', "images are chosen by their platform"),
        ('digest = "sha256:12"', "not a sha256 or sha512 digest"),
    ],
)
def test_what_a_pull_cannot_do_is_an_error_when_the_image_is_needed(
    workspace: Workspace, given: str, message: str
) -> None:
    workspace.write({"f": "f"})
    _pull(workspace, f'registry = "example.com", repository = "a", {given}')

    assert workspace.image("//:image").layers
    assert message in workspace.error("@base//image").message


def test_a_pull_needs_a_registry(workspace: Workspace) -> None:
    _pull(workspace, 'repository = "a"')

    error = workspace.error("@base//image")

    assert error.message.startswith("WORKSPACE:2:")
    assert "container_pull needs `registry`, a string" in error.message


def test_what_rules_docker_says_of_time_and_tags_is_taken(workspace: Workspace) -> None:
    given = 'timeout = 60, import_tags = ["manual"]'
    _pull(workspace, f'registry = "example.com", repository = "a", {given}')

    assert isinstance(workspace.target("@base//image"), Pull)


@pytest.mark.parametrize(
    "label", ["image:image.tar", "image:digest", "image:config.json", "image:image.digest"]
)
def test_a_pulled_image_has_the_parts_that_rules_docker_gave_it(
    workspace: Workspace, base: Image, label: str
) -> None:
    workspace.registry.hold(base, "example.com/app:1")
    _pull(workspace, 'registry = "example.com", repository = "app", tag = "1"')

    (data,) = workspace.files(f"@base//{label}").values()

    wanted = {"image.tar": data, "config.json": base.config}
    assert data == wanted.get(label.removeprefix("image:"), base.digest.encode())


@pytest.mark.parametrize("label", ["@base//image", "@base//image:image.tar"])
def test_an_image_is_built_on_a_pulled_one_also_by_its_tar(
    workspace: Workspace, base: Image, label: str
) -> None:
    workspace.registry.hold(base, "example.com/app:1")
    _pull(workspace, 'registry = "example.com", repository = "app", tag = "1"')
    workspace.write({"BUILD": f'{DOCKER}container_image(name = "image", base = "{label}")\n'})

    found = workspace.image()

    assert found.layers == base.layers
    assert found.settings["Cmd"] == ["c"]


@pytest.mark.parametrize(
    ("ending", "pack"),
    [("tar", bytes), ("tar.gz", gzip.compress), ("tgz", gzip.compress), ("tar.xz", lzma.compress)],
)
def test_a_base_may_be_a_file_that_docker_saved(
    workspace: Workspace, base: Image, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    (saved,) = workspace.files("//:image.tar").values()
    build = f'{DOCKER}container_image(name = "image", base = "old.{ending}", user = "u")\n'
    workspace.write({f"old.{ending}": pack(saved), "BUILD": build})

    found = workspace.image()

    assert [layer.diff_id for layer in found.layers] == [layer.diff_id for layer in base.layers]
    assert (found.settings["Cmd"], found.settings["User"]) == (["c"], "u")


def test_what_docker_saved_is_loaded_in_the_workspace_file(
    workspace: Workspace, base: Image
) -> None:
    (saved,) = workspace.files("//:image.tar").values()
    text = f'{LOADS}container_load(name = "base", file = "//:old.tar")\n'
    workspace.write({"old.tar": saved, "WORKSPACE": text})

    assert config_of(workspace.image("@base//image")) == config_of(base)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_image_is_put_together_of_its_parts(
    workspace: Workspace, base: Image, pack: Callable[[bytes], bytes]
) -> None:
    layers = {f"{at}.tar": pack(workspace.tar_of(one)) for at, one in enumerate(base.layers)}
    build = RULES + (
        'container_import(name = "image", config = "c.json", layers = ["0.tar", "1.tar"],'
        ' base_image_registry = "gcr.io", base_image_repository = "x", repository = "me")\n'
    )
    workspace.write({**layers, "c.json": base.config, "BUILD": build})

    found = workspace.image()

    assert found.config == base.config
    assert [layer.diff_id for layer in found.layers] == [layer.diff_id for layer in base.layers]


def test_parts_in_another_order_are_an_error(workspace: Workspace, base: Image) -> None:
    layers = {f"{at}.tar": workspace.tar_of(one) for at, one in enumerate(base.layers)}
    build = RULES + (
        'container_import(name = "image", config = "c.json", layers = ["1.tar", "0.tar"])\n'
    )
    workspace.write({**layers, "c.json": base.config, "BUILD": build})

    assert "1.tar is not the layer" in workspace.error("//:image").message
