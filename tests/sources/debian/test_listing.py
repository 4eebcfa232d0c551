"""Lists of packages as images have them."""

import pytest

from artificer.layers.entry import DIRECTORY, FILE, SYMLINK
from artificer.layers.index import File, Index
from artificer.layers.tree import Tree
from artificer.sources.debian.listing import (
    Changed,
    Distribution,
    changes,
    distribution,
    files_of,
    installed,
    listed,
    release_of,
    size_of,
    source_of,
)
from artificer.sources.debian.purl import purl_of

STATUS = b"""\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: glibc
Version: 2.36-9
Description: a library
 of C

Package: old
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: bash
Status: install ok unpacked
Architecture: amd64
Source: shells (5.2)
Version: 5.2-1+b1
"""


JESSIE = "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie"
STRETCH = "pkg:deb/debian/dpkg@1.19.0.4?arch=amd64&distro=stretch"
UBUNTU = "pkg:deb/ubuntu/g%2B%2B@4:12~1%2Bb1?arch=all&distro=Ubuntu-22.04"


def tree(*paths: str, links: tuple[tuple[str, str], ...] = ()) -> Tree:
    files = [File(path, FILE, 0o644, 0, 0, 1, 0, 0) for path in paths]
    files += [File(path, SYMLINK, 0o777, 0, 0, 0, 0, 0, to) for path, to in links]
    return Tree([Index(files)])


def test_a_database_lists_what_is_there_and_not_what_was_removed() -> None:
    bash, libc = installed({"var/lib/dpkg/status": STATUS})

    assert (bash.name, bash.version, bash.status) == ("bash", "5.2-1+b1", "unpacked")
    assert (libc.name, libc.architecture, libc.status) == ("libc6", "amd64", "installed")
    assert libc.field("multi-arch") == "same"


def test_a_source_is_the_package_itself_unless_it_says_otherwise() -> None:
    bash, libc = installed({"status": STATUS})
    own = installed({"one": b"Package: a\nVersion: 1\nArchitecture: all\n"})[0]

    assert source_of(bash) == ("shells", "5.2")
    assert source_of(libc) == ("glibc", "2.36-9")
    assert source_of(own) == ("a", "1")


def test_files_of_status_d_have_no_status_and_are_installed() -> None:
    found = installed(
        {
            "status.d/b": b"Package: b\nVersion: 2\nArchitecture: all\n",
            "status.d/a": b"Package: a\nVersion: 1\nArchitecture: all",
            "status.d/odd": b"",
        }
    )

    assert [(one.name, one.status) for one in found] == [("a", "installed"), ("b", "installed")]


def test_of_a_package_that_two_files_list_the_first_counts() -> None:
    found = installed(
        {
            "status": b"Package: a\nStatus: install ok installed\nVersion: 2\n",
            "status.d/a": b"Package: a\nVersion: 1\n",
        }
    )

    assert [one.version for one in found] == ["2"]


def test_a_package_is_where_it_is_there_and_was_not_removed() -> None:
    found = listed(
        {
            "status": STATUS,
            "status.d/old": b"Package: old\nVersion: 2\nArchitecture: amd64\n",
            "status.d/libc6": b"Package: libc6\nVersion: 2\nArchitecture: amd64\n",
        }
    )

    assert [(one.package.name, one.package.version, one.path) for one in found] == [
        ("bash", "5.2-1+b1", "status"),
        ("libc6", "2.36-9", "status"),
        ("old", "2", "status.d/old"),
    ]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("Installed-Size: 12\n", 12288),
        ("installed-size: 1\n", 1024),
        ("", None),
        ("Installed-Size: -1\n", None),
        (f"Installed-Size: {'9' * 5000}\n", None),
    ],
)
def test_a_size_is_what_the_package_says_in_bytes(text: str, size: int | None) -> None:
    (one,) = installed({"a": b"Package: a\nVersion: 1\n" + text.encode()})

    assert size_of(one) == size


@pytest.mark.parametrize(
    ("stanza", "system", "purl"),
    [
        # The examples of the specification.
        ("curl 7.50.3-1 i386", Distribution("debian", codename="jessie"), JESSIE),
        ("dpkg 1.19.0.4 amd64", Distribution("debian", codename="stretch"), STRETCH),
        ("g++ 4:12~1+b1 all", Distribution("Ubuntu", "22.04"), UBUNTU),
        ("a 1 ", Distribution("debian"), "pkg:deb/debian/a@1"),
        ("a 1 all", Distribution(), None),
    ],
)
def test_a_package_has_a_url_of_its_own(
    stanza: str, system: Distribution, purl: str | None
) -> None:
    name, version, architecture = stanza.split(" ")
    text = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
    (one,) = installed({"a": text.encode()})

    assert purl_of(one, system) == purl


def test_both_places_of_packages_are_read_without_the_sums() -> None:
    it = tree("var/lib/dpkg/status", "var/lib/dpkg/status.d/a", "var/lib/dpkg/status.d/a.md5sums")

    assert files_of(it) == ("var/lib/dpkg/status", "var/lib/dpkg/status.d/a")
    assert files_of(tree("etc/passwd")) == ()


def test_a_directory_in_the_place_of_the_database_is_none() -> None:
    odd = Tree([Index([File("var/lib/dpkg/status", DIRECTORY, 0o755, 0, 0, 0, 0, 0)])])

    assert files_of(odd) == ()


def test_os_release_is_found_through_its_link() -> None:
    linked = tree("usr/lib/os-release", links=(("etc/os-release", "../usr/lib/os-release"),))

    assert release_of(linked) == "etc/os-release"
    assert release_of(tree("usr/lib/os-release")) == "usr/lib/os-release"
    assert release_of(tree("bin/sh")) is None


def test_os_release_is_read_as_a_shell_would() -> None:
    found = distribution(
        b'# it\nID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian \\"12\\""\nodd\n'
        b"VERSION_CODENAME=bookworm\n"
    )

    assert found == ("debian", "12", 'Debian "12"', "bookworm")


def test_changes_are_what_was_added_removed_and_upgraded() -> None:
    def packages(text: str) -> bytes:
        lines = (word.partition("=") for word in text.split())
        return "\n\n".join(f"Package: {name}\nVersion: {to}" for name, _, to in lines).encode()

    before = installed({"a": packages("same=1 gone=1 up=1")})
    after = installed({"a": packages("same=1 new=3 up=2")})

    assert changes(before, after) == (
        Changed("gone", "", "1", None),
        Changed("new", "", None, "3"),
        Changed("up", "", "1", "2"),
    )
    assert changes(before, before) == ()
