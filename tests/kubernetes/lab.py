"""A namespace of a real cluster, with whoever submits to it and watches."""

import base64
import contextlib
import json
import os
import re
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import yaml

from artificer.errors import ArtificerError
from artificer.kubernetes.api import Account, opened
from artificer.kubernetes.batch import Batch, marked
from artificer.kubernetes.cluster import Cluster, Document, Selector
from artificer.kubernetes.document import yaml_of
from artificer.kubernetes.graph import Graph, Node, by_architecture, ready
from artificer.kubernetes.job import (
    Job,
    JobOptions,
    Pace,
    Placement,
    Resources,
    Security,
    Work,
    Workspace,
)
from artificer.kubernetes.kubectl import Kubeconfig, Kubectl, kubectl_of
from artificer.kubernetes.manifest import manifest, placed
from artificer.kubernetes.run import Circumstances, Submission, Watch
from artificer.stop import Stop

if TYPE_CHECKING:
    from artificer.events import Event

CONFIG = os.environ.get("ARTIFICER_TEST_KUBECONFIG", "")
CHOSEN = os.environ.get("ARTIFICER_TEST_IMAGE", "")
SPEED = float(os.environ.get("ARTIFICER_TEST_SPEED", "1"))
"""How much faster than a real one the cluster is, so that less patience is enough."""
_USUAL = (
    "docker.io/library/busybox:1.36",
    "mirror.gcr.io/library/busybox:1.36",
    "public.ecr.aws/docker/library/busybox:1.36",
    "registry.k8s.io/e2e-test-images/busybox:1.29-4",
)
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "kubernetes.md"
PATIENCE = 300.0
"""Seconds: a cluster pulls slowly."""
_RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


class Ground(NamedTuple):
    """What pods can be made of here: an image with a shell, where it is, with which users."""

    image: str
    hostname: str
    architecture: str
    host_users: bool


def kubectl(*words: str, data: str = "", config: str = CONFIG) -> str:
    """What kubectl says."""
    program = kubectl_of(os.environ)
    assert program is not None
    command = [program, "--kubeconfig", config, *words]
    done = subprocess.run(command, check=False, input=data, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def created(namespace: str, *documents: Document) -> None:
    """Create *documents*."""
    kubectl("-n", namespace, "create", "-f", "-", data=yaml_of(documents))


def until(true: Callable[[], Any], seconds: float = PATIENCE) -> bool:
    """Wait for what a cluster does in its own time; whether it did."""
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.5)
    return bool(found)


@contextlib.contextmanager
def namespace() -> Iterator[str]:
    """A new one, restricted, which has its account: before that no pod is let in."""
    name = f"artificer-test-{secrets.token_hex(4)}"
    about = {"name": name, "labels": _RESTRICTED}
    try:
        created("default", {"apiVersion": "v1", "kind": "Namespace", "metadata": about})
        words = ("-n", name, "get", "serviceaccounts", "default", "--ignore-not-found", "-o")
        assert until(lambda: kubectl(*words, "name"), 60)
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def found_ground() -> Ground:
    """Look which image can be run here, and whether pods can have users of their own."""
    nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    there = [
        name
        for node in nodes
        for image in node["status"].get("images", ())
        for name in image.get("names") or ()
        if "busybox" in name and "@" not in name
    ]
    images = tuple(dict.fromkeys([CHOSEN] if CHOSEN else [*there, *_USUAL]))
    wanted = [(image, shared) for shared in (False, True) for image in images]
    with namespace() as name:
        created(name, *(_trial(at, *one) for at, one in enumerate(wanted)))
        done: dict[str, Document] = {}

        def some() -> bool:
            pods = json.loads(kubectl("-n", name, "get", "pods", "-o", "json"))["items"]
            succeeded = [one for one in pods if one["status"].get("phase") == "Succeeded"]
            done.update({one["metadata"]["name"]: one for one in succeeded})
            return bool(done)

        assert until(some), f"none of these can be run here: {', '.join(images)}"
        # Those that share no users with the node take a little longer.
        until(lambda: some() and any(int(one[6:]) < len(images) for one in done), 30)
    at = min(int(one[6:]) for one in done)
    on = done[f"trial-{at}"]["spec"]["nodeName"]
    labels = next(one for one in nodes if one["metadata"]["name"] == on)["metadata"]["labels"]
    image, shared = wanted[at]
    return Ground(image, labels["kubernetes.io/hostname"], labels["kubernetes.io/arch"], shared)


def _trial(number: int, image: str, shared: bool) -> Document:
    """A pod as restricted as those of Jobs, which does nothing."""
    work = Work("x", ("version",))
    security = Security(host_users=shared)
    job = Job(JobOptions(image, name="x", security=security), (work,), Workspace(directory="/tmp"))
    spec = manifest(job)["spec"]["template"]["spec"]
    spec["containers"][0]["command"] = ["sh", "-ec", "echo well"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"trial-{number}"},
        "spec": spec,
    }


class Lab:
    """A namespace of its own, with whoever watches Jobs in it."""

    def __init__(self, name: str, ground: Ground, folder: Path) -> None:
        self.namespace = name
        self.ground = ground
        self.folder = folder
        self.events: list[Event] = []
        self.built: list[str] = []
        self.stop = Stop()
        self.in_pod = False
        self._opened: list[Cluster] = []

    def close(self) -> None:
        for cluster in self._opened:
            cluster.close()

    def cluster(self) -> Cluster:
        self._opened.append(self._api() if self.in_pod else self._kubectl())
        return self._opened[-1]

    def _kubectl(self) -> Cluster:
        program = kubectl_of(os.environ)
        assert program is not None
        chosen = Kubeconfig(CONFIG, namespace=self.namespace)
        return Kubectl(program, chosen, os.environ, self.events.append)

    def kubectl(self, *words: str, data: str = "") -> str:
        return kubectl("-n", self.namespace, *words, data=data)

    def _api(self) -> Cluster:
        """The API as a pod sees it whose account has the Role of the guide, and no more."""
        words = ("config", "view", "--raw", "--minify", "--flatten", "-o", "json")
        (one,) = json.loads(kubectl(*words))["clusters"]
        about = one["cluster"]
        server = urlsplit(about["server"])
        if "certificate-authority-data" not in about or server.path.strip("/"):
            pytest.skip("the cluster is behind something that no pod sees")
        authority = base64.b64decode(about["certificate-authority-data"])
        (self.folder / "ca.crt").write_bytes(authority)
        if not (self.folder / "token").exists():
            self.bind("submitter")
            (self.folder / "token").write_text(self.token("submitter"))
        account = Account(server.netloc, str(self.folder), self.namespace)
        return opened(account, self.events.append)

    def bind(self, name: str) -> None:
        """Make a ServiceAccount that may do what the guide says that a submitter needs."""
        text = GUIDE.read_text()
        block = next(one for one in re.findall(r"```yaml\n(.*?)```", text, re.S) if "Role" in one)
        role = yaml.safe_load(block)
        role["metadata"]["namespace"] = self.namespace
        account = {"kind": "ServiceAccount", "name": name, "namespace": self.namespace}
        group = "rbac.authorization.k8s.io"
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": role["metadata"]["name"]},
            "subjects": [account],
        }
        self.account(name)
        created(self.namespace, role, binding)

    def account(self, name: str) -> None:
        """Make a ServiceAccount that may do nothing."""
        about = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        created(self.namespace, about)

    def token(self, name: str) -> str:
        """A token of that ServiceAccount."""
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{name}/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        said = self.kubectl("create", "--raw", path, "-f", "-", data=json.dumps(asked))
        return str(json.loads(said)["status"]["token"])

    def around(self, cluster: Cluster) -> Circumstances:
        told = (self.events.append, self.built.append, self.stop)
        return Circumstances(cluster, *told, now=lambda: SPEED * time.monotonic())

    def options(self) -> JobOptions:
        """Of a Job whose pods come to the node that has the image."""
        return JobOptions(
            self.ground.image,
            namespace=self.namespace,
            pace=Pace(deadline=900, grace=max(1, int(5 / SPEED))),
            resources=Resources(cpu="10m", memory="16Mi", memory_limit="64Mi"),
            security=Security(host_users=self.ground.host_users),
            placement=Placement((("kubernetes.io/hostname", self.ground.hostname),)),
        )

    def submit(
        self, script: str, graph: Graph, change: Callable[[Document], None] = lambda _: None
    ) -> Submission:
        numbers = by_architecture(graph, ready(graph, (), ()))[0]
        works = tuple(graph.nodes[one].work for one in numbers)
        options = self.options()
        options = options._replace(pace=options.pace._replace(parallelism=graph.parallelism))
        job = Job(options, works, Workspace(directory="/tmp"))
        document = manifest(placed(job, graph.nodes[numbers[0]].architecture))
        build_of(document)["command"] = ["sh", "-ec", script]
        change(document)
        first = self.cluster().create(marked(document, secrets.token_hex(4), graph, numbers))
        return Submission(graph, (Batch(first["metadata"]["name"], numbers),), first)

    def watch(self, submission: Submission) -> None:
        Watch(submission, self.around(self.cluster())).follow()

    def failed(self, submission: Submission) -> ArtificerError:
        with pytest.raises(ArtificerError) as caught:
            self.watch(submission)
        return caught.value

    def pods(self, name: str) -> list[Document]:
        return list(self.cluster().listed("pods", Selector(labels=f"job-name={name}")))

    def runs(self, name: str) -> bool:
        """Whether a pod of the Job is running."""
        return any(pod["status"].get("phase") == "Running" for pod in self.pods(name))


def build_of(document: Document) -> Document:
    """The container that builds."""
    found: Document = document["spec"]["template"]["spec"]["containers"][0]
    return found


def graph_of(count: int, parallelism: int = 10) -> Graph:
    works = [Work(f"//:t{one}", ("version",)) for one in range(count)]
    return Graph(tuple(map(Node, works)), parallelism)


def later(happened: Callable[[], Any], act: Callable[[], Any]) -> threading.Thread:
    """Do *act* beside the test, as soon as something has *happened*."""

    def wait() -> None:
        # A question that fails is told as such, and keeps nobody waiting.
        try:
            until(happened)
        finally:
            act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread
