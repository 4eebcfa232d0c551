"""Run a command and write what it cost: ``timed.py RESULT COMMAND…``, alone and small.

A process begins with the peak memory of the one that started it, so this one stays small: it is
run by ``python -I -S`` and imports what is built in.
"""

import posix
import sys
import time


def main(result: str, command: list[str]) -> int:
    start = time.perf_counter()
    pid = posix.posix_spawn(command[0], command, posix.environ)
    _, status, usage = posix.wait4(pid, 0)
    wall = time.perf_counter() - start
    code = posix.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    peak, written = usage.ru_maxrss * 1024, usage.ru_oublock * 512
    with open(result, "w") as file:
        file.write(
            f'{{"code":{code},"wall":{wall},"cpu":{cpu},"peak":{peak},"written":{written}}}'
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2:]))
