import bz2
import gzip
import io
import lzma
import os
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from artificer.layers.archive import Archives
from artificer.layers.entry import BLOCK, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry, Span
from artificer.layers.header import BadArchive
from artificer.layers.inflate import Corrupt
from artificer.layers.rules import Rules, parse_chmod, parse_chown
from artificer.layers.select import LocalPath, Source, TarFile, entries_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Spool = Callable[[], BinaryIO]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Files without a name, as the store gives them, open until the test ends."""
    opened: list[BinaryIO] = []

    def unnamed() -> BinaryIO:
        path = tmp_path / f"spool{len(opened)}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT)
        path.unlink()
        opened.append(os.fdopen(fd, "w+b"))
        return opened[-1]

    yield unnamed
    for file in opened:
        file.close()


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


SAMPLE = tar(
    member("./", type=tarfile.DIRTYPE, mode=0o700),
    member("./z/", type=tarfile.DIRTYPE, mode=0o2750, uid=7, gid=8, mtime=9),
    member("./z/file", b"some bytes", mode=0o4711, uid=7, mtime=9),
    member("./z/hard", type=tarfile.LNKTYPE, linkname="./z/file"),
    member("./a", type=tarfile.SYMTYPE, linkname="/z/file"),
    member("./disk", type=tarfile.BLKTYPE, devmajor=8, devminor=1),
    member("./pipe", type=tarfile.FIFOTYPE),
    member("./caps", b"x", pax_headers={"SCHILY.xattr.user.a": "1"}),
)


def read(entry: Entry) -> bytes:
    assert isinstance(entry.source, Span)
    with open(entry.source.path, "rb") as file:
        file.seek(entry.source.offset)
        return file.read(entry.size)


def entries(path: Path, spool: Spool, rules: Rules | None = None, dest: str = "") -> list[Entry]:
    return Archives(rules or Rules(), spool).entries(TarFile(str(path), dest))


def saved(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "sample.tar"
    path.write_bytes(data)
    return path


def test_members_are_kept_as_they_are_and_in_order(tmp_path: Path, spool: Spool) -> None:
    found = entries(saved(tmp_path, SAMPLE), spool)

    assert [entry[:8] for entry in found] == [
        ("z", DIRECTORY, 0o2750, 7, 8, 0, 9, ""),
        ("z/file", FILE, 0o4711, 7, 0, 10, 9, ""),
        ("z/hard", HARDLINK, 0o644, 0, 0, 0, 0, "z/file"),
        ("a", SYMLINK, 0o644, 0, 0, 0, 0, "/z/file"),
        ("disk", BLOCK, 0o644, 0, 0, 0, 0, ""),
        ("pipe", FIFO, 0o644, 0, 0, 0, 0, ""),
        ("caps", FILE, 0o644, 0, 0, 1, 0, ""),
    ]
    assert found[4].device == (8, 1)
    assert found[6].xattrs == (("user.a", b"1"),)
    assert read(found[1]) == b"some bytes"


def test_a_plain_archive_is_read_in_place(tmp_path: Path) -> None:
    def no_spool() -> BinaryIO:
        raise AssertionError

    path = saved(tmp_path, SAMPLE)
    source = entries(path, no_spool)[1].source

    assert isinstance(source, Span)
    assert source.path == str(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
@pytest.mark.parametrize("parts", [1, 3])
def test_a_compressed_archive_is_unpacked_once(
    tmp_path: Path, spool: Spool, pack: Callable[[bytes], bytes], parts: int
) -> None:
    size = -(-len(SAMPLE) // parts)
    data = b"".join(pack(SAMPLE[at : at + size]) for at in range(0, len(SAMPLE), size))

    found = entries(saved(tmp_path, data), spool)

    assert len(found) == 7
    assert read(found[1]) == b"some bytes"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_archive_may_come_through_a_pipe(spool: Spool, pack: Callable[[bytes], bytes]) -> None:
    archives = Archives(Rules(), spool, io.BytesIO(pack(SAMPLE)))

    found = archives.entries(TarFile("-"))

    assert read(found[1]) == b"some bytes"


def test_a_pipe_with_a_name_is_spooled(tmp_path: Path, spool: Spool) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    if os.fork() == 0:
        path.write_bytes(SAMPLE)
        os._exit(0)

    found = entries(path, spool)

    os.wait()
    assert read(found[1]) == b"some bytes"


def test_standard_input_has_to_be_there(spool: Spool) -> None:
    with pytest.raises(BadArchive, match="standard input"):
        Archives(Rules(), spool).entries(TarFile("-"))


def test_an_archive_goes_below_its_destination(tmp_path: Path, spool: Spool) -> None:
    found = entries(saved(tmp_path, SAMPLE), spool, dest="opt/it")

    assert [entry.path for entry in found][:4] == [
        "opt/it/z", "opt/it/z/file", "opt/it/z/hard", "opt/it/a",
    ]  # fmt: skip
    assert found[2].link == "opt/it/z/file"
    assert found[3].link == "/z/file"


def test_rules_change_what_they_name(tmp_path: Path, spool: Spool) -> None:
    rules = Rules(
        chmod=(parse_chmod("z/*=0600"),), chown=(parse_chown("a=5:6"),), archive_mtime=77
    )

    found = {entry.path: entry[2:7] for entry in entries(saved(tmp_path, SAMPLE), spool, rules)}

    assert found["z/file"] == (0o600, 7, 0, 10, 77)
    assert found["a"] == (0o644, 5, 6, 0, 77)
    assert found["z"] == (0o2750, 7, 8, 0, 77)


def test_archives_and_files_are_merged(tmp_path: Path, spool: Spool) -> None:
    (tmp_path / "z").mkdir()
    (tmp_path / "z/file").write_bytes(b"some bytes")
    (tmp_path / "z/file").chmod(0o755)
    (tmp_path / "z/more").touch()
    rules = Rules(chmod=(parse_chmod("**=0644"),), chown=(parse_chown("0"),))
    sources: list[Source] = [
        TarFile(str(saved(tmp_path, SAMPLE))),
        LocalPath(f"{tmp_path}/z"),
        LocalPath(f"{tmp_path}/z"),
    ]

    found = entries_of(sources, rules, archive=Archives(rules, spool).entries)

    assert [entry.path for entry in found] == [
        "z", "z/file", "z/more", "z/hard", "a", "disk", "pipe", "caps",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (member("../a"), "upwards"),
        (member("a/../../b"), "upwards"),
        (member("l", type=tarfile.LNKTYPE, linkname="/first"), "absolute"),
        (member("l", type=tarfile.LNKTYPE, linkname="../first"), "upwards"),
        (member("l", type=tarfile.LNKTYPE, linkname="nothing"), "not before it"),
        (member("l", type=tarfile.LNKTYPE, linkname="l"), "not before it"),
        (member("l", type=tarfile.LNKTYPE, linkname="d"), "not before it"),
        (member("a/.wh.b"), "begins with .wh."),
        (member(".wh..wh..opq"), "begins with .wh."),
    ],
)
def test_members_that_must_not_be_are_refused(
    tmp_path: Path, spool: Spool, bad: tuple[tarfile.TarInfo, bytes], message: str
) -> None:
    path = saved(tmp_path, tar(member("first"), member("d", type=tarfile.DIRTYPE), bad))

    with pytest.raises(BadArchive, match=message) as caught:
        entries(path, spool)

    assert caught.value.message.startswith(f"{path}: ")


def test_an_absolute_name_loses_its_slash(tmp_path: Path, spool: Spool) -> None:
    assert entries(saved(tmp_path, tar(member("/etc/x"))), spool)[0].path == "etc/x"


def test_broken_archives_name_the_file(tmp_path: Path, spool: Spool) -> None:
    path = saved(tmp_path, b"not a tar at all" * 100)
    with pytest.raises(BadArchive, match=r"sample\.tar: not a tar"):
        entries(path, spool)
    path.write_bytes(lzma.compress(SAMPLE)[:-30])
    with pytest.raises(Corrupt, match=r"sample\.tar: "):
        entries(path, spool)
    path.write_bytes(SAMPLE[:2000])
    with pytest.raises(BadArchive, match=r"sample\.tar: an archive that ends"):
        entries(path, spool)


def test_a_missing_archive_is_named(tmp_path: Path, spool: Spool) -> None:
    archives = Archives(Rules(), spool)
    with pytest.raises(Exception, match="missing: no such file"):
        entries_of([TarFile(f"{tmp_path}/missing")], Rules(), archive=archives.entries)


def test_an_archive_of_nothing_has_no_entries(tmp_path: Path, spool: Spool) -> None:
    assert entries(saved(tmp_path, tar()), spool) == []


def test_an_empty_file_is_no_archive(tmp_path: Path, spool: Spool) -> None:
    with pytest.raises(BadArchive, match="there is nothing in it"):
        entries(saved(tmp_path, b""), spool)
