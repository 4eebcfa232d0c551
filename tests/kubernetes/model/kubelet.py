"""A node: it pulls, mounts and starts what pods ask for, as processes of this machine."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from artificer.kubernetes.words import amount_of
from tests.kubernetes.model.world import Document, Key, World, now

NODE = "node1"
LABELS = {"kubernetes.io/arch": "amd64", "kubernetes.io/hostname": NODE}
_PROCESSORS = 8
_MESSAGE = "/dev/termination-log"
_TAIL = 2048
_START = (
    'failed to create containerd task: exec: "{}": executable file not found in $PATH: unknown'
)


class Kubelet:
    """Runs every pod in a thread of its own. Logs stay for as long as it does."""

    def __init__(self, world: World, image: str) -> None:
        self._world = world
        self._image = image
        self._known: set[str] = set()
        self.logs: dict[str, list[str]] = {}
        self.ended: set[str] = set()

    def run(self) -> None:
        while not self._world.over:
            seen = self._world.version
            for key, pod in self._world.all("pods"):
                if pod["metadata"]["uid"] not in self._known:
                    self._known.add(pod["metadata"]["uid"])
                    threading.Thread(target=self._pod, args=(key, pod), daemon=True).start()
            self._world.pause(seen)

    def _pod(self, key: Key, pod: Document) -> None:
        with tempfile.TemporaryDirectory() as folder:
            steps = (self._schedule, self._mount, self._pull)
            if all(self._waits(key, partial(step, key, pod, folder)) for step in steps):
                self._container(key, pod, folder)
        uid = pod["metadata"]["uid"]
        self.ended.add(uid)
        with self._world.changed:
            self._world.changed.notify_all()
        found = self._world.get(key)
        while found is not None and "deletionTimestamp" not in found["metadata"]:
            if self._world.over:
                return
            time.sleep(0.1)
            found = self._world.get(key)
        owned = bool(pod["metadata"].get("ownerReferences"))
        if not owned:
            self._world.remove(key)
        # One that never ran has failed for its Job, which then lets it go.
        self._world.change(key, _failed)

    def _waits(self, key: Key, step: Callable[[], bool]) -> bool:
        """Whether *step* came true before the pod was to go."""
        while not step():
            found = self._world.get(key)
            if self._world.over or found is None or "deletionTimestamp" in found["metadata"]:
                return False
            time.sleep(0.2)
        return True

    def _schedule(self, key: Key, pod: Document, folder: str) -> bool:
        spec = pod["spec"]
        asked = spec["containers"][0].get("resources", {}).get("requests", {}).get("cpu", "0")
        chosen = spec.get("nodeSelector", {}).items() <= LABELS.items()
        room = (amount_of(asked) or 0) <= _PROCESSORS
        if chosen and room:
            self._world.change(key, lambda one: _condition(one, "PodScheduled", "True", "", ""))
            self._world.change(key, lambda one: one["spec"].update(nodeName=NODE))
            return True
        why = "Insufficient cpu" if chosen else "node(s) didn't match Pod's node affinity/selector"
        said = f"0/1 nodes are available: 1 {why}. preemption: not helpful"
        waits = ("PodScheduled", "False", "Unschedulable", said)
        self._world.change(key, lambda one: _condition(one, *waits))
        return False

    def _mount(self, key: Key, pod: Document, folder: str) -> bool:
        for volume in pod["spec"].get("volumes", ()):
            for kind, field in (("secret", "secretName"), ("configMap", "name")):
                wanted = volume.get(kind)
                if wanted is None:
                    continue
                name = Key(f"{kind.lower()}s", key.namespace, wanted[field])
                found = self._world.get(name)
                if found is None and not wanted.get("optional"):
                    said = f'MountVolume.SetUp failed for volume "{volume["name"]}" : '
                    said += f'{kind.lower()} "{wanted[field]}" not found'
                    self._world.event(pod, "Pod", "FailedMount", said)
                    time.sleep(1)
                    return False
                os.makedirs(f"{folder}/{volume['name']}", exist_ok=True)
                for file, text in (found or {}).get("data", {}).items():
                    with open(f"{folder}/{volume['name']}/{file}", "w") as stream:
                        stream.write(text)
        return True

    def _pull(self, key: Key, pod: Document, folder: str) -> bool:
        image = pod["spec"]["containers"][0]["image"]
        if image == self._image:
            return True
        said = f'failed to pull and unpack image "{image}": failed to resolve image: not found'
        waits = {"reason": "ErrImagePull", "message": f"rpc error: code = NotFound desc = {said}"}
        self._tell(key, pod, "Pending", {"waiting": waits})
        time.sleep(1)
        said = f'Back-off pulling image "{image}": ErrImagePull: {said}'
        self._tell(
            key, pod, "Pending", {"waiting": {"reason": "ImagePullBackOff", "message": said}}
        )
        time.sleep(1)
        return False

    def _tell(self, key: Key, pod: Document, phase: str, state: Document) -> None:
        container = pod["spec"]["containers"][0]
        told = {"name": container["name"], "image": container["image"], "state": state}
        status = {"phase": phase, "containerStatuses": [told]}
        self._world.change(key, lambda one: one["status"].update(status))

    def _container(self, key: Key, pod: Document, folder: str) -> None:
        container, began = pod["spec"]["containers"][0], now()
        command = container["command"]
        if command[0] != "sh":
            self._end(key, pod, began, 128, "StartError", _START.format(command[0]))
            return
        lines = self.logs.setdefault(pod["metadata"]["uid"], [])
        process = _process(container, pod, folder)
        self._tell(key, pod, "Running", {"running": {"startedAt": began}})
        ender = threading.Thread(target=self._end_when_deleted, args=(key, pod, process))
        ender.start()
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                lines.append(f"{_moment()} {line}")
                with self._world.changed:
                    self._world.changed.notify_all()
        code = process.wait()
        ender.join()
        text = "".join(line.partition(" ")[2] for line in lines)[-_TAIL:]
        if code and "memory exhausted" in text:
            self._end(key, pod, began, 137, "OOMKilled", "")
            return
        with contextlib.suppress(FileNotFoundError), open(f"{folder}/message") as stream:
            text = stream.read()
            code = code or 0
            self._end(key, pod, began, code, "Error" if code else "Completed", text)
            return
        code = code if code >= 0 else 128 - code
        self._end(key, pod, began, code, "Error" if code else "Completed", text if code else "")

    def _end(
        self, key: Key, pod: Document, began: str, code: int, reason: str, message: str
    ) -> None:
        ended = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": now()}
        state = {"terminated": {**ended, **({"message": message} if message else {})}}
        self._tell(key, pod, "Running", state)
        self._tell(key, pod, "Failed" if code else "Succeeded", state)

    def _end_when_deleted(self, key: Key, pod: Document, process: "subprocess.Popen[str]") -> None:
        """What a container's first process does not listen to is not heard by this one either."""
        grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
        until: float | None = None
        while process.poll() is None:
            found = self._world.get(key)
            gone = found is None or "deletionTimestamp" in found["metadata"]
            if gone and until is None:
                until = time.monotonic() + grace
            if self._world.over or (until is not None and time.monotonic() > until):
                os.killpg(process.pid, signal.SIGKILL)
                return
            time.sleep(0.1)


def _process(container: Document, pod: Document, folder: str) -> "subprocess.Popen[str]":
    script = container["command"][-1].replace(_MESSAGE, f"{folder}/message")
    for mount in container.get("volumeMounts", ()):
        place = f"{folder}/{mount['name']}"
        if os.path.isdir(place):
            script = script.replace(mount["mountPath"] + "/", place + "/")
    limit = container.get("resources", {}).get("limits", {}).get("memory", "64Mi")
    kilobytes = str(int(amount_of(limit) or 0) // 1024)
    index = (
        pod["metadata"].get("annotations", {}).get("batch.kubernetes.io/job-completion-index", "")
    )
    return subprocess.Popen(
        ["sh", "-c", 'ulimit -v "$1"; exec sh -ec "$0"', script, kilobytes],
        env={"PATH": os.defpath, "JOB_COMPLETION_INDEX": index},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )


def _moment() -> str:
    return f"{now()[:-1]}.{time.time_ns() % 10**9:09}Z"


def _condition(pod: Document, name: str, status: str, reason: str, message: str) -> None:
    known: list[Any] = pod["status"].setdefault("conditions", [])
    found = {"type": name, "status": status, "reason": reason, "message": message}
    pod["status"]["conditions"] = [*(one for one in known if one["type"] != name), found]


def evicted(pod: Document) -> None:
    """Mark *pod* as one that the eviction API takes away."""
    said = "Eviction API: evicting"
    _condition(pod, "DisruptionTarget", "True", "EvictionByEvictionAPI", said)
    pod["metadata"].setdefault("deletionTimestamp", now())


def _failed(pod: Document) -> None:
    if pod["status"]["phase"] in {"Pending", "Running"}:
        pod["status"]["phase"] = "Failed"
