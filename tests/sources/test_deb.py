"""Debian packages: every compression of their parts, and what is no package."""

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import pytest

from artificer.errors import ArtificerError
from artificer.layers.entry import DIRECTORY, FILE, SYMLINK, Span
from artificer.sources.debian.deb import BadPackage, fields_of, read_deb, status_entries
from artificer.store.blobs import open_store
from tests.parts.commands import missing

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CONTROL = b"""Package: libstdc++6
Version: 12.2.0-14
Architecture: amd64
Description: the library
 more
 .
"""
PACKS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstd.compress,
    ".lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
}


def tar(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        root = tarfile.TarInfo("./")
        root.type, root.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(root)
        for name, data in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def ar(**members: bytes) -> bytes:
    out = b"!<arch>\n"
    for name, data in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        out += data + b"\n" * (len(data) % 2)
    return out


def deb(data: bytes, suffix: str = "", **control: bytes) -> bytes:
    return ar(
        **{
            "debian-binary": b"2.0\n",
            "control.tar.gz": gzip.compress(tar(control=CONTROL, **control), mtime=0),
            f"data.tar{suffix}": PACKS[suffix](data),
        }
    )


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Callable[[], BinaryIO]]:
    store = open_store(str(tmp_path / "store"))
    with ExitStack() as stack:
        yield lambda: stack.enter_context(store.spool())


@pytest.mark.parametrize("suffix", [name for name in PACKS if name != ".lzma"])
def test_data_of_every_compression_is_read(
    tmp_path: Path, spool: Callable[[], BinaryIO], suffix: str
) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(deb(tar(a=b"hello", b=b""), suffix, md5sums=b"x  a\n", postinst=b"#!/bin/sh"))

    found = read_deb(str(path), spool)

    assert [(entry.path, entry.size) for entry in found.entries] == [("a", 5), ("b", 0)]
    source = found.entries[0].source
    assert isinstance(source, Span)
    with open(source.path, "rb") as file:
        file.seek(source.offset)
        assert file.read(5) == b"hello"
    assert (found.package.name, found.package.architecture) == ("libstdc++6", "amd64")
    assert found.package.acts == ("postinst",)


def test_the_status_file_has_the_whole_name(tmp_path: Path, spool: Callable[[], BinaryIO]) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(deb(tar(a=b""), ".xz", md5sums=b"x  a\n"))

    entries = status_entries(read_deb(str(path), spool).package, 0, "libstdc++6")

    assert [entry.path for entry in entries] == [
        "var/lib/dpkg/status.d/libstdc++6",
        "var/lib/dpkg/status.d/libstdc++6.md5sums",
    ]
    assert entries[0].source == CONTROL


def test_folded_fields_are_joined() -> None:
    assert dict(fields_of(CONTROL, "x"))["Description"] == "the library\nmore\n."


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no ar archive"),
        (b"!<arch>\n", "no debian-binary"),
        (b"!<arch>\n" + b"x" * 60, "damaged ar header"),
        (ar(**{"debian-binary": b"2.0\n"}), "no control.tar"),
        (deb(tar(a=b"hello"))[:-700], "cut short"),
        (ar(**{"debian-binary": b"3.0\n"}), "of a format that is not known: b'3.0"),
        (deb(tar()) + ar(**{"data.tar": tar()})[8:], "data.tar twice"),
        (ar(**{str(number): b"" for number in range(101)}), "more than 100 parts"),
        (
            ar(
                **{
                    "debian-binary": b"2.0\n",
                    "control.tar": tar(control=CONTROL + b"package: a\n"),
                }
            ),
            "a field stands twice",
        ),
        (ar(**{"debian-binary": b"2.0\n", "control.tar": tar(control=CONTROL)}), "no data.tar"),
        (ar(**{"debian-binary": b"2.0\n", "control.tar": tar(x=b"")}), "no control file"),
        (
            ar(**{"debian-binary": b"2.0\n", "control.tar": tar(control=b"Package: ../x\n")}),
            "names no package",
        ),
        (
            ar(**{"debian-binary": b"2.0\n", "control.tar": tar(control=b"nonsense\n")}),
            "control:1: not a field",
        ),
        (
            ar(
                **{
                    "debian-binary": b"2.0\n",
                    "control.tar": tar(control=CONTROL),
                    "data.tar": b"x" * 9,
                }
            ),
            "data|archive|tar",
        ),
        (
            ar(
                **{
                    "debian-binary": b"2.0\n",
                    "control.tar": tar(control=CONTROL),
                    "data.tar": tar(**{"../../etc/x": b""}),
                }
            ),
            "x.deb",
        ),
    ],
)
def test_what_is_no_package_says_why(
    tmp_path: Path, spool: Callable[[], BinaryIO], data: bytes, says: str
) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(data)

    with pytest.raises(ArtificerError, match=says):
        read_deb(str(path), spool)


def test_a_missing_package_says_so(spool: Callable[[], BinaryIO]) -> None:
    with pytest.raises(BadPackage, match="no such file"):
        read_deb("/nowhere/x.deb", spool)


def test_what_dpkg_builds_is_what_dpkg_unpacks(
    tmp_path: Path, spool: Callable[[], BinaryIO]
) -> None:
    if shutil.which("dpkg-deb") is None:
        missing("dpkg-deb")
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN" / "control").write_bytes(
        CONTROL.replace(b" .\n", b"") + b"Maintainer: me <me@example.org>\n"
    )
    (root / "usr" / "bin").mkdir(parents=True)
    (root / "usr" / "bin" / "tool").write_bytes(b"tool")
    (root / "usr" / "bin" / "tool").chmod(0o4755)
    (root / "usr" / "bin" / "link").symlink_to("tool")
    for kind in ("gzip", "xz", "none", "zstd"):
        path = str(tmp_path / f"{kind}.deb")
        done = subprocess.run(
            ["dpkg-deb", f"-Z{kind}", "--root-owner-group", "-b", str(root), path],
            capture_output=True,
        )
        if kind == "zstd" and done.returncode:
            continue  # dpkg before 1.21.18 reads, but does not write it

        found = {entry.path: entry for entry in read_deb(path, spool).entries}

        assert set(found) == {"usr", "usr/bin", "usr/bin/tool", "usr/bin/link"}
        assert (found["usr/bin/tool"].mode, found["usr/bin/tool"].kind) == (0o4755, FILE)
        assert (found["usr/bin/link"].kind, found["usr/bin/link"].link) == (SYMLINK, "tool")
        assert found["usr"].kind == DIRECTORY
