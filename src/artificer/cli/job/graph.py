"""Which targets of a Job wait for which others: those they are made of, as BUILD files say."""

from collections.abc import Container, Mapping

from artificer.builder.dependencies import dependencies
from artificer.builder.targets import Declared, ImageTarget, IndexTarget, TargetId
from artificer.cli.job.works import Asked
from artificer.errors import Misused
from artificer.kubernetes.graph import Graph, Node
from artificer.kubernetes.job import Job, Work
from artificer.oci.platform import Platform

_SEVERAL = 2


def graph_of(job: Job, asked: Asked, *, native: bool) -> Graph:
    """The targets of *job* in their order, and before them the images that several need.

    Those, and the images of an index, get pods of their own where a cache repository hands them
    on; otherwise each pod makes what it needs. *native* ones run on nodes of their platform.
    """
    pace = job.options.pace
    nodes = _nodes(job, asked) if asked.ids else _platforms(job, asked)
    if not native:
        nodes = tuple(node._replace(architecture="") for node in nodes)
    elif not any(node.architecture for node in nodes):
        raise Misused(
            "--native: no pod is for one platform",
            hint="name them with `--platform`; several have a pod each with a `--cache-repo`",
        )
    return Graph(nodes, pace.parallelism, pace.max_failed)


def _platforms(job: Job, asked: Asked) -> tuple[Node, ...]:
    members = tuple(
        Node(work, inner=True, architecture=architecture_of(Platform.parse(work.member)))
        for work in asked.members
    )
    needs, own = tuple(range(len(members))), architecture_of(asked.platform)
    return (*members, *(Node(work, needs, architecture=own) for work in job.works))


def architecture_of(platform: Platform | None) -> str:
    """What nodes that run programs of *platform* are labelled with."""
    if platform is None:
        return ""
    return _RUN_BY.get(platform.architecture, platform.architecture)


_RUN_BY = {"386": "amd64"}


def _nodes(job: Job, asked: Asked) -> tuple[Node, ...]:
    below = _Below(asked.graph)
    shared = _shared(asked, below) if job.options.cache.keeps else ()
    ids = (*shared, *asked.ids)
    works = (*(_work(one, job.works[0]) for one in shared), *job.works)
    inners = [True] * len(shared) + [False] * len(job.works)
    numbers = {one: number for number, one in enumerate(ids)}
    return tuple(
        Node(
            work,
            tuple(sorted(numbers[need] for need in below.next_of(one, numbers))),
            inner,
            architecture_of(one.platform),
        )
        for one, work, inner in zip(ids, works, inners, strict=True)
    )


class _Below:
    """Everything that a target needs, however far below; each is looked up once."""

    def __init__(self, graph: Mapping[TargetId, Declared]) -> None:
        self._graph = graph
        self._known: dict[TargetId, frozenset[TargetId]] = {}

    def of(self, one: TargetId) -> frozenset[TargetId]:
        """What *one* needs, without itself."""
        waiting = [one]
        while waiting:
            last = waiting[-1]
            direct = self._direct(last)
            missing = [need for need in direct if need not in self._known]
            if missing:
                waiting += missing
                continue
            self._known[last] = frozenset(direct).union(*(self._known[need] for need in direct))
            waiting.pop()
        return self._known[one]

    def next_of(self, one: TargetId, wanted: Container[TargetId]) -> set[TargetId]:
        """The *wanted* ones that *one* needs, without those that only they need."""
        found: set[TargetId] = set()
        seen: set[TargetId] = set()
        waiting = [*self._direct(one)]
        while waiting:
            need = waiting.pop()
            if need in wanted:
                found.add(need)
            elif need not in seen:
                seen.add(need)
                waiting += self._direct(need)
        return found

    def _direct(self, one: TargetId) -> tuple[TargetId, ...]:
        declared = self._graph.get(one)
        return () if declared is None else dependencies(declared.target)


def _shared(asked: Asked, below: _Below) -> tuple[TargetId, ...]:
    """The images that several targets need, and those of indexes: in an order that builds them."""
    users: dict[TargetId, int] = {}
    members: set[TargetId] = set()
    for root in asked.ids:
        for one in (root, *below.of(root)):
            declared = asked.graph.get(one)
            if declared is None:
                continue
            if isinstance(declared.target, IndexTarget) and len(declared.target.images) > 1:
                members.update(declared.target.images)
            if one != root and isinstance(declared.target, ImageTarget):
                users[one] = users.get(one, 0) + 1
    found = members | {one for one, count in users.items() if count >= _SEVERAL}
    wanted = [one for one in found if one in asked.graph and one not in asked.ids]
    return tuple(sorted(wanted, key=lambda one: (len(below.of(one)), str(one))))


def _work(one: TargetId, like: Work) -> Work:
    """What makes *one*, with the options of the work *like*."""
    options = [word for word in like.argv[2:] if not word.startswith("--platform=")]
    if "--" in options:
        options = options[: options.index("--")]
    platform = (f"--platform={one.platform}",) if one.platform else ()
    return Work(str(one), ("build", one.label, *platform, *options))
