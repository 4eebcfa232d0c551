"""The command: its first word picks what is run; errors become words and exit codes."""

import contextlib
import gc
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn, TextIO

from artificer.cli.session import Session
from artificer.errors import ArtificerError, Cancelled, Misused, reason

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SECONDS_TO_END = 1.7

Run = Callable[[Sequence[str], Session], int]


class Command(NamedTuple):
    """A word of the command line: what it does, in a few words, and the module that does it."""

    summary: str
    module: str


COMMANDS = {
    "build": Command("build a Dockerfile, or targets of BUILD files", "artificer.cli.builds.main"),
    "run": Command("load, push or start a target", "artificer.cli.workspace.run"),
    "test": Command("run tests of BUILD files", "artificer.cli.workspace.test"),
    "query": Command("ask how targets hang together", "artificer.cli.workspace.query"),
    "clean": Command("remove the outputs of a workspace", "artificer.cli.workspace.clean"),
    "info": Command("tell where a workspace keeps what", "artificer.cli.workspace.info"),
    "init": Command("write a BUILD file out of a command line", "artificer.cli.builds.init"),
    "kaniko": Command("build a Dockerfile as kaniko's executor does", "artificer.cli.kaniko.main"),
    "plan": Command("say what a command line would build and send", "artificer.cli.builds.plan"),
    "verify": Command("build twice, differently, and compare", "artificer.cli.builds.verify"),
    "lock": Command("pin what tags stand for, in artificer.lock", "artificer.cli.builds.lock"),
    "push": Command("send an image to a registry", "artificer.cli.images.transfer"),
    "pull": Command("fetch an image into the store", "artificer.cli.images.transfer"),
    "copy": Command("copy an image from anywhere to anywhere", "artificer.cli.images.transfer"),
    "save": Command("write an image as an archive", "artificer.cli.images.transfer"),
    "load": Command("read an archive into the store", "artificer.cli.images.transfer"),
    "tag": Command("give an image another name", "artificer.cli.images.names"),
    "rm": Command("remove an image's name", "artificer.cli.images.names"),
    "ls": Command("list the store's images, or a repository's tags", "artificer.cli.images.names"),
    "digest": Command("print an image's digest", "artificer.cli.images.inspect"),
    "inspect": Command("show what an image says about itself", "artificer.cli.images.inspect"),
    "history": Command("show how an image's layers came to be", "artificer.cli.images.inspect"),
    "tree": Command("list the files of an image", "artificer.cli.images.files"),
    "diff": Command("compare two images, file by file", "artificer.cli.images.files"),
    "unpack": Command("write an image's files into a directory", "artificer.cli.images.files"),
    "export": Command("write an image's files as one tar", "artificer.cli.images.files"),
    "packages": Command("list or resolve Debian packages", "artificer.cli.debian.packages"),
    "flatten": Command("make one layer of an image's layers", "artificer.cli.images.reshape"),
    "rebase": Command("put an image's own layers on another base", "artificer.cli.images.reshape"),
    "login": Command("remember a password for a registry", "artificer.cli.login"),
    "logout": Command("forget a registry's password", "artificer.cli.login"),
    "job": Command("build on a Kubernetes cluster", "artificer.cli.job.main"),
    "cache": Command("show, prune or verify the local store", "artificer.cli.cache.main"),
    "doctor": Command("find out why something does not work", "artificer.cli.doctor.main"),
    "source": Command("fetch or pack the files of a build", "artificer.cli.source"),
    "registry": Command("serve the store as a registry", "artificer.cli.serve"),
    "completion": Command("print a shell's completion script", "artificer.cli.completion"),
    "version": Command("print the version", "artificer.cli.version"),
}


def command() -> NoReturn:
    """The process: `main`, and then the end, without the interpreter's own tidying up.

    Everything is closed and written by then; taking a hundred modules apart would cost 14 ms.
    """
    if os.getpid() == 1:
        from artificer.cli.first_process import divide

        divide()
    code = main()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line *arguments* (the process's own by default); return the exit code."""
    # A build makes many small values that live to its end: looking for cycles among them costs
    # a microsecond each, and finds nothing.
    gc.set_threshold(100_000)
    words = list(sys.argv[1:] if arguments is None else arguments)
    session = Session(os.environ, *_streams())
    _listen(session)
    if arguments is None:
        _end_soon(session)
    try:
        if arguments is None and os.path.basename(sys.argv[0]) == "bazel":
            from artificer.cli.workspace.bazel import translated

            words = translated(words, os.getcwd(), os.environ.get("HOME", ""))
        return dispatch(words, session)
    except ArtificerError as error:
        session.fail(error)
        return _exit_code(error, session)
    except KeyboardInterrupt:
        session.fail(Cancelled())
        return Cancelled.exit_code
    except BrokenPipeError:
        # Whoever read our output has gone: not a failure of ours, and nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        session.fail(_of_system(error))
        return ArtificerError.exit_code
    finally:
        session.close()


def _of_system(error: OSError) -> ArtificerError:
    """What the system said where nobody expected it to say anything."""
    try:
        os.getcwd()
    except OSError:
        return ArtificerError(
            "the current directory does not exist any more", hint="change to another one"
        )
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return ArtificerError(": ".join([*names, reason(error)]))


def _streams() -> tuple[TextIO, TextIO, TextIO]:
    """The standard streams; one that is closed is None in Python, and nothing here."""
    return (
        sys.stdin or open(os.devnull),
        sys.stdout or open(os.devnull, "w"),
        sys.stderr or open(os.devnull, "w"),
    )


def dispatch(words: list[str], session: Session) -> int:
    """Run the command that *words* begin with; errors are the caller's."""
    if words[:1] == ["help"] and len(words) > 1:
        words = [*words[1:], "--help"]
    if not words or words[0] in {"-h", "--help", "help"}:
        from artificer.cli.overview import overview

        session.out(overview({name: one.summary for name, one in COMMANDS.items()}))
        return 0 if words else Misused.exit_code
    if words[0] in {"-V", "--version"}:
        words[0] = "version"
    if words[0].startswith("-"):
        return _runner("artificer.cli.oneline.main")(words, session)
    command = COMMANDS.get(words[0])
    if command is None:
        raise _unknown(words[0])
    return _runner(command.module)(words, session)


def _runner(module: str) -> Run:
    runner: Run = importlib.import_module(module).run
    return runner


def _unknown(word: str) -> Misused:
    import difflib

    near = difflib.get_close_matches(word, COMMANDS, 1)
    if near:
        return Misused(f"no such command: {word}", hint=f"did you mean `artificer {near[0]}`?")
    return Misused(
        f"no such command: {word}",
        hint="a build begins with an option: `artificer -b BASE -f FILE … -t TARGET`; "
        "`artificer --help` lists the commands",
    )


def _listen(session: Session) -> None:
    """Turn SIGINT and SIGTERM into the wish to stop; the second one ends the process."""

    def cancel(number: int, frame: object) -> None:
        if session.stop.is_set():
            if session.farewell:
                session.console.warn(session.farewell)
            os._exit(128 + number)
        session.cancel(number)

    for number in _SIGNALS:
        try:
            signal.signal(number, cancel)
        except ValueError:  # Not the main thread: whoever called us listens.
            return


def _end_soon(session: Session) -> None:
    """End the process soon after a signal even where it hangs: in C, no handler is ever run."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def wait() -> None:
        number = os.read(reading, 1)[0]
        while number not in _SIGNALS:
            number = os.read(reading, 1)[0]
        time.sleep(_SECONDS_TO_END)
        if session.farewell:
            return  # It takes the time it needs, and the next signal ends it.
        # By another thread: whoever reads what we say may hang, too.
        told = threading.Thread(target=session.fail, args=(Cancelled(),), daemon=True)
        told.start()
        told.join(0.1)
        os._exit(128 + number)

    threading.Thread(target=wait, name="end", daemon=True).start()


def _exit_code(error: ArtificerError, session: Session) -> int:
    if isinstance(error, Cancelled) or session.stop.is_set():
        return 128 + session.signal if session.signal else Cancelled.exit_code
    return error.exit_code
