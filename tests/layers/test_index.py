import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.layers.entry import CHAR, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry
from artificer.layers.index import (
    FORMAT,
    File,
    Index,
    InvalidIndex,
    index_of,
    index_of_entries,
    unpack,
)
from artificer.layers.read import layer_members
from artificer.layers.tar import END, header, padding


def tar(*entries: Entry) -> bytes:
    parts = []
    for entry in entries:
        data = entry.source if isinstance(entry.source, bytes) else b""
        parts += [header(entry), data, padding(len(data))]
    return b"".join([*parts, END])


def file(path: str, data: bytes = b"") -> Entry:
    return Entry(path, FILE, 0o644, 1, 2, len(data), 3, "", data)


FILES = st.builds(
    File,
    path=st.text(st.characters(codec="utf-8", exclude_characters="\0") | st.just("\udcff")),
    kind=st.sampled_from([FILE, HARDLINK, SYMLINK, CHAR, DIRECTORY]),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32 - 1),
    gid=st.integers(0, 2**32 - 1),
    size=st.integers(0, 2**62),
    mtime=st.integers(-(2**62), 2**62),
    offset=st.integers(0, 2**62),
    link=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9),
    content=st.just(b"") | st.binary(min_size=32, max_size=32).filter(any),
    xattrs=st.lists(
        st.tuples(st.text(st.characters(codec="utf-8"), max_size=9), st.binary(max_size=9)),
        max_size=2,
    ).map(tuple),
    device=st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)),
)


@given(st.lists(FILES, max_size=9))
def test_a_packed_index_is_the_same_unpacked(files: list[File]) -> None:
    index = Index(files)

    assert list(index) == files
    assert list(unpack(index.pack())) == files
    assert unpack(index.pack()).pack() == index.pack()


def test_the_packed_format_does_not_change_unnoticed() -> None:
    files = [
        File("a", FILE, 0o644, 1, 2, 3, 4, 512, content=b"c" * 32, xattrs=(("user.a", b"x"),)),
        File("b", SYMLINK, 0o777, 0, 0, 0, -1, 1024, "a"),
    ]

    packed = Index(files).pack()

    assert packed.startswith(FORMAT)
    assert hashlib.sha256(packed).hexdigest() == (
        "2fa21bb86e7d5dbe09ffe3aaa24fc7234ae8c636faeedf620fbc7d39b76c6707"
    )


def test_an_index_says_what_the_layer_holds() -> None:
    data = tar(
        Entry("d", DIRECTORY, 0o700, 5, 6, 0, 7, "", None),
        file("d/a", b"hi"),
        Entry("d/l", SYMLINK, 0o777, 0, 0, 0, 0, "a", None),
        Entry("null", CHAR, 0o666, 0, 0, 0, 0, "", None, device=(1, 3)),
    )

    directory, regular, link, device = index_of(layer_members([data]))

    assert directory[:7] == ("d", DIRECTORY, 0o700, 5, 6, 0, 7)
    assert regular == File(
        "d/a", FILE, 0o644, 1, 2, 2, 3, 1024, content=hashlib.sha256(b"hi").digest()
    )
    assert link.link == "a"
    assert device.device == (1, 3)


def test_a_hard_link_has_what_it_names() -> None:
    data = tar(
        file("a", b"hi"),
        Entry("b", HARDLINK, 0o644, 1, 2, 0, 3, "a", None),
        Entry("c", HARDLINK, 0o644, 1, 2, 0, 3, "b", None),
        Entry("d", HARDLINK, 0o644, 1, 2, 0, 3, "nothing", None),
    )

    first, second, third, lost = index_of(layer_members([data]))

    assert second == first._replace(path="b", kind=HARDLINK, link="a")
    assert third == first._replace(path="c", kind=HARDLINK, link="b")
    assert (lost.size, lost.content) == (0, b"")


def test_an_empty_layer_has_an_empty_index() -> None:
    index = index_of(layer_members([END]))

    assert len(index) == 0
    assert list(unpack(index.pack())) == []


@pytest.mark.parametrize("damage", [0, 20, -1])
def test_a_damaged_index_is_refused(damage: int) -> None:
    packed = bytearray(Index([File("a", FILE, 0, 0, 0, 0, 0, 0)]).pack())
    packed[damage] ^= 1
    with pytest.raises(InvalidIndex):
        unpack(bytes(packed))


def test_an_index_takes_little_room() -> None:
    files = [File(f"usr/share/doc/{number:05}", FILE, 0, 0, 0, 0, 0, 0) for number in range(1000)]

    assert len(Index(files).pack()) < 100 * len(files)


LINKED = (
    Entry("d", DIRECTORY, 0o1777, 1, 2, 0, 3, "", None),
    Entry("d/" + "long" * 70, FILE, 0o4755, 2**31, 2, 700, 2**40, "", b"1" * 700),
    file("e"),
    Entry("f", HARDLINK, 0o600, 0, 0, 0, 1, "d/" + "long" * 70, None),
    Entry("g", HARDLINK, 0o600, 0, 0, 0, 1, "f", None),
    Entry("h", HARDLINK, 0o600, 0, 0, 0, 1, "of/the/base", None),
    Entry("i", SYMLINK, 0o777, 0, 0, 0, -5, "t" * 300, None),
    Entry("j", CHAR, 0o600, 0, 0, 0, 0, "", None, device=(5, 9)),
    Entry("k", FIFO, 0o600, 0, 0, 0, 0, "", None),
    file("l\udcff", b"x" * 512)._replace(xattrs=(("user.b", b"\0\n"), ("user.a", b"1"))),
    file("z", b"end"),
)


def test_entries_have_the_index_that_their_tar_has() -> None:
    def content(entry: Entry) -> bytes:
        assert isinstance(entry.source, bytes)
        return hashlib.sha256(entry.source).digest()

    index = index_of_entries(LINKED, content)

    assert list(index) == list(index_of(layer_members([tar(*LINKED)])))
