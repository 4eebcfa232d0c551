"""The Jobs after the first of a submission: each is made once, whoever watches it."""

from collections.abc import Sequence
from typing import NoReturn

from artificer.errors import ArtificerError
from artificer.kubernetes.batch import RUN, Batch, batch_of, following
from artificer.kubernetes.cluster import Cluster, Conflict, Document
from artificer.kubernetes.graph import Graph


def further(
    cluster: Cluster, first: Document, graph: Graph, numbers: Sequence[int], part: int
) -> Batch:
    """The Job that is the *part*-th of those which *first* began: for *numbers*, if it is new.

    Its name is known before. So it is found where it is there already: made by somebody else who
    watches, or by us when the answer was lost.
    """
    document = following(first, graph, numbers, part)
    try:
        made = cluster.create(document)
    except Conflict:
        there = cluster.find("jobs", document["metadata"]["name"])
        if there is None or _run_of(there) != _run_of(document):
            raise
        return batch_of(there, graph)
    return Batch(str(made["metadata"]["name"]), tuple(numbers))


def not_continued(error: ArtificerError, name: str, count: int) -> NoReturn:
    """Raise *error*, which kept *count* targets from being submitted, with how to go on."""
    hint = (
        f"what runs goes on: once this is mended, `artificer job wait {name}` goes on with the "
        f"others, too; `artificer job cancel {name}` ends all"
    )
    told = f"{count} more target{'s' if count > 1 else ''} could not be submitted"
    raise type(error)(
        f"{told}: {error.message}", hint=f"{error.hint}; {hint}" if error.hint else hint
    ) from error


def _run_of(job: Document) -> str:
    return str(job["metadata"].get("labels", {}).get(RUN, ""))
