"""A pod does the work of its index, and says what came of it where others look."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from artificer.cli.job.index import TERMINATION_BYTES, message
from artificer.cli.session import Made
from artificer.kubernetes.job import RESULT_FIELDS, Work
from tests.cli.outside import Cli
from tests.parts.registries import Registry
from tests.parts.waiting import opened_fifo

DIGEST = f"sha256:{'0' * 64}"


def job(*works: tuple[str, ...]) -> str:
    return json.dumps([{"target": f"//:{at}", "argv": words} for at, words in enumerate(works)])


def of(index: int, text: str) -> dict[str, str]:
    return {"JOB_COMPLETION_INDEX": str(index), "ARTIFICER_JOB": text}


@pytest.fixture
def image(work: Path, fresh_repository: str) -> tuple[str, ...]:
    """The command line of a build."""
    (work / "file").write_text("text")
    return ("-b", "scratch", "-f", "file", "-t", f"{fresh_repository}:1")


def test_an_index_runs_its_own_words(cli: Cli, image: tuple[str, ...]) -> None:
    other = (*image[:-1], f"{image[-1]}-other")
    done = cli("job", "index", environ=of(1, job(image, other)))

    assert done.stdout.strip().endswith(cli("digest", f"{image[-1]}-other").stdout.strip())
    cli("digest", image[-1], code=1)


def test_the_work_is_read_from_a_mounted_file(
    cli: Cli, image: tuple[str, ...], work: Path
) -> None:
    (work / "job.json").write_text(job(image))
    environ = {"JOB_COMPLETION_INDEX": "0", "ARTIFICER_JOB_FILE": str(work / "job.json")}
    done = cli("job", "index", environ=environ)

    assert done.stdout.startswith(image[-1].rpartition(":")[0])


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "says what to do"),
        ({"ARTIFICER_JOB": "[]"}, "is no number"),
        (of(3, job(("version",))), "no work for index 3"),
        (of(0, '[{"target": "a", "argv": [1]}]'), "no command line"),
        (of(0, job(("job", "index"))), "no command line"),
        (of(0, '[{"argv": []}]'), "no target, or no command line"),
        (of(0, "{"), "not valid JSON"),
        ({"JOB_COMPLETION_INDEX": "0", "ARTIFICER_JOB_FILE": "/absent"}, "/absent"),
    ],
)
def test_what_a_pod_is_told_wrongly_is_named(
    cli: Cli, environ: dict[str, str], words: str
) -> None:
    done = cli.ended("job", "index", environ=environ)

    assert done.code in (1, 2)
    assert words in done.stderr


def test_an_index_that_fails_ends_as_its_build_does(cli: Cli) -> None:
    missing = cli.ended("job", "index", environ=of(0, job(("-b", "scratch", "-f", "absent"))))
    nobody = ("-b", "127.0.0.1:1/a:1", "-f", ".", "-t", "store:a", "--insecure-registry", "*")
    absent = cli.ended("job", "index", environ=of(0, job(nobody[:-2])))

    assert missing.code == 2
    assert absent.code == 69


def test_tests_that_are_not_there_are_not_tried_again(cli: Cli, work: Path) -> None:
    (work / "WORKSPACE").write_text("")
    (work / "BUILD").write_text('filegroup(name = "a")\n')

    done = cli.ended("job", "index", environ=of(0, job(("test", "//..."))))

    assert done.code == 1
    assert cli.ended("test", "//...").code == 4


def test_other_systems_are_told_in_their_own_files(
    cli: Cli, image: tuple[str, ...], work: Path
) -> None:
    name = image[-1].rpartition(":")[0]
    done = cli(
        *("job", "index", "--dotenv", work / "build.env", "--results-dir", work / "results"),
        environ=of(0, job(image)),
    )
    digest = done.stdout.strip().rpartition("@")[2]

    assert (work / "results" / "IMAGE_URL").read_text() == name
    assert (work / "results" / "IMAGE_DIGEST").read_text() == digest
    assert (work / "build.env").read_text().splitlines() == [
        f"IMAGE_URL={name}",
        f"IMAGE_DIGEST={digest}",
        f"IMAGES={name}@{digest}",
    ]


def test_a_plain_build_tells_them_the_same(cli: Cli, image: tuple[str, ...], work: Path) -> None:
    cli("job", "index", "--dotenv", work / "a.env", environ=of(0, job(image)))
    cli(*image, "--dotenv", work / "b.env", "--results-dir", work / "results")

    assert (work / "a.env").read_text() == (work / "b.env").read_text()
    assert sorted(os.listdir(work / "results")) == ["IMAGES", "IMAGE_DIGEST", "IMAGE_URL"]


def read(data: bytes) -> dict[str, Any]:
    assert len(data) <= TERMINATION_BYTES
    document: dict[str, Any] = json.loads(data)
    assert set(RESULT_FIELDS) <= set(document)
    return document


def test_the_last_words_are_a_document_of_known_fields() -> None:
    made = [Made(f"r.example/app@{DIGEST}", DIGEST, 5)]
    document = read(message(Work("//:app", ("build",)), made, hit=True))

    assert document == {
        "schema": 1,
        "target": "//:app",
        "image": made[0].name,
        "digest": DIGEST,
        "size": 5,
        "cache": "hit",
        "images": [made[0].name],
    }


def test_a_long_list_is_cut_and_says_so() -> None:
    made = [Made(f"r.example/app{number}@{DIGEST}", DIGEST, 5) for number in range(500)]
    document = read(message(Work("//:app", ("build",)), made, hit=False))

    assert len(document["images"]) + document["more"] == 500
    assert len(document["images"]) > 30


def test_a_build_that_made_nothing_with_a_name_says_that_too() -> None:
    assert read(message(Work("a" * 9000, ("test",)), [], hit=True))["digest"] == ""


def first_process(words: list[str], environ: dict[str, str]) -> "subprocess.Popen[bytes]":
    """A command as process 1 of a container."""
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-m", "artificer"]
    return subprocess.Popen(
        [*command, *words], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="a container of one's own needs root")
def test_process_1_ends_as_the_build_does(cli: Cli) -> None:
    environ = {**os.environ, **cli.environ}
    right = first_process(["version"], environ)
    wrong = first_process(["no-such-command"], environ)

    assert right.communicate()[0].startswith(b"artificer")
    assert (right.wait(), wrong.wait()) == (0, 2)
    wrong.communicate()


@pytest.mark.skipif(os.geteuid() != 0, reason="a container of one's own needs root")
def test_process_1_is_ended_soon_by_sigterm(cli: Cli, work: Path, open_registry: Registry) -> None:
    os.mkfifo(work / "never")
    words = ["-b", "scratch", "--tar", str(work / "never"), "-t", f"{open_registry.host}/a:1"]
    with first_process(words, {**os.environ, **cli.environ}) as unshare:
        writer = opened_fifo(work / "never")
        with open(f"/proc/{unshare.pid}/task/{unshare.pid}/children") as file:
            child = int(file.read().split()[0])
        began = time.monotonic()
        os.kill(child, signal.SIGTERM)
        unshare.communicate()
    os.close(writer)

    assert unshare.returncode == 143
    # A cluster would wait for half a minute, and then kill.
    assert time.monotonic() - began < 25


_ORPHANS = """\
import os, sys, time
from artificer.cli.first_process import divide
from tests.parts.waiting import opened_fifo
divide()
for _ in range(5):
    if not (middle := os.fork()):
        os.fork()  # a child whose parent is gone at once
        os._exit(0)
    os.waitpid(middle, 0)
def state(name):
    try:
        return open(f"/proc/{name}/stat").read().split(") ")[1][0]
    except (FileNotFoundError, ProcessLookupError):  # it is gone since the list was read
        return ""
for _ in range(3000):
    if "Z" not in {state(name) for name in os.listdir("/proc") if name.isdecimal()}:
        sys.exit(7)
    time.sleep(0.01)
sys.exit(8)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a container of one's own needs root")
def test_process_1_leaves_no_zombies_of_what_others_started() -> None:
    words = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", _ORPHANS]

    assert subprocess.run(words, check=False, timeout=300).returncode == 7
