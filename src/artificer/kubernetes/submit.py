"""The first Job of a submission, created with all that its pods and later watchers need."""

from artificer.errors import ArtificerError
from artificer.events import Report, Warned
from artificer.kubernetes.batch import Batch, graph_maps, marked, owned
from artificer.kubernetes.cluster import Cluster
from artificer.kubernetes.graph import Graph, by_architecture, ready
from artificer.kubernetes.job import Job
from artificer.kubernetes.manifest import manifests, placed
from artificer.kubernetes.run import Submission


def created(cluster: Cluster, job: Job, graph: Graph, report: Report, *, run: str) -> Submission:
    """The first Job of *graph*, made like *job*, on the cluster."""
    # Those on other nodes are the next Jobs: whoever watches submits them at once.
    numbers = by_architecture(graph, ready(graph, (), ()))[0]
    works = tuple(graph.nodes[number].work for number in numbers)
    like = placed(job._replace(works=works), graph.nodes[numbers[0]].architecture)
    *maps, document = manifests(like, run)
    maps += graph_maps(graph, run, job.options.namespace)
    first = cluster.create(marked(document, run, graph, numbers))
    name = str(first["metadata"]["name"])
    for one in maps:
        # After the Job, which it is to go with: until it is there, pods wait for it.
        try:
            cluster.create(owned(one, first))
        except ArtificerError:
            _take_back(cluster, name, report)
            raise
    return Submission(graph, (Batch(name, numbers),), first)


def _take_back(cluster: Cluster, name: str, report: Report) -> None:
    """Delete the Job *name*. If that fails, too, it is told: more matters why it has to go."""
    try:
        cluster.delete("jobs", name)
    except ArtificerError as error:
        hint = f"its pods wait for ever: `kubectl delete job {name}`"
        report(Warned(f"the Job {name} is still there: {error.message}", hint))
