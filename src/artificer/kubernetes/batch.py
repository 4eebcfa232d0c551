"""The Jobs of one submission: what is written on them, so that whoever comes later can go on."""

import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

from artificer.kubernetes.check import InvalidJob
from artificer.kubernetes.cluster import Cluster, Document, Forbidden
from artificer.kubernetes.graph import Graph, LostGraph, Node, packed, unpacked
from artificer.kubernetes.job import (
    BUILD_CONTAINER,
    WORK_FILE,
    WORK_FILE_VARIABLE,
    WORK_VARIABLE,
    WORK_VOLUME,
    Work,
    work_of,
)
from artificer.kubernetes.manifest import ARCH, MAP_BYTES, config_map, work_text
from artificer.kubernetes.objects import ranges
from artificer.kubernetes.words import LABEL_LENGTH

RUN = "artificer/run"
"""The label of all Jobs and pods of one submission."""
GRAPH = "artificer/graph"
GRAPH_MAPS = "artificer/graph-maps"
"""The ConfigMaps that have the graph one after the other, where it is too long for GRAPH."""
NODES = "artificer/nodes"
"""Which targets of the graph a Job has: index *i* is the *i*-th of them."""
ANNOTATION_BYTES = 200_000
"""Of a graph that is kept in the Job itself; the API takes 256 KiB of annotations."""
GRAPH_FILE = "graph"
WAVE = "artificer/wave"
"""The label of Jobs that are to be applied after those of lower numbers."""
_SYNC_WAVE = "argocd.argoproj.io/sync-wave"
_MOST_MAPS = 16
_OF_THE_SERVER = ("controller-uid", "job-name")


class Batch(NamedTuple):
    """One Job: index *i* of it is the target *numbers[i]* of the graph."""

    name: str
    numbers: tuple[int, ...]


def marked(document: Document, run: str, graph: Graph, numbers: Sequence[int]) -> Document:
    """The Job *document* with what tells later which targets it has: with `graph_maps`."""
    metadata, template = document["metadata"], document["spec"]["template"]
    notes = dict(metadata.get("annotations", {}))
    if not graph.flat:
        notes |= {**_kept(graph, run), NODES: spans(numbers)}
    about = {**template.get("metadata", {})}
    about["labels"] = {**about.get("labels", {}), RUN: run}
    return {
        **document,
        "metadata": {
            **metadata,
            "labels": {**metadata.get("labels", {}), RUN: run},
            **({"annotations": notes} if notes else {}),
        },
        "spec": {**document["spec"], "template": {**template, "metadata": about}},
    }


def graph_maps(graph: Graph, run: str, namespace: str) -> tuple[Document, ...]:
    """What keeps *graph* where a Job of its own cannot: nothing if it can."""
    return tuple(
        config_map(name, namespace, {GRAPH_FILE: part})
        for name, part in zip(_map_names(graph, run), _parts(graph), strict=True)
    )


def _kept(graph: Graph, run: str) -> dict[str, str]:
    names = _map_names(graph, run)
    return {GRAPH_MAPS: ",".join(names)} if names else {GRAPH: packed(graph)}


def _map_names(graph: Graph, run: str) -> list[str]:
    return [f"artificer-graph-{run}-{number}" for number in range(len(_parts(graph)))]


def _parts(graph: Graph) -> list[str]:
    if graph.flat or len(text := packed(graph)) <= ANNOTATION_BYTES:
        return []
    parts = [text[at : at + MAP_BYTES] for at in range(0, len(text), MAP_BYTES)]
    if len(parts) > _MOST_MAPS:
        raise InvalidJob(
            f"{len(graph.nodes)} targets, which need each other, are too many to be remembered",
            hint="name fewer of them, and make several jobs",
        )
    return parts


def in_wave(document: Document, number: int) -> Document:
    """*document* with what says, to people and to Argo CD, when it is to be applied."""
    about = document["metadata"]
    return {
        **document,
        "metadata": {
            **about,
            "labels": {**about.get("labels", {}), WAVE: str(number)},
            "annotations": {_SYNC_WAVE: str(number), **about.get("annotations", {})},
        },
    }


def owned(document: Document, job: Document) -> Document:
    """*document*, which goes when *job* does: the Job as the server has it."""
    about = job["metadata"]
    # Without blockOwnerDeletion, which some clusters allow only to those who may change the Job.
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": about["name"], "uid": about["uid"]}
    return {**document, "metadata": {**document["metadata"], "ownerReferences": [owner]}}


def following(document: Document, graph: Graph, numbers: Sequence[int], part: int) -> Document:
    """A further Job like *document*, which the server has, for the targets *numbers*."""
    old, spec = document["metadata"], document["spec"]
    works = [graph.nodes[number].work for number in numbers]
    template, architecture = spec["template"], graph.nodes[numbers[0]].architecture
    about = {**template.get("metadata", {})}
    about["labels"] = _own(about.get("labels", {}))
    room = LABEL_LENGTH - 1 - len(str(len(works) - 1))
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": _further_name(str(old["name"]), part, room),
            **({"namespace": old["namespace"]} if old.get("namespace") else {}),
            "labels": _own(old.get("labels", {})),
            "annotations": {**old.get("annotations", {}), NODES: spans(numbers)},
        },
        "spec": {
            **{
                key: value
                for key, value in spec.items()
                if key not in {"selector", "manualSelector"}
            },
            "suspend": "kueue.x-k8s.io/queue-name" in old.get("labels", {}),
            "completions": len(works),
            "parallelism": min(graph.parallelism, len(works)),
            "maxFailedIndexes": len(works),
            "template": {
                **template,
                "metadata": about,
                "spec": _with_work(on_nodes(template["spec"], architecture, graph), works),
            },
        },
    }


def _further_name(first: str, part: int, room: int) -> str:
    """Known before there is such a Job, so that two who watch do not make two of them."""
    name, end = first, f"-{part}"
    if len(name) + len(end) > room:
        mark = hashlib.sha256(first.encode()).hexdigest()[:8]
        name = f"{first[: room - len(end) - len(mark) - 1]}-{mark}"
    return f"{name}{end}"


def _own(labels: dict[str, str]) -> dict[str, str]:
    """The *labels* that are not the server's."""
    return {
        key: value
        for key, value in labels.items()
        if key not in _OF_THE_SERVER and not key.startswith("batch.kubernetes.io/")
    }


def on_nodes(spec: Document, architecture: str, graph: Graph) -> Document:
    """*spec* of a pod, for nodes of *architecture* if the *graph* is particular about that."""
    if not any(node.architecture for node in graph.nodes):
        return spec
    others = {key: value for key, value in spec.get("nodeSelector", {}).items() if key != ARCH}
    chosen = {**others, **({ARCH: architecture} if architecture else {})}
    rest = {key: value for key, value in spec.items() if key != "nodeSelector"}
    return {**rest, **({"nodeSelector": chosen} if chosen else {})}


def _with_work(spec: Document, works: Sequence[Work]) -> Document:
    containers = [
        one
        if one.get("name") != BUILD_CONTAINER
        else {**one, "env": _told(one, works), "volumeMounts": _without_map(one, "volumeMounts")}
        for one in spec["containers"]
    ]
    return {**spec, "containers": containers, "volumes": _without_map(spec, "volumes")}


def _without_map(document: Document, key: str) -> list[Document]:
    """What *document* has at *key*, without the ConfigMap, which goes with the first Job."""
    return [one for one in document.get(key, ()) if one.get("name") != WORK_VOLUME]


def _told(container: Document, works: Sequence[Work]) -> list[Document]:
    others = [
        one
        for one in container.get("env", ())
        if one.get("name") not in {WORK_VARIABLE, WORK_FILE_VARIABLE}
    ]
    return [*others, {"name": WORK_VARIABLE, "value": work_text(works)}]


def graph_of(document: Document, cluster: Cluster) -> Graph:
    """The graph that a Job is a part of: of its annotations, or of its work."""
    metadata, spec = document["metadata"], document["spec"]
    notes = metadata.get("annotations", {})
    text = notes.get(GRAPH) or _of_maps(notes.get(GRAPH_MAPS, ""), cluster)
    if text:
        return unpacked(text)
    name, count = str(metadata["name"]), int(spec.get("completions", 1))
    works = _works(document, cluster)[:count]
    works += [Work(f"{name}[{number}]", ()) for number in range(len(works), count)]
    return Graph(tuple(map(Node, works)), int(spec.get("parallelism", 1)))


def batch_of(document: Document, graph: Graph) -> Batch:
    """Which part of *graph* a Job is."""
    metadata, count = document["metadata"], int(document["spec"].get("completions", 1))
    name, notes = str(metadata["name"]), metadata.get("annotations", {})
    if graph.flat:
        return Batch(name, tuple(range(count)))
    numbers = tuple(sorted(ranges(notes.get(NODES, ""))))
    if not numbers or len(numbers) != count or numbers[-1] >= len(graph.nodes):
        raise LostGraph(f"the annotations of the Job {name} are about other targets")
    return Batch(name, numbers)


def _of_maps(names: str, cluster: Cluster) -> str:
    parts = []
    for name in filter(None, names.split(",")[:_MOST_MAPS]):
        found = cluster.find("configmaps", name)
        if found is None:
            raise LostGraph(
                f"there is no ConfigMap {name}, which says what the Job is a part of",
                hint="it goes with the first Job, or its submitter was killed before it was made; "
                "submit again: what is done is not done twice",
            )
        parts.append(str(found.get("data", {}).get(GRAPH_FILE, "")))
    return "".join(parts)


def _works(document: Document, cluster: Cluster) -> list[Work]:
    """What the pods of a Job are told; nothing if it is a Job of somebody else's."""
    spec = document["spec"]["template"]["spec"]
    told = {
        str(one.get("name")): str(one.get("value", ""))
        for build in spec["containers"]
        if build.get("name") == BUILD_CONTAINER
        for one in build.get("env", ())
    }
    text = told.get(WORK_VARIABLE, "")
    if not text and WORK_FILE_VARIABLE in told:
        text = _of_map(spec, cluster)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    works = list(map(work_of, found)) if isinstance(found, list) else []
    return [one for one in works if one is not None] if None not in works else []


def _of_map(spec: Document, cluster: Cluster) -> str:
    for volume in spec.get("volumes", ()):
        if volume.get("name") == WORK_VOLUME:
            try:
                name = str(volume.get("configMap", {}).get("name", ""))
                found = cluster.find("configmaps", name)
            except Forbidden:
                return ""  # Then the targets are told by their numbers.
            return str((found or {}).get("data", {}).get(WORK_FILE, ""))
    return ""


def spans(numbers: Sequence[int]) -> str:
    """Ascending *numbers* as ``0,2-4,7``."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in found)
