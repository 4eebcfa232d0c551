"""200 targets of a Job, replayed through a `kubectl` that tells what a real server told."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

import artificer
from bench.builds import Case, Section
from bench.measure import Failed, Runner, Sample
from bench.targets import Verdict
from tests.kubernetes.recordings import each, fake_kubectl

TARGETS = 200
_LINES = 20
SECONDS = 5.0
PEAK = 150 * 1000 * 1000

# What a submitter does, and then what it took of itself: its kubectl is a program of the tests.
_SUBMIT = """\
import json, os, resource, sys, time
began = time.perf_counter()
from artificer.cli.terminal.console import Console
from artificer.kubernetes.batch import Batch, marked
from artificer.kubernetes.graph import Graph, Node
from artificer.kubernetes.job import Job, JobOptions, Work, Workspace
from artificer.kubernetes.kubectl import Kubeconfig, Kubectl
from artificer.kubernetes.manifest import manifest
from artificer.kubernetes.run import Circumstances, Submission, Watch
from artificer.stop import Stop

count, program, result = int(sys.argv[1]), sys.argv[2], sys.argv[3]
works = tuple(Work(f"//:t{one}", ("run", f"//:t{one}")) for one in range(count))
graph = Graph(tuple(map(Node, works)))
report = Console(sys.stderr, os.environ).report
cluster = Kubectl(program, Kubeconfig(), os.environ, report)
numbers = tuple(range(count))
document = marked(manifest(Job(JobOptions("builder"), works, Workspace())), "r", graph, numbers)
first = cluster.create(document)
submission = Submission(graph, (Batch(first["metadata"]["name"], numbers),), first)
built = []
Watch(submission, Circumstances(cluster, report, built.append, Stop())).follow()
used = resource.getrusage(resource.RUSAGE_SELF)
peak = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
wall = time.perf_counter() - began
with open(result, "w") as file:
    json.dump([len(built), wall, used.ru_utime + used.ru_stime, int(peak[0]) * 1024], file)
"""


def jobs(run: Runner, rounds: int, targets: int = TARGETS) -> Section:
    """Submit and watch so many targets; the processor time is the submitter's alone."""
    samples = [_submitted(run, targets) for _ in range(rounds)]
    case = Case(f"{targets} targets", samples, "submitted and watched to their end")
    cpu = max(sample.cpu for sample in samples)
    return Section(
        "jobs",
        "targets of a Kubernetes Job, replayed",
        [case],
        [
            Verdict(f"{targets} targets, cpu", f"≤ {SECONDS:g} s", f"{cpu:.2f} s", cpu <= SECONDS),
            Verdict(
                f"{targets} targets, memory",
                f"≤ {PEAK / 1e6:.0f} MB",
                f"{case.peak / 1e6:.0f} MB",
                case.peak <= PEAK,
            ),
        ],
    )


def _submitted(run: Runner, targets: int) -> Sample:
    folder = Path(mkdtemp(dir=run.folder))
    fake = fake_kubectl(folder / "kubectl")
    fake.plan(**each(), logs={"build": ["2026-11-21T21:35:34Z built"] * _LINES})
    result = folder / "result"
    words = [str(targets), str(fake.folder / "kubectl"), str(result)]
    source = os.path.dirname(os.path.dirname(artificer.__file__))
    environ = {**run.environ, "PYTHONPATH": source}
    done = subprocess.run(
        [sys.executable, "-c", _SUBMIT, *words],
        check=False,
        capture_output=True,
        env=environ,
        text=True,
    )
    if done.returncode:
        raise Failed(done.stderr.strip().splitlines()[-1])
    built, wall, cpu, peak = json.loads(result.read_text())
    if built != targets:
        raise Failed(f"{built} of {targets} targets are built")
    return Sample(wall, cpu, peak)
