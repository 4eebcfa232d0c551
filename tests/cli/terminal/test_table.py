"""Columns, and what a terminal must not be told."""

import io
import os
import pty

import pytest

from artificer.cli.images.filelist import file_line
from artificer.cli.session import Session
from artificer.cli.terminal.table import cut, printable, table, width_of
from artificer.errors import Misused
from artificer.layers.entry import BLOCK, FILE
from artificer.layers.index import File


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    shown = table(("NAME", "SIZE"), [("a", "1"), ("long", "1000")], right=frozenset({1}))

    assert shown.splitlines() == ["NAME  SIZE", "a        1", "long  1000"]


def test_what_does_not_fit_loses_its_end() -> None:
    shown = table(("A", "B"), [("1", "long text")], width=8)

    assert shown.splitlines() == ["A  B", "1  long…"]
    assert cut("12345", 5) == "12345"
    assert cut("123456", 5) == "1234…"
    assert cut("123456", None) == "123456"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("größe", "größe"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\tc", "a\\x0ab\\x09c"),
        ("\x9b", "\\x9b"),
        ("\u202e", "\\u202e"),
        (os.fsdecode(b"\xff"), "\\xff"),
    ],
)
def test_nothing_moves_the_cursor(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_terminal_has_a_width_and_a_pipe_has_none() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        assert width_of(terminal) is not None
    os.close(master)
    assert width_of(io.StringIO()) is None


def test_a_time_that_no_calendar_has_is_no_obstacle() -> None:
    line = file_line(File("f", FILE, 0o644, 0, 0, 1, 1 << 62, 0))
    device = file_line(File("sda", BLOCK, 0o660, 0, 6, 0, 0, 0, device=(8, 1)))

    assert line.split(None, 3)[-1] == "???????????????? /f"
    assert device.split()[:3] == ["brw-rw----", "0:6", "8,1"]


def _session(encoding: str, out: io.BytesIO) -> Session:
    stream = io.TextIOWrapper(out, encoding=encoding)
    return Session({}, io.StringIO(), stream, io.StringIO())


def test_what_an_encoding_lacks_is_printed_as_an_escape() -> None:
    ascii_out, utf_8_out = io.BytesIO(), io.BytesIO()

    ascii_session, utf_8_session = _session("ascii", ascii_out), _session("utf-8", utf_8_out)
    ascii_session.out("1 → 2")
    utf_8_session.out(os.fsdecode(b"oci:/\xff"))

    assert ascii_out.getvalue() == b"1 \\u2192 2\n"
    assert utf_8_out.getvalue() == b"oci:/\xff\n"


def test_an_archive_does_not_go_to_a_terminal() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        session = Session({}, io.StringIO(), terminal, io.StringIO())
        with pytest.raises(Misused, match="would go to the terminal"):
            session.write([b"tar"])
    os.close(master)
