"""A Job as the documents that a cluster is given: pure, the same for the same Job."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from artificer.kubernetes.check import InvalidJob, check
from artificer.kubernetes.job import (
    BUILD_CONTAINER,
    PERMANENT,
    SOURCE_CONTAINER,
    WORK_FILE,
    WORK_MAP,
    Job,
    JobOptions,
    Work,
)
from artificer.kubernetes.template import Given, pod_spec

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "artificer"
ARCH = "kubernetes.io/arch"
"""The label that every node has."""
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"

WORK_BYTES = 100_000
"""Of work, more is put into a ConfigMap: Linux takes 128 KiB in one variable."""

MAP_BYTES = 1_000_000
"""Of a ConfigMap: Kubernetes takes 1 MiB, and its own words are in it, too."""

Document = dict[str, Any]


def placed(job: Job, architecture: str) -> Job:
    """*job*, on nodes of *architecture*; on any if that is empty."""
    if not architecture:
        return job
    options = job.options
    chosen = (*options.placement.node_selector, (ARCH, architecture))
    placement = options.placement._replace(node_selector=chosen)
    return job._replace(options=options._replace(placement=placement))


def manifests(job: Job, run: str = "") -> tuple[Document, ...]:
    """All that has to be created: a ConfigMap if the work is long, and at last the Job.

    The ConfigMap is named for what it holds; with *run* it is that submission's alone, and can be
    removed with its Job. Raises `InvalidJob` for what no server would take.
    """
    text, found = work_text(job.works), manifest(job, run)
    return (found,) if _fits(text) else (_work_map(job.options, text, run), found)


def manifest(job: Job, run: str = "") -> Document:
    """The Job itself. Raises `InvalidJob` for what no server would take."""
    check(job)
    options = job.options
    labels = {MANAGED_BY: MANAGER, **dict(options.labels)}
    queued = {QUEUE_LABEL: options.queue} if options.queue else {}
    annotations = {"annotations": dict(options.annotations)} if options.annotations else {}
    text = work_text(job.works)
    given = Given(text) if _fits(text) else Given(config_map=_map_name(text, run))
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            **_named(options),
            "labels": {**labels, **queued},
            **annotations,
        },
        "spec": {
            **_pace(job),
            **({"suspend": True} if options.suspend or options.queue else {}),
            "podReplacementPolicy": "Failed",  # never two pods pushing one tag
            "podFailurePolicy": {"rules": _rules(job)},
            "template": {
                "metadata": {"labels": labels, **annotations},
                "spec": pod_spec(job, given),
            },
        },
    }


def config_map(name: str, namespace: str, data: dict[str, str]) -> Document:
    """A ConfigMap that nobody changes any more."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            **({"namespace": namespace} if namespace else {}),
            "labels": {MANAGED_BY: MANAGER},
        },
        "immutable": True,
        "data": data,
    }


def work_text(works: Sequence[Work]) -> str:
    """What the pods read: one line for each index, so that a change is one line in Git, too."""
    lines = (json.dumps(work.document(), ensure_ascii=False) for work in works)
    # Kubernetes expands `$` in a variable, and does not in a file: so there is none.
    return ("[\n" + ",\n".join(lines) + "\n]\n").replace("$", "\\u0024")


def _fits(text: str) -> bool:
    return len(text.encode()) <= WORK_BYTES


def _map_name(text: str, run: str) -> str:
    own = f"-{run}" if run else ""
    return f"{WORK_MAP}{hashlib.sha256(text.encode()).hexdigest()[:16]}{own}"


def _work_map(options: JobOptions, text: str, run: str) -> Document:
    if len(text.encode()) > MAP_BYTES:
        raise InvalidJob(
            f"the work of {text.count(chr(10)) - 2} targets does not fit into one ConfigMap",
            hint="name fewer of them, and make several jobs",
        )
    return config_map(_map_name(text, run), options.namespace, {WORK_FILE: text})


def _named(options: JobOptions) -> Document:
    name = {"name": options.name} if options.name else {"generateName": options.generate_name}
    return {**name, **({"namespace": options.namespace} if options.namespace else {})}


def _pace(job: Job) -> Document:
    pace, count = job.options.pace, len(job.works)
    return {
        "completionMode": "Indexed",
        "completions": count,
        "parallelism": min(pace.parallelism, count),
        "backoffLimitPerIndex": pace.retries,
        "maxFailedIndexes": count if pace.max_failed is None else min(pace.max_failed, count),
        "activeDeadlineSeconds": pace.deadline,
        **({} if pace.keep is None else {"ttlSecondsAfterFinished": pace.keep}),
    }


def _rules(job: Job) -> list[Document]:
    """A rule is about one container: the source's failures would be retried without their own."""
    containers = [BUILD_CONTAINER, *([SOURCE_CONTAINER] if job.fetches else [])]
    return [
        *(
            {
                "action": "FailIndex",
                "onExitCodes": {
                    "containerName": name,
                    "operator": "In",
                    "values": list(PERMANENT),
                },
            }
            for name in containers
        ),
        {
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        },
    ]
