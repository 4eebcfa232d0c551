"""Programs of container engines: run with their input streamed, and what they said."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from artificer.errors import ArtificerError, Unavailable

_SAID_BYTES = 16 * 1024 * 1024
_SHOWN = 600


class NoProgram(Unavailable):
    """A program that is needed is not on PATH."""


class ProgramFailed(ArtificerError):
    """A program did not do what it was asked."""


class Said(NamedTuple):
    """How a program ended, and what it printed."""

    code: int
    out: str
    err: str


class Program(NamedTuple):
    """How a program is called: its first *words*, and its environment (its PATH finds it)."""

    words: tuple[str, ...]
    environ: Mapping[str, str] = {}

    def ask(self, *words: str, data: Iterable[bytes] | None = None) -> Said:
        """Run it with further *words* and *data* on its standard input, however it ends."""
        first = shutil.which(self.words[0], path=self.environ.get("PATH"))
        if first is None:
            raise NoProgram(f"there is no {self.words[0]} on PATH")
        return _ended([first, *self.words[1:], *words], self.environ, data)

    def run(self, *words: str, data: Iterable[bytes] | None = None) -> str:
        """What it prints; `ProgramFailed` unless it ends well."""
        said = self.ask(*words, data=data)
        if said.code:
            raise self.failure(words, said)
        return said.out

    def failure(self, words: Sequence[str], said: Said) -> ProgramFailed:
        """The error that it ended badly, with what it said."""
        told = " ".join((said.err or said.out).split())[-_SHOWN:] or f"exit code {said.code}"
        called = " ".join((*self.words, *words[:2]))
        return ProgramFailed(f"`{called}` failed: {told}")


def _ended(words: Sequence[str], environ: Mapping[str, str], data: Iterable[bytes] | None) -> Said:
    # Files, not pipes: what is said while the input is still written can fill no buffer.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(  # noqa: S603 - running the engine's program is what this is for
            words,
            env=dict(environ),
            stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
            stdout=out,
            stderr=err,
        )
        try:
            if child.stdin is not None and data is not None:
                # It may end before it has read everything, and says why.
                with suppress(BrokenPipeError), child.stdin:
                    for chunk in data:
                        child.stdin.write(chunk)
            code = child.wait()
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read(_SAID_BYTES).decode("utf-8", "replace"))
    return Said(code, texts[0], texts[1])
