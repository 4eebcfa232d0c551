"""The Job controller: pods of indexes, retries, what fails an index, when a Job is over."""

import time
from typing import Any

from tests.kubernetes.model.admission import refused
from tests.kubernetes.model.world import Document, Key, Refusal, World, now

_INDEX = "batch.kubernetes.io/job-completion-index"
_AGAIN = 1.0
"""Seconds before an index, or a pod that was refused, is tried again: a cluster waits for ten."""


class JobController:
    """Looks at all Jobs, again and again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._counted: set[str] = set()
        self._failures: dict[tuple[str, int], int] = {}
        self._failed: dict[str, set[int]] = {}
        self._after: dict[tuple[str, int], float] = {}

    def run(self) -> None:
        while not self._world.over:
            seen = self._world.version
            for key, job in self._world.all("jobs"):
                self._sync(key, job)
            self._world.pause(seen)

    def _sync(self, key: Key, job: Document) -> None:
        pods = [one for one in self._world.all("pods", key.namespace) if _is_of(job, one[1])]
        if "deletionTimestamp" in job["metadata"]:
            self._delete(key, job, pods)
            return
        status = job.get("status", {})
        if any(one["type"] in {"Complete", "Failed"} for one in status.get("conditions", ())):
            return
        if job["spec"].get("suspend"):
            self._condition(key, "Suspended", "JobSuspended", "Job suspended")
            return
        self._world.change(key, lambda one: one["status"].setdefault("startTime", now()))
        self._count(job, pods)
        self._world.change(key, lambda one: one["status"].update(self._status(job, pods)))
        if self._is_late(job):
            self._end(key, pods, "DeadlineExceeded", "Job was active longer than the deadline")
        elif not self._open(job, pods):
            self._finish(key, job, pods)
        else:
            self._start(job, pods)

    def _delete(self, key: Key, job: Document, pods: list[tuple[Key, Document]]) -> None:
        self._count(job, pods)
        for one, _ in pods:
            self._world.mark_deleted(one)
        if not pods:
            for one, found in self._world.all("configmaps", key.namespace):
                if _is_of(job, found):
                    self._world.remove(one)
            self._world.remove(key)

    def _count(self, job: Document, pods: list[tuple[Key, Document]]) -> None:
        uid = job["metadata"]["uid"]
        for key, pod in pods:
            phase = pod["status"]["phase"]
            if phase == "Failed" and pod["metadata"]["uid"] not in self._counted:
                self._counted.add(pod["metadata"]["uid"])
                self._judge(job, (uid, _index(pod)), pod)
            if phase in {"Failed", "Succeeded"} and "deletionTimestamp" in pod["metadata"]:
                self._world.remove(key)

    def _judge(self, job: Document, place: tuple[str, int], pod: Document) -> None:
        self._after[place] = time.monotonic() + _AGAIN
        rules = job["spec"].get("podFailurePolicy", {}).get("rules", ())
        action = next((one["action"] for one in rules if _matches(one, pod)), "Count")
        if action == "Ignore":
            return
        self._failures[place] = self._failures.get(place, 0) + 1
        if action == "FailIndex" or self._failures[place] > job["spec"]["backoffLimitPerIndex"]:
            self._failed.setdefault(place[0], set()).add(place[1])

    def _status(self, job: Document, pods: list[tuple[Key, Document]]) -> Document:
        uid = job["metadata"]["uid"]
        done = sorted({_index(pod) for _, pod in pods if pod["status"]["phase"] == "Succeeded"})
        failed = sorted(self._failed.get(uid, ()))
        return {
            "active": sum(pod["status"]["phase"] in {"Pending", "Running"} for _, pod in pods),
            "completedIndexes": ",".join(map(str, done)),
            "failedIndexes": ",".join(map(str, failed)),
            "failed": sum(count for place, count in self._failures.items() if place[0] == uid),
        }

    def _open(self, job: Document, pods: list[tuple[Key, Document]]) -> list[int]:
        done = {_index(pod) for _, pod in pods if pod["status"]["phase"] == "Succeeded"}
        over = done | self._failed.get(job["metadata"]["uid"], set())
        return [one for one in range(job["spec"]["completions"]) if one not in over]

    def _start(self, job: Document, pods: list[tuple[Key, Document]]) -> None:
        # podReplacementPolicy: Failed – one that is being deleted is still there.
        alive = {
            _index(pod) for _, pod in pods if pod["status"]["phase"] in {"Pending", "Running"}
        }
        room = job["spec"]["parallelism"] - len(alive)
        for index in self._open(job, pods):
            place = (job["metadata"]["uid"], index)
            if index in alive or room <= 0 or self._after.get(place, 0.0) > time.monotonic():
                continue
            room -= 1
            try:
                self._create(job, index)
            except Refusal as error:
                self._after[place] = time.monotonic() + _AGAIN
                said = f"Error creating: {error.status['message']}"
                self._world.event(job, "Job", "FailedCreate", said)

    def _create(self, job: Document, index: int) -> None:
        about, template = job["metadata"], job["spec"]["template"]
        known = template.get("metadata", {})
        owner = {"apiVersion": "batch/v1", "kind": "Job", "controller": True}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "generateName": f"{about['name']}-{index}-",
                "labels": {
                    **known.get("labels", {}),
                    "job-name": about["name"],
                    "batch.kubernetes.io/job-name": about["name"],
                },
                "annotations": {**known.get("annotations", {}), _INDEX: str(index)},
                "ownerReferences": [{**owner, "name": about["name"], "uid": about["uid"]}],
            },
            "spec": template["spec"],
            "status": {"phase": "Pending"},
        }
        refused(self._world, pod, about["namespace"], f"{about['name']}-{index}-x")
        self._world.create("pods", about["namespace"], pod)

    def _is_late(self, job: Document) -> bool:
        began = job.get("status", {}).get("startTime")
        # Times have whole seconds.
        return (
            bool(began)
            and _seconds(now()) - _seconds(began) > (job["spec"]["activeDeadlineSeconds"])
        )

    def _finish(self, key: Key, job: Document, pods: list[tuple[Key, Document]]) -> None:
        if self._failed.get(job["metadata"]["uid"]):
            self._end(key, pods, "FailedIndexes", "Job has failed indexes")
            return
        for name in ("SuccessCriteriaMet", "Complete"):
            self._condition(key, name, "CompletionsReached", "Reached expected number")

    def _end(self, key: Key, pods: list[tuple[Key, Document]], reason: str, message: str) -> None:
        self._condition(key, "FailureTarget", reason, message)
        alive = [one for one, pod in pods if pod["status"]["phase"] in {"Pending", "Running"}]
        for one in alive:
            self._world.mark_deleted(one)
        if not alive:
            self._condition(key, "Failed", reason, message)

    def _condition(self, key: Key, name: str, reason: str, message: str) -> None:
        condition = {"type": name, "status": "True", "reason": reason, "message": message}

        def add(job: Document) -> None:
            known = job["status"].setdefault("conditions", [])
            if name not in {one["type"] for one in known}:
                known.append(condition)

        self._world.change(key, add)


def _is_of(job: Document, one: Document) -> bool:
    owners = one["metadata"].get("ownerReferences", ())
    return any(owner["uid"] == job["metadata"]["uid"] for owner in owners)


def _index(pod: Document) -> int:
    return int(pod["metadata"]["annotations"][_INDEX])


def _matches(rule: Document, pod: Document) -> bool:
    status: Any = pod["status"]
    if codes := rule.get("onExitCodes"):
        ended = [
            one["state"]["terminated"]["exitCode"]
            for one in status.get("containerStatuses", ())
            if one["name"] == codes["containerName"] and "terminated" in one["state"]
        ]
        return any(code in codes["values"] for code in ended)
    conditions = {one["type"] for one in status.get("conditions", ()) if one["status"] == "True"}
    return any(one["type"] in conditions for one in rule.get("onPodConditions", ()))


def _seconds(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
