"""Debian packages in images (RD-24): their files, what scanners read, what was not run."""

from hashlib import sha256

import pytest

from tests.frontends.buildfile.rules.debs import deb_of
from tests.frontends.buildfile.rules.workspaces import DOCKER, Workspace, content_of

BUILD = f'{DOCKER}container_image(name = "image", debs = glob(["*.deb", "*.udeb"]))\n'
STATUS = "var/lib/dpkg/status.d"


@pytest.mark.parametrize("packed", [".gz", ".xz", ".bz2", ".zst"])
def test_a_package_is_unpacked_whatever_compresses_it(workspace: Workspace, packed: str) -> None:
    workspace.write({"x.deb": deb_of("tool", packed), "BUILD": BUILD})

    assert "usr/share/tool" in workspace.members("//:image")


def test_a_package_for_the_installer_is_unpacked_too(workspace: Workspace) -> None:
    workspace.write({"x.udeb": deb_of("tool"), "BUILD": BUILD})

    assert "usr/share/tool" in workspace.members("//:image")


def test_scanners_find_a_package_by_its_whole_name(workspace: Workspace) -> None:
    names = ("libc6", "libc6-dev", "libstdc++6", "python3.11")
    debs = {f"{name}.deb": deb_of(name, md5sums=b"x  y\n") for name in names}
    workspace.write({**debs, "BUILD": BUILD})

    tar = workspace.tar_of(workspace.image().layers[0])

    for name in names:
        assert f"Package: {name}\n".encode() in content_of(tar, f"{STATUS}/{name}")
        assert content_of(tar, f"{STATUS}/{name}.md5sums") == b"x  y\n"


def test_scripts_that_were_not_run_are_told_and_in_a_label(workspace: Workspace) -> None:
    acting = deb_of("ca-certificates", postinst=b"#!/bin/sh\n")
    workspace.write({"a.deb": acting, "b.deb": deb_of("tool"), "BUILD": BUILD})

    labels = workspace.image().settings["Labels"]

    assert labels == {"dev.artificer.scripts-not-run": "ca-certificates"}
    assert any("scripts are not run: postinst" in text for text in workspace.warnings())


def test_what_is_no_package_is_an_error_that_names_it(workspace: Workspace) -> None:
    workspace.write({"broken.deb": b"no package", "BUILD": BUILD})

    assert "broken.deb" in workspace.error("//:image").message


def test_packages_are_fetched_and_laid_out_as_in_2017(workspace: Workspace) -> None:
    data, deb = deb_of("tool"), workspace.root / "tool.deb"
    given = f'url = "file://{deb}", sha256 = "{sha256(data).hexdigest()}"'
    workspace.write(
        {
            "tool.deb": data,
            "WORKSPACE": f'http_file(name = "tool", {given})\n',
            "BUILD": 'docker_build(name = "image", debs = ["@tool//file"])\n',
        }
    )

    assert "usr/share/tool" in workspace.members("//:image")
