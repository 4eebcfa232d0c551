"""Targets that need each other, and which of them become the next Job: pure."""

import base64
import gzip
import io
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from artificer.errors import ArtificerError
from artificer.kubernetes.job import Work, work_of
from artificer.kubernetes.manifest import WORK_BYTES, work_text
from artificer.limits import KUBERNETES_BYTES


class LostGraph(ArtificerError):
    """A Job does not tell which targets it is a part of."""


class Node(NamedTuple):
    """One target; it starts when those at *needs* are done."""

    work: Work
    needs: tuple[int, ...] = ()
    inner: bool = False
    """Nobody asked for it but others that need it."""
    architecture: str = ""
    """Of the nodes that it is to be built on; empty: of any."""


class Graph(NamedTuple):
    """All targets of a submission, and how many of its pods run at once."""

    nodes: tuple[Node, ...]
    parallelism: int = 10
    max_failed: int | None = None

    @property
    def flat(self) -> bool:
        """Whether no target waits for another, and all may run anywhere: one Job does it all."""
        alike = len({node.architecture for node in self.nodes}) <= 1
        return alike and not any(node.needs for node in self.nodes)


def ready(graph: Graph, done: Collection[int], taken: Collection[int]) -> tuple[int, ...]:
    """The targets whose bases are all *done*, without those that are *taken* already."""
    return tuple(
        number
        for number, node in enumerate(graph.nodes)
        if number not in taken and all(need in done for need in node.needs)
    )


def waves(graph: Graph) -> Iterator[tuple[int, ...]]:
    """All targets, in parts that need nothing but those before them."""
    done: set[int] = set()
    while found := ready(graph, done, done):
        yield found
        done.update(found)


def blocked(graph: Graph, failed: Collection[int]) -> dict[int, int]:
    """The targets that can never start, each with the one that failed below it."""
    found: dict[int, int] = {}
    growing = True
    while growing:
        growing = False
        for number, node in enumerate(graph.nodes):
            if number in found or number in failed:
                continue
            below = next((need for need in node.needs if need in failed or need in found), None)
            if below is not None:
                found[number] = found.get(below, below)
                growing = True
    return found


def batches(graph: Graph, numbers: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """*numbers* in parts whose pods are alike, and whose work fits into one variable of them."""
    for alike in by_architecture(graph, numbers):
        part: list[int] = []
        for number in alike:
            works = [graph.nodes[one].work for one in (*part, number)]
            if part and len(work_text(works).encode()) > WORK_BYTES:
                yield tuple(part)
                part = []
            part.append(number)
        yield tuple(part)


def by_architecture(graph: Graph, numbers: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """*numbers* in parts that run on nodes of one architecture; the pods of a Job are alike."""
    parts: dict[str, list[int]] = {}
    for number in numbers:
        parts.setdefault(graph.nodes[number].architecture, []).append(number)
    return tuple(map(tuple, parts.values()))


def packed(graph: Graph) -> str:
    """*graph* as a short text, for `unpacked`."""
    document = {
        "nodes": [[node.work.document(), *node[1:]] for node in graph.nodes],
        "parallelism": graph.parallelism,
        "max_failed": graph.max_failed,
    }
    data = gzip.compress(json.dumps(document).encode(), mtime=0)
    return base64.b64encode(data).decode()


def unpacked(text: str) -> Graph:
    """The graph that `packed` made *text* of."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(base64.b64decode(text, validate=True))) as file:
            document: Any = json.loads(file.read(KUBERNETES_BYTES))
        nodes = tuple(
            Node(_work(work), tuple(map(int, needs)), bool(inner), *map(str, more[:1]))
            for work, needs, inner, *more in document["nodes"]
        )
        most = document["max_failed"]
        return Graph(nodes, int(document["parallelism"]), None if most is None else int(most))
    except (OSError, EOFError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise LostGraph("what the Job says of its targets cannot be read") from error


def _work(document: object) -> Work:
    found = work_of(document)
    if found is None:
        raise ValueError("no work of a target")
    return found
