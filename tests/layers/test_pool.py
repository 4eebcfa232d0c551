import subprocess
import sys

import pytest

from tests.parts.waiting import PATIENCE

# Room for the stacks of two threads, as where a container may have few processes.
FEW_THREADS = """
import resource, threading
from artificer.errors import ArtificerError
from artificer.layers.pool import Pool

threading.stack_size(256 << 20)
pool = Pool()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (700 << 20),) * 2)
try:
    with pool.encoding(bytes, print, 8):
        print("begun")
except ArtificerError as error:
    print(error.message, threading.active_count())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much is used")
def test_where_threads_cannot_be_started_those_that_were_end() -> None:
    words = [sys.executable, "-c", FEW_THREADS]

    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=PATIENCE)

    assert done.stdout == "a thread cannot be started: can't start new thread 1\n"
