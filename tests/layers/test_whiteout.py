import pytest

from artificer.layers.entry import FILE
from artificer.layers.whiteout import hidden, is_opaque, is_whiteout, whiteout


def test_a_whiteout_is_an_empty_file_beside_what_it_hides() -> None:
    entry = whiteout("etc/motd", 7)

    assert (entry.path, entry.kind, entry.size, entry.mtime) == ("etc/.wh.motd", FILE, 0, 7)
    assert entry.source == b""
    assert whiteout("a", 0).path == ".wh.a"


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("a/.wh.b", "a/b"),
        (".wh.b", "b"),
        ("a/b", None),
        ("a/.wh..wh..opq", None),
        ("a/.wh..wh.plnk", None),
        ("a/.wh.", None),
        (".wh.a/b", None),
        ("a/.wh..b", "a/.b"),
    ],
)
def test_a_whiteout_hides_its_sibling(path: str, gone: str | None) -> None:
    assert hidden(path) == gone


def test_the_mark_of_an_opaque_directory_is_known() -> None:
    assert is_opaque("a/.wh..wh..opq")
    assert is_opaque(".wh..wh..opq")
    assert is_whiteout("a/.wh..wh..opq")
    assert not is_opaque("a/.wh.opq")
    assert not is_whiteout(".wh.a/b")
