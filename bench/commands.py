"""What commands of a Dockerfile cost beside themselves: each line, each call, each look after it.

Packages are fetched once, by the machine's own apt and pip; commands see files, and no mirror.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from artificer.sandbox.client import Root, Sandbox
from artificer.sandbox.command import Bind, Command, TreeLayer
from bench.builds import Case, Section
from bench.files import Files, within_reach
from bench.measure import Failed, Runner, Sample
from bench.memory import below
from bench.targets import Verdict
from tests.sandbox import roots

LINES = 20
EACH = {"root": 0.030, "full-map": 0.060, "range-map": 0.060, "single-map": 0.060}
CPU = {"root": 1.15, "full-map": 1.15, "range-map": 1.15, "single-map": 1.3, "chroot": 1.6}
LOOK = 0.6
_TICKS = os.sysconf("SC_CLK_TCK")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Of dpkg's own: many packages are written to disk one by one otherwise, which is not measured.
APT = (
    "export DEBIAN_FRONTEND=noninteractive\n"
    "apt-get -qq install -y --no-install-recommends -o DPkg::Options::=--force-unsafe-io "
    "/files/*.deb >/dev/null 2>&1\n"
)
PIP = (
    "pip install -q --no-index --no-cache-dir --find-links /files --break-system-packages "
    "--root-user-action=ignore flask\n"
)


class Cost(NamedTuple):
    """One command in the sandbox."""

    sample: Sample
    look: float
    """Seconds until it was known what it had changed."""


def commands(run: Runner, rounds: int, files: Files, *, lines: int = LINES) -> Section:
    """Measure all of it, on each way to run commands that there is here."""
    run.folder.chmod(0o755)
    files = within_reach(files, run.folder)
    cases: list[Case] = []
    verdicts: list[Verdict] = []
    for case, verdict in (
        *lines_of_run(run, rounds, files, lines),
        *installs(run, rounds, files),
        *looks(run, rounds, files),
    ):
        cases.append(case)
        verdicts += [verdict] if verdict else []
    return Section("commands", "RUN beside its command alone", cases, verdicts)


Rows = Iterator[tuple[Case, Verdict | None]]


def lines_of_run(run: Runner, rounds: int, files: Files, lines: int) -> Rows:
    """Lines of `RUN true`: builds with one of them, and with more."""
    root = run.folder / "lines"
    root.mkdir()
    for count in (1, 1 + lines):
        text = "FROM base\n" + "".join(f"RUN true {number}\n" for number in range(count))
        (root / f"{count}.Dockerfile").write_text(text)
    ours = (
        f'"{sys.executable}" -m artificer build . -q --no-cache -t l --store "{{state}}/store" '
        f"--build-context base=oci-layout://{files.layout} --rung {{rung}} -f {{count}}.Dockerfile"
    )
    for rung in ("root", "full-map", "single-map"):
        state = run.folder / f"lines-{rung}"
        state.mkdir()

        def built(count: int, rung: str = rung, state: Path = state) -> Sample:
            script = ours.format(state=state, rung=rung, count=count)
            return run.run(f"{script} >/dev/null", state, root)

        built(1)
        few = [built(1) for _ in range(rounds)]
        many = [built(1 + lines) for _ in range(rounds)]
        yield Case(f"one RUN true, {rung}", few), None
        case = Case(f"{1 + lines} times RUN true, {rung}", many)
        # The least of each: whoever else is on the machine only makes them longer.
        each = (min(one.wall for one in many) - min(one.wall for one in few)) / lines
        told = f"{each * 1000:.0f} ms"
        most = EACH[rung]
        what = f"each RUN true, {rung}"
        yield (
            case._replace(note=f"{told} each"),
            Verdict(what, f"≤ {most * 1000:.0f} ms", told, each <= most),
        )


def installs(run: Runner, rounds: int, files: Files) -> Rows:
    """apt-get and pip that install from files: processor time beside that in a plain chroot."""
    for name, script, base, packages in (
        ("apt-get install nginx", APT, files.base, files.nginx),
        ("pip install flask", PIP, files.with_pip, files.flask),
    ):
        plain = [in_chroot(run, base, packages, script) for _ in range(rounds)]
        yield Case(f"{name}, chroot", plain), None
        least = median(sample.cpu for sample in plain)
        for rung in rungs():
            with open_sandbox(rung, run.folder) as box:
                costs = [
                    in_sandbox(
                        box,
                        (base,),
                        Command(
                            ("/bin/sh", "-ec", script),
                            _env(),
                            "/",
                            "",
                            (Bind("/files", (packages,)),),
                        ),
                    )
                    for _ in range(rounds)
                ]
            samples = [cost.sample for cost in costs]
            times = median(sample.cpu for sample in samples) / least
            look = median(cost.look for cost in costs)
            told = f"{times:.2f} × cpu"
            note = f"{told}; {look:.2f} s to know the changes"
            what = f"{name}, {rung}"
            yield (
                Case(what, samples, note),
                Verdict(what, f"≤ {CPU[rung]:g} × cpu", told, times <= CPU[rung]),
            )


def looks(run: Runner, rounds: int, files: Files) -> Rows:
    """What changed in a root of many files, without overlays."""
    with open_sandbox("chroot", run.folder) as box:
        command = Command(("/bin/sh", "-ec", "echo $$ >/many/7/7"), _env())
        costs = [in_sandbox(box, files.many, command) for _ in range(rounds)]
    look = median(cost.look for cost in costs)
    samples = [cost.sample._replace(wall=cost.look) for cost in costs]
    what = f"changes of one file among {files.names:,}"
    told = f"{look:.2f} s"
    yield Case(f"{what}, chroot", samples), Verdict(what, f"≤ {LOOK} s", told, look <= LOOK)


def rungs() -> list[str]:
    """The ways to run commands that can be compared here."""
    users = {"range-map": roots.WITH_IDS, "single-map": roots.WITHOUT_IDS}
    return [rung for rung in CPU if rung not in users or _exists(users[rung])]


def _exists(user: str) -> bool:
    words = ["id", "-u", user]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


@contextmanager
def open_sandbox(rung: str, folder: Path) -> Iterator[Sandbox]:
    """A sandbox on *rung*, as who has it."""
    with roots.sandbox(rung, folder) as box:
        yield box


def in_sandbox(box: Sandbox, chain: Sequence[TreeLayer], command: Command) -> Cost:
    """Run *command*: what it cost with all that watched it, unpacking and so on left out."""
    said = bytearray()
    with box.at(tuple(chain)) as root:
        before, start = spent(), time.perf_counter()
        code = root.run(command, said.extend)
        wall, cpu = time.perf_counter() - start, spent() - before
        if code:
            raise Failed(said.decode(errors="replace").strip() or f"exit code {code}")
        return Cost(Sample(wall, cpu, 0), _look(root))


def _look(root: Root) -> float:
    start = time.perf_counter()
    changes = root.changes()
    seconds = time.perf_counter() - start
    for _ in changes.chunks:
        pass
    return seconds


def spent() -> float:
    """The processor time of this process and all below it, and of those that they waited for."""
    return time.process_time() + sum(_ticks(process) for process in below("self")) / _TICKS


def _ticks(process: str) -> int:
    # The name, which may hold anything, is in parentheses.
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15])


def in_chroot(run: Runner, base: TreeLayer, packages: TreeLayer, script: str) -> Sample:
    """Run *script* as root in a chroot, with the files where the sandbox has them."""
    state = run.folder / "chroot"
    root = state / "root"
    (root / "files").mkdir(parents=True)
    try:
        for layer, place in ((base, root), (packages, root / "files")):
            subprocess.run(["tar", "-xf", layer.path, "-C", place], check=True)
        (state / "script").write_text(script)
        mounts = f'mount -t proc proc "{root}/proc"; mount --rbind /dev "{root}/dev"'
        script = '/bin/sh -ec "$(cat script)"'
        own = f'{mounts}; exec chroot "{root}" /usr/bin/env -i {_words()} {script}'
        return run.run(f"exec unshare --mount sh -ec '{own}'", state, state)
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", state], check=True)


def _env() -> tuple[tuple[str, str], ...]:
    return (("PATH", _PATH), ("HOME", "/root"), ("LC_ALL", "C.UTF-8"))


def _words() -> str:
    return " ".join(f"{name}={value}" for name, value in _env())
