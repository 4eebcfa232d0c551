"""What reads images from outside – scanners, our own list – finds what dpkg finds inside."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.oracles.conftest import Images
from tests.oracles.test_podman import serves
from tests.parts.commands import Command
from tests.parts.ports import free_port
from tests.parts.scanners import listed as as_listed
from tests.parts.scanners import scanned, syft
from tests.parts.trees import layers_of, lines_in, tree_of_layout

pytestmark = pytest.mark.archive

PIECES = "var/lib/dpkg/status.d/"
FORMAT = "${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\\n"


@pytest.fixture(scope="module")
def unpacked(images: Images) -> str:
    return images.build("unpacked", ("--apt", "nginx", "--deb-level", "unpack"))


@pytest.fixture(scope="module")
def bare(images: Images) -> str:
    """nginx without a shell and without dpkg."""
    return images.build("bare", ("--apt", "nginx", "apt-", "--deb-profile", "distroless"))


def listed(images: Images, reference: str) -> list[dict[str, str]]:
    """What `artificer packages list` says."""
    done = images.artificer("packages", "list", reference, "--format", "json")
    found: list[dict[str, str]] = json.loads(done.stdout)["packages"]
    return found


def stanzas_of(images: Images, tag: str) -> dict[str, dict[str, str]]:
    """The fields of each file of `status.d`, as a scanner reads them."""
    tree = tree_of_layout(images.folder, tag)
    names = [path for path in tree if re.fullmatch(f"{PIECES}[a-z0-9+.-]+", path)]
    names = [path for path in names if not path.endswith(".md5sums") and tree[path].kind == "file"]
    [layer] = layers_of(images.folder, tag)
    found = {}
    for path, lines in lines_in(layer, names).items():
        fields = dict(line.split(": ", 1) for line in lines if re.match(r"\S+: ", line))
        found[path.removeprefix(PIECES)] = fields
    return found


def test_the_list_is_what_dpkg_says_in_the_image(
    images: Images, podman: Command, pulled: Callable[[str], str], web: str
) -> None:
    said = podman.output("run", "--rm", pulled(web), "dpkg-query", "-Wf", FORMAT)

    ours = [
        " ".join(
            (
                *(one["name"], one["version"], one["architecture"]),
                *(one["source"], one.get("source_version") or one["version"]),
            )
        )
        for one in listed(images, web)
    ]
    assert sorted(ours) == sorted(said.splitlines())


@pytest.fixture(scope="module")
def upon(images: Images, minbase: str) -> str:
    """nginx upon a Debian that was there before."""
    return images.build("upon", ("--apt", "nginx"), minbase)


@pytest.mark.parametrize("name", ["web", "bare", "upon"])
def test_a_scanner_finds_every_package_of_debian(
    images: Images, request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    reference = f"oci-archive:{tmp_path}/image"
    images.artificer("copy", request.getfixturevalue(name), reference)

    ours = as_listed(images.artificer("packages", "list", reference, "--format", "json").stdout)
    theirs = scanned(syft(tmp_path), reference)

    assert theirs.packages == ours.packages
    assert theirs.system == ours.system
    assert all(any(files.values()) for files in theirs.files.values())


@pytest.mark.parametrize("tag", ["unpacked", "bare"])
def test_every_package_has_a_file_that_scanners_read(
    images: Images, tag: str, unpacked: str, bare: str
) -> None:
    reference = {"unpacked": unpacked, "bare": bare}[tag]

    found = stanzas_of(images, tag)

    assert {"nginx", "nginx-common", "libc6"} <= found.keys()
    assert {(one["Package"], one["Version"]) for one in found.values()} == {
        (one["name"], one["version"]) for one in listed(images, reference)
    }
    assert all(name == one["Package"] for name, one in found.items())
    assert f"{PIECES}libc6.md5sums" in tree_of_layout(images.folder, tag)


def test_databases_of_vulnerabilities_know_every_package(images: Images, bare: str) -> None:
    for one in listed(images, bare):
        words = f"{one['name']}@{one['version']}".replace("+", "%2B")

        start = f"pkg:deb/debian/{words}?arch={one['architecture']}&distro="
        assert one["purl"].startswith(start)
        assert one["purl"].removeprefix(start).isalpha()
        assert one["read_from"] == f"/{PIECES}{one['name']}"


def test_packages_of_nobody_have_no_url(images: Images, unpacked: str) -> None:
    # Without base-files nothing in the image says which distribution it is.
    assert {one["purl"] for one in listed(images, unpacked)} == {None}


def test_an_image_without_a_shell_says_which_debian_it_is(images: Images, bare: str) -> None:
    tree = tree_of_layout(images.folder, "bare")
    [layer] = layers_of(images.folder, "bare")

    assert "ID=debian" in lines_in(layer, ["usr/lib/os-release"])["usr/lib/os-release"]
    assert tree["etc/os-release"].content == "../usr/lib/os-release"
    gone = ("bin/sh", "usr/bin/sh", "usr/bin/dash", "usr/bin/bash", "usr/bin/dpkg", "usr/bin/perl")
    assert tree.keys().isdisjoint(gone)
    assert not any(path.startswith("var/lib/dpkg/info/") for path in tree)


def test_nginx_serves_without_a_shell(
    podman: Command, pulled: Callable[[str], str], images: Images, bare: str
) -> None:
    port = free_port()
    conf = images.artificer.directory / "bare.conf"
    conf.write_text(
        "daemon off; pid /run/nginx.pid; error_log stderr; events {}\n"
        f"http {{ access_log off; server {{ listen {port}; root /usr/share/nginx/html; }} }}\n"
    )
    name = f"oci:{images.folder}:served"
    images.artificer("-b", bare, "--files", f"{conf}:/etc/nginx/nginx.conf", "-t", name)

    said = serves(podman, pulled(name), port, "/usr/sbin/nginx")

    assert b"nginx" in said
    words = ("run", "--rm", pulled(name), "/bin/sh", "-c", "true")
    assert podman.run(*words, check=False).returncode == 127
