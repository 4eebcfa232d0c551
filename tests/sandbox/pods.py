"""Pods of Kubernetes without Kubernetes: what a container may do, put upon a process.

As a program: ``pods.py NAME WORD…`` becomes the command WORD… in the pod NAME of `PODS`.
"""

import errno
import os
import stat
import sys
from collections.abc import Sequence
from typing import NamedTuple

from artificer.sandbox import calls
from artificer.sandbox.seccomp import Rule, When, error, install, program

# CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE
CRIO = frozenset((0, 1, 3, 4, 5, 6, 7, 8, 10))
# … NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP
DOCKER = CRIO | {13, 18, 27, 29, 31}
_NAMESPACES = 0x7E020000  # CLONE_NEW…

DENIED = (
    *("mount", "umount2", "unshare", "setns", "pivot_root", "open_tree", "move_mount", "fsopen"),
    *("fsconfig", "fsmount", "fspick", "mount_setattr", "sethostname", "setdomainname", "bpf"),
    *("perf_event_open", "fanotify_init", "quotactl", "keyctl", "add_key", "request_key"),
    *("userfaultfd", "syslog", "open_by_handle_at", "pidfd_getfd"),
)


class Pod(NamedTuple):
    """What a container is allowed: *seccomp* is the runtime's default profile."""

    uid: int
    capabilities: frozenset[int]
    seccomp: bool


PODS = {
    "root": Pod(0, DOCKER, seccomp=True),
    "root-unconfined": Pod(0, DOCKER, seccomp=False),
    "user": Pod(1000, frozenset(), seccomp=True),
    "user-unconfined": Pod(1000, frozenset(), seccomp=False),
    "crio": Pod(0, CRIO, seccomp=True),
}


def denying() -> bytes:
    """The filter that container runtimes put upon everything, as far as it matters here."""
    masked = When(0, (0,), mask=_NAMESPACES, among=False)
    return program(
        (
            *(Rule(call, error(errno.EPERM)) for call in DENIED),
            Rule("clone", error(errno.EPERM), (masked,)),
            # So that the C library tries clone, whose flags a filter can see.
            Rule("clone3", error(errno.ENOSYS)),
        ),
        foreign=error(errno.EPERM),
    )


def enter(pod: Pod) -> None:
    """Give up, as root of the machine, all that *pod* has not, but for the user."""
    if pod.seccomp:
        install(denying(), no_new_privileges=False)
    if not pod.uid:
        calls.keep_capabilities(pod.capabilities)


def launcher(name: str) -> tuple[str, ...]:
    """Words that start a program in a pod; they come before its own."""
    words = (sys.executable, "-P", __file__, name)
    user = str(PODS[name].uid)
    if user == "0":
        return words
    # The interpreter and the project may lie where only root can read.
    reading = "+dac_read_search"
    capabilities = ("--inh-caps", reading, "--ambient-caps", reading)
    kept = ("--bounding-set", f"-all,{reading}")
    own = ("--reuid", user, "--regid", user, "--clear-groups")
    return (*words, "setpriv", *own, *capabilities, *kept)


def main(words: Sequence[str]) -> None:
    """Become a command in a pod."""
    os.umask(stat.S_IWGRP | stat.S_IWOTH)
    enter(PODS[words[0]])
    os.execvp(words[1], list(words[1:]))  # noqa: S606 - a command in a pod


if __name__ == "__main__":
    main(sys.argv[1:])
