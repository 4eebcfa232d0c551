"""What a cluster is given for a Job."""

import json
from typing import Any

import kubernetes_validate
import pytest

from artificer.kubernetes.check import InvalidJob
from artificer.kubernetes.job import (
    Cache,
    Job,
    JobOptions,
    Pace,
    Placement,
    RegistryAccess,
    Resources,
    Security,
    Source,
    Toleration,
    Variable,
    Volume,
    Work,
)
from artificer.kubernetes.manifest import manifest, manifests
from tests.kubernetes.jobs import CONTEXT, GIT, NOTHING, OPTIONS, SOURCES, job
from tests.kubernetes.server_rules import problems, restricted

EVERYTHING = JobOptions(
    "registry.example/artificer@sha256:" + "cd" * 32,
    generate_name="build-",
    namespace="builds",
    service_account="builder",
    labels=(("team", "web"),),
    annotations=(("example.org/why", "because: of\nthis"),),
    queue="builds",
    pace=Pace(3, 2, 1, 600, 60, 10),
    resources=Resources("1", "1Gi", "2", "2Gi", "10Gi"),
    security=Security(None, None, host_users=True),
    registry=RegistryAccess("registry-login", "registry.example", ("pull", "pull-2")),
    cache=Cache("registry.example/cache", read_only=True),
    placement=Placement(
        (("kubernetes.io/arch", "amd64"),),
        (Toleration("spot", "yes", "NoSchedule"), Toleration("gpu"), Toleration("", None)),
        "low",
        "gvisor",
    ),
    volumes=(
        Volume("claim", "disk", "/disk"),
        Volume("claim", "shared", "/shared", read_only=True),
        Volume("configmap", "authorities", "/etc/authorities"),
        Volume("secret", "keys", "/etc/keys"),
        Volume("empty", "1Gi", "/scratch"),
        Volume("memory", "", "/memory"),
        Volume("image", "registry.example/base:1", "/base"),
    ),
    env=(Variable("A", "$(HOME) $$"), Variable("TOKEN", secret="tokens", key="a")),
    env_from_secrets=("more",),
)
VARIANTS = {
    "plain": OPTIONS,
    "everything": EVERYTHING,
    "chroot": OPTIONS._replace(security=Security(commands="chroot")),
    "namespaces": OPTIONS._replace(security=Security(commands="namespaces")),
    "no-group": OPTIONS._replace(security=Security(1000, None)),
    "nothing": JobOptions("artificer", service_account=""),
    "suspended": OPTIONS._replace(suspend=True),
}


def _pod(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["spec"]["template"]["spec"]
    return found


def _env(document: dict[str, Any]) -> dict[str, Any]:
    build = _pod(document)["containers"][0]
    return {one["name"]: one.get("value") for one in build["env"]}


@pytest.mark.parametrize("source", SOURCES, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("count", [1, 2500])
def test_a_server_takes_every_job(name: str, source: Source, count: int) -> None:
    for document in manifests(job(VARIANTS[name], count=count, source=source)):
        kubernetes_validate.validate(document, "1.36", strict=True)
        assert problems(document) == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("name", ["plain", "everything", "no-group", "nothing"])
def test_pods_that_run_no_commands_are_restricted(name: str, source: Source) -> None:
    assert restricted(manifest(job(VARIANTS[name], source=source))) == []


def test_what_the_pod_is_told_is_what_was_meant() -> None:
    told = (Work("//a:b", ("-e", "A=$(HOME) $$ ${B} \"'\\ ü\n")), Work("//c:d", ("build", "…")))

    env = _env(manifest(Job(OPTIONS, told, NOTHING)))["ARTIFICER_JOB"]

    # Kubernetes would expand a `$`: there is none before JSON is read.
    assert "$" not in env
    assert [Work(one["target"], tuple(one["argv"])) for one in json.loads(env)] == list(told)


def test_a_value_is_no_template_of_kubernetes() -> None:
    assert _env(manifest(job(EVERYTHING)))["A"] == "$$(HOME) $$$$"


def test_long_work_is_in_a_config_map() -> None:
    config_map, found = manifests(job(count=2500))

    env = _env(found)
    assert json.loads(config_map["data"]["job.json"])[2499]["target"] == "//app2499:push"
    assert "ARTIFICER_JOB" not in env
    assert env["ARTIFICER_JOB_FILE"] == "/etc/artificer/job.json"
    work = next(one for one in _pod(found)["volumes"] if one["name"] == "work")
    assert work["configMap"]["name"] == config_map["metadata"]["name"]


def test_other_work_is_in_another_config_map() -> None:
    names = {manifests(job(count=count))[0]["metadata"]["name"] for count in (2500, 2501, 2500)}

    assert len(names) == 2


def test_work_that_no_config_map_could_hold_is_refused() -> None:
    with pytest.raises(InvalidJob, match="does not fit") as caught:
        manifests(job(count=25_000))

    assert caught.value.hint == "name fewer of them, and make several jobs"


def test_a_submission_has_a_config_map_of_its_own() -> None:
    config_map, found = manifests(job(count=2500), run="a1")

    work = next(one for one in _pod(found)["volumes"] if one["name"] == "work")
    assert config_map["metadata"]["name"].endswith("-a1")
    assert work["configMap"]["name"] == config_map["metadata"]["name"]


def test_both_containers_fail_for_good() -> None:
    rules = manifest(job())["spec"]["podFailurePolicy"]["rules"]

    codes = [rule["onExitCodes"] for rule in rules if "onExitCodes" in rule]
    assert [(one["containerName"], one["values"]) for one in codes] == [
        ("build", [1, 2, 77]),
        ("source", [1, 2, 77]),
    ]


def test_eviction_is_no_failure() -> None:
    rules = manifest(job())["spec"]["podFailurePolicy"]["rules"]

    assert rules[-1]["action"] == "Ignore"
    assert rules[-1]["onPodConditions"][0]["type"] == "DisruptionTarget"


def test_a_queue_starts_the_job() -> None:
    found = manifest(job(EVERYTHING))

    assert found["spec"]["suspend"] is True
    assert found["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "builds"
    assert "kueue.x-k8s.io/queue-name" not in found["spec"]["template"]["metadata"]["labels"]


def test_there_are_no_more_pods_than_targets() -> None:
    spec = manifest(job(count=3))["spec"]

    assert (spec["completions"], spec["parallelism"], spec["maxFailedIndexes"]) == (3, 3, 3)


@pytest.mark.parametrize("name", ["plain", "namespaces"])
def test_a_pod_has_users_of_its_own(name: str) -> None:
    assert _pod(manifest(job(VARIANTS[name])))["hostUsers"] is False


def test_devices_need_the_node_s_users() -> None:
    assert "hostUsers" not in _pod(manifest(job(VARIANTS["chroot"])))


def test_namespaces_need_a_pod_without_a_profile() -> None:
    assert "seccompProfile" not in _pod(manifest(job(VARIANTS["namespaces"])))["securityContext"]


def test_the_login_of_git_is_the_source_s_alone() -> None:
    pod = _pod(manifest(job(source=GIT)))

    mounts = {one["name"]: [m["name"] for m in one["volumeMounts"]] for one in _all(pod)}
    assert "git" in mounts["source"]
    assert "git" not in mounts["build"]


def test_a_secret_s_variables_are_the_build_s_alone() -> None:
    names = {one["name"]: [e["name"] for e in one["env"]] for one in _all(_pod(_everything()))}

    assert {"A", "TOKEN"} <= set(names["build"])
    assert "A" in names["source"]
    assert "TOKEN" not in names["source"]


def test_files_of_secrets_are_read_by_the_pod_s_user() -> None:
    grouped, alone = manifest(job()), manifest(job(VARIANTS["no-group"]))

    assert _registry_mode(grouped) == 0o440
    assert _registry_mode(alone) == 0o444


def test_the_build_starts_where_it_was_told() -> None:
    found = manifest(job(source=GIT._replace(directory="services/api")))

    source, build = _all(_pod(found))
    assert build["workingDir"] == "/workspace/services/api"
    assert source["command"][-4:] == ["--directory", "services/api", "--into", "/workspace"]


def test_the_same_job_is_the_same_document() -> None:
    first, second = (json.dumps(manifests(job(EVERYTHING, count=40))) for _ in range(2))

    assert first == second


def test_a_context_may_come_from_an_insecure_registry() -> None:
    source = CONTEXT._replace(insecure=True)

    command = _pod(manifest(job(source=source)))["initContainers"][0]["command"]
    assert command[5:7] == ["--insecure-registry", "registry.example"]


def _everything() -> dict[str, Any]:
    return manifest(job(EVERYTHING))


def _all(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def _registry_mode(document: dict[str, Any]) -> int:
    volumes = {one["name"]: one for one in _pod(document)["volumes"]}
    mode: int = volumes["registry"]["projected"]["defaultMode"]
    return mode
