"""A scanner of others finds in our images what `artificer packages list` says."""

import hashlib
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.archive import File, SmallArchive, made
from tests.parts.commands import Command
from tests.parts.scanners import Scan, listed, scanned
from tests.parts.scanners import syft as real_syft

RELEASE = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian 12"\n'
CONTENT = "#!/bin/sh\n"
NAMES = ["base-files", "data", "hello", "libhello++1"]
DATABASE = """\
Package: old
Status: install ok installed
Version: 1:1-1
Architecture: amd64
Maintainer: Nobody <nobody@example.org>
Description: it was there before
"""
MODULE = """\
apt = use_extension("@rules_distroless//apt:extensions.bzl", "apt")
apt.install(name = "x", manifest = "//:x.yaml", nolock = True)
use_repo(apt, "x")
"""
BUILD = """\
load("@rules_oci//oci:defs.bzl", "oci_image")
load("@rules_distroless//apt:defs.bzl", "dpkg_statusd")
load("@rules_distroless//distroless:defs.bzl", "flatten")
flatten(name = "files", tars = ["@x//:dpkg_status", "@x//:packages"])
dpkg_statusd(name = "named", package_name = "hello", control = "@x//hello/amd64:control")
oci_image(name = "flat", os = "linux", architecture = "amd64",
    tars = [":files", "@x//base-files/amd64:data"])
oci_image(name = "pieces", os = "linux", architecture = "amd64",
    tars = ["@x//base-files/amd64:data", ":named"])
"""


@pytest.fixture
def syft(tmp_path: Path) -> Command:
    """The scanner."""
    return real_syft(tmp_path)


@pytest.fixture
def archive(tmp_path: Path) -> SmallArchive:
    """An archive in which versions have all that versions may have, and sources other names."""
    release: dict[str, File | str] = {
        "etc/os-release": File(link="../usr/lib/os-release"),
        "usr/lib/os-release": RELEASE,
    }
    source = "hello-src (1:1.0~rc1+dfsg-1)"
    found = SmallArchive(tmp_path / "archive")
    found.add(
        made("base-files", "12.4+deb12u5", "amd64", files=release),
        made(
            *("hello", "1:1.0~rc1+dfsg-1+b2", "amd64"),
            files={"usr/bin/hello": CONTENT, "etc/hello.conf": "x\n"},
            conffiles=["/etc/hello.conf"],
            Depends="libhello++1, data, base-files",
            Source=source,
        ),
        made("libhello++1", "2.0~b1", "amd64", Multi_Arch="same", Source="libhello"),
        made("data", "3"),
    )
    return found.publish()


def build(cli: Cli, archive: SmallArchive, reference: str, *words: str) -> Scan:
    """An image of the files of all these packages, and what we say of it."""
    start = () if "-b" in words else ("-b", "scratch")
    more = ("--archive", archive.line(), "--deb-level", "unpack", "--apt", "hello")
    cli(*start, *more, *words, "-t", reference)
    return listed(cli("packages", "list", reference, "--format", "json").stdout)


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_a_scanner_finds_packages_wherever_the_image_is(
    cli: Cli, archive: SmallArchive, syft: Command, kind: str, tmp_path: Path
) -> None:
    reference = f"{kind}:{tmp_path}/image"

    ours = build(cli, archive, reference)
    theirs = scanned(syft, reference)

    assert [one.name for one in theirs.packages] == NAMES
    assert theirs.packages == ours.packages
    assert theirs.system == ours.system
    md5 = theirs.files["hello"]["/usr/bin/hello"]
    assert md5 == hashlib.md5(CONTENT.encode(), usedforsecurity=False).hexdigest()


def test_a_scanner_finds_packages_of_several_layers(
    cli: Cli, archive: SmallArchive, syft: Command, tmp_path: Path
) -> None:
    reference = f"oci-archive:{tmp_path}/image"

    ours = build(cli, archive, reference, "--deb-layers", "by-package")

    assert [one.name for one in ours.packages] == NAMES
    assert scanned(syft, reference).packages == ours.packages


def test_a_scanner_finds_both_architectures_of_a_package(
    cli: Cli, archive: SmallArchive, syft: Command, tmp_path: Path
) -> None:
    other = made("libhello++1", "2.0~b1", "i386", Multi_Arch="same", Source="libhello")
    archive.add(other).publish(architectures=("amd64", "i386"))
    reference = f"oci-archive:{tmp_path}/image"

    ours = build(cli, archive, reference, "--apt", "libhello++1:i386")

    assert [one.name for one in ours.packages] == [*NAMES, "libhello++1"]
    assert scanned(syft, reference).packages == ours.packages


def test_a_scanner_finds_what_is_new_in_the_database_of_a_base(
    cli: Cli, archive: SmallArchive, syft: Command, work: Path, tmp_path: Path
) -> None:
    (work / "var/lib/dpkg/info").mkdir(parents=True)
    (work / "var/lib/dpkg/status").write_text(DATABASE)
    (work / "var/lib/dpkg/info/old.md5sums").write_text(f"{'0' * 32}  usr/bin/old\n")
    cli("-b", "scratch", "-f", "var", "-t", f"oci:{tmp_path}/base:it")
    reference = f"oci-archive:{tmp_path}/image"

    ours = build(cli, archive, reference, "-b", f"oci:{tmp_path}/base:it")
    theirs = scanned(syft, reference)

    assert [one.name for one in ours.packages] == [*NAMES, "old"]
    assert theirs.packages == ours.packages
    assert set(theirs.files["old"]) == {"/usr/bin/old"}


@pytest.mark.parametrize(("name", "found"), [("flat", NAMES), ("pieces", ["base-files", "hello"])])
def test_a_scanner_finds_packages_of_rules_distroless_once(
    cli: Cli, archive: SmallArchive, syft: Command, work: Path, name: str, found: list[str]
) -> None:
    (work / "key.asc").write_bytes(archive.keyring.read_bytes())
    (work / "x.yaml").write_text(
        "version: 1\nsources:\n  - channel: stable main\n"
        f"    url: file://{archive.root}/\n    signed-by: key.asc\n"
        "archs: [amd64]\npackages: [hello, base-files]\n"
    )
    (work / "MODULE.bazel").write_text(MODULE)
    (work / "BUILD").write_text(BUILD)

    cli("build", f"//:{name}.tar")
    reference = f"docker-archive:{work}/artificer-bin/{name}.tar"
    ours = listed(cli("packages", "list", reference, "--format", "json").stdout)

    assert [one.name for one in ours.packages] == found
    assert scanned(syft, reference).packages == ours.packages
