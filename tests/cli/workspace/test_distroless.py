"""Packages of rules_distroless: by a manifest, by its lock, and what writes that."""

import json
import tarfile
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.archive import File, SmallArchive, deb_bytes, made

MODULE = 'apt = use_extension("@rules_distroless//apt:extensions.bzl", "apt")\n'
BUILD = """\
load("@rules_oci//oci:defs.bzl", "oci_image")
oci_image(name = "flat", os = "linux", architecture = "amd64", tars = ["@x//:flat"])
oci_image(name = "whole", os = "linux", architecture = "amd64",
    tars = ["@x//hello/amd64", "@x//other"])
oci_image(name = "one", os = "linux", architecture = "amd64", tars = ["@x//hello/amd64:data"])
oci_image(name = "lib", os = "linux", architecture = "amd64", tars = ["@x//libhello:data"])
oci_image(name = "status", os = "linux", architecture = "amd64", tars = ["@x//:dpkg_status"])
oci_image(name = "both", os = "linux", architecture = "amd64",
    tars = ["@x//:dpkg_status", "@x//:packages"])
"""


@pytest.fixture
def archive(tmp_path: Path) -> SmallArchive:
    """An archive with two programs that need one library."""
    found = SmallArchive(tmp_path / "archive")
    found.add(
        made("hello", "1.0", "amd64", files={"usr/bin/hello": "#!/bin/sh\n"}, Depends="libhello"),
        made("libhello", "1:2.0~b+1", "amd64", files={"usr/lib/libhello.so": "elf"}),
        made("other", "3", files={"usr/bin/other": "#!/bin/sh\n"}, Depends="libhello"),
        made("extra", "3"),
    )
    return found.publish()


@pytest.fixture
def site(cli: Cli, work: Path, archive: SmallArchive) -> Cli:
    """A workspace with a manifest of that archive, whose keyring is beside it."""
    (work / "packages").mkdir()
    (work / "packages/key.asc").write_bytes(archive.keyring.read_bytes())
    (work / "packages/BUILD").write_text("")
    (work / "BUILD").write_text(BUILD)
    write_manifest(work, archive)
    install(work)
    return cli


def write_manifest(work: Path, archive: SmallArchive, packages: str = "[hello, other]") -> None:
    (work / "packages/x.yaml").write_text(
        "version: 1\nsources:\n  - channel: stable main\n"
        f"    url: file://{archive.root}/\n    signed-by: key.asc\n"
        f"archs: [amd64]\npackages: {packages}\n"
    )


def install(work: Path, more: str = "") -> None:
    (work / "MODULE.bazel").write_text(
        f'{MODULE}apt.install(name = "x", manifest = "//packages:x.yaml"{more})\n'
        'use_repo(apt, "x")\n'
    )


def listed(cli: Cli, work: Path, name: str) -> list[str]:
    cli("build", f"//:{name}.tar")
    reference = f"docker-archive:{work}/artificer-bin/{name}.tar"
    told = json.loads(cli("packages", "list", reference, "--format", "json").stdout)
    return [f"{one['name']}={one['version']}" for one in told["packages"]]


ALL = ["hello=1.0", "libhello=1:2.0~b+1", "other=3"]


def test_without_a_lock_packages_are_what_archives_have_now(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    first = site("build", "//:flat")
    assert listed(site, work, "flat") == listed(site, work, "whole") == ALL
    assert listed(site, work, "status") == listed(site, work, "both") == ALL
    assert listed(site, work, "one") == ["hello=1.0"]
    assert listed(site, work, "lib") == ["libhello=1:2.0~b+1"]
    archive.add(made("hello", "1.1", "amd64", Depends="libhello")).publish()

    assert listed(site, work, "one") == ["hello=1.1"]
    assert "@x has no lock" in first.stderr
    assert "artificer run @x//:lock" in first.stderr
    install(work, ", nolock = True")
    assert "no lock" not in site("build", "//:flat").stderr


def test_running_the_lock_writes_it_as_rules_distroless_has_it(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    done = site("run", "@x//:lock")

    assert "+ libhello:amd64 1:2.0~b+1" in done.stdout.splitlines()
    assert 'Add `lock = "//packages:x.lock.json"`' in done.stderr
    lock = json.loads((work / "packages/x.lock.json").read_text())
    packages = {one["name"]: one for one in lock["packages"]}
    library = {"key": "libhello_1-2.0_b-p-1_amd64", "name": "libhello", "version": "1:2.0~b+1"}
    assert lock["version"] == 1
    assert list(packages) == ["libhello", "hello", "other"]
    assert packages["hello"]["dependencies"] == packages["other"]["dependencies"] == [library]
    assert packages["libhello"]["dependencies"] == []
    assert {one["arch"] for one in lock["packages"]} == {"amd64"}
    assert packages["hello"]["url"].endswith("/pool/main/h/hello/hello_1.0_amd64.deb")
    assert "--autofix" in site("run", "@x//:lock", "--", "--autofix", code=2).error


def test_a_lock_holds_until_it_is_written_anew(
    site: Cli, work: Path, archive: SmallArchive, tmp_path: Path
) -> None:
    install(work, ', lock = "//packages:x.lock.json"')
    missing = site("build", "//:flat", code=1)
    stale = site("lock", "--check", code=1)
    told = site("lock").stdout.splitlines()
    archive.add(made("hello", "1.1", "amd64", Depends="libhello")).publish()

    assert "there is no x.lock.json" in missing.error
    assert "artificer lock" in missing.hint
    assert "packages/x.lock.json" in stale.error
    assert told[1:] == ["+ hello:amd64 1.0", "+ libhello:amd64 1:2.0~b+1", "+ other:amd64 3"]
    assert site("lock").stdout == ""
    assert listed(site, work, "flat") == listed(site, work, "whole") == ALL
    assert listed(site, work, "status") == listed(site, work, "both") == ALL
    assert listed(site, work, "one") == ["hello=1.0"]
    assert site("run", "@x//:lock").stdout == "~ hello:amd64 1.0 → 1.1\n"
    assert listed(site, work, "one") == ["hello=1.1"]
    write_manifest(work, archive, "[hello, other, extra]")
    assert site("lock").stdout == "+ extra:amd64 3\n"
    (archive.root / "dists").rename(tmp_path / "away")
    assert listed(site, work, "flat") == ["extra=3", "hello=1.1", *ALL[1:]]


def test_locks_of_targets_alone_are_looked_at_where_some_are_named(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    install(work, ', lock = "//packages:x.lock.json"')
    (work / "BUILD").write_text(
        f'{BUILD}apt(name = "debs", packages = ["extra"], level = "unpack",\n'
        f'    archives = ["{archive.line()}"], lock = "debs.lock")\n'
    )

    assert site("lock", "//:debs").stdout == "+ packages: debs.lock\n+ extra:amd64 3\n"
    assert not (work / "packages/x.lock.json").exists()
    assert "+ hello:amd64 1.0" in site("lock", "@x//:lock").stdout
    archive.add(made("hello", "1.1", "amd64", Depends="libhello"), made("extra", "4")).publish()
    assert site("lock", "//:debs", "--update").stdout == "~ extra:amd64 3 → 4\n"
    assert site("lock", "--update", "hello", "//:flat").stdout == "~ hello:amd64 1.0 → 1.1\n"
    assert "no target or file //:none" in site("lock", "//:none", code=1).error


def test_a_lock_of_bazel_stays_until_it_is_updated(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    install(work, ', lock = "//packages:x.lock.json"')
    site("lock")
    path = work / "packages/x.lock.json"
    lock = json.loads(path.read_text())
    del lock["request"]
    path.write_text(json.dumps(lock))
    write_manifest(work, archive, "[hello]")

    assert site("lock").stdout == ""
    assert site("lock", "--update").stdout == "- other:amd64 3\n"
    assert "request" in json.loads(path.read_text())


def test_a_workspace_file_installs_as_well(site: Cli, work: Path) -> None:
    (work / "MODULE.bazel").unlink()
    (work / "WORKSPACE").write_text(
        'load("@rules_distroless//apt:apt.bzl", "apt")\n'
        'apt.install(name = "x", manifest = "//packages:x.yaml", nolock = True,\n'
        "    resolve_transitive = False)\n"
        'load("@x//:packages.bzl", "x_packages")\n'
        "x_packages()\n"
    )

    assert listed(site, work, "flat") == ["hello=1.0", "other=3"]


def test_what_was_in_the_root_may_be_put_below_usr(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    files: dict[str, File | str] = {
        "bin/": "",
        "bin/sh": "#!/bin/dash\n",
        "bin/bash": File(b"", link="bin/sh", hard=True),
        "bin/which": File(link="/usr/bin/which"),
        "bin/mt": File(link="../usr/share/mt"),
        "lib/a/libx.so.1": File(link="libx.so.1.2"),
        "lib/a/libx.so.1.2": "elf",
        "usr/bin/which": "#!/bin/sh\n",
        "usr/lib/libx.so": File(link="/lib/a/libx.so.1"),
        "etc/motd": "hello",
    }
    archive.add(made("hello", "2", "amd64", files=files)).publish()
    write_manifest(work, archive, "[hello]")
    install(work, ", mergedusr = True, nolock = True")

    site("build", "@x//:flat")

    with tarfile.open(work / "artificer-bin/external/x/flat.tar") as tar:
        found = {one.name: one.linkname for one in tar if not one.isdir()}
    assert {path: link for path, link in found.items() if "dpkg" not in path} == {
        "usr/bin/sh": "",
        "usr/bin/bash": "usr/bin/sh",
        "usr/bin/mt": "../share/mt",
        "usr/lib/a/libx.so.1": "libx.so.1.2",
        "usr/lib/a/libx.so.1.2": "",
        "usr/bin/which": "",
        "usr/lib/libx.so": "/lib/a/libx.so.1",
        "etc/motd": "",
    }


def test_an_archive_without_a_key_is_not_believed(
    site: Cli, work: Path, archive: SmallArchive
) -> None:
    path = work / "packages/x.yaml"
    signed = path.read_text()
    path.write_text(signed.replace("    signed-by: key.asc\n", ""))
    unknown = site("build", "//:flat", code=1)
    path.write_text(signed.replace("signed-by: key.asc", "trusted: true"))

    site("build", "//:flat")
    assert "is signed by" in unknown.error


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("archs: [arm64]\npackages: [hello]\n", "x.yaml has no packages for amd64"),
        ("archs: [amd64]\npackages: [hello (= 9)]\n", "hello has no version 9"),
        ("archs: [amd64]\npackages: [none]\n", "there is no package none"),
        ("archs: [amd64]\npackages: []\n", "x.yaml: packages is not a list"),
        ("archs: [amd64]\npackages: [extra]\n", "does not come to the package hello"),
    ],
)
def test_a_manifest_that_comes_to_nothing_says_why(
    site: Cli, work: Path, manifest: str, message: str
) -> None:
    path = work / "packages/x.yaml"
    path.write_text(path.read_text().partition("archs")[0] + manifest)

    assert message in site("build", "//:one", code=1).error


def test_a_package_that_bazel_unpacked_is_named_by_its_parts(
    cli: Cli, work: Path, tmp_path: Path
) -> None:
    package = made("ca-certificates", files={"usr/share/ca-certificates/a.crt": "A\n"})
    bundle = made("x", files={"usr/share/doc/ca-certificates/copyright": "free"})
    files = {**package.files, **bundle.files}
    (tmp_path / "ca.deb").write_bytes(deb_bytes(package._replace(files=files)))
    (work / "WORKSPACE").write_text(
        'load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive")\n'
        f'http_archive(name = "ca", type = ".deb", url = "file://{tmp_path}/ca.deb",\n'
        '    build_file_content = \'exports_files(["data.tar.xz", "control.tar.xz"])\')\n'
    )
    (work / "BUILD").write_text(
        'load("@rules_oci//oci:defs.bzl", "oci_image")\n'
        'load("@rules_distroless//apt:defs.bzl", "dpkg_statusd")\n'
        'load("@rules_distroless//distroless:defs.bzl", "cacerts")\n'
        'cacerts(name = "bundle", package = "@ca//:data.tar.xz")\n'
        'dpkg_statusd(name = "known", package_name = "ca", control = "@ca//:control.tar.xz")\n'
        'oci_image(name = "image", os = "linux", architecture = "amd64",\n'
        '    tars = [":bundle", ":known"])\n'
    )

    assert listed(cli, work, "image") == ["ca-certificates=1"]
