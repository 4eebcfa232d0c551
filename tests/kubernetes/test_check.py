"""What is refused before any server is asked."""

from typing import Any

import pytest

from artificer.kubernetes.check import InvalidJob, check
from artificer.kubernetes.job import (
    GitSource,
    Job,
    Pace,
    Placement,
    RegistryAccess,
    Resources,
    Security,
    Toleration,
    Variable,
    Volume,
    Work,
    Workspace,
)
from tests.kubernetes.jobs import GIT, OPTIONS, SOURCES, job, works

WRONG: dict[str, dict[str, Any]] = {
    "--name Build": {"name": "Build"},
    f"--name {'x' * 62}": {"name": "x" * 62},
    "--generate-name a_": {"name": "", "generate_name": "a_"},
    f"--generate-name {'x' * 57}": {"name": "", "generate_name": "x" * 57},
    "--namespace a.b": {"namespace": "a.b"},
    "--service-account Builder": {"service_account": "Builder"},
    "--image Image:": {"image": "Image:"},
    "--registry-secret a/b": {"registry": RegistryAccess("a/b")},
    "--pull-secret A": {"registry": RegistryAccess(pull_secrets=("A",))},
    "--env-from-secret A": {"env_from_secrets": ("A",)},
    "--label a b": {"labels": (("a b", "c"),)},
    "--label team=a b": {"labels": (("team", "a b"),)},
    "--label job-name": {"labels": (("job-name", "x"),)},
    "--annotation /": {"annotations": (("/", "x"),)},
    "annotations of": {"annotations": (("a", "x" * 300_000),)},
    "--queue a b": {"queue": "a b"},
    "--parallelism 0": {"pace": Pace(parallelism=0)},
    "--retries -1": {"pace": Pace(retries=-1)},
    "--deadline 0": {"pace": Pace(deadline=0)},
    "--grace 0": {"pace": Pace(grace=0)},
    "--cpu 1GHz": {"resources": Resources(cpu="1GHz")},
    "--memory 0": {"resources": Resources(memory="0")},
    "--memory 3Gi is more than": {"resources": Resources(memory="3Gi")},
    "--cpu 2 is more than": {"resources": Resources(cpu="2", cpu_limit="1500m")},
    "--user 0": {"security": Security(0)},
    "--group 9999999999": {"security": Security(1, 9999999999)},
    "--node-selector a b": {"placement": Placement((("a b", ""),))},
    "--node-selector a=b c": {"placement": Placement((("a", "b c"),))},
    "--toleration gpu:Never": {"placement": Placement((), (Toleration("gpu", None, "Never"),))},
    "--toleration with a value": {"placement": Placement((), (Toleration("", "x"),))},
    "--env 1A": {"env": (Variable("1A"),)},
    "--env HOME": {"env": (Variable("HOME", "/"),)},
    "--env ARTIFICER_JOB": {"env": (Variable("ARTIFICER_JOB", "[]"),)},
    "--env A is given twice": {"env": (Variable("A", "1"), Variable("A", secret="x", key="y"))},
    "--env-secret A=b": {"env": (Variable("A", secret="b"),)},
    "--env-secret B": {"env": (Variable("A", secret="B", key="c"),)},
    "--mount /tmp: something": {"volumes": (Volume("empty", "", "/tmp"),)},
    "--mount /workspace: something": {"volumes": (Volume("empty", "", "/workspace"),)},
    "--mount /: no place": {"volumes": (Volume("empty", "", "/"),)},
    "--mount /a/../b: no place": {"volumes": (Volume("empty", "", "/a/../b"),)},
    "--mount /a: something": {"volumes": (Volume("empty", "", "/a"), Volume("memory", "", "/a"))},
    "--mount empty:1GB": {"volumes": (Volume("empty", "1GB", "/a"),)},
    "--mount claim A": {"volumes": (Volume("claim", "A", "/a"),)},
    "--mount image A:": {"volumes": (Volume("image", "A:", "/a"),)},
}


@pytest.mark.parametrize("told", WRONG)
def test_an_option_that_no_server_takes_is_named(told: str) -> None:
    with pytest.raises(InvalidJob) as caught:
        check(job(OPTIONS._replace(**WRONG[told])))

    assert caught.value.message.startswith(told)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("source", SOURCES)
def test_a_good_job_is_not_refused(source: object) -> None:
    check(Job(OPTIONS, works(3), source))  # type: ignore[arg-type]


def test_a_job_has_targets() -> None:
    with pytest.raises(InvalidJob, match="without any target"):
        check(job(count=0))


def test_a_target_is_in_a_job_once() -> None:
    twice = (Work("//a:b", ()), Work("//a:b", ("x",)))

    with pytest.raises(InvalidJob, match="//a:b is in the job twice"):
        check(Job(OPTIONS, twice, GIT))


def test_a_job_has_no_more_indexes_than_kubernetes() -> None:
    many = tuple(Work(str(number), ()) for number in range(100_001))

    with pytest.raises(InvalidJob, match="100001 targets"):
        check(Job(OPTIONS, many, GIT))


def test_many_pods_leave_less_room_for_the_name() -> None:
    check(job(OPTIONS._replace(name="x" * 61), count=10))

    with pytest.raises(InvalidJob, match="no name of a job"):
        check(job(OPTIONS._replace(name="x" * 61), count=11))


@pytest.mark.parametrize("directory", ["..", "../a", "/a", "a/../b", "a/", "."])
def test_a_build_starts_below_the_repository(directory: str) -> None:
    with pytest.raises(InvalidJob, match="not below the repository"):
        check(job(source=GitSource("https://git.example/a.git", "main", directory=directory)))


def test_a_workspace_is_an_absolute_path() -> None:
    with pytest.raises(InvalidJob, match="--workspace src: no place"):
        check(job(source=Workspace("claim", "src")))
