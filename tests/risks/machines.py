"""The command in processes of its own, so that it can be killed, starved and measured."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import artificer
from tests.parts.commands import SEARCH

SOURCE = Path(artificer.__file__).parents[1]
_T = TypeVar("_T")

Word = str | os.PathLike[str]


class Done(NamedTuple):
    """How a process ended, what it printed, and how much memory it had at most."""

    code: int
    stdout: str
    stderr: str
    peak: int
    seconds: float

    @property
    def digest(self) -> str:
        """What the image on standard output is pinned by."""
        return self.stdout.strip().rpartition("@")[2]

    def __str__(self) -> str:
        return f"exit {self.code} after {self.seconds:.1f} s\n{self.stdout}{self.stderr}"


class Running:
    """A process; `done` waits for its end, in which *peak* memory has been watched."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.peak = 0
        self._started = time.monotonic()
        self._watch = threading.Thread(target=self._watched, daemon=True)
        self._watch.start()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; a process that has ended is none the worse."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def done(self, timeout: float = 120) -> Done:
        """Wait for the end."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"it does not end:\n{err.decode(errors='replace')}") from None
        self._watch.join()
        seconds = time.monotonic() - self._started
        code = self.process.returncode
        return Done(code, _text(out), _text(err), self.peak, seconds)

    def _watched(self) -> None:
        # What wait4 tells would count the pages of the process that forked, too.
        path = f"/proc/{self.process.pid}/status"
        while self.process.returncode is None:
            try:
                with open(path) as file:
                    for line in file:
                        if line.startswith("VmHWM:"):
                            self.peak = max(self.peak, int(line.split()[1]) * 1024)
            except OSError:
                return
            time.sleep(0.02)


class Machine:
    """A directory to work in, a store and an environment without anybody's settings."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.store = folder / "store"
        self.home = folder / "home"
        self.environ = {
            "ARTIFICER_STORE": str(self.store),
            "CONTAINERS_REGISTRIES_CONF": os.devnull,
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "PATH": SEARCH,
            "PYTHONPATH": str(SOURCE),
            "XDG_RUNTIME_DIR": str(self.home),
            **environ,
        }
        for path in (self.work, self.home):
            path.mkdir(parents=True, exist_ok=True)

    def start(
        self,
        *words: Word,
        environ: Mapping[str, str | None] | None = None,
        before: Sequence[Word] = (),
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        cwd: Path | None = None,
    ) -> Running:
        """Start ``artificer WORDS``; *before* it stand the words of a program that runs it."""
        whole = {**self.environ, **(environ or {})}
        return Running(
            subprocess.Popen(
                [*before, sys.executable, "-m", "artificer", *words],
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                env={name: value for name, value in whole.items() if value is not None},
                cwd=cwd or self.work,
            )
        )

    def __call__(
        self,
        *words: Word,
        code: int = 0,
        environ: Mapping[str, str | None] | None = None,
        before: Sequence[Word] = (),
        cwd: Path | None = None,
    ) -> Done:
        """Run ``artificer WORDS`` to its end, which must be *code*."""
        done = self.start(*words, environ=environ, before=before, cwd=cwd).done()
        assert done.code == code, f"{' '.join(str(word) for word in words)}: {done}"
        return done


def together(work: Iterable[Callable[[], _T]], threads: int = 4) -> list[_T]:
    """The results of all *work*, done a few at a time: most of it waits for somebody."""
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(piece) for piece in work]
    return [future.result() for future in futures]


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "surrogateescape")
