import os
import signal
import subprocess
import sys

from artificer.leash import leashed
from tests.parts.waiting import lifetime, processes_with, wait_until


def _started(life: str) -> "subprocess.Popen[bytes]":
    """A program that has started another; both live for *life*."""
    words = ["sh", "-c", f"sleep {life} & sleep {life}"]
    return subprocess.Popen(words, start_new_session=True)


def test_what_a_program_started_ends_with_the_block() -> None:
    life = lifetime()
    with leashed(_started(life)):
        wait_until(lambda: len(processes_with(life)) == 2)

    wait_until(lambda: not processes_with(life))


def test_what_a_program_started_ends_when_we_are_killed() -> None:
    life = lifetime()
    builder = os.fork()
    if not builder:
        with leashed(_started(life)):
            signal.pause()
        sys.exit()
    wait_until(lambda: len(processes_with(life)) == 2)

    os.kill(builder, signal.SIGKILL)
    os.waitpid(builder, 0)

    wait_until(lambda: not processes_with(life))
