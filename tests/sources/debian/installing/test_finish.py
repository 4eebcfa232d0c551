"""What is left of a configured installation, and Java's store of certificates."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry
from artificer.sources.debian.equivalents.keystore import without_times
from artificer.sources.debian.installing.finish import Finished, finish

CHANGEIT = "changeit".encode("utf-16-be") + b"Mighty Aphrodite"


def entry(path: str, data: bytes = b"x", kind: str = FILE, link: str = "") -> Entry:
    if kind == DIRECTORY:
        return Entry(path, kind, 0o755, 0, 0, 0, 0, "", None)
    size = len(data) if kind == FILE else 0
    return Entry(path, kind, 0o644, 0, 0, size, 0, link, data if kind == FILE else None)


def read(one: Entry) -> bytes:
    assert isinstance(one.source, bytes)
    return one.source


def finished(*entries: Entry, temporary: tuple[str, ...] = ()) -> Finished:
    return finish(entries, read, temporary=temporary)


@pytest.mark.parametrize(
    "path",
    [
        "var/log/dpkg.log",
        "var/log/apt/history.log",
        "var/cache/apt/pkgcache.bin",
        "var/cache/ldconfig/aux-cache",
        "var/cache/debconf/config.dat-old",
        "var/lib/dpkg/status-old",
        "var/lib/dpkg/lock",
        "var/lib/dpkg/updates/0001",
        "var/lib/apt/lists/lock",
        "etc/passwd-",
        "etc/.pwd.lock",
        "tmp/left",
        "run/lock/left",
        "usr/sbin/policy-rc.d",
    ],
)
def test_what_no_image_needs_is_dropped(path: str) -> None:
    done = finished(entry(path), entry("etc/kept"), temporary=("usr/sbin/policy-rc.d",))

    assert [one.path for one in done.entries] == ["etc/kept"]
    assert not done.keys


@pytest.mark.parametrize(
    "path",
    [
        "etc/passwd",
        "var/lib/dpkg/status",
        "var/lib/dpkg/info/a.list",
        "var/cache/debconf/config.dat",
        "usr/lib/tmp/x",
        "var/lib/dpkg/.wh.lock-old",
    ],
)
def test_what_belongs_to_the_packages_stays(path: str) -> None:
    assert [one.path for one in finished(entry(path)).entries] == [path]


def test_directories_that_were_left_for_a_while_are_dropped() -> None:
    folder = entry("tmp/hsperfdata_root", b"")._replace(kind=DIRECTORY, source=None)
    hidden = entry("tmp/.wh.old", b"")

    assert finished(folder, hidden).entries == [hidden]


def test_directories_and_empty_logs_stay_for_their_owners() -> None:
    log = entry("var/log/nginx/access.log", b"")._replace(uid=33)
    folder = entry("var/log/nginx", kind=DIRECTORY)

    assert finished(folder, log, entry("var/cache/apt", kind=DIRECTORY)).entries == [
        folder,
        log,
        entry("var/cache/apt", kind=DIRECTORY),
    ]


def test_keys_that_all_containers_would_share_are_dropped_and_told() -> None:
    link = entry("etc/ssl/certs/1234.0", kind=SYMLINK, link="ssl-cert-snakeoil.pem")
    keys = ("etc/ssh/ssh_host_rsa_key", "etc/ssl/private/ssl-cert-snakeoil.key")

    done = finished(*map(entry, keys), entry("etc/ssl/certs/ssl-cert-snakeoil.pem"), link)

    assert not done.entries
    assert done.keys == (*keys, "etc/ssl/certs/ssl-cert-snakeoil.pem")


def test_a_machine_s_identity_is_left_empty() -> None:
    (left,) = finished(entry("etc/machine-id", b"0123456789abcdef\n")).entries

    assert (left.size, left.source) == (0, b"")


def test_what_links_to_a_dropped_file_becomes_the_file() -> None:
    links = [entry(f"opt/{name}", kind=HARDLINK, link="tmp/first") for name in "ab"]

    done = finished(entry("tmp/first", b"bytes"), *links)

    assert [(one.path, one.kind, one.link) for one in done.entries] == [
        ("opt/a", FILE, ""),
        ("opt/b", HARDLINK, "opt/a"),
    ]
    assert read(done.entries[0]) == b"bytes"


def store(*times: int) -> bytes:
    body = struct.pack(">III", 0xFEEDFEED, 2, len(times))
    for number, time in enumerate(times):
        alias = f"ca-{number}".encode()
        body += struct.pack(">IH", 2, len(alias)) + alias + struct.pack(">q", time)
        body += struct.pack(">H", 5) + b"X.509" + struct.pack(">I", 3) + b"der"
    return body + hashlib.sha1(CHANGEIT + body, usedforsecurity=False).digest()


def test_times_in_java_s_store_are_one_time() -> None:
    assert without_times(store(17, 18), 5000) == store(5000, 5000)
    (left,) = finished(entry("etc/ssl/certs/java/cacerts", store(1, 2))).entries
    assert left.source == store(0, 0)


@given(st.binary(max_size=80))
def test_what_is_no_store_stays_as_it_is(data: bytes) -> None:
    assert without_times(data, 0) == data


@given(st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_a_damaged_store_stays_as_it_is(at: int, garbage: bytes) -> None:
    body = store(1, 2)[:-20]
    damaged = body[:at] + garbage + body[at + len(garbage) :]
    whole = damaged + hashlib.sha1(CHANGEIT + damaged, usedforsecurity=False).digest()

    assert len(without_times(whole, 0)) == len(whole)
