"""What packages and images of others hold is read in bounded time, and leads nowhere else."""

import io
import tarfile
import time
from collections.abc import Callable

import pytest

from artificer.errors import ArtificerError
from artificer.layers.index import Index
from artificer.layers.tree import Tree
from artificer.sources.debian.archives.openpgp import NotOpenPgp, cleartext, dearmoured
from artificer.sources.debian.archives.sourceslist import BadSources, archives_of
from artificer.sources.debian.deb import BadPackage, fields_of, read_package
from artificer.sources.debian.equivalents.files import Files
from artificer.sources.debian.installing.database import file_entry, lines_in
from artificer.sources.debian.installing.effects import replaced
from artificer.sources.debian.installing.layout import Layout
from artificer.sources.debian.installing.replacing import replaces
from artificer.sources.debian.installing.scripts import known
from artificer.sources.debian.installing.stanza import control_fields
from artificer.sources.debian.installing.triggers import interests, known_interests
from artificer.sources.debian.installing.unpack import Placement
from tests.parts.archive import ar, made
from tests.sources.debian.workbench import Bench, files_of

MANY = 50_000
SHELL = b"#!/bin/sh\n"
SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"


@pytest.mark.parametrize(
    "read",
    [
        lambda: known(SHELL + b"\n" * MANY),
        lambda: known(SHELL + b"exec " * MANY + b"x\n"),
        lambda: known(SHELL + b"a=$(" * MANY),
        lambda: known(SHELL + b"case x in a) " * MANY),
        lambda: fields_of(b"A: b\n" + b" a\n" * MANY * 10, "x"),
        lambda: control_fields(b"A: b\n" + b" a\n" * MANY * 10),
        lambda: replaced([("ca-certificates",)], _certificates()),
        lambda: _links(Layout(None, {})),
    ],
)
def test_what_is_long_is_read_in_time(read: Callable[[], object]) -> None:
    before = time.process_time()

    read()

    assert time.process_time() - before < 5


def _links(layout: Layout) -> None:
    for number in range(MANY):
        layout.real(f"{number}/a")
    for number in range(MANY):
        layout.learn(str(number), "x")


def _certificates() -> Files:
    data = b"-----BEGIN CERTIFICATE-----\n" * MANY
    entry = file_entry("usr/share/ca-certificates/a.crt", data, 0)
    return files_of(entry)


def test_an_unfinished_signature_is_refused_in_time() -> None:
    before = time.process_time()

    with pytest.raises(NotOpenPgp):
        dearmoured(b"-----BEGIN PGP SIGNATURE-----\n" * MANY, "x")
    with pytest.raises(NotOpenPgp):
        cleartext(SIGNED + b"-----BEGIN PGP SIGNATURE-----\n" * MANY, "x")

    assert time.process_time() - before < 5


def test_a_line_of_archives_is_not_without_end() -> None:
    with pytest.raises(BadSources, match="x:1: a line of"):
        archives_of(b"deb http://x/ y z " + b"[ " * MANY, "x")


@pytest.mark.parametrize(
    "line",
    [
        "mkdir -p /etc/../../x",
        "mkdir -m u=rwx /x",
        "install -d -m u=rwx /x",
        "ln -s /etc/passwd /usr/../..",
        "touch '/a\nb'",
        "adduser --system a:0",
        "adduser --system --home '/x:y' a",
        "update-alternatives --install /usr/bin/x ../../etc/y /bin/z 10",
        "update-alternatives --install /usr/bin/x x /bin/z 10 --slave /usr/bin/y ../y /bin/a",
    ],
)
def test_a_script_that_leads_elsewhere_is_not_known(line: str) -> None:
    assert known(SHELL + line.encode()).unknown


def test_a_trigger_is_a_path_or_a_file_s_name() -> None:
    names = ("ldconfig", "/usr/lib", "../../etc/passwd", "a/b", "..", ".")
    text = "".join(f"interest {name}\n" for name in names).encode()
    files = {"var/lib/dpkg/triggers/File": b"../x a\n/usr/lib b\n"}

    assert [one.name for one in interests("a", text)] == ["ldconfig", "/usr/lib"]
    assert [one.name for one in known_interests(files)] == ["/usr/lib"]


@pytest.mark.parametrize("path", ["..", "a/..", "a/../..", "/..", "a/.", "", "./"])
def test_a_path_never_leads_out_of_the_root(path: str) -> None:
    for tree in (None, Tree([Index([])])):
        real = Layout(tree, {"l": "/../x"}).real(path)

        assert not real.startswith("/")
        assert not {".", ".."} & set(real.split("/"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("Architecture", "../../x"), ("Version", "1/../2"), ("Version", ""), ("Version", "a b")],
)
def test_a_package_is_called_as_packages_are(bench: Bench, field: str, value: str) -> None:
    (path,) = bench.paths(made("a")._replace(fields={field: value}))

    with pytest.raises(BadPackage, match=field.lower()):
        read_package(path)


def test_a_control_file_tells_of_one_package(bench: Bench) -> None:
    two = "it does nothing\n\nPackage: b\nVersion: 1\nArchitecture: all"
    (path,) = bench.paths(made("a", Description=two))

    with pytest.raises(BadPackage, match="control:9: more than one stanza"):
        read_package(path)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("./control", b"", "")], "control in its control archive is there twice"),
        ([("./postinst", b"", "control")], "postinst in its control archive is no file"),
        ([("./postinst", b"", "/bin/true")], "postinst in its control archive is no file"),
        ([(f"./{at}", b"", "") for at in range(1000)], "more than 1000 entries"),
        ([("../../evil", b"", "")], "goes upwards in the archive"),
    ],
    ids=["twice", "hard", "symbolic", "many", "upwards"],
)
def test_a_control_archive_has_files_once(
    bench: Bench, members: list[tuple[str, bytes, str]], said: str
) -> None:
    control = b"Package: a\nVersion: 1\nArchitecture: all\n"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data, link in [("./control", control, ""), *members]:
            info = tarfile.TarInfo(name)
            info.size, info.linkname = len(data), link
            links = tarfile.SYMTYPE if link.startswith("/") else tarfile.LNKTYPE
            info.type = links if link else tarfile.REGTYPE
            tar.addfile(info, io.BytesIO(data))
    path = bench.folder / "a.deb"
    parts = {"debian-binary": b"2.0\n", "control.tar": buffer.getvalue(), "data.tar": b""}
    path.write_bytes(ar(parts))

    with pytest.raises(ArtificerError, match=said):
        read_package(str(path))


def test_a_path_with_a_newline_is_refused_as_by_dpkg(bench: Bench) -> None:
    (deb,) = bench.debs(made("a", files={"usr/a\n/etc/shadow": "x"}))

    with pytest.raises(BadPackage, match="a: a name that no list can hold"):
        Placement(Layout(None, {}), replaces).add(deb)


def test_only_newlines_end_lines() -> None:
    assert lines_in("/a\u2028b\n/c\x0cd\n".encode()) == ["/a\u2028b", "/c\x0cd"]
    assert fields_of("A: b\u2028c\n d\x0ce\n".encode(), "x") == (("A", "b\u2028c\nd\x0ce"),)
    assert lines_in(b"") == []
