"""What a real server of Kubernetes 1.36 told of Jobs, and a `kubectl` that replays it."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from artificer.events import Report, unheard
from artificer.kubernetes.cluster import Change, Kind, Listed
from artificer.kubernetes.kubectl import Kubeconfig, Kubectl

CASES = Path(__file__).parents[1] / "cases" / "kubernetes"
KINDS: tuple[Kind, ...] = ("jobs", "pods", "events")
FINALS = tuple(sorted(path.stem for path in CASES.glob("*.json") if path.stem[:6] != "watch-"))
WATCHES = tuple(sorted(path.stem for path in CASES.glob("watch-*.json")))

Document = dict[str, Any]


def recording(name: str) -> Document:
    """What is in a recording."""
    found: Document = json.loads((CASES / f"{name}.json").read_text())
    return found


def final(name: str) -> tuple[Listed, ...]:
    """All that a server has in the end."""
    found = recording(name)
    return (
        Listed("jobs", (found["job"],)),
        Listed("pods", tuple(found["pods"])),
        Listed("events", tuple(found["events"])),
    )


def changes(name: str) -> tuple[Change, ...]:
    """What a server told, in the order in which it happened."""
    found = [
        Change(kind, one["type"], one["object"])
        for kind, told in watched(name).items()
        for one in told
    ]
    return tuple(sorted(found, key=lambda one: int(one.object["metadata"]["resourceVersion"])))


def watched(name: str) -> dict[Kind, list[Document]]:
    """The changes of each kind; of a final state, everything as added."""
    found = recording(name)
    if "watch" in found:
        return {kind: found["watch"][kind] for kind in KINDS}
    objects = {"jobs": [found["job"]], "pods": found["pods"], "events": found["events"]}
    return {kind: [{"type": "ADDED", "object": one} for one in objects[kind]] for kind in KINDS}


def job_name(name: str) -> str:
    """What the Job of a recording is called."""
    first = watched(name)["jobs"][0]["object"]["metadata"]["name"]
    return str(first)


def whole(name: str) -> Document:
    """The plan in which a Job does exactly what was recorded."""
    job = job_name(name)
    return {
        "whole": {
            kind: [pretty(one).replace(job, "@JOB@") for one in told]
            for kind, told in watched(name).items()
        }
    }


def each() -> Document:
    """The plan in which each index does what the first did of a Job that succeeded, or failed."""
    return {
        "each": {
            "jobs": _jobs("watch-succeeded"),
            "jobs-failed": _jobs("watch-exit-64-fail-index"),
            "pods": _pods("watch-succeeded"),
            "exit-64": _pods("watch-exit-64-fail-index"),
            "events": [],
        }
    }


def _jobs(name: str) -> list[str]:
    told = watched(name)["jobs"]
    for one in told:
        status, spec = one["object"]["status"], one["object"]["spec"]
        spec["completions"] = "@COUNT@"
        if status.get("completedIndexes"):
            status["completedIndexes"] = "@ALL@"
        if status.get("failedIndexes"):
            status["failedIndexes"] = "@FAILED@"
    return [pretty(one).replace(job_name(name), "@JOB@") for one in told]


def _pods(name: str) -> list[str]:
    found = []
    job = job_name(name)
    for one in watched(name)["pods"]:
        if one["object"]["metadata"]["name"].startswith(f"{job}-0-"):
            text = pretty(one).replace(f"{job}-0-", "@JOB@-@INDEX@-").replace(job, "@JOB@")
            text = text.replace('job-completion-index": "0"', 'job-completion-index": "@INDEX@"')
            found.append(
                text.replace("10.244.0.1:5201/team/rec0:1", "registry.example/rec@INDEX@")
            )
    return found


def pretty(document: Document) -> str:
    """As kubectl prints it."""
    return json.dumps(document, indent=4) + "\n"


class Fake(NamedTuple):
    """A `kubectl` in *folder*, which is on the PATH of *environ*."""

    folder: Path
    environ: Mapping[str, str]

    def plan(self, **what: Any) -> None:
        """Say what it does from now on."""
        (self.folder / "plan.json").write_text(json.dumps(what))

    def calls(self) -> list[list[str]]:
        """The command lines that it was given."""
        path = self.folder / "calls"
        return (
            [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        )

    def created(self) -> list[Document]:
        """The documents that it was given."""
        path = self.folder / "created"
        return (
            [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        )

    def cluster(self, report: Report = unheard, namespace: str = "") -> Kubectl:
        """The cluster behind it."""
        program = str(self.folder / "kubectl")
        return Kubectl(program, Kubeconfig(namespace=namespace), self.environ, report)


def fake_kubectl(folder: Path) -> Fake:
    """A new one, of a cluster that does nothing yet."""
    folder.mkdir(exist_ok=True)
    program = folder / "kubectl"
    source = Path(__file__).with_name("fake_kubectl.py").read_text()
    program.write_text(f"#!{sys.executable} -IS\n{source}")
    program.chmod(0o755)
    fake = Fake(folder, {"PATH": f"{folder}{os.pathsep}{os.defpath}", "HOME": str(folder)})
    fake.plan()
    return fake
