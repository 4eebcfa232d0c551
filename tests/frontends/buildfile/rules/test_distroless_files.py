"""What rules_distroless takes out of packages."""

import io
import lzma
import tarfile
from collections.abc import Mapping

import pytest

from tests.frontends.buildfile.rules.workspaces import Workspace, content_of, members_of
from tests.parts.archive import File, Made, ar, compressed, deb_bytes, made
from tests.sources.test_certificates import called, certificate, der, entries_of, pem

LOAD = (
    'load("@rules_distroless//apt:defs.bzl", "dpkg_status", "dpkg_statusd")\n'
    'load("@rules_distroless//distroless:defs.bzl", "cacerts", "flatten", "java_keystore",'
    ' "locale")\n'
)
CERTIFICATES = made(
    "ca-certificates",
    "20230311",
    files={
        "usr/share/ca-certificates/mozilla/B.crt": "B\n",
        "usr/share/ca-certificates/mozilla/A.crt": "A",
        "usr/share/ca-certificates/own.crt": "own\n",
        "usr/share/doc/ca-certificates/copyright": "free\n",
        "usr/share/doc/ca-certificates/README": "words\n",
    },
)
LIBC = made(
    "libc-bin",
    "2.36",
    "amd64",
    files={
        "usr/bin/ldd": "#!/bin/sh\n",
        "usr/lib/locale/C.utf8/LC_CTYPE": "types",
        "usr/lib/locale/C.utf8/LC_MESSAGES/SYS_LC_MESSAGES": "yes",
        "usr/lib/locale/C.utf8x/LC_CTYPE": "another",
        "usr/share/doc/libc-bin/copyright": "free\n",
    },
)


def deb_parts(package: Made) -> dict[str, bytes]:
    """The members of the .deb of *package*, as `ar x` would unpack them."""
    data, at = deb_bytes(package), 8
    found = {}
    while at < len(data):
        name, size = data[at : at + 16].decode().strip(), int(data[at + 48 : at + 58])
        found[name] = data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    return found


def made_of(workspace: Workspace, text: str, files: Mapping[str, bytes]) -> bytes:
    """The one file of ``//:x``."""
    workspace.write({"BUILD": LOAD + text, **files})
    (tar,) = workspace.files("//:x").values()
    return tar


@pytest.mark.parametrize("form", ["tar.xz", "tar", "deb"])
def test_a_bundle_has_all_certificates_of_the_package_in_their_order(
    workspace: Workspace, form: str
) -> None:
    packed = deb_parts(CERTIFICATES)["data.tar.xz"]
    data = {
        "tar.xz": packed,
        "tar": lzma.decompress(packed),
        "deb": deb_bytes(CERTIFICATES),
    }
    text = f'cacerts(name = "x", package = "data.{form}", time = "5.0")\n'

    tar = made_of(workspace, text, {f"data.{form}": data[form]})

    assert content_of(tar, "etc/ssl/certs/ca-certificates.crt") == b"A\nB\nown\n"
    assert content_of(tar, "usr/share/doc/ca-certificates/copyright") == b"free\n"
    found = members_of(tar)
    assert "usr/share/doc/ca-certificates/README" not in found
    assert {one.mtime for one in found.values()} == {5}
    assert {one.mode for one in found.values() if one.isfile()} == {0o555}
    assert {one.mode for one in found.values() if one.isdir()} == {0o755}
    assert workspace.files("//:x.crt") == {"x.crt": b"A\nB\nown\n"}


def test_scanners_know_a_package_by_its_control_archive(workspace: Workspace) -> None:
    text = 'dpkg_statusd(name = "x", package_name = "ca", control = "control.tar.xz")\n'

    tar = made_of(workspace, text, {"control.tar.xz": deb_parts(CERTIFICATES)["control.tar.xz"]})

    assert b"Version: 20230311" in content_of(tar, "var/lib/dpkg/status.d/ca")
    assert b"ca-certificates/copyright" in content_of(tar, "var/lib/dpkg/status.d/ca.md5sums")


def test_a_language_is_taken_alone_with_its_copyright(workspace: Workspace) -> None:
    files = {"data.tar.xz": deb_parts(LIBC)["data.tar.xz"]}

    tar = made_of(workspace, 'locale(name = "x", package = "data.tar.xz")\n', files)

    assert sorted(path for path, one in members_of(tar).items() if one.isfile()) == [
        "usr/lib/locale/C.utf8/LC_CTYPE",
        "usr/lib/locale/C.utf8/LC_MESSAGES/SYS_LC_MESSAGES",
        "usr/share/doc/libc-bin/copyright",
    ]
    assert members_of(tar)["usr/lib/locale/C.utf8"].mode == 0o755
    assert {one.mtime for one in members_of(tar).values()} == {0}


def test_a_language_that_is_not_there_is_told_with_those_that_are(workspace: Workspace) -> None:
    text = 'locale(name = "x", package = "data.tar.xz", charset = "C.UTF-8")\n'
    workspace.write({"BUILD": LOAD + text})
    workspace.write({"data.tar.xz": deb_parts(LIBC)["data.tar.xz"]})

    error = workspace.error("//:x")

    assert "//:x.part: data.tar.xz has no /usr/lib/locale/C.UTF-8" in error.message
    assert error.hint == "/usr/lib/locale has C.utf8, C.utf8x"


def test_a_key_store_has_certificates_of_all_files_where_java_looks(workspace: Workspace) -> None:
    one, two = certificate(called("one")), certificate(called("two"))
    text = (
        'java_keystore(name = "x", certificates = ["a.crt", "b.der"], mode = "0644",\n'
        '    time = "946684800")\n'
        'filegroup(name = "group", srcs = [":x"], output_group = "jks")\n'
    )

    tar = made_of(workspace, text, {"a.crt": pem(two), "b.der": der(one)})

    store = content_of(tar, "etc/ssl/certs/java/cacerts")
    assert [kept.alias for kept in entries_of(store)] == ["cn=one", "cn=two"]
    member = members_of(tar)["etc/ssl/certs/java/cacerts"]
    assert (member.mode, member.mtime) == (0o644, 946684800)
    assert workspace.files("//:group") == {"x.jks": store}


def test_control_archives_become_dpkg_s_status(workspace: Workspace) -> None:
    text = 'dpkg_status(name = "x", controls = ["a.tar.xz", "b.tar.xz", "c.deb"])\n'
    files = {
        "a.tar.xz": deb_parts(CERTIFICATES)["control.tar.xz"],
        "b.tar.xz": deb_parts(LIBC)["control.tar.xz"],
        "c.deb": deb_bytes(made("c")),
    }

    tar = made_of(workspace, text, files)

    first, second, rest = content_of(tar, "var/lib/dpkg/status").decode().split("\n\n")
    assert first.startswith("Package: ca-certificates\nStatus: install ok installed\nVersion: ")
    assert second.startswith("Package: libc-bin\nStatus: install ok installed\n")
    assert rest == ""
    # Its own tar has it there, too: in dpkg's status scanners would find it a second time.
    assert content_of(tar, "var/lib/dpkg/status.d/c").startswith(b"Package: c\n")


def test_a_tar_of_several_may_be_compressed(workspace: Workspace) -> None:
    data = deb_parts(LIBC)["data.tar.xz"]
    text = 'flatten(name = "x", tars = ["data.tar.xz"], compress = "xz")\n'

    tar = made_of(workspace, text, {"data.tar.xz": data})

    assert list(workspace.files("//:x")) == ["x.tar.xz"]
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:xz") as opened:
        assert "usr/bin/ldd" in opened.getnames()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ('cacerts(name = "x", package = "data.tar")', "no certificates below"),
        ('cacerts(name = "x", package = "text")', "text: "),
        ('cacerts(name = "x", package = "data.tar", time = "x")', "not a time"),
        ('cacerts(name = "x", package = "data.tar", mode = "rwx")', "not a mode"),
        ('java_keystore(name = "x", certificates = ["text"])', "text has no certificate"),
        ('java_keystore(name = "x", certificates = [])', "without certificates"),
        ('locale(name = "x", package = "data.tar", charset = "../C")', "not the name of a locale"),
        ('locale(name = "x", package = "data.tar")', "has no /usr/lib/locale/C.utf8"),
        ('flatten(name = "x", tars = ["data.tar"], compress = "lz4")', "not compressed with lz4"),
        ('flatten(name = "x", tars = ["data.tar"], compress = "rar")', "compress"),
        ('dpkg_status(name = "x", controls = ["data.tar"])', "has no control file"),
        ('dpkg_statusd(name = "x", control = "c.deb", package_name = "../x")', "not the name of"),
        ('dpkg_statusd(name = "x", control = ":two", package_name = "x")', "2 control archives"),
    ],
)
def test_what_cannot_be_taken_is_an_error(workspace: Workspace, call: str, message: str) -> None:
    workspace.write(
        {
            "BUILD": f'{LOAD}{call}\nfilegroup(name = "two", srcs = ["c.deb", "d.deb"])\n',
            "data.tar": lzma.decompress(deb_parts(made("x"))["data.tar.xz"]),
            "text": "text",
            "c.deb": deb_bytes(made("c")),
            "d.deb": deb_bytes(made("d")),
        }
    )

    assert message in workspace.error("//:x").message


def test_certificates_that_are_a_bomb_are_refused(workspace: Workspace) -> None:
    huge = made("x", files={"usr/share/ca-certificates/x": File(bytes(17 << 20))})
    workspace.write(
        {
            "BUILD": f'{LOAD}cacerts(name = "x", package = "x.deb")\n',
            "x.deb": ar(
                {
                    "debian-binary": b"2.0\n",
                    "control.tar.xz": deb_parts(made("x"))["control.tar.xz"],
                    "data.tar.gz": compressed(
                        lzma.decompress(deb_parts(huge)["data.tar.xz"]), "gz"
                    ),
                }
            ),
        }
    )

    assert "more than any bundle" in workspace.error("//:x").message
