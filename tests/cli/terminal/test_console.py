"""What is told on standard error: one line a thing, and nothing that a terminal would obey."""

import io

from artificer.cli.session import Session
from artificer.cli.terminal.console import Console, visible
from artificer.errors import ArtificerError
from artificer.events import BlobProgress, LayerChanged, Note, Warned
from artificer.oci.digest import Digest

HOSTILE = "\x1b[2J\x9b1m\rerror: forged\nhint: run this\u202e"
ESCAPED = "\\x1b[2J\\x9b1m\\rerror: forged\\nhint: run this\\u202e"


def told(*events: Note | Warned | LayerChanged, mode: str = "plain") -> str:
    stream = io.StringIO()
    console = Console(stream, {})
    console.choose(mode)
    for event in events:
        console.report(event)
    return stream.getvalue()


def test_what_a_server_says_cannot_move_the_cursor_or_begin_a_line() -> None:
    assert told(Note(HOSTILE)) == f"{ESCAPED}\n"
    assert told(Warned(HOSTILE, HOSTILE)) == f"warning: {ESCAPED}\nhint: {ESCAPED}\n"


def test_a_file_may_have_any_name() -> None:
    changed = LayerChanged("/\x07", ("\udcff\n: added",), 0)

    assert told(changed) == "layer /\\x07 is built again:\n  \\udcff\\n: added\n"


def test_an_error_is_one_line_and_its_hint_another() -> None:
    stream = io.StringIO()

    Console(stream, {}).fail(ArtificerError(HOSTILE, hint=HOSTILE))

    assert stream.getvalue() == f"error: {ESCAPED}\nhint: {ESCAPED}\n"


def test_json_is_one_line_an_event_whatever_is_in_it() -> None:
    assert len(told(Note(HOSTILE), Note("x"), mode="json").splitlines()) == 2


def test_what_can_be_read_stays_as_it_is() -> None:
    for text in ("", "plain", "grün – „ja“ … µs", "日本語 👍", "a\\nb"):
        assert visible(text) == text


class Terminal(io.StringIO):
    """One screen, on which data and words are both seen."""

    def isatty(self) -> bool:
        return True


def test_a_bar_is_gone_before_data_is_printed() -> None:
    screen = Terminal()
    session = Session({"TERM": "xterm"}, io.StringIO(), screen, screen)
    session.console.choose("auto")
    session.report(BlobProgress(Digest.of(b""), 1, 2, "read"))

    session.out("data")
    after = screen.getvalue().partition("data\n")[2]
    session.close()

    assert "data\n" in screen.getvalue()
    assert screen.getvalue().partition("data\n")[2] == after == ""


def test_a_bar_has_the_name_that_people_know_and_no_markup() -> None:
    screen = Terminal()
    session = Session({"TERM": "xterm"}, io.StringIO(), screen, screen)
    session.console.choose("auto")

    session.report(BlobProgress(Digest.of(b""), 1, 2, "fetch", "a[/b]\x1b[2J"))
    session.close()

    assert "fetch a[/b]\\x1b[2J" in screen.getvalue()
