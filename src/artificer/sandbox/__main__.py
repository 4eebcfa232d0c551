"""The process that a build's roots are made in: `python -m artificer.sandbox`, for itself only.

It is told by one descriptor, its control socket. It has one thread, enters the namespaces of its
rung once, and forks a worker for each root. When the build is gone, so is all this.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from typing import Any

from artificer.errors import ArtificerError
from artificer.sandbox import calls
from artificer.sandbox.ladder import chosen
from artificer.sandbox.namespaces import SingleMapRung
from artificer.sandbox.rung import Place, Rung, Times
from artificer.sandbox.worker import serve

_MOST = 1 << 16
_GRACE = 25.0  # less than the build waits for us


def main() -> None:
    """Serve the build at the other end of the control socket until it hangs up."""
    control = socket.socket(fileno=int(sys.argv[1]))
    told = json.loads(control.recv(_MOST))
    os.umask(0o022)
    try:
        os.makedirs(told["state"], exist_ok=True)
        rung, tried = chosen(told["rung"], told["state"])
        rung.enter()
    except ArtificerError as error:
        _send(control, {"error": error.message, "hint": error.hint})
        return
    except OSError as error:
        _send(control, {"error": str(error), "hint": None})
        return
    # Where owners may be lost, layers are not those of others.
    lossy = told["allow_lost_owners"] and rung.name == SingleMapRung.name
    identity = "lost" if lossy else rung.identity
    _send(control, {"name": rung.name, "identity": identity, "tried": tried})
    _serve(control, rung, _place(told))


def _serve(control: socket.socket, rung: Rung, place: Place) -> None:
    workers: set[int] = set()
    while True:
        message, files, _, _ = socket.recv_fds(control, _MOST, 1)
        if not message:
            break
        # Waited for, not ignored: what they used counts as the build's (`time artificer build`).
        workers = {worker for worker in workers if _lives(worker)}
        worker = os.fork()
        if not worker:
            control.close()
            _work(rung, place, socket.socket(fileno=files[0]))
        os.close(files[0])
        workers.add(worker)
    _end(workers)


def _work(rung: Rung, place: Place, asked: socket.socket) -> None:
    code = 1
    try:
        calls.prctl(calls.PR_SET_PDEATHSIG, signal.SIGKILL)
        serve(rung, place, asked)
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _end(workers: set[int]) -> None:
    """Let the workers clear up, whose sockets are closed, too; kill who takes too long."""
    end = time.monotonic() + _GRACE
    while (workers := {worker for worker in workers if _lives(worker)}) and time.monotonic() < end:
        time.sleep(0.005)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)


def _lives(worker: int) -> bool:
    """Whether *worker* has not ended; of one that has, nothing is left."""
    return os.waitpid(worker, os.WNOHANG)[0] == 0


def _send(control: socket.socket, words: dict[str, Any]) -> None:
    # A build that has ended wants to know nothing; that it has is seen next.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        control.send(json.dumps(words).encode())


def _place(told: dict[str, Any]) -> Place:
    times = Times(told["started"], told["epoch"], told["preserve_mtime"])
    return Place(told["state"], times, told["allow_lost_owners"])


if __name__ == "__main__":
    main()
