"""What packages of Java make: the store of certificates, alternatives with manuals."""

import base64

import pytest

from artificer.layers.entry import FILE, SYMLINK, Entry
from artificer.sources.debian.equivalents.files import Files, InTheWay
from artificer.sources.debian.equivalents.keystore import store_of
from artificer.sources.debian.installing.effects import replaced
from tests.sources.debian.workbench import files_of

STORE = "etc/ssl/certs/java/cacerts"
PLACE = "usr/share/ca-certificates/mozilla"


def file(path: str, data: bytes = b"") -> Entry:
    return Entry(path, FILE, 0o644, 0, 0, len(data), 0, "", data)


def trusted(name: str, der: bytes) -> tuple[Entry, Entry]:
    pem = b"-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n" % base64.encodebytes(der)
    target = f"/{PLACE}/{name}.crt"
    link = Entry(f"etc/ssl/certs/{name}.pem", SYMLINK, 0o777, 0, 0, 0, 0, target, None)
    return file(target[1:], pem), link


def with_java(*entries: Entry, mtime: int = 0) -> Files:
    files = files_of(file("usr/bin/java"), *entries, mtime=mtime)
    replaced([("java-certificates",)], files)
    return files


def test_whom_the_image_trusts_java_trusts() -> None:
    other = Entry("etc/ssl/certs/c.pem", SYMLINK, 0o777, 0, 0, 0, 0, "/srv/c.crt", None)
    waiting = file("var/lib/ca-certificates-java/fresh")
    entries = (*trusted("B", b"2"), *trusted("a", b"1"), other, waiting)

    files = with_java(*entries, mtime=7)

    # A Hashtable of 11 has them at 4 and 9, and begins with the last.
    held = [("debian:b.pem", 7000, b"2"), ("debian:a.pem", 7000, b"1")]
    assert files.read(STORE) == store_of(held)
    assert files.removed == {"var/lib/ca-certificates-java/fresh"}


def test_without_java_there_is_no_store() -> None:
    files = files_of(*trusted("a", b"1"))
    replaced([("java-certificates",)], files)

    assert not files.made


def test_a_store_that_is_there_is_not_overwritten() -> None:
    with pytest.raises(InTheWay, match="is there already"):
        with_java(file(STORE, b"mine"))


def test_a_program_of_java_has_a_manual_where_there_is_one() -> None:
    files = files_of(file("j/bin/a"), file("j/bin/b"), file("j/man/a.1.gz"))
    replaced(
        [
            (
                "java-program",
                f"/usr/bin/{n}",
                n,
                f"/j/bin/{n}",
                "7",
                f"/m/{n}",
                f"{n}.1",
                f"/j/man/{n}.1.gz",
            )
            for n in "ab"
        ],
        files,
    )

    links = {path: one.link for path, one in files.made.items() if one.kind == SYMLINK}
    assert links == {
        "etc/alternatives/a": "/j/bin/a",
        "etc/alternatives/a.1": "/j/man/a.1.gz",
        "etc/alternatives/b": "/j/bin/b",
        "m/a": "/etc/alternatives/a.1",
        "usr/bin/a": "/etc/alternatives/a",
        "usr/bin/b": "/etc/alternatives/b",
    }
