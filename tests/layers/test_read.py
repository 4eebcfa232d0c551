import bz2
import gzip
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import deflate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer import limits
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
from artificer.layers.header import BadArchive, number, pax_number, pax_records
from artificer.layers.inflate import Bomb, Corrupt, plain
from artificer.layers.read import Limits, Member, layer_members, members
from artificer.layers.tape import FileTape, StreamTape
from artificer.layers.tar import END, header, padding

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def tar(*entries: Entry) -> bytes:
    parts = []
    for entry in entries:
        data = entry.source if isinstance(entry.source, bytes) else b""
        parts += [header(entry), data, padding(len(data))]
    return b"".join([*parts, END])


def file(path: str, data: bytes = b"", **fields: object) -> Entry:
    entry = Entry(path, FILE, 0o644, 0, 0, len(data), 0, "", data)
    return entry._replace(**fields)  # type: ignore[arg-type]


def untar(chunks: Iterable[bytes], limit: Limits | None = None) -> list[Entry]:
    found: Iterator[Member] = layer_members(chunks, limit or Limits())
    return [
        member.entry._replace(source=b"".join(member.chunks()))
        if member.entry.kind == FILE
        else member.entry
        for member in found
    ]


def made(*infos: tarfile.TarInfo, format: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(bytes(info.size)) if info.isreg() else None)
    return out.getvalue()


def info(name: str, **fields: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(found, key, value)
    return found


def patched(data: bytes, at: int, new: bytes) -> bytes:
    """Return an archive with other bytes in its first header, and the checksum that they have."""
    block = bytearray(data[:512])
    block[at : at + len(new)] = new
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + data[512:]


NAMES = st.lists(
    st.text(
        st.characters(codec="utf-8", exclude_characters="/\0") | st.sampled_from("\udc80\udcff"),
        min_size=1,
        max_size=60,
    ).filter(lambda name: name not in {".", ".."}),
    min_size=1,
    max_size=6,
).map("/".join)
LINKS = NAMES | NAMES.map(lambda name: f"/../{name}")
IDS = st.integers(0, 2**32 - 1)
XATTRS = st.dictionaries(
    st.sampled_from(["user.a", "user.b=c", "security.capability"]).filter(lambda n: "=" not in n),
    st.binary(max_size=40),
).map(lambda found: tuple(sorted(found.items())))


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    kind = draw(st.sampled_from([FILE, HARDLINK, SYMLINK, CHAR, BLOCK, DIRECTORY, FIFO]))
    data = draw(st.binary(max_size=1500)) if kind == FILE else None
    link = {SYMLINK: LINKS, HARDLINK: NAMES}.get(kind)
    return Entry(
        draw(NAMES),
        kind,
        draw(st.integers(0, 0o7777)),
        draw(IDS),
        draw(IDS),
        len(data or b""),
        draw(st.integers(-(2**40), 2**40)),
        "" if link is None else draw(link),
        data,
        draw(XATTRS),
        draw(st.tuples(st.integers(0, 2**20), st.integers(0, 2**20)))
        if kind in {CHAR, BLOCK}
        else (0, 0),
    )


@given(st.lists(entries(), max_size=6), st.integers(1, 3000))
def test_what_is_written_is_read_back(written: list[Entry], size: int) -> None:
    data = tar(*written)

    assert untar(data[at : at + size] for at in range(0, len(data), size)) == written


@given(st.lists(entries(), max_size=6), st.integers(100, 5000))
def test_every_compression_is_recognised(written: list[Entry], size: int) -> None:
    data = tar(*written)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]

    members_of_gzip = b"".join(deflate.gzip_compress(piece, 1) for piece in pieces)
    frames_of_zstd = b"".join(zstd.compress(piece) for piece in pieces)
    skipped = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"
    for packed in (data, members_of_gzip, frames_of_zstd, skipped + frames_of_zstd):
        assert untar([packed]) == written
        assert untar(packed[at : at + 7] for at in range(0, len(packed), 7)) == written


@given(st.binary(max_size=3000))
def test_garbage_is_refused_or_empty(data: bytes) -> None:
    try:
        found = untar([data])
    except (BadArchive, Bomb, Corrupt):
        return
    assert found == []


@given(st.lists(entries(), min_size=1, max_size=3), st.data())
def test_an_archive_that_is_cut_short_is_refused(
    written: list[Entry], data: st.DataObject
) -> None:
    whole = tar(*written)[: -len(END)]
    cut = data.draw(st.integers(1, len(whole) - 1))

    try:
        assert len(untar([whole[:cut]])) < len(written)
    except (BadArchive, Bomb):
        return
    assert cut % 512 == 0


def test_bytes_that_nobody_takes_are_passed_over() -> None:
    data = tar(file("a", b"x" * 1000), file("b", b"yy"))

    found = []
    for member in layer_members([data]):
        found.append((member.entry.path, member.offset))
        next(member.chunks(), None)

    assert found == [("a", 512), ("b", 512 * 4)]


def test_a_file_is_read_without_reading_what_is_skipped(tmp_path: object) -> None:
    data = tar(file("a", b"x" * 100_000), file("b", b"yy"))
    reads = []

    class File(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            reads.append(size or 0)
            return super().read(size) or b""

    path = f"{tmp_path}/a.tar"
    with open(path, "wb") as out:
        out.write(data)
    with File(path) as raw:
        found = [member.entry.path for member in members(FileTape(raw))]

    assert found == ["a", "b"]
    assert sum(reads) < 10_000


def test_everything_behind_the_end_is_read_for_whoever_verifies_it() -> None:
    seen = []

    def chunks() -> Iterator[bytes]:
        for chunk in (tar(file("a")), b"trailing", b"bytes"):
            seen.append(chunk)
            yield chunk

    assert len(untar(chunks())) == 1
    assert len(seen) == 3


def test_an_archive_without_an_end_is_whole() -> None:
    assert len(untar([tar(file("a", b"x"))[: -len(END)]])) == 1
    assert untar([]) == untar([b""]) == []


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("./a", "a"),
        ("/a", "a"),
        ("a//b/", "a/b"),
        ("a/./b", "a/b"),
        ("..a", "..a"),
        ("a..", "a.."),
    ],
)
def test_names_are_put_in_order(name: str, path: str) -> None:
    assert untar([made(info(name))])[0].path == path


@pytest.mark.parametrize("name", ["..", "../a", "a/../../b", "a/..", "/..", "a/../b"])
def test_names_that_go_upwards_are_refused(name: str) -> None:
    with pytest.raises(BadArchive, match="upwards"):
        untar([made(info(name))])
    with pytest.raises(BadArchive, match="upwards"):
        untar([made(info("a", type=tarfile.LNKTYPE, linkname=name))])


def test_links_are_read_as_they_are() -> None:
    data = made(
        info("a", type=tarfile.SYMTYPE, linkname="/../x"),
        info("b", type=tarfile.LNKTYPE, linkname="/a"),
        info("c", type=tarfile.LNKTYPE, linkname="./a"),
    )

    found = list(layer_members([data]))

    assert [member.entry.link for member in found] == ["/../x", "a", "a"]
    assert [member.absolute for member in found] == [True, True, False]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_to_nothing_is_refused(kind: bytes) -> None:
    with pytest.raises(BadArchive, match="without a target"):
        untar([made(info("a", type=kind, linkname=""))])


def test_the_root_is_a_directory_without_a_name() -> None:
    assert untar([made(info("./", type=tarfile.DIRTYPE))])[0].path == ""
    with pytest.raises(BadArchive, match="without a name"):
        untar([made(info("./"))])


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_gnu_and_pax_extensions_are_read(format: int) -> None:
    long = "d" * 90 + "/" + "n" * 200
    data = made(
        info(long, uid=3_000_000, mtime=2**35, size=10),
        info("l", type=tarfile.SYMTYPE, linkname=long),
        info("h", type=tarfile.LNKTYPE, linkname=long),
        info("c", type=tarfile.CHRTYPE, devmajor=5, devminor=3),
        format=format,
    )

    first, link, hard, device = untar([data])

    assert (first.path, first.uid, first.mtime, first.size) == (long, 3_000_000, 2**35, 10)
    assert (link.link, hard.link, hard.size) == (long, long, 0)
    assert (device.kind, device.device) == (CHAR, (5, 3))


def test_global_headers_are_defaults() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", pax_headers={"mtime": "7.9"}) as archive:
        archive.addfile(info("a"))
        archive.addfile(info("b"))

    assert [entry.mtime for entry in untar([out.getvalue()])] == [7, 7]


def test_global_headers_cannot_name_members() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", pax_headers={"path": "b"}) as archive:
        archive.addfile(info("a"))

    with pytest.raises(BadArchive, match="says path of all"):
        untar([out.getvalue()])


def test_tars_from_before_posix_are_read() -> None:
    data = patched(made(info("d"), format=tarfile.USTAR_FORMAT), 257, bytes(8))
    directory = patched(patched(data, 156, b"\0"), 0, b"d/")

    assert untar([data])[0].kind == FILE
    assert untar([directory])[0].kind == DIRECTORY


@pytest.mark.parametrize(
    ("letter", "named"),
    [(b"S", "sparse"), (b"M", "multi-volume"), (b"V", "volume label"), (b"?", "unknown type")],
)
def test_what_cannot_be_read_is_refused_by_name(letter: bytes, named: str) -> None:
    with pytest.raises(BadArchive, match=named) as caught:
        untar([patched(made(info("file"), format=tarfile.GNU_FORMAT), 156, letter)])

    assert "file" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("key", ["GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.size"])
def test_sparse_files_of_pax_are_refused_by_name(key: str) -> None:
    with pytest.raises(BadArchive, match=f"sparse file.*{key}"):
        untar([made(info("a", pax_headers={key: "1"}))])


@pytest.mark.parametrize(
    ("at", "field"),
    [
        (100, b"0000 44\0"),
        (124, b"0x000000000\0"),
        (124, b"-0000000001\0"),
        (124, b"\xff" * 12),
        (108, b"\xff" * 8),
        (124, b"1_000000000\0"),
    ],
)
def test_numbers_that_are_none_are_refused(at: int, field: bytes) -> None:
    with pytest.raises(BadArchive):
        untar([patched(made(info("a"), format=tarfile.USTAR_FORMAT), at, field)])


def test_numbers_are_read_in_both_notations() -> None:
    assert number(b"0000644\0") == number(b"   644 \0") == number(b"644\0\0\0\0\0") == 0o644
    assert number(bytes(8)) == 0
    assert number(b"\x80" + bytes(10) + b"\x05") == 5
    assert number(b"\xff" * 12) == -1


@pytest.mark.parametrize("form", ["v7", "ustar", "oldgnu", "gnu", "posix"])
def test_gnu_tars_formats_are_read(tmp_path: Path, form: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/file").write_bytes(b"hello")
    (tmp_path / "d/run").touch(0o755)
    os.link(tmp_path / "d/file", tmp_path / "d/hard")
    (tmp_path / "d/link").symlink_to("file")
    words = ["--sort=name", "--owner=5", "--group=6", "--mtime=@7", f"--format={form}"]
    packed = subprocess.run(
        ["tar", "-C", tmp_path, "-c", *words, "d"], check=True, capture_output=True
    ).stdout

    directory, first, hard, link, run = untar([packed])

    assert (directory.path, directory.kind) == ("d", DIRECTORY)
    assert (first.path, first.source, first.uid, first.gid, first.mtime) == (
        "d/file", b"hello", 5, 6, 7,
    )  # fmt: skip
    assert (hard.kind, hard.link, link.kind, link.link) == (HARDLINK, "d/file", SYMLINK, "file")
    assert run.mode == 0o755


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--format=gnu"], "sparse file .GNU."),
        (["--format=posix", "--sparse-version=0.0"], "sparse file .pax"),
        (["--format=posix", "--sparse-version=0.1"], "sparse file .pax"),
        (["--format=posix", "--sparse-version=1.0"], "sparse file .pax, GNU.sparse.major=1"),
    ],
)
def test_gnu_tars_sparse_files_are_refused_by_name(
    tmp_path: Path, words: list[str], named: str
) -> None:
    with (tmp_path / "holes").open("wb") as out:
        out.truncate(1 << 20)
    packed = subprocess.run(
        ["tar", "-C", tmp_path, "-cS", *words, "holes"], check=True, capture_output=True
    ).stdout

    with pytest.raises(BadArchive, match=f"{named}.*holes") as caught:
        untar([packed])

    assert "without `--sparse`" in (caught.value.hint or "")


def test_a_wrong_checksum_is_refused() -> None:
    data = bytearray(tar(file("a")))
    data[0] ^= 1
    with pytest.raises(BadArchive, match="checksum"):
        untar([bytes(data)])


def test_checksums_of_signed_bytes_are_accepted() -> None:
    data = bytearray(tar(file("\udcff")))
    said = int(data[148:154], 8) - 256
    data[148:156] = b"%06o\0 " % said
    assert untar([bytes(data)])[0].path == "\udcff"


@pytest.mark.parametrize(
    "record",
    [b"5 a=\n", b"7 a=b\n", b"6 ab\n\n", b"x", b"6 a=bc", b"99999999 a=b\n", b"4 =\n", b"0 a=b\n"],
)
def test_records_that_cannot_be_read_are_refused(record: bytes) -> None:
    if record == b"5 a=\n":
        assert pax_records(record) == {"a": b""}
        return
    with pytest.raises(BadArchive):
        pax_records(record)


@pytest.mark.parametrize(
    ("text", "seconds"), [(b"1.5", 1), (b"-1.5", -2), (b"-2.0", -2), (b"", 9), (b"12", 12)]
)
def test_times_are_cut_to_whole_seconds(text: bytes, seconds: int) -> None:
    assert pax_number({"mtime": text}, "mtime", 9) == seconds


def test_times_that_are_none_are_refused() -> None:
    with pytest.raises(BadArchive):
        pax_number({"mtime": b"1e9"}, "mtime", 0)


def path_of(size: int) -> str:
    """Return a path of *size* bytes, few components deep."""
    path = "/".join(["n" * 199] * (size // 200 + 1))[:size]
    return path[:-1] + "n"


def test_a_name_has_at_most_4096_bytes() -> None:
    assert len(untar([tar(file(path_of(limits.NAME_BYTES)))])[0].path) == 4096
    with pytest.raises(BadArchive, match="4096 bytes"):
        untar([tar(file(path_of(limits.NAME_BYTES + 1)))])


def test_a_links_target_has_at_most_4096_bytes() -> None:
    link = Entry("a", SYMLINK, 0o777, 0, 0, 0, 0, path_of(limits.NAME_BYTES), None)
    assert untar([tar(link)]) == [link]
    with pytest.raises(BadArchive, match="4096 bytes"):
        untar([tar(link._replace(link=path_of(limits.NAME_BYTES + 1)))])


def test_a_name_has_at_most_255_components() -> None:
    assert untar([tar(file("/".join(["a"] * limits.DEPTH)))])
    with pytest.raises(BadArchive, match="255"):
        untar([tar(file("/".join(["a"] * (limits.DEPTH + 1))))])


def test_an_archive_has_at_most_so_many_entries() -> None:
    assert Limits().entries == limits.ENTRIES == 1_000_000
    data = tar(*(file(f"f{number}") for number in range(5)))
    assert len(untar([data], Limits(entries=5))) == 5
    with pytest.raises(Bomb, match="more than 4 entries"):
        untar([data], Limits(entries=4))


def test_extended_headers_have_at_most_so_many_bytes() -> None:
    assert Limits().pax_bytes == limits.PAX_BYTES
    data = tar(file("a", xattrs=(("user.a", b"x" * 1000),)))
    size = int(data[124:135], 8)
    assert untar([data], Limits(pax_bytes=size))
    with pytest.raises(Bomb, match="extended headers"):
        untar([data], Limits(pax_bytes=size - 1))


def test_extended_headers_without_a_member_do_not_pile_up() -> None:
    one = tar(file("a", xattrs=(("user.a", b"x" * 1000),)))[: -1024 - 512]
    assert pax_records(one[512:]) != {}
    with pytest.raises(Bomb, match="extended headers"):
        untar([one * 1200])


def test_data_expands_at_most_a_thousand_times() -> None:
    size = 3 << 20
    for packed in (gzip.compress(bytes(size)), zstd.compress(bytes(size))):
        most = -(-size // len(packed))
        assert sum(map(len, plain([packed], expansion=most, free=0))) == size
        with pytest.raises(Bomb, match="times its size"):
            sum(map(len, plain([packed], expansion=most - 1, free=0)))


def test_up_to_a_gibibyte_the_ratio_is_nobodys_business() -> None:
    most, mebibyte = limits.EXPANSION_FREE, zstd.compress(bytes(1 << 20))
    assert most == 1 << 30
    packed = mebibyte * (most >> 20)
    assert len(packed) * limits.EXPANSION < most

    assert sum(map(len, plain([packed]))) == most
    with pytest.raises(Bomb):
        sum(map(len, plain([packed + zstd.compress(b"0")])))


def test_zeros_may_follow_compressed_data() -> None:
    packed = gzip.compress(tar(file("a")))
    assert len(untar([packed + bytes(600)])) == 1
    assert len(untar([packed, bytes(40000), bytes(3)])) == 1


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_broken_compression_is_refused(pack: object) -> None:
    packed = pack(tar(file("a", bytes(range(256)) * 9)))  # type: ignore[operator]
    with pytest.raises(Corrupt, match="too early"):
        list(plain([packed[:-9]]))
    with pytest.raises(Corrupt, match="broken"):
        list(plain([packed + b"garbage that is longer than the header of any member"]))


def test_checksums_of_gzip_are_verified() -> None:
    packed = bytearray(gzip.compress(tar(file("a", bytes(range(256)) * 9))))
    packed[-6] ^= 0xFF
    with pytest.raises(Corrupt, match="broken"):
        list(plain([bytes(packed)]))


def test_layers_are_not_read_as_bzip2() -> None:
    with pytest.raises(BadArchive):
        untar([bz2.compress(tar(file("a")))])


def test_a_stream_is_read_in_any_pieces() -> None:
    tape = StreamTape([b"ab", b"", b"cdef"])
    assert (tape.read(3), tape.skip(1), tape.read(9), tape.offset) == (b"abc", 1, b"ef", 6)
    assert tape.read(1) == b""
    assert tape.skip(1) == 0
