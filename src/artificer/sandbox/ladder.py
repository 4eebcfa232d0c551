"""Which rung this machine allows: each is tried in a process of its own, the best first."""

import errno
import os
from collections.abc import Sequence
from typing import NamedTuple

from artificer.errors import ArtificerError
from artificer.sandbox import calls
from artificer.sandbox.chroot import ChrootRung
from artificer.sandbox.namespaces import FullMapRung, RangeMapRung, RootRung, SingleMapRung
from artificer.sandbox.proot import ProotRung
from artificer.sandbox.rung import Rung
from artificer.sandbox.unlayered import (
    FullMapDirectoryRung,
    RangeMapDirectoryRung,
    RootDirectoryRung,
)


class Tried(NamedTuple):
    """One rung that was tried: *reason* is why it cannot be used, "" if it can."""

    name: str
    identity: str
    reason: str


_NAMESPACES = {calls.CLONE_NEWUSER: "user", calls.CLONE_NEWNS: "mount"}
_WHY = {
    errno.EPERM: "not permitted (a seccomp profile, a capability, or the kernel's settings)",
    errno.ENOSPC: "none is allowed (user.max_user_namespaces)",
}


class NoRung(ArtificerError):
    """No way to run a command on this machine."""


def rungs() -> list[Rung]:
    """Return all rungs, the best first."""
    return [
        RootRung(),
        FullMapRung(),
        RangeMapRung(),
        SingleMapRung(),
        RootDirectoryRung(),
        FullMapDirectoryRung(),
        RangeMapDirectoryRung(),
        ChrootRung(),
        ProotRung(),
    ]


def climb(all_of_them: Sequence[Rung], state: str) -> tuple[Rung | None, list[Tried]]:
    """Return the first rung that can do what a build needs, and what was tried up to it."""
    tried = []
    for rung in all_of_them:
        reason = why_not(rung, state)
        tried.append(Tried(rung.name, rung.identity, reason))
        if not reason:
            return rung, tried
    return None, tried


def chosen(wanted: str, state: str) -> tuple[Rung, list[Tried]]:
    """Return the rung that is *wanted*, or the best one where that is "". `NoRung` if none is."""
    found = [rung for rung in rungs() if wanted in {"", rung.name}]
    if not found:
        names = ", ".join(rung.name for rung in rungs())
        raise NoRung(f"there is no way to run commands called {wanted!r}", hint=f"ways: {names}")
    rung, tried = climb(found, state)
    if rung is None:
        reasons = "; ".join(f"{one.name}: {one.reason}" for one in tried)
        raise NoRung(
            f"this machine does not let us run commands ({reasons})",
            hint="`artificer doctor run` explains each way and what it needs",
        )
    return rung, tried


def why_not(rung: Rung, state: str) -> str:
    """Return why *rung* cannot be used here, "" if it can. This process stays as it is."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        reason = b""
        try:
            rung.enter()
            rung.try_out(state)
        except OSError as error:
            reason = _told(error).encode("utf-8", "surrogateescape")
        except ArtificerError as error:
            reason = error.message.encode("utf-8", "surrogateescape")
        finally:
            os.write(write, reason)
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        reason = file.read()
    os.waitpid(child, 0)
    return reason.decode("utf-8", "surrogateescape").replace("\n", " ").lower()


def _told(error: OSError) -> str:
    why = error.strerror or str(error)
    for flags, what in _NAMESPACES.items():
        if f"unshare({flags:#x})" in why:
            return f"no {what} namespace: {_WHY.get(error.errno or 0, why)}"
    return why
