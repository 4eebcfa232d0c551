"""Images that go out by the docker rules: pushes, bundles, flattened ones (RD-70 … RD-78)."""

import io
import json
import tarfile

import pytest

from artificer.builder.build import Sources
from artificer.builder.graph import make
from artificer.builder.known import Known
from artificer.builder.products import Images
from artificer.builder.running import Where, insecure_registries, pushed
from artificer.builder.targets import Push
from artificer.builder.task import GraphOptions
from artificer.frontends.buildfile.graph import LoadOptions
from artificer.oci.edit import converted
from tests.frontends.buildfile.rules.workspaces import (
    STAMPS,
    Workspace,
    config_of,
    content_of,
)

RULES = (
    'load("@io_bazel_rules_docker//container:container.bzl", "container_bundle",'
    ' "container_flatten", "container_image", "container_import", "container_push")\n'
)
IMAGE = RULES + 'container_image(name = "image", files = ["f"], cmd = ["c"])\n'


AS_SAID = Where()


def _pushed(workspace: Workspace, label: str, where: Where = AS_SAID) -> list[str]:
    loaded = workspace.load(label)
    sources = Sources(workspace.reach, Known(workspace.reach))
    outcome = make(loaded.roots, loaded.graph, sources, GraphOptions(stamps=STAMPS))
    outcome.check()
    done = pushed(loaded.roots, outcome, loaded.graph, workspace.reach, where)
    return [line for one in done.values() for line in one.lines]


def _push(given: str, rule: str = "container_push") -> str:
    return f'{IMAGE}{rule}(name = "push", image = ":image", {given})\n'


@pytest.mark.parametrize(("given", "expected"), [("Docker", "docker"), ("OCI", "oci")])
def test_an_image_is_pushed_in_the_format_that_is_said(
    workspace: Workspace, given: str, expected: str
) -> None:
    where = f'format = "{given}", registry = "example.com:5000", repository = "a/b"'
    workspace.write({"f": "f", "BUILD": _push(where)})

    lines = _pushed(workspace, "//:push")

    image = converted(workspace.image(), "oci" if expected == "oci" else "docker")
    assert lines == [f"example.com:5000/a/b@{image.digest}"]
    assert ("example.com:5000/a/b", "latest") in workspace.registry.manifests


def test_names_are_stamped_and_defined_and_files_override_them(workspace: Workspace) -> None:
    where = (
        'format = "Docker", registry = "r", repository = "r", tag = "t", '
        'registry_file = "reg", repository_file = "repo", tag_file = "tag"'
    )
    files = {"f": "f", "reg": "example.com\n", "repo": "a/b\n", "tag": "v1\n"}
    workspace.write({**files, "BUILD": _push(where)})
    assert _pushed(workspace, "//:push")
    workspace.write(
        {
            "BUILD": _push(
                'format = "Docker", registry = "e.com", repository = "a", tag = "{STABLE_GIT}"'
            )
        }
    )
    assert _pushed(workspace, "//:push")

    assert {
        ("example.com/a/b", "v1"),
        ("e.com/a", "abc123"),
    } <= workspace.registry.manifests.keys()


def test_a_push_goes_elsewhere_if_that_is_said_when_it_is_run(workspace: Workspace) -> None:
    where = 'format = "Docker", registry = "example.com", repository = "a"'
    workspace.write({"f": "f", "BUILD": _push(where)})

    lines = _pushed(workspace, "//:push", Where(names=("other.com/x:y",)))

    assert lines == [f"other.com/x@{workspace.image().digest}"]
    assert ("other.com/x", "y") in workspace.registry.manifests


def test_a_push_says_its_format_and_its_digest(workspace: Workspace) -> None:
    error = workspace.wrong(_push('registry = "r.com", repository = "a"'))
    assert "container_push needs `format`, a string" in error.message

    where = 'format = "Docker", registry = "r.com", repository = "a"'
    workspace.write({"f": "f", "BUILD": _push(where)})
    (digest,) = workspace.files("//:push.digest").values()

    assert digest.decode() == workspace.image().digest


def test_what_is_there_already_is_not_pushed_if_that_is_said(workspace: Workspace) -> None:
    where = 'format = "Docker", registry = "r.com", repository = "a", skip_unchanged_digest = True'
    workspace.write({"f": "f", "BUILD": _push(where)})

    assert _pushed(workspace, "//:push") == _pushed(workspace, "//:push")
    sent = [request for request in workspace.registry.requests if request.startswith("SEND")]
    assert len(sent) == len(set(sent))


def test_a_registry_without_tls_is_said_by_the_push(workspace: Workspace) -> None:
    where = 'format = "Docker", registry = "r.com:1", repository = "a", insecure_repository = True'
    workspace.write({"f": "f", "BUILD": _push(where)})
    loaded = workspace.load("//:push")
    sources = Sources(workspace.reach, Known(workspace.reach))
    outcome = make(loaded.roots, loaded.graph, sources, GraphOptions())

    assert insecure_registries(loaded.roots, outcome, loaded.graph) == {"r.com:1"}


@pytest.mark.parametrize(("rule", "expected"), [("docker_push", "docker"), ("oci_push", "oci")])
def test_pushes_of_one_format_take_no_other(
    workspace: Workspace, rule: str, expected: str
) -> None:
    load = f'load("@io_bazel_rules_docker//docker:docker.bzl", "{rule}")\n'
    where = 'registry = "r.com", repository = "a"'
    workspace.write({"f": "f", "BUILD": load + _push(where, rule)})
    target = workspace.target("//:push")
    error = workspace.wrong(load + _push(f'{where}, format = "OCI"', rule))

    assert isinstance(target, Push)
    assert target.format == expected
    assert "has no attribute `format`" in error.message


BUNDLE = IMAGE + (
    'container_image(name = "other", base = ":image", user = "u")\n'
    'container_bundle(name = "bundle", images = {"e.com/a:{STABLE_GIT}": ":image",'
    ' "e.com/$(WHO):1": ":other", "e.com/c": ":image"})\n'
)


def test_a_bundle_is_one_archive_in_which_layers_are_shared(workspace: Workspace) -> None:
    workspace.write({"f": "f", "BUILD": BUNDLE.replace("$(WHO)", "b")})

    (tar,) = workspace.files("//:bundle.tar").values()

    saved = json.loads(content_of(tar, "manifest.json"))
    names = sorted(name for one in saved for name in one["RepoTags"])
    assert names == ["e.com/a:abc123", "e.com/b:1", "e.com/c:latest"]
    assert len({layer for one in saved for layer in one["Layers"]}) == 1


def test_names_of_a_bundle_have_variables(workspace: Workspace) -> None:
    workspace.write({"f": "f", "BUILD": BUNDLE})

    product = workspace.product("//:bundle", options=LoadOptions(defines={"WHO": "me"}))

    assert isinstance(product, Images)
    assert [name for name, _ in product.images] == [
        "e.com/a:abc123",
        "e.com/me:1",
        "e.com/c:latest",
    ]


def test_all_images_of_a_bundle_are_pushed_by_their_names(workspace: Workspace) -> None:
    load = 'load("@io_bazel_rules_docker//contrib:push-all.bzl", push_all = "container_push")\n'
    push = 'push_all(name = "push", bundle = ":bundle", format = "OCI", sequential = True)\n'
    workspace.write({"f": "f", "BUILD": load + BUNDLE.replace("$(WHO)", "b") + push})

    assert len(_pushed(workspace, "//:push")) == 3
    assert {("e.com/a", "abc123"), ("e.com/b", "1"), ("e.com/c", "latest")} <= (
        workspace.registry.manifests.keys()
    )


def test_a_flattened_image_is_its_root_filesystem_and_its_config(workspace: Workspace) -> None:
    over = (
        'container_image(name = "over", base = ":image", empty_files = ["f", "new"])\n'
        'container_flatten(name = "flat", image = ":over")\n'
    )
    workspace.write({"f": "f", "BUILD": IMAGE + over})

    found = workspace.files("//:flat")

    with tarfile.open(fileobj=io.BytesIO(found["flat.tar"])) as tar:
        assert sorted(name for name in tar.getnames() if name not in {".", "./"}) == ["f", "new"]
    assert content_of(found["flat.tar"], "f") == b""
    assert json.loads(found["flat.json"]) == config_of(workspace.image("//:over"))
