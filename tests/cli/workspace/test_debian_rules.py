"""Debian packages in BUILD files: our own rules, and those of 2017 and later."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.cli.outside import Cli, Seen
from tests.parts.archive import SmallArchive, made

IMAGE = 'load("@io_bazel_rules_docker//container:container.bzl", "container_image")\n'


@pytest.fixture
def archive(tmp_path: Path) -> SmallArchive:
    """An archive with a program, what it needs, and something else."""
    found = SmallArchive(tmp_path / "archive")
    found.add(
        made("hello", "1.0", "amd64", files={"usr/bin/hello": "#!/bin/sh\n"}, Depends="libhello"),
        made("libhello", "1:2.0", "amd64", files={"usr/lib/libhello.so": "elf"}),
        made("extra", "3"),
    )
    return found.publish()


@pytest.fixture
def site(cli: Cli, work: Path) -> Cli:
    """An empty workspace."""
    (work / "WORKSPACE").write_text("")
    return cli


def build_file(archive: SmallArchive, attributes: str = "", packages: str = '"hello"') -> str:
    return (
        f'{IMAGE}apt(name = "debs", packages = [{packages}], level = "unpack",\n'
        f'    archives = ["{archive.line()}"], {attributes})\n'
        'container_image(name = "image", layers = [":debs"])\n'
    )


def listed(cli: Cli, reference: str) -> list[str]:
    told = json.loads(cli("packages", "list", reference, "--format", "json").stdout)
    return [f"{one['name']}={one['version']}" for one in told["packages"]]


def test_packages_of_a_build_file_come_with_what_they_need(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    (work / "BUILD").write_text(build_file(archive))

    site("build", "//:image")
    tar = work / "artificer-bin/image.tar"
    site("build", "//:image.tar")

    assert listed(site, f"docker-archive:{tar}") == ["hello=1.0", "libhello=1:2.0"]


def test_a_target_with_a_lock_wants_it_written_first(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    (work / "BUILD").write_text(build_file(archive, 'lock = "debs.lock"'))

    missing = site("build", "//:image", code=1)
    stale = site("lock", "--check", code=1)
    first = site("lock")
    again = site("lock")
    site("build", "//:image")

    assert "there is no debs.lock" in missing.error
    assert "artificer lock" in missing.hint
    assert "debs.lock" in stale.error
    assert first.stdout.splitlines() == [
        "+ packages: debs.lock",
        "+ hello:amd64 1.0",
        "+ libhello:amd64 1:2.0",
    ]
    assert again.stdout == ""
    assert json.loads((work / "debs.lock").read_text())["version"] == 1


def test_a_build_from_a_lock_reads_no_index(
    site: Cli, work: Path, archive: SmallArchive, tmp_path: Path
) -> None:
    (work / "BUILD").write_text(build_file(archive, 'lock = "debs.lock"'))
    site("lock")
    (archive.root / "dists").rename(tmp_path / "away")

    site.machine("other")("build", "//:image")
    again = site.machine("other")("build", "//:image")

    assert "2 unchanged" in again.stderr


def test_a_lock_of_another_request_is_stale(site: Cli, work: Path, archive: SmallArchive) -> None:
    (work / "BUILD").write_text(build_file(archive, 'lock = "debs.lock"'))
    site("lock")
    (work / "BUILD").write_text(build_file(archive, 'lock = "debs.lock"', '"hello", "extra"'))

    done = site("build", "//:image", code=1)
    told = site("lock").stdout

    assert "another request" in done.error
    assert told == "+ extra:amd64 3\n"


def test_an_update_of_one_package_leaves_the_others(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    (work / "BUILD").write_text(build_file(archive, 'lock = "debs.lock"'))
    site("lock")
    archive.add(
        made("hello", "1.1", "amd64", Depends="libhello"), made("libhello", "1:3", "amd64")
    )
    archive.publish()

    assert site("lock").stdout == ""
    assert site("lock", "--update", "hello").stdout == "~ hello:amd64 1.0 → 1.1\n"
    assert site("lock", "--update").stdout == "~ libhello:amd64 1:2.0 → 1:3\n"
    assert "no lock has" in site("lock", "--update", "helo", code=2).error


def test_each_word_for_an_update_counts(site: Cli, work: Path, archive: SmallArchive) -> None:
    (work / "BUILD").write_text(build_file(archive, 'lock = "debs.lock"'))
    site("lock")
    newer = made("hello", "1.1", "amd64", Depends="libhello (= 1:3)")
    archive.add(newer, made("libhello", "1:3", "amd64")).publish()

    alone = site("lock", "--update", "hello", code=1)
    both = site("lock", "--update", "hello", "--update", "libhello")

    assert "hello depends on libhello (= 1:3)" in alone.stderr
    assert len(both.stdout.splitlines()) == 2


def test_several_architectures_are_locked_at_once(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    archive.add(made("hello", "1.0", "arm64", Depends="libhello"), made("libhello", "9", "arm64"))
    archive.publish(architectures=("amd64", "arm64"))
    text = 'lock = "debs.lock", architectures = ["amd64", "arm64"]'
    (work / "BUILD").write_text(build_file(archive, text))

    told = site("lock").stdout.splitlines()
    site("build", "//:image", "--platform=linux/arm64")

    assert "+ libhello:arm64 9" in told
    assert "+ libhello:amd64 1:2.0" in told


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ('layers = "many"', "not a way to make layers"),
        ('profile = "tiny"', "profile"),
        ('lock = "../x.lock"', "not a file of this package"),
        ('snapshot = "yesterday"', "not the time of a snapshot"),
        ('scripts = "run"', "level unpack runs no scripts"),
        ('scripts = "never"', "scripts"),
        ('pins = ["hello first"]', "not a pin"),
        ('pins = ["hello 990 release x=y"]', "not a pattern of a release"),
    ],
)
def test_a_wrong_attribute_is_an_error_at_its_line(
    site: Cli, work: Path, archive: SmallArchive, attributes: str, message: str
) -> None:
    (work / "BUILD").write_text(build_file(archive, attributes))

    done = site("build", "//:image", code=1)

    assert message in done.error
    assert "BUILD:" in done.error


def test_pins_decide_which_version_is_taken_and_files_of_them_come_after(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    archive.add(made("hello", "2.0", "amd64"), made("extra", "4"))
    archive.publish()
    (work / "prefer").write_text(
        "Package: hello extra\nPin: version 3*\nPin-Priority: 1001\n\n"
        "Package: hello\nPin: version 2*\nPin-Priority: 1001\n"
    )
    more = 'pins = ["hello -1 version 2.*"], preferences = ["prefer"], lock = "debs.lock"'
    (work / "BUILD").write_text(build_file(archive, more, '"hello", "extra"'))

    locked = site("lock").stdout.splitlines()
    site("build", "//:image.tar")
    (work / "prefer").write_text("Package: extra\nPin: version 4\nPin-Priority: 1001\n")
    stale = site("build", "//:image", code=1)

    assert "+ hello:amd64 1.0" in locked
    assert listed(site, f"docker-archive:{work}/artificer-bin/image.tar") == [
        "extra=3",
        "hello=1.0",
        "libhello=1:2.0",
    ]
    assert "another request" in stale.error


def test_packages_upon_nothing_need_an_archive(site: Cli, work: Path) -> None:
    (work / "BUILD").write_text('apt(name = "debs", packages = ["nginx"])\n')

    done = site("build", "//:debs", code=1)

    assert "no archive" in done.error
    assert "archives" in done.hint


def test_packages_upon_a_base_are_for_images_upon_the_same(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    (work / "f").write_text("f")
    (work / "BUILD").write_text(
        f'{IMAGE}container_image(name = "one", files = ["f"])\n'
        'container_image(name = "two", files = ["f"], empty_dirs = ["x"])\n'
        f'apt(name = "debs", packages = ["extra"], archives = ["{archive.line()}"],\n'
        '    base = ":one", level = "unpack")\n'
        'container_image(name = "good", base = ":one", layers = [":debs"])\n'
        'container_image(name = "bad", base = ":two", layers = [":debs"])\n'
    )

    site("build", "//:good")
    done = site("build", "//:bad", code=1)

    assert "//:debs is installed upon //:one" in done.error
    assert "same `base`" in done.hint


def workspace_of_2017(archive: SmallArchive, packages: str) -> str:
    folder = "dists/stable/main/binary-amd64"
    digest = hashlib.sha256((archive.root / folder / "Packages.gz").read_bytes()).hexdigest()
    return (
        'load("@distroless//package_manager:package_manager.bzl", "dpkg_src", "dpkg_list")\n'
        f'dpkg_src(name = "stretch", packages_gz_url = "file://{archive.root}/{folder}/Packages.gz"'
        f',\n    package_prefix = "file://{archive.root}", sha256 = "{digest}")\n'
        f'dpkg_list(name = "bundle", packages = [{packages}],\n'
        '    sources = ["@stretch//file:Packages.json"])\n'
    )


BUILD_OF_2017 = f"""\
load("@bundle//file:packages.bzl", "packages")
{IMAGE}
container_image(name = "image", debs = [packages["hello"]])
"""


def test_packages_of_a_list_of_2017_are_found_by_their_names(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    (work / "WORKSPACE").write_text(workspace_of_2017(archive, '"hello"'))
    (work / "BUILD").write_text(BUILD_OF_2017)

    site("build", "//:image.tar")

    assert listed(site, f"docker-archive:{work}/artificer-bin/image.tar") == ["hello=1.0"]


def test_a_name_that_no_list_has_is_told_with_one_that_is_like_it(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    (work / "WORKSPACE").write_text(workspace_of_2017(archive, '"helo"'))
    (work / "BUILD").write_text(BUILD_OF_2017.replace('"hello"', '"helo"'))

    done = site("build", "//:image", code=1)

    assert "no list has the package helo" in done.error
    assert "hello" in done.hint


def test_what_a_build_file_has_not_is_told_with_a_way_to_it(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    (work / "WORKSPACE").write_text(workspace_of_2017(archive, '"hello"'))
    text = BUILD_OF_2017.replace('["hello"]', '["helo"]')
    hints = []

    for each in (text, text.replace(IMAGE, ""), 'oci_image(name = "x")', 'write_file(name = "x")'):
        (work / "BUILD").write_text(each)
        hints.append(site("build", "//:image", code=1).hint)

    assert hints == [
        "do you mean hello?",
        'load it first: `load("@io_bazel_rules_docker//container:container.bzl", '
        '"container_image")`',
        'load it first: `load("@rules_oci//oci:defs.bzl", "oci_image")`',
        "load it first, from a file of @bazel_skylib",
    ]


def test_a_lock_of_rules_distroless_gives_packages_by_architecture(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    pool = sorted((archive.root / "pool").rglob("*_amd64.deb"))
    packages = [
        {
            "arch": "amd64",
            "dependencies": [],
            "key": path.stem,
            "name": path.name.partition("_")[0],
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "url": f"file://{path}",
            "version": path.name.split("_")[1],
        }
        for path in pool
    ]
    (work / "WORKSPACE").unlink()
    (work / "MODULE.bazel").write_text(
        'apt = use_extension("@rules_distroless//apt:extensions.bzl", "apt")\n'
        'apt.install(name = "bullseye", lock = "//:bullseye.lock.json", manifest = "//:b.yaml")\n'
        'use_repo(apt, "bullseye")\n'
    )
    (work / "bullseye.lock.json").write_text(json.dumps({"version": 1, "packages": packages}))
    (work / "b.yaml").write_text("version: 1\n")
    (work / "BUILD").write_text(
        'load("@rules_oci//oci:defs.bzl", "oci_image")\n'
        'load("@rules_distroless//apt:defs.bzl", "dpkg_status")\n'
        'load("@rules_distroless//distroless:defs.bzl", "flatten")\n'
        'dpkg_status(name = "status", controls = ["@bullseye//hello/amd64:control"])\n'
        'flatten(name = "flat", tars = [":status", "@bullseye//hello/amd64:data",\n'
        '    "@bullseye//libhello/amd64:data"])\n'
        'oci_image(name = "flattened", os = "linux", architecture = "amd64", tars = [":flat"])\n'
        'oci_image(name = "one", os = "linux", architecture = "amd64",\n'
        '    tars = ["@bullseye//hello/amd64", "@bullseye//libhello"])\n'
        'oci_image(name = "all", os = "linux", architecture = "amd64",\n'
        '    tars = ["@bullseye//:flat"])\n'
    )

    for name in ("one", "all", "flattened"):
        site("build", f"//:{name}.tar")
        tar = f"docker-archive:{work}/artificer-bin/{name}.tar"
        assert listed(site, tar) == ["hello=1.0", "libhello=1:2.0"]


def test_downloaded_packages_are_a_tar_and_a_table(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    with archive.serve() as served:
        base(site, work, archive, served.uri)
        (work / "BUILD").write_text(
            'load("@io_bazel_rules_docker//docker/package_managers:download_pkgs.bzl", '
            '"download_pkgs")\n'
            f'{IMAGE}container_image(name = "base", tars = ["rootfs.tar"])\n'
            'download_pkgs(name = "pkgs", image_tar = ":base.tar", packages = ["hello"])\n'
        )

        site("build", "//:pkgs")

    with tarfile.open(work / "artificer-bin/pkgs.tar") as tar:
        assert sorted(tar.getnames()) == ["hello_1.0_amd64.deb", "libhello_1%3a2.0_amd64.deb"]
    assert (work / "artificer-bin/pkgs_metadata.csv").read_text() == (
        "Name,Version\nhello,1.0\nlibhello,1:2.0\n"
    )


def base(site: Cli, work: Path, archive: SmallArchive, url: str) -> None:
    """The files of an image with apt, as rootfs.tar."""
    files = {
        "etc/apt/sources.list": f"deb {url} stable main\n",
        "etc/apt/trusted.gpg.d/test.asc": archive.keyring.read_text(),
        "var/lib/dpkg/status": "",
    }
    with tarfile.open(work / "rootfs.tar", "w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))


def test_keys_go_to_where_apt_trusts_them(
    site: Cli, work: Path, archive: SmallArchive, seen: Seen
) -> None:
    (work / "my.key").write_text(archive.keyring.read_text())
    (work / "BUILD").write_text(
        'load("@io_bazel_rules_docker//docker/package_managers:apt_key.bzl", "add_apt_key")\n'
        f'{IMAGE}container_image(name = "base", files = ["my.key"])\n'
        'add_apt_key(name = "keyed", image = ":base.tar", keys = ["my.key"],\n'
        '    gpg_image = ":base.tar")\n'
    )

    site("build", "//:keyed.tar")
    told = site("tree", f"docker-archive:{work}/artificer-bin/keyed.tar").stdout

    assert "/etc/apt/trusted.gpg.d/my.key.asc" in told


def test_a_lock_has_what_goes_from_its_base(site: Cli, work: Path, archive: SmallArchive) -> None:
    archive.add(made("heavy", "1", "amd64", Conflicts="extra")).publish()
    more = f'archives = ["{archive.line()}"], scripts = "replace"'
    (work / "BUILD").write_text(
        f'{IMAGE}apt(name = "below", packages = ["hello", "extra"], {more})\n'
        'container_image(name = "base", layers = [":below"])\n'
        f'apt(name = "debs", base = ":base", packages = ["heavy", "hello-"], {more},\n'
        '    lock = "debs.lock", architectures = ["amd64"])\n'
        'container_image(name = "image", base = ":base", layers = [":debs"])\n'
    )

    told = site("lock").stdout
    site("build", "//:image.tar")

    assert "- hello:amd64 (of the base for amd64)\n" in told
    tar = work / "artificer-bin/image.tar"
    assert listed(site, f"docker-archive:{tar}") == ["heavy=1", "libhello=1:2.0"]
