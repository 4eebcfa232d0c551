"""Jobs from the command line, on a cluster that replays what a real server told."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from artificer.errors import ArtificerError
from artificer.events import unheard
from artificer.kubernetes.graph import Graph, Node, unpacked
from artificer.kubernetes.job import Job, JobOptions, Work, Workspace
from artificer.kubernetes.submit import created
from tests.cli.outside import Cli
from tests.kubernetes.recordings import Fake, each, fake_kubectl, whole
from tests.parts.waiting import PATIENCE, wait_until

DIGEST = "sha256:0a73bf26cb803b9ab03ed41b34c3c90b3185c568810b9f16c6e7a1e689e8333a"
LINE = ("--", "-b", "registry.example/base:1", "-t", "registry.example/app:1")
SUBMIT = ("job", "submit", "--image", "registry.example/builder:1")


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return fake_kubectl(tmp_path / "kubectl")


def job(cli: Cli, fake: Fake, *words: str, code: int = 0, **plan: Any) -> Any:
    if plan:
        fake.plan(**plan)
    return cli(*words, code=code, environ={"PATH": fake.environ["PATH"]})


def test_a_submitted_job_prints_what_is_built(cli: Cli, fake: Fake) -> None:
    done = job(cli, fake, *SUBMIT, *LINE, **each())

    assert done.stdout == f"registry.example/rec0@{DIGEST}\n"
    assert "submitted the Job build-app-1-00002 for 1 target" in done.stderr


def test_the_exit_code_is_that_of_the_failure(cli: Cli, fake: Fake) -> None:
    done = job(cli, fake, *SUBMIT, *LINE, code=75, **whole("watch-deadline-exceeded"))

    assert done.error == "registry.example/app:1: not done within the Job's deadline of 6 s"
    assert done.hint == "allow more with `--deadline`; what is done is not done twice"


def test_what_was_detached_is_waited_for_by_its_name(cli: Cli, fake: Fake) -> None:
    name = job(cli, fake, *SUBMIT, "--detach", *LINE, **each()).stdout.strip()

    done = job(cli, fake, "job", "wait", name)

    assert name == "build-app-1-00002"
    assert done.stdout == f"registry.example/rec0@{DIGEST}\n"


def test_logs_are_printed_with_their_target(cli: Cli, fake: Fake) -> None:
    logs = {"build": ["2026-11-21T21:35:34Z hello"], "source": ["2026-11-21T21:35:33Z cloned"]}
    name = job(cli, fake, *SUBMIT, "--detach", *LINE, **each(), logs=logs).stdout.strip()

    done = job(cli, fake, "job", "logs", name)

    assert sorted(done.stdout.splitlines()) == [
        "registry.example/app:1: cloned",
        "registry.example/app:1: hello",
    ]


def test_a_log_does_nothing_to_a_terminal(cli: Cli, fake: Fake) -> None:
    logs = {"build": ["2026-11-21T21:35:34Z \x1b[31mred\x1b[0m \x1b]0;title\x07\r\x9b2J"]}
    name = job(cli, fake, *SUBMIT, "--detach", *LINE, **each(), logs=logs).stdout.strip()

    done = job(cli, fake, "job", "logs", name)

    assert done.stdout == "registry.example/app:1: red \\x1b]0;title\\x07\\r\\x9b2J\n"


@pytest.mark.parametrize("name", ["a,b", "pods/a", "A", "a b", ""])
def test_what_is_no_name_of_a_job_never_gets_to_kubectl(cli: Cli, fake: Fake, name: str) -> None:
    done = job(cli, fake, "job", "cancel", "--", name, code=2)

    assert done.error.endswith(f"no name of a Job: {name!r}")
    assert fake.calls() == []


def test_logs_of_a_target_that_is_not_there_name_those_that_are(cli: Cli, fake: Fake) -> None:
    name = job(cli, fake, *SUBMIT, "--detach", *LINE, **each()).stdout.strip()

    done = job(cli, fake, "job", "logs", name, "//:x", code=2)

    assert done.hint == "it has registry.example/app:1"


def test_a_cancelled_job_is_deleted_with_its_pods(cli: Cli, fake: Fake) -> None:
    name = job(cli, fake, *SUBMIT, "--detach", *LINE, **each()).stdout.strip()

    done = job(cli, fake, "job", "cancel", name)

    assert f"cancelled {name}" in done.stderr
    options = ["--cascade=foreground", "--ignore-not-found", "--wait=false"]
    assert ["delete", "jobs", name, *options, "--request-timeout=30s"] in fake.calls()
    assert fake.calls()[-1] == ["wait", "jobs", name, "--for=delete", "--timeout=600s"]


def test_a_job_that_nobody_knows_is_an_error(cli: Cli, fake: Fake) -> None:
    done = job(cli, fake, "job", "wait", "nope", code=1)

    assert done.error == "there is no Job nope in the namespace builds"


def test_who_may_not_submit_is_told_before_anything_starts(cli: Cli, fake: Fake) -> None:
    denied = ["create jobs", "get pods/log"]

    done = job(cli, fake, *SUBMIT, *LINE, code=77, **each(), denied=denied)

    assert done.error == "in the namespace builds you may not create jobs; get pods/log"
    assert not [one for one in fake.created() if one["kind"] == "Job"]


def test_without_preflight_it_is_tried_anyhow(cli: Cli, fake: Fake) -> None:
    job(cli, fake, *SUBMIT, "--no-preflight", *LINE, **each(), denied=["create jobs"])

    assert len([one for one in fake.created() if one["kind"] == "Job"]) == 1


def test_the_doctor_says_what_is_there_and_what_is_not(cli: Cli, fake: Fake) -> None:
    node = {"status": {"runtimeHandlers": [{"features": {"userNamespaces": True}}]}}
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    done = job(
        cli,
        fake,
        *("job", "doctor", "--registry-secret", "regcred", "--service-account", "nobody"),
        code=1,
        lists={"nodes": [node, {}]},
        objects={
            "namespaces/builds": {"metadata": {"labels": level}},
            "secrets/regcred": {"type": "Opaque"},
        },
    )

    assert done.stdout.splitlines() == [
        "ok    server: v1.36.2",
        "ok    namespace: builds; Pod Security level: restricted",
        "ok    permissions: jobs, pods, logs and events: all that a submitter needs",
        "ok    pod: a pod of such a Job is let in (tried, not run)",
        "fail  account: there is no ServiceAccount nobody",
        "      create it, or name another with `--service-account`",
        "fail  secret: regcred is of the type Opaque",
        "      it must be of the type kubernetes.io/dockerconfigjson: `artificer job secret` "
        "makes one",
        "warn  user namespaces: 1 of 2 nodes have them",
        "      `--host-users` does without them; or choose nodes with `--node-selector`",
    ]
    assert done.error == "2 problems found, see above"


def test_the_doctor_says_that_a_secret_holds_no_login_file(cli: Cli, fake: Fake) -> None:
    secret = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "e30"}}
    words = ("--registry-secret", "regcred", "--push", "localhost:1/app")
    objects = {"namespaces/builds": {}, "secrets/regcred": secret}

    done = job(cli, fake, "job", "doctor", *words, code=1, objects=objects)

    assert "fail  push: the Secret regcred holds no docker config.json" in done.stdout


def test_the_doctor_knows_a_server_that_is_too_old(cli: Cli, fake: Fake) -> None:
    done = job(cli, fake, "job", "doctor", code=1, version="v1.27.3", denied=["watch pods"])

    assert "fail  server: v1.27.3 has no retries for each index" in done.stdout
    assert "fail  permissions: not allowed to watch pods" in done.stdout
    assert "fail  namespace: there is no namespace builds" in done.stdout


def _long(count: int) -> tuple[Job, Graph]:
    works = tuple(Work(f"//:{'t' * 50}{number}", ("build", "x" * 50)) for number in range(count))
    options = JobOptions("registry.example/builder:1", name="long")
    return Job(options, works, Workspace()), Graph(tuple(map(Node, works)))


def test_long_work_goes_with_its_job(fake: Fake) -> None:
    fake.plan(**whole("watch-succeeded"))
    cluster, long = fake.cluster(), _long(900)
    first = created(cluster, *long, unheard, run="a1")
    cluster.delete("jobs", "long")
    second = created(cluster, *long, unheard, run="b2")

    found, config_map, other = (fake.created()[at] for at in (0, 1, 3))
    assert config_map["metadata"]["ownerReferences"] == [
        {"apiVersion": "batch/v1", "kind": "Job", "name": "long", "uid": "uid-long"}
    ]
    volumes = found["spec"]["template"]["spec"]["volumes"]
    named = next(one["configMap"]["name"] for one in volumes if one["name"] == "work")
    assert named == config_map["metadata"]["name"] != other["metadata"]["name"]
    assert [first.names, second.names] == [("long",), ("long",)]


def test_a_job_whose_work_cannot_be_created_is_not_left(fake: Fake, tmp_path: Path) -> None:
    fake.plan(**whole("watch-succeeded"), refused={"ConfigMap": "error: no (Forbidden): cannot"})

    with pytest.raises(ArtificerError):
        created(fake.cluster(), *_long(900), unheard, run="a1")

    assert [call[:3] for call in fake.calls()[-2:]] == [
        ["delete", "jobs", "long"],
        ["wait", "jobs", "long"],
    ]


def test_what_does_not_fit_into_a_job_is_kept_beside_it(cli: Cli, fake: Fake) -> None:
    _workspace(cli, BUILD)
    words = (*SUBMIT, "--no-preflight", "--cache-repo", "registry.example/c")
    source = ("--git", f"https://git.example/shop#{COMMIT}")
    noise = "".join(secrets.token_hex(100_000))

    with_noise = ("--", "run", "//:push-x", "//:push-y", f"--define=x={noise}")
    name = job(cli, fake, *words, "--detach", *source, *with_noise, **each()).stdout.strip()

    done = job(cli, fake, "job", "wait", name)

    maps = [one for one in fake.created() if one["kind"] == "ConfigMap"]
    work, graph = (one["metadata"]["name"] for one in maps)
    assert (work[:15], graph[:16]) == ("artificer-work-", "artificer-graph-")
    assert f"submitted the Job {name}-2: 1 more target" in done.stderr


BUILD = """\
load("@io_bazel_rules_docker//container:container.bzl", "container_image", "container_push")

container_image(name = "base", files = ["file"])
[(
    container_image(name = name, base = ":base", cmd = ["/" + name]),
    container_push(
        name = "push-" + name,
        format = "OCI",
        image = name,
        registry = "registry.example",
        repository = name,
        tag = "1",
    ),
) for name in ["x", "y"]]
"""
COMMIT = "0123456789" * 4


def _workspace(cli: Cli, build: str) -> None:
    (cli.directory / "WORKSPACE").write_text('workspace(name = "shop")\n')
    (cli.directory / "BUILD").write_text(build)
    (cli.directory / "file").write_text("data")


def _works(document: dict[str, Any]) -> list[str]:
    build = document["spec"]["template"]["spec"]["containers"][0]
    text = next(one["value"] for one in build["env"] if one["name"] == "ARTIFICER_JOB")
    return [work["target"] for work in json.loads(text)]


def test_targets_start_when_the_images_below_them_are_done(cli: Cli, fake: Fake) -> None:
    _workspace(cli, BUILD)
    source = ("--git", f"https://git.example/shop#{COMMIT}", "--cache-repo", "registry.example/c")

    job(cli, fake, *SUBMIT, "--no-preflight", *source, "//:push-x", "//:push-y", **each())

    assert list(map(_works, fake.created())) == [["//:base"], ["//:push-x", "//:push-y"]]


CHAIN = """\
load("@io_bazel_rules_docker//container:container.bzl", "container_image")

container_image(name = "t0", files = ["file"])
[container_image(
    name = "t%d" % (number + 1),
    base = ":t%d" % number,
    files = ["file"],
) for number in range(3)]
"""


def test_a_target_waits_for_those_next_to_it_alone(cli: Cli, fake: Fake) -> None:
    _workspace(cli, CHAIN)
    source = ("--git", f"https://git.example/shop#{COMMIT}", "--cache-repo", "registry.example/c")

    job(cli, fake, *SUBMIT, "--no-preflight", "--detach", *source, "//:all", **each())

    graph = unpacked(fake.created()[0]["metadata"]["annotations"]["artificer/graph"])
    assert [node.needs for node in graph.nodes] == [(), (0,), (1,), (2,)]


def test_without_a_shared_cache_each_pod_makes_what_it_needs(cli: Cli, fake: Fake) -> None:
    _workspace(cli, BUILD)
    source = ("--git", f"https://git.example/shop#{COMMIT}")

    job(cli, fake, *SUBMIT, "--no-preflight", *source, "//:push-x", "//:push-y", **each())

    assert list(map(_works, fake.created())) == [["//:push-x", "//:push-y"]]


INDEX = """\
load("@rules_oci//oci:defs.bzl", "oci_image", "oci_image_index", "oci_push")

[oci_image(
    name = "app-" + arch,
    architecture = arch,
    os = "linux",
    entrypoint = ["/app"],
) for arch in ["amd64", "arm64"]]
oci_image_index(name = "index", images = [":app-amd64", ":app-arm64"])
oci_push(name = "push", image = ":index", repository = "registry.example/app", remote_tags = ["1"])
"""


def test_an_index_is_made_after_the_image_of_each_platform(cli: Cli, fake: Fake) -> None:
    _workspace(cli, INDEX)
    source = ("--git", f"https://git.example/shop#{COMMIT}", "--cache-repo", "registry.example/c")

    job(cli, fake, *SUBMIT, "--no-preflight", *source, "//:push", **each())

    assert list(map(_works, fake.created())) == [["//:app-amd64", "//:app-arm64"], ["//:push"]]


def _process(cli: Cli, fake: Fake) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "artificer", *SUBMIT, "--no-preflight", *LINE]
    environ = {**os.environ, **cli.environ, "PATH": fake.environ["PATH"]}
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    _until("suspended", process)
    return process


def _until(said: str, process: "subprocess.Popen[str]") -> None:
    assert process.stderr is not None
    while said not in (line := process.stderr.readline()):
        assert line, f"it ends, and never said: {said}"


def test_ctrl_c_cancels_the_job_and_waits_for_its_pods(cli: Cli, fake: Fake) -> None:
    fake.plan(**whole("suspended"), **{"delete-seconds": 2.5})
    process = _process(cli, fake)

    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)

    assert process.returncode == 130
    assert time.monotonic() - began > 2.4
    assert "cancelling the Job build-app-1-00001: waiting for its pods to end" in said


def test_a_second_ctrl_c_leaves_at_once_and_says_what_goes_on(cli: Cli, fake: Fake) -> None:
    fake.plan(**whole("suspended"), **{"delete-seconds": 150})
    process = _process(cli, fake)

    process.send_signal(signal.SIGINT)
    wait_until(lambda: fake.calls()[-1][0] == "wait")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)

    assert process.returncode == 130
    hint = "warning: the Job goes on: `artificer job cancel build-app-1-00001` ends it"
    assert hint in said.splitlines()
    assert fake.calls()[-2][:2] == ["delete", "jobs"]
    words = ["pgrep", "-f", f"{fake.folder}/kubectl"]
    wait_until(lambda: subprocess.run(words, check=False, capture_output=True).returncode == 1)


def test_a_job_whose_submitter_was_killed_can_be_cancelled(cli: Cli, fake: Fake) -> None:
    fake.plan(**whole("suspended"))
    process = _process(cli, fake)
    process.kill()
    process.communicate()

    job(cli, fake, "job", "cancel", "build-app-1-00001")

    assert fake.calls()[-2][:3] == ["delete", "jobs", "build-app-1-00001"]
