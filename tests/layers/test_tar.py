import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.layers.entry import (
    BLOCK,
    CHAR,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
)
from artificer.layers.tar import BLOCK_SIZE, END, header, padding

FILE_HI = Entry("etc/hi", FILE, 0o644, 0, 0, 3, 0, "", b"hi\n")


def tar(*entries: Entry) -> bytes:
    parts = []
    for entry in entries:
        data = entry.source if isinstance(entry.source, bytes) else b""
        parts += [header(entry), data, padding(len(data))]
    return b"".join([*parts, END])


def members(*entries: Entry) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(tar(*entries)), mode="r:") as archive:
        return archive.getmembers()


def test_a_header_is_these_bytes() -> None:
    block = header(FILE_HI)

    assert block[:6] == b"etc/hi"
    assert block[100:124] == b"0000644\x000000000\x000000000\x00"
    assert block[124:148] == b"00000000003\x0000000000000\x00"
    assert block[148:157] == b"%06o\0 0" % (sum(block[:148]) + 8 * 32 + sum(block[156:]))
    assert block[257:265] == b"ustar\x0000"
    assert block[265:329] == bytes(64)
    assert block[329:345] == b"0000000\x000000000\x00"
    assert len(block) == BLOCK_SIZE


def test_a_directory_ends_with_a_slash_and_the_root_is_a_dot() -> None:
    etc = FILE_HI._replace(path="etc", kind=DIRECTORY, source=None)

    assert header(etc)[:5] == b"etc/\0"
    assert header(etc._replace(path=""))[:3] == b"./\0"
    assert header(etc)[124:136] == b"00000000000\0"


def test_nothing_but_files_has_a_size() -> None:
    link = FILE_HI._replace(kind=HARDLINK, link="etc/other", source=None)

    assert members(link)[0].size == 0


@pytest.mark.parametrize("length", [99, 100, 101, 155, 156, 255, 256, 257, 300, 5000])
@pytest.mark.parametrize("kind", [FILE, DIRECTORY])
def test_names_of_every_length_are_read_back(length: int, kind: str) -> None:
    for part in (8, 60, 99, 100, 101, 400):
        path = "/".join(["x" * part] * (length // part + 1))[:length].rstrip("/")
        entry = FILE_HI._replace(path=path, kind=kind, size=0, source=None)

        assert members(entry)[0].name == path


def test_a_name_is_split_before_pax_is_needed() -> None:
    path = "a" * 155 + "/" + "b" * 100

    assert len(header(FILE_HI._replace(path=path))) == BLOCK_SIZE
    assert len(header(FILE_HI._replace(path="a" + path))) == 3 * BLOCK_SIZE


@pytest.mark.parametrize(
    ("field", "most"),
    [
        ("size", 8 * 1024**3 - 1),
        ("uid", 2**21 - 1),
        ("gid", 2**21 - 1),
        ("mtime", 8 * 1024**3 - 1),
    ],
)
def test_a_number_one_larger_than_its_field_goes_into_pax(field: str, most: int) -> None:
    entry = FILE_HI._replace(source=None)
    for value, blocks in ((most, 1), (most + 1, 3)):
        block = header(Entry(**(entry._asdict() | {field: value})))

        assert len(block) == blocks * BLOCK_SIZE
        assert getattr(_first(block), field) == value


def test_a_time_before_1970_is_read_back() -> None:
    assert members(FILE_HI._replace(mtime=-5))[0].mtime == -5


def test_extended_attributes_are_sorted_raw_records() -> None:
    capability = b"\x01\x00\x00\x02\x00\n=\x00"
    entry = FILE_HI._replace(
        xattrs=(("user.b", b""), ("security.capability", capability), ("user.a", b"1"))
    )

    records = header(entry)[BLOCK_SIZE : 2 * BLOCK_SIZE].rstrip(b"\0")

    names = [b"security.capability=" + capability + b"\n", b"user.a=1\n", b"user.b=\n"]
    at = [records.index(b"SCHILY.xattr." + name) for name in names]
    assert at == sorted(at)


def test_gnu_tar_reads_back_what_is_not_utf8(tmp_path: Path) -> None:
    paths = [b"k\xe9", b"d/" + b"y" * 150 + b"\xe9", b"d/" + b"z" * 150 + "é".encode()]
    entries = [FILE_HI._replace(path=path.decode("utf-8", "surrogateescape")) for path in paths]
    archive = tmp_path / "a.tar"
    archive.write_bytes(tar(*entries))
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}

    subprocess.run(["tar", "-xf", archive], cwd=tmp_path, check=True, env=environment)

    assert all(os.path.exists(os.path.join(os.fsencode(tmp_path), path)) for path in paths)


def test_only_a_record_that_is_not_utf8_names_its_charset() -> None:
    long = "d/" + "y" * 150

    assert b"hdrcharset" not in header(FILE_HI._replace(path=long + "é"))
    assert b"21 hdrcharset=BINARY\n" in header(FILE_HI._replace(path=long + "\udce9"))


def _first(blocks: bytes) -> tarfile.TarInfo:
    with tarfile.open(fileobj=io.BytesIO(blocks + END), mode="r:") as archive:
        member = archive.next()
    assert member
    return member


_names = (
    st.binary(min_size=1, max_size=300)
    .map(lambda name: name.replace(b"\0", b"0").replace(b"/", b"_"))
    .map(lambda name: name.decode("utf-8", "surrogateescape"))
)
_paths = st.lists(_names, min_size=1, max_size=4).map("/".join).filter(lambda p: p[0] != ".")
_entries = st.builds(
    Entry,
    path=_paths,
    kind=st.sampled_from([FILE, HARDLINK, SYMLINK, CHAR, BLOCK, DIRECTORY, FIFO]),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32),
    gid=st.integers(0, 2**32),
    size=st.integers(0, 2**40),
    mtime=st.integers(-(2**36), 2**36),
    link=_paths,
    source=st.none(),
    xattrs=st.just(()),
    device=st.tuples(st.integers(0, 4095), st.integers(0, 2**20 - 1)),
)


@given(_entries)
def test_tarfile_reads_back_every_field(entry: Entry) -> None:
    linked = entry.kind in {HARDLINK, SYMLINK}
    entry = entry._replace(link=entry.link if linked else "")

    info = _first(header(entry))

    assert (info.name, info.type) == (entry.path, entry.kind.encode())
    assert (info.mode, info.uid, info.gid) == (entry.mode, entry.uid, entry.gid)
    assert (info.mtime, info.linkname) == (entry.mtime, entry.link)
    assert info.size == (entry.size if entry.kind == FILE else 0)
    assert (info.uname, info.gname) == ("", "")
    if entry.kind in {CHAR, BLOCK}:
        assert (info.devmajor, info.devminor) == entry.device
