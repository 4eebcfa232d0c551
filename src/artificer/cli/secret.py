"""Passwords: from standard input or the terminal, never from the command line."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from artificer.cli.session import Session
from artificer.errors import Cancelled, Misused
from artificer.limits import AUTH_FILE_BYTES


def piped_secret(stream: TextIO) -> str:
    """All of *stream* without its last line end: a key file, too, can be a password."""
    try:
        text = stream.read(AUTH_FILE_BYTES + 1)
        text.encode()
    except UnicodeError:
        # Not chained: the cause carries the bytes.
        raise Misused("the password on standard input is not UTF-8 text") from None
    if len(text) > AUTH_FILE_BYTES:
        raise Misused(f"the password on standard input is longer than {AUTH_FILE_BYTES} bytes")
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise Misused("there is no password on standard input")
    return secret


def asked_secret(question: str, session: Session) -> str:
    """What somebody types at the terminal, unseen."""
    import getpass

    with _interruptible(session):
        try:
            secret = getpass.getpass(question, stream=session.stderr)
        except EOFError:
            raise Misused("no password was given") from None
    if not secret:
        raise Misused("no password was given")
    return secret


def asked(question: str, session: Session) -> str:
    """What somebody types at the terminal."""
    with _interruptible(session):
        print(question, end="", file=session.stderr, flush=True)
        return session.stdin.readline().strip()


@contextmanager
def _interruptible(session: Session) -> Iterator[None]:
    """Let a signal end the wait for somebody's answer, which nothing else would."""

    def interrupt(number: int, frame: object) -> None:
        session.cancel(number)
        raise Cancelled

    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, interrupt)
    except ValueError:  # Not the main thread: whoever called us listens.
        pass
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
