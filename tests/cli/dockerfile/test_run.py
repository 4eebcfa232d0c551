"""Dockerfiles with commands, built as a person types it. Only root is sure to have a way."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.commands import Command
from tests.parts.waiting import PATIENCE, lifetime, processes_with, wait_until

pytestmark = [
    pytest.mark.usefixtures("alpine"),
    pytest.mark.skipif(os.geteuid() != 0, reason="where nobody is root, ways may lack"),
]


@pytest.fixture
def app(work: Path) -> Path:
    path = work / "app"
    path.mkdir()
    return path


def dockerfile(app: Path, text: str) -> None:
    (app / "Dockerfile").write_text(f"FROM alpine:3.7\n{text}")


def config_of(cli: Cli, name: str) -> Mapping[str, object]:
    config: Mapping[str, object] = json.loads(cli("inspect", "--config", name).stdout)
    return config


def test_what_a_command_writes_is_in_the_image_and_what_it_says_is_shown(
    hub: Cli, app: Path, work: Path
) -> None:
    dockerfile(app, "RUN echo said; printf 'a\\tb\\n'; echo written >/file; rm /etc/os-release\n")

    done = hub("build", "-o", "out", "app")

    assert "[stage-0 1/1] said" in done.lines
    assert "[stage-0 1/1] a       b" in done.lines
    assert (work / "out" / "file").read_text() == "written\n"
    assert not (work / "out" / "etc" / "os-release").exists()


def test_output_and_steps_are_events_for_programs(hub: Cli, app: Path) -> None:
    dockerfile(app, "RUN echo said\n")

    first = hub("build", "--progress=rawjson", "app").events
    again = hub("build", "--progress=json", "app").events

    told = {"event": "command-output", "label": "stage-0 1/1", "line": "said"}
    assert told in first
    assert "step-started" in {one["event"] for one in first}
    assert {"step-cached"} == {one["event"] for one in again if "step" in one["event"]}


def test_a_command_that_fails_ends_the_build_with_1_and_says_where(hub: Cli, app: Path) -> None:
    dockerfile(app, "RUN echo before; echo wrong >&2; exit 42\n")

    done = hub("build", "-t", "app", "app", code=1)

    assert done.stdout == ""
    assert done.error.startswith("app/Dockerfile:2: RUN echo before; echo wrong >&2; exit 42: ")
    assert "exit code 42" in done.error
    assert done.lines[-1].strip() == "wrong"
    hub("inspect", "store:app", code=1)


def test_kaniko_ends_with_1_where_a_command_fails(hub: Cli, app: Path) -> None:
    dockerfile(app, "RUN exit 42\n")

    assert "exit code 42" in hub("kaniko", "--no-push", "-c", f"dir://{app}", code=1).error


def test_a_secret_is_nowhere_but_in_its_command(hub: Cli, app: Path, work: Path) -> None:
    dockerfile(
        app,
        "RUN --mount=type=secret,id=token sha256sum /run/secrets/token | grep ^724122ae\n"
        "RUN --mount=type=secret,id=token,env=TOKEN printf $TOKEN | sha256sum | grep ^724122ae\n",
    )
    (work / "token").write_text("t0ps3cret")

    done = hub("build", "--secret", "id=token,src=token", "-t", "oci:out", "app")

    written = [path for place in (hub.store, work / "out") for path in place.rglob("*")]
    read = [path.read_bytes() for path in written if path.is_file() and not path.is_symlink()]
    assert len(read) > 10
    assert not any(b"t0ps3cret" in data for data in read)
    assert "t0ps3cret" not in done.stderr


def test_a_secret_that_a_command_requires_must_be_given(hub: Cli, app: Path) -> None:
    dockerfile(app, "RUN --mount=type=secret,id=token,required=true true\n")

    done = hub("build", "app", code=2)

    assert "app/Dockerfile:2" in done.error
    assert "--secret id=token" in done.error + done.hint


def test_arguments_hosts_and_networks_reach_commands(hub: Cli, app: Path, work: Path) -> None:
    dockerfile(
        app,
        "ARG V\nRUN echo $V >/v; grep db.test /etc/hosts >/h; cat /proc/net/dev >/n\n",
    )
    words = ("--build-arg=V=7", "--add-host=db.test:10.9.8.7", "--network=none")

    hub("build", *words, "-o", "out", "app")

    assert (work / "out" / "v").read_text() == "7\n"
    assert (work / "out" / "h").read_text().split() == ["10.9.8.7", "db.test"]
    lines = (work / "out" / "n").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in lines] == ["lo"]
    assert not (work / "out" / "etc" / "hosts").exists()


def test_a_cache_mount_outlives_the_build_and_is_in_no_layer(
    hub: Cli, app: Path, work: Path
) -> None:
    dockerfile(app, "ARG N\nRUN --mount=type=cache,target=/c echo $N >>/c/n; cp /c/n /n\n")

    hub("build", "--build-arg=N=1", "app")
    hub("build", "--build-arg=N=2", "-o", "out", "app")

    assert (work / "out" / "n").read_text() == "1\n2\n"
    assert not list((work / "out" / "c").glob("*"))


def test_stages_are_made_anew_where_it_is_asked_for(hub: Cli, app: Path) -> None:
    (app / "Dockerfile").write_text(
        "FROM alpine:3.7 AS one\nRUN echo 1 >/one\nFROM alpine:3.7 AS two\nRUN echo 2 >/two\n"
        "FROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\n"
    )
    first = hub("build", "-t", "app", "app")

    filtered = hub("build", "--no-cache-filter=one", "-t", "app", "app")
    whole = hub("build", "--no-cache", "-t", "app", "app")

    assert first.stdout == filtered.stdout == whole.stdout
    assert "[one 1/1] done" in filtered.stderr
    assert "[two 1/1] done" not in filtered.stderr
    assert "[two 1/1] done" in whole.stderr


def test_explain_names_the_instruction_and_what_changed(hub: Cli, app: Path) -> None:
    (app / "input").write_text("1")
    dockerfile(app, "COPY input /\nRUN cat /input >/output\n")
    hub("build", "app")
    (app / "input").write_text("22")

    done = hub("build", "--explain", "app")

    assert "[stage-0 1/2] COPY input / is done again:" in done.lines
    assert any("input" in line for line in done.lines if line.startswith("[stage-0 1/2]   "))
    assert "[stage-0 2/2] RUN cat /input >/output is done again:" in done.lines


@pytest.mark.parametrize("rung", ["root", "full-map", "single-map", "chroot"])
def test_every_way_to_run_commands_gives_the_same_image(hub: Cli, app: Path, rung: str) -> None:
    dockerfile(
        app,
        "RUN mkdir -p /a/b && echo 1 >/a/b/c && chown 5:6 /a/b/c && chmod 4755 /a/b/c\n"
        "RUN ln /a/b/c /a/d && ln -s d /a/e && rm -rf /var && touch -d @1 /a/f\n"
        "WORKDIR /tmp\nRUN id -u >me\n",
    )
    first = hub("build", "-t", "app", "app").stdout

    done = hub.machine(rung)("build", "--rung", rung, "-t", "app", "app")

    assert done.stdout == first


def test_history_and_config_are_those_of_docker(hub: Cli, app: Path) -> None:
    dockerfile(app, 'ENV A=b\nRUN true\nUSER 1\nCMD ["x"]\n')

    hub("build", "-t", "app", "app")

    config = config_of(hub, "store:app")
    history = config["history"]
    assert isinstance(history, list)
    assert [one["created_by"] for one in history][2:] == [
        "ENV A=b",
        "RUN /bin/sh -c true # buildkit",
        "USER 1",
        'CMD ["x"]',
    ]


def test_podman_runs_what_was_built(hub: Cli, app: Path, podman: Command) -> None:
    dockerfile(app, 'RUN echo hello >/hello\nCMD ["cat", "/hello"]\n')

    hub("build", "-o", "type=docker,dest=app.tar,name=app:1", "app")

    podman.run("load", "-i", str(app.parent / "app.tar"))
    assert podman.output("run", "--rm", "--network=none", "localhost/app:1") == "hello"


def test_cancelling_ends_the_command_and_leaves_nothing(hub: Cli, app: Path) -> None:
    life = lifetime()
    dockerfile(app, f"RUN echo begun; sleep {life} & sleep {life}\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "artificer", "build", "--progress=plain", "app"],
        cwd=hub.directory,
        env=hub.environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.strip() == "[stage-0 1/1] begun":
            break

    process.send_signal(signal.SIGINT)

    assert process.wait(PATIENCE) == 130
    process.stderr.close()
    wait_until(lambda: not processes_with(life))
    wait_until(lambda: str(hub.store) not in Path("/proc/self/mountinfo").read_text())


def test_verify_finds_the_file_that_is_another_one_each_time(hub: Cli, app: Path) -> None:
    dockerfile(app, "RUN date >/dev/null; echo same >/same\n")
    assert hub("verify", "build", "app").stdout.startswith("sha256:")
    dockerfile(app, "RUN head -c 8 /dev/urandom | md5sum >/other\n")

    done = hub("verify", "build", "app", code=1)

    assert "/other" in done.error


def test_a_plan_says_what_would_be_made_and_makes_nothing(hub: Cli, app: Path) -> None:
    dockerfile(app, "RUN echo 1 >/one\nRUN echo 2 >/two\nRUN echo 3 >/three\n")
    hub("build", "app")
    known = hub("plan", "build", "app").stdout
    dockerfile(app, "RUN echo 1 >/one\nRUN echo 22 >/two\nRUN echo 3 >/three\n")

    planned = hub("plan", "build", "app").stdout
    steps = json.loads(hub("plan", "build", "--json", "app").stdout)[0]["steps"]

    assert "nothing would be made" in known
    assert "at least 1 would be made" in planned
    assert [one["action"] for one in steps][:2] == ["reuse", "make"]
    assert "[stage-0 2/3]   command: changed" in hub("build", "app").lines
    assert "not of targets" in hub("plan", "build", "//x:y", code=2).error


def test_a_prune_takes_what_commands_have_unpacked(hub: Cli, app: Path) -> None:
    dockerfile(app, "RUN --mount=type=cache,target=/c touch /c/kept; echo x >/file\n")
    hub("build", "app")

    spared = hub("cache", "prune")
    pruned = hub("cache", "prune", "--all")

    assert spared.stdout.startswith("freed 0 B")
    assert "left 0 B" in pruned.stdout
