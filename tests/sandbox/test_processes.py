"""Whose processes are whose, and that none is left."""

import os
import subprocess
import sys

from artificer.sandbox.processes import below, is_below, parent_of
from tests.parts.waiting import wait_until

LEAVE = """
import os, subprocess, sys, time
sys.path.insert(0, "src")
from artificer.sandbox import calls
from artificer.sandbox.processes import below, end_all
calls.prctl(calls.PR_SET_CHILD_SUBREAPER, 1)
shell = "(setsid sleep 90 & setsid sh -c 'sleep 91 & sleep 92' &) ; sleep 93 & true"
subprocess.run(["sh", "-c", shell])
while len(below(os.getpid())) < 3:
    time.sleep(0.01)
before = len(below(os.getpid()))
end_all()
print(before, len(below(os.getpid())))
"""


def test_parents_are_read_whatever_a_program_is_called() -> None:
    child = subprocess.Popen(["sh", "-c", "exec -a ') 1 2 (' sleep 30"], executable="/bin/bash")

    assert parent_of(child.pid) == os.getpid()
    assert is_below(child.pid, os.getpid())
    assert not is_below(os.getpid(), child.pid)
    child.kill()
    child.wait()
    assert parent_of(child.pid) == 0


def test_children_of_children_are_found() -> None:
    child = subprocess.Popen(["sh", "-c", "sleep 30 & sleep 31; true"], start_new_session=True)
    wait_until(lambda: len(below(child.pid)) >= 2)

    found = below(child.pid)
    os.killpg(child.pid, 9)
    child.wait()

    assert len(found) == 2


def test_who_left_the_session_is_ended_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAVE], capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())

    assert before >= 3
    assert after == 0
