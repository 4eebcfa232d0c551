"""The loader's cache and the links of libraries, as the real ldconfig makes them."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.layers.entry import FILE, SYMLINK, Entry, Span
from artificer.sources.debian.equivalents.elf import Library, library
from artificer.sources.debian.equivalents.files import Files
from artificer.sources.debian.equivalents.ldcache import Cached, ld_cache, newer, read_ld_cache
from artificer.sources.debian.equivalents.ldconfig import CACHE, ldconfig
from tests.parts.commands import found
from tests.sources.debian.workbench import files_of

GENERATOR = b"\x00ldconfig (Test GLIBC 1) stable release version 1\x00"


def shared_object(
    soname: bytes = b"libx.so.1", machine: int = 62, *, bits: int = 64, kind: int = 3
) -> bytes:
    """A library of nothing but what says its name."""
    word, size = ("Q", 64) if bits == 64 else ("I", 52)
    table, row = size, 56 if bits == 64 else 32
    dynamic = table + 2 * row
    names = b"\0" + soname + b"\0libc.so.6\0"
    entries = [(5, dynamic + 64), (14, 1), (1, len(soname) + 2), (0, 0)]
    held = b"".join(struct.pack(f"<2{word}", *one) for one in entries).ljust(64, b"\0")
    whole = dynamic + 64 + len(names)

    def segment(kind: int, offset: int, count: int) -> bytes:
        if bits == 64:
            return struct.pack("<IIQQQQQQ", kind, 0, offset, offset, 0, count, count, 8)
        return struct.pack("<IIIIIIII", kind, offset, offset, 0, count, count, 0, 8)

    head = struct.pack(
        f"<HHI3{word}IHHHHHH", kind, machine, 1, 0, table, 0, 0, size, row, 2, 0, 0, 0
    )
    ident = b"\x7fELF" + bytes((bits // 32, 1, 1)) + bytes(9)
    return ident + head + segment(1, 0, whole) + segment(2, dynamic, len(held)) + held + names


def read_as(data: bytes) -> Library | None:
    return library(lambda at, size: data[at : at + size])


def files_at(root: Path) -> Files:
    """What is at *root*, upon nothing."""
    entries = []
    for folder, folders, names in os.walk(root):
        for path in (os.path.join(folder, name) for name in (*names, *folders)):
            name, link = os.path.relpath(path, root), os.path.islink(path)
            if os.path.isdir(path) and not link:
                continue
            target = os.readlink(path) if link else ""
            size = 0 if link else os.path.getsize(path)
            source = None if link else Span(path, 0)
            kind = SYMLINK if link else FILE
            entries.append(Entry(name, kind, 0o644, 0, 0, size, 0, target, source))
    return files_of(*entries)


def test_links_and_cache_are_those_of_the_real_program(tmp_path: Path) -> None:
    program = found("ldconfig")
    made = {
        "usr/lib/x/liba.so.1.10": b"liba.so.1",
        "usr/lib/x/liba.so.1.9": b"liba.so.1",
        "usr/lib/x/libb-2.so": b"libb-2.so",
        "usr/lib/x/libplain.so.3.2": b"libplain.so.3",
        "usr/lib/x/glibc-hwcaps/x86-64-v3/liba.so.1": b"liba.so.1",
        "usr/lib/x/glibc-hwcaps/x86-64-v2/liba.so.1": b"liba.so.1",
        "opt/lib/liba.so.1": b"liba.so.1",
        "opt/lib/suffix-liba.so.1": b"suffix-liba.so.1",
        "opt/lib/libshort": b"libshort",
    }
    for name, soname in made.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(shared_object(soname))
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "usr/lib/x/liba.so").symlink_to("liba.so.1")
    (tmp_path / "usr/lib/x/libgone.so.1").symlink_to("libgone.so.1.2")
    (tmp_path / "usr/lib/x/libtext.so").write_text("INPUT(-la)")
    (tmp_path / "etc/ld.so.conf.d").mkdir(parents=True)
    (tmp_path / "etc/ld.so.conf").write_text("include /etc/ld.so.conf.d/*.conf\n")
    (tmp_path / "etc/ld.so.conf.d/a.conf").write_text("# x\n/lib/x\n/usr/lib/x\n/none\n")
    (tmp_path / "etc/ld.so.conf.d/b.conf").write_text("/opt/lib # y\n")
    (tmp_path / "sbin").mkdir()
    shutil.copy(program, tmp_path / "sbin/ldconfig")
    ours = files_at(tmp_path)

    ldconfig(ours)
    made_cache = ours.made.pop(CACHE)
    subprocess.run([program, "-r", str(tmp_path)], check=True, capture_output=True)

    assert (tmp_path / CACHE).read_bytes() == made_cache.source
    links = {path: one.link for path, one in ours.made.items()}
    assert {path: os.readlink(tmp_path / path) for path in links} == links
    assert links["usr/lib/x/liba.so.1"] == "liba.so.1.10"
    told = read_ld_cache((tmp_path / CACHE).read_bytes())
    assert {one.hwcaps for one in told} == {"", "x86-64-v2", "x86-64-v3"}


@pytest.mark.parametrize(
    ("machine", "bits", "flags"),
    [(62, 64, 0x303), (62, 32, 0x803), (3, 32, 3), (183, 64, 0xA03), (22, 64, 0x403)],
)
def test_libraries_are_marked_by_their_machine(machine: int, bits: int, flags: int) -> None:
    data = shared_object(machine=machine, bits=bits)

    assert read_as(data) == Library("libx.so.1", flags)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x7fELF",
        b"INPUT(libx.so.1)",
        shared_object()[:200],
        shared_object(kind=2),
        shared_object(machine=9),
        shared_object(b"../../etc/passwd"),
        shared_object().replace(struct.pack("<Q", 64), struct.pack("<Q", 1 << 63), 1),
    ],
)
def test_what_is_no_library_of_a_known_kind_is_none(data: bytes) -> None:
    assert read_as(data) is None


@given(st.integers(0, 260), st.binary(min_size=1, max_size=12))
def test_a_library_may_lie(at: int, other: bytes) -> None:
    data = shared_object()

    read_as(data[:at] + other + data[at + len(other) :])


def test_a_cache_is_read_as_it_was_written_in_either_order_of_bytes() -> None:
    rows = [
        Cached("libb.so.10", "/lib/libb.so.10", 0x303),
        Cached("libb.so.9", "/lib/libb.so.9", 0x303),
        Cached("liba.so.1", "/lib/glibc-hwcaps/z/liba.so.1", 0x303, "z"),
        Cached("liba.so.1", "/lib/liba.so.1", 0x303),
    ]

    for big in (False, True):
        assert read_ld_cache(ld_cache(reversed(rows), "test", big=big)) == rows
    assert newer("libc++.so.1", "libc.so.6") < 0 < newer("libx.so.2", "libx.so")


@given(st.integers(0, 150), st.binary(min_size=1, max_size=12))
def test_a_cache_may_lie(at: int, other: bytes) -> None:
    data = ld_cache([Cached("liba.so.1", "/lib/liba.so.1", 3, "z")], "test")

    read_ld_cache(data[:at] + other + data[at + len(other) :])


def test_libraries_of_a_base_are_taken_from_its_cache() -> None:
    known = Cached("liba.so.1", "/lib/liba.so.1", 0x303)
    base = {
        "etc/ld.so.cache": ld_cache([known, known._replace(soname="gone.so")], "before"),
        "lib/liba.so.1": b"is not read",
        "sbin/ldconfig": GENERATOR,
    }
    data = shared_object(b"libb.so.1")
    files = files_of(Entry("lib/libb.so.1", FILE, 0o644, 0, 0, len(data), 0, "", data), base=base)

    ldconfig(files)

    new = Cached("libb.so.1", "/lib/libb.so.1", 0x303)
    assert read_ld_cache(files.read(CACHE)) == [new, known]
    assert files.read(CACHE).endswith(GENERATOR.strip(b"\0"))


def test_without_the_program_or_a_cache_below_there_is_none() -> None:
    nothing = files_of()
    bare = files_of(base={"sbin/ldconfig": GENERATOR})

    for files in (nothing, bare):
        ldconfig(files)

        assert files.made == {}


def test_settings_that_include_one_another_come_to_an_end() -> None:
    folder = "etc/ld.so.conf.d"
    texts = {f"{folder}/{number}.conf": f"include *.conf\n/opt/{number}\n" for number in range(30)}
    texts["etc/ld.so.conf"] = f"include /{folder}/*.conf\n"
    held = shared_object()
    files = files_of(
        *(of(path, text.encode()) for path, text in texts.items()),
        of("sbin/ldconfig", GENERATOR),
        *(of(f"opt/{number}/libx.so.1", held) for number in range(30)),
    )

    ldconfig(files)

    told = read_ld_cache(files.read(CACHE))
    assert {one.path for one in told} == {f"/opt/{number}/libx.so.1" for number in range(30)}


@pytest.mark.parametrize("soname", [b"", b".", b"..", b"a/b"])
def test_a_library_whose_name_is_no_name_of_a_file_is_none(soname: bytes) -> None:
    assert read_as(shared_object(soname)) is None


def of(path: str, data: bytes) -> Entry:
    return Entry(path, FILE, 0o644, 0, 0, len(data), 0, "", data)
