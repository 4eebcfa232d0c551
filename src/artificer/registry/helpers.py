"""The programs that keep credentials: ``docker-credential-NAME``, and gcloud."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from artificer.errors import reason
from artificer.limits import TOKEN_BYTES
from artificer.registry.credential import (
    ANONYMOUS,
    Basic,
    Credential,
    CredentialProblem,
    IdentityToken,
)
from artificer.stop import Stop

SECONDS = 30.0
"""How long a program may take; a cold gcloud takes three."""

ANSWER_SECONDS = 600.0
"""How long an answer is kept: tokens of clouds live for an hour, often begun."""

# What the programs say, on stdout, when they work but know nothing (docker-credential-helpers).
_NOT_FOUND = (
    "credentials not found in native keychain",
    "no credentials server URL",
    "no credentials username",
)
_TICK = 0.1
# A pipe takes as much even when nobody reads; a token of a cloud is 2 to 4 KiB.
_INPUT_BYTES = 16 * 1024
_SAID_LETTERS = 300


_NEVER = Stop()


class Programs(NamedTuple):
    """How programs are run: with which environment (its PATH finds them), and for how long."""

    environ: Mapping[str, str]
    seconds: float = SECONDS
    stop: Stop = _NEVER

    def __repr__(self) -> str:
        return f"Programs(…, seconds={self.seconds})"


class _Ended(NamedTuple):
    code: int
    out: bytes
    err: bytes


def asking(
    programs: Programs, *, clock: Callable[[], float] = time.monotonic
) -> Callable[[str, str], Credential]:
    """A `credentials.Helper` that remembers every answer, and every failure, for ten minutes."""
    lock = threading.Lock()
    known: dict[tuple[str, str], tuple[float, Credential | CredentialProblem]] = {}

    def ask(name: str, server: str) -> Credential:
        with lock:
            at, answer = known.get((name, server), (0.0, None))
            if answer is None or clock() - at > ANSWER_SECONDS:
                try:
                    answer = credential_from(programs, name, server)
                except CredentialProblem as problem:
                    answer = problem
                known[name, server] = (clock(), answer)
        if isinstance(answer, CredentialProblem):
            raise CredentialProblem(answer.message)
        return answer

    return ask


def credential_from(programs: Programs, name: str, server: str) -> Credential:
    """What ``docker-credential-NAME get`` says of *server*; `ANONYMOUS` if it knows nothing."""
    ended = _run(programs, _helper(name, "get"), server.encode())
    if ended.code and _knows_nothing(ended):
        return ANONYMOUS
    if ended.code:
        raise _failure(name, "get", ended)
    return _credential(name, ended.out)


def put_credential(programs: Programs, name: str, server: str, credential: Credential) -> None:
    """Have ``docker-credential-NAME`` keep *credential* for *server*."""
    username, secret = _spoken(credential)
    document = {"ServerURL": server, "Username": username, "Secret": secret}
    ended = _run(programs, _helper(name, "store"), json.dumps(document).encode())
    if ended.code:
        raise _failure(name, "store", ended, (secret,))


def erase_credential(programs: Programs, name: str, server: str) -> None:
    """Have ``docker-credential-NAME`` forget *server*; it need not know it."""
    ended = _run(programs, _helper(name, "erase"), server.encode())
    if ended.code and not _knows_nothing(ended):
        raise _failure(name, "erase", ended)


def gcloud_config(programs: Programs) -> str:
    """The JSON document of gcloud's config helper: an access token and its expiry."""
    command = ("gcloud", "config", "config-helper", "--force-auth-refresh")
    ended = _run(programs, (*command, "--format=json(credential)"), b"")
    if ended.code:
        raise _failure("gcloud", "config-helper", ended)
    return ended.out.decode(errors="replace")


def _helper(name: str, verb: str) -> tuple[str, str]:
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise CredentialProblem(f"not the name of a credential helper: {name!r}")
    return (f"docker-credential-{name}", verb)


def _spoken(credential: Credential) -> tuple[str, str]:
    match credential:
        case Basic(username, password):
            return username, password
        case IdentityToken(token):
            return "<token>", token
        case _:
            raise CredentialProblem("a credential helper keeps passwords and identity tokens only")


def _credential(name: str, out: bytes) -> Credential:
    try:
        document = json.loads(out)
        username, secret = document.get("Username") or "", document.get("Secret") or ""
    except (ValueError, AttributeError, RecursionError):
        # Not chained: the cause carries the whole answer.
        raise CredentialProblem(
            f"helper docker-credential-{name}: did not answer in JSON"
        ) from None
    if not isinstance(username, str) or not isinstance(secret, str):
        raise CredentialProblem(f"helper docker-credential-{name}: answered without strings")
    if username == "<token>":
        return IdentityToken(secret)
    return Basic(username, secret) if username or secret else ANONYMOUS


def _run(programs: Programs, command: Sequence[str], data: bytes) -> _Ended:
    """Run *command* without a shell; what it says is limited, and so is its time."""
    if len(data) > _INPUT_BYTES:
        raise CredentialProblem(f"helper {command[0]}: more than {_INPUT_BYTES} bytes to keep")
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell, and a name that was checked
            (_program(command[0], programs), *command[1:]),
            env=dict(programs.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise CredentialProblem(f"helper {command[0]}: {reason(error)}") from error
    with process, _watched(process, programs) as late:
        try:
            ended = _talk(process, data)
        except BaseException:
            _kill(process)
            raise
    programs.stop.check()
    if late.is_set():
        raise CredentialProblem(f"helper {command[0]}: no answer in {programs.seconds:g} seconds")
    if len(ended.out) > TOKEN_BYTES:
        raise CredentialProblem(f"helper {command[0]}: answered more than {TOKEN_BYTES} bytes")
    return ended


@contextlib.contextmanager
def _watched(process: subprocess.Popen[bytes], programs: Programs) -> Iterator[threading.Event]:
    """End *process* when it takes too long, or somebody wants to stop; the event tells of it."""
    done, late = threading.Event(), threading.Event()

    def watch() -> None:
        end = time.monotonic() + programs.seconds
        while not done.wait(_TICK):
            if programs.stop.is_set() or time.monotonic() > end:
                late.set()
                _kill(process)
                return

    # A thread: reading from a pipe knows neither time nor cancellation.
    threading.Thread(target=watch, name="helper", daemon=True).start()
    try:
        yield late
    finally:
        done.set()


def _talk(process: subprocess.Popen[bytes], data: bytes) -> _Ended:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise CredentialProblem("helper: no pipes")
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(data)
        process.stdin.flush()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    out = process.stdout.read(TOKEN_BYTES + 1)
    if len(out) > TOKEN_BYTES:
        _kill(process)
    return _Ended(0, out, process.stderr.read(TOKEN_BYTES))._replace(code=process.wait())


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it started: a wrapper's child would hold the pipe open."""
    if process.returncode is not None:  # waited for: the number may be somebody else's by now
        return
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _program(name: str, programs: Programs) -> str:
    """The path of *name* on the given PATH; not the one of our own environment."""
    for directory in programs.environ.get("PATH", "").split(os.pathsep):
        for suffix in ("", ".exe", ".cmd") if os.name == "nt" else ("",):
            path = os.path.join(directory, name + suffix)
            if directory and os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    raise CredentialProblem(f"helper {name}: not found on PATH")


def _knows_nothing(ended: _Ended) -> bool:
    said = ended.out.decode(errors="replace")
    return any(words in said for words in _NOT_FOUND)


def _failure(
    name: str, verb: str, ended: _Ended, secrets: Sequence[str] = ()
) -> CredentialProblem:
    tool = name if name == "gcloud" else f"docker-credential-{name}"
    said = " ".join((ended.out or ended.err).decode(errors="replace").split())
    for secret in secrets:
        said = said.replace(secret, "…") if secret else said
    said = "".join(letter for letter in said if letter.isprintable())[:_SAID_LETTERS]
    return CredentialProblem(f"helper {tool} failed ({verb}): {said or f'exit {ended.code}'}")
