"""A process that serves one root: what the build asks for, on one socket, until it hangs up."""

import contextlib
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from artificer.errors import ArtificerError
from artificer.layers.entry import Entry
from artificer.oci.digest import Digest
from artificer.sandbox import protocol
from artificer.sandbox.cached import found_in, held
from artificer.sandbox.layer import entries_of, send_tar, tar_size
from artificer.sandbox.rung import Cut, Place, Rung, Site
from artificer.sandbox.upkeep import Pruned, prune

_BUFFER = 1 << 20


def serve(rung: Rung, place: Place, asked: socket.socket) -> None:
    """Serve a root until the build hangs up; then remove what is not kept."""
    asked.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    worker = _Worker(rung, place._replace(leash=asked.fileno()), asked)
    try:
        while True:
            frame, descriptor = protocol.receive(asked)
            worker.answer(frame, descriptor)
    except (protocol.Hung, Cut, BrokenPipeError):
        return
    finally:
        worker.close()


class _Worker:
    def __init__(self, rung: Rung, place: Place, asked: socket.socket) -> None:
        self._rung = rung
        self._place = place
        self._asked = asked
        self._site: Site | None = None

    def answer(self, frame: protocol.Frame, descriptor: int) -> None:
        """Do what is asked; what goes wrong is an answer, too."""
        answers = {
            protocol.OPEN: self._open,
            protocol.RUN: self._run,
            protocol.ADOPT: self._adopt,
            protocol.EXTEND: self._extend,
            protocol.PRUNE: self._prune,
        }
        try:
            if frame.kind in {protocol.CHANGES, protocol.CACHED}:
                self._stream(frame)
                return
            words: Any = answers[frame.kind](frame.words, descriptor)
        except Cut:
            raise
        except ArtificerError as error:
            self._failed(type(error).__name__, error.message, error.hint)
        except (BrokenPipeError, ConnectionResetError):
            raise
        except OSError as error:
            self._failed("OSError", _told(error), None)
        except Exception as error:
            # A fault of ours: the build is told which, and where it is written.
            sys.excepthook(*sys.exc_info())
            self._failed("Exception", f"the sandbox failed: {error!r}", None)
        else:
            protocol.send(self._asked, protocol.DONE, words)

    def close(self) -> None:
        """Remove what is not kept."""
        if self._site is not None:
            self._site.close()

    @property
    def _root(self) -> Site:
        if self._site is None:
            raise ArtificerError("the root was not opened")
        return self._site

    def _open(self, words: Any, _: int) -> None:
        self._site = self._rung.open(protocol.chain_of(words), self._place)

    def _run(self, words: Any, output: int) -> int:
        try:
            return self._root.run(protocol.command_of(words), output)
        finally:
            os.close(output)

    def _adopt(self, words: Any, _: int) -> None:
        self._root.adopt(Digest(words))

    def _extend(self, words: Any, _: int) -> None:
        self._root.extend(protocol.chain_of(words))

    def _prune(self, words: Any, _: int) -> Pruned:
        return prune(self._place.state, words["older_than"], with_caches=words["caches"])

    def _stream(self, frame: protocol.Frame) -> None:
        if frame.kind == protocol.CHANGES:
            self._tell(entries_of(self._root.changes()))
        else:
            self._cached(frame.words)

    def _cached(self, identity: str) -> None:
        with held(f"{self._place.state}/caches", identity) as path:
            if path:
                self._tell(entries_of(found_in(path)))
            else:
                protocol.send(self._asked, protocol.DONE, None)

    def _tell(self, entries: Sequence[Entry]) -> None:
        words = {"tar_size": tar_size(entries), "entries": len(entries)}
        protocol.send(self._asked, protocol.DONE, words)
        send_tar(entries, self._asked.fileno())

    def _failed(self, kind: str, message: str, hint: str | None) -> None:
        words = {"kind": kind, "message": message, "hint": hint}
        with contextlib.suppress(protocol.Hung):
            protocol.send(self._asked, protocol.FAILED, words)


def _told(error: OSError) -> str:
    why = (error.strerror or str(error)).lower()
    return f"{error.filename}: {why}" if isinstance(error.filename, str) else why
