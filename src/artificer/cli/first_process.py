"""Process 1 of a container: passes signals on, and waits for whatever nobody else waits for."""

import os
import signal

_PASSED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_KERNEL = 0x80  # SI_KERNEL: a terminal's ^C, which the whole foreground group is sent


def divide() -> None:
    """Go on in a child. The parent stays, and ends as the child does; then all else is killed.

    What commands of a build leave behind becomes a child of process 1, and a zombie until that
    waits for it; a process that waits for its own children cannot do it beside.
    """
    awaited = {signal.SIGCHLD, *_PASSED}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    child = os.fork()
    if not child:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    while True:
        came = signal.sigwaitinfo(awaited)
        if came.si_signo != signal.SIGCHLD:
            if came.si_code != _KERNEL:
                os.kill(child, came.si_signo)
            continue
        status = _waited(child)
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _waited(child: int) -> int | None:
    """Wait for all that have ended; the status of *child* if it is among them."""
    found = None
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if not process:
            return found
        if process == child:
            found = status
