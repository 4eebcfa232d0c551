"""Passwords that are piped in, and passwords that somebody types."""

import getpass
import io
import os
import signal
from collections.abc import Callable

import pytest

from artificer.cli.secret import asked, asked_secret, piped_secret
from artificer.cli.session import Session
from artificer.errors import Cancelled, Misused
from artificer.limits import AUTH_FILE_BYTES

Typing = Callable[[Callable[[], str]], None]


@pytest.fixture
def session() -> Session:
    return Session({}, io.StringIO("alice \n"), io.StringIO(), io.StringIO())


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Typing:
    """Let somebody sit at the terminal."""

    def sit(answer: Callable[[], str]) -> None:
        monkeypatch.setattr(getpass, "getpass", lambda prompt, stream: answer())

    return sit


@pytest.mark.parametrize(
    ("text", "secret"),
    [("a b\n", "a b"), ("a\r\n", "a"), ("a", "a"), ("a\n\n", "a\n"), (" a ", " a ")],
)
def test_a_piped_password_loses_one_line_end_and_nothing_else(text: str, secret: str) -> None:
    assert piped_secret(io.StringIO(text)) == secret


def test_a_password_is_no_longer_than_a_file_of_credentials() -> None:
    assert len(piped_secret(io.StringIO("a" * AUTH_FILE_BYTES))) == AUTH_FILE_BYTES
    with pytest.raises(Misused, match="longer than"):
        piped_secret(io.StringIO("a" * (AUTH_FILE_BYTES + 1)))


def test_the_answer_of_a_person_is_taken_without_blanks_around(session: Session) -> None:
    assert asked("user: ", session) == "alice"


def test_what_is_typed_is_the_password(session: Session, typing: Typing) -> None:
    typing(lambda: " secret ")

    assert asked_secret("password: ", session) == " secret "


def test_nothing_typed_is_no_password(session: Session, typing: Typing) -> None:
    typing(str)
    with pytest.raises(Misused, match="no password was given"):
        asked_secret("password: ", session)


def test_the_end_of_the_terminal_is_no_password(session: Session, typing: Typing) -> None:
    def end() -> str:
        raise EOFError

    typing(end)
    with pytest.raises(Misused, match="no password was given"):
        asked_secret("password: ", session)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_question_and_is_remembered(
    session: Session, typing: Typing, number: signal.Signals
) -> None:
    before = signal.getsignal(number)

    def interrupted() -> str:
        os.kill(os.getpid(), number)
        return "too late"

    typing(interrupted)
    with pytest.raises(Cancelled):
        asked_secret("password: ", session)

    assert session.signal == number
    assert signal.getsignal(number) == before
