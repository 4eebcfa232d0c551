"""Each machine gets the best rung that it allows, and is told why not the others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from artificer.sandbox.client import NoSandbox, Sandbox, SandboxOptions
from artificer.sandbox.command import TreeLayer
from artificer.sandbox.instead import instead
from artificer.sandbox.ladder import rungs
from artificer.sandbox.rung import NotPossible
from artificer.stop import Stop
from tests.parts.commands import found
from tests.sandbox import pods, roots

EXPECTED = {
    "root": ("chroot", "real"),
    "root-unconfined": ("full-map", "real"),
    "user": ("proot", "lost"),
    "user-unconfined": ("single-map", "real"),
    "crio": ("proot", "real"),
}


def in_pod(name: str, folder: Path, **more: object) -> Sandbox:
    """A sandbox of whoever is in a pod."""
    state = folder / f"pod-{name}"
    state.mkdir(exist_ok=True)
    os.chown(state, pods.PODS[name].uid, pods.PODS[name].uid)
    options = SandboxOptions(started=1, launcher=pods.launcher(name))._replace(**more)  # type: ignore[arg-type]
    return Sandbox(str(state), options, Stop())


@pytest.mark.parametrize("name", EXPECTED)
def test_the_best_way_is_found(name: str, sandbox_folder: Path) -> None:
    found("proot")
    with in_pod(name, sandbox_folder) as box:
        chosen = box.rung

    assert (chosen.name, chosen.identity) == EXPECTED[name]
    assert [one.reason == "" for one in chosen.tried] == [False] * (len(chosen.tried) - 1) + [True]


def test_each_way_that_was_tried_says_why_it_cannot_be_used(sandbox_folder: Path) -> None:
    with in_pod("crio", sandbox_folder) as box:
        reasons = {one.name: one.reason for one in box.rung.tried}

    assert reasons["root"].startswith("no mount namespace: not permitted")
    assert reasons["full-map"].startswith("no user namespace: not permitted")
    assert reasons["range-map"] == "/etc/subuid has no ids for root"
    assert reasons["chroot"] == "making a device (cap_mknod): operation not permitted"


def test_without_any_way_all_that_was_tried_is_listed(
    sandbox_folder: Path, tmp_path: Path
) -> None:
    # Somebody who finds no proot, in a pod without anything.
    hidden = ("unshare", "-m", "sh", "-c", 'mount --bind /dev/null "$0" && exec "$@"')
    words = (*hidden, found("proot"), *pods.launcher("user"))
    with in_pod("user", sandbox_folder, launcher=words) as box, pytest.raises(NoSandbox) as no:
        _ = box.rung

    for rung in rungs():
        assert f"{rung.name}: " in no.value.message
    assert "artificer doctor run" in (no.value.hint or "")


def test_a_way_can_be_asked_for(sandbox_folder: Path) -> None:
    with in_pod("root-unconfined", sandbox_folder, rung="chroot") as box:
        assert box.rung.name == "chroot"
    with in_pod("root", sandbox_folder, rung="full-map") as box, pytest.raises(NoSandbox):
        _ = box.rung


def test_lost_owners_must_be_asked_for(sandbox_folder: Path, base: TreeLayer) -> None:
    with in_pod("user", sandbox_folder) as box, pytest.raises(NotPossible) as refused:  # noqa: SIM117
        with box.at((base,)):
            pass

    assert "--allow-lost-owners" in (refused.value.hint or "")


def test_with_lost_owners_all_that_is_made_is_roots(sandbox_folder: Path, base: TreeLayer) -> None:
    script = "id -u; echo x > /x; chown web /x; mkdir /srv/web/d; echo y >> /srv/owned; ls /proc/1"
    with in_pod("user", sandbox_folder, allow_lost_owners=True) as box, box.at((base,)) as root:
        done = roots.ran(root, script)

    owners = {name: (info.uid, info.gid) for name, info in done.members.items()}
    assert done.said.startswith("0\n")
    assert owners["x"] == owners["srv/web/d"] == (0, 0)
    # What had an owner before keeps it.
    assert owners["srv/owned"] == (33, 77)


def test_the_first_way_that_works_is_found_at_once(sandbox_folder: Path) -> None:
    script = (
        "import os, sys; from artificer.sandbox.ladder import chosen\n"
        "begun = os.times(); chosen('', sys.argv[1]); "
        "print(sum(os.times()[:4]) - sum(begun[:4]))"
    )
    times = []
    for _ in range(5):
        words = [sys.executable, "-c", script, str(sandbox_folder)]
        environ = {**os.environ, "PYTHONPATH": "src"}
        done = subprocess.run(words, check=True, capture_output=True, text=True, env=environ)
        times.append(float(done.stdout))

    # Of the processors, whatever else they do: 20 ms.
    assert min(times) < 0.1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mkdir -p /app/data", "`WORKDIR /app/data`"),
        ("chmod 755 /start && chown web /start", "`COPY --chmod=755`"),
        ("rm -rf /tmp/build", ".dockerignore"),
        ("ln -s /a /b", "`COPY` keeps it"),
        ("touch /marker", "`COPY <<EOF /marker`"),
        ("curl -fsSLO https://example.com/x.tgz", "`ADD https://example.com/x.tgz /`"),
        ("true", "leave it out"),
    ],
)
def test_a_simple_command_can_be_done_without(text: str, words: str) -> None:
    assert words in (instead(("/bin/sh", "-c", text)) or "")


@pytest.mark.parametrize(
    "text", ["make", "mkdir /x && make", "echo $(date) > /x", "cat a | sort > b", "echo 'x", ""]
)
def test_others_are_not_guessed_at(text: str) -> None:
    assert instead(("/bin/sh", "-c", text)) is None


def test_words_are_as_good_as_a_shell() -> None:
    assert instead(("mkdir", "/x")) == "`WORKDIR /x` makes a directory"


def test_pods_are_told_apart_by_what_they_may(tmp_path: Path) -> None:
    script = "import json, os; print(json.dumps([os.getuid(), open('/proc/self/status').read()]))"
    for name, pod in pods.PODS.items():
        words = [*pods.launcher(name), sys.executable, "-c", script]
        environ = {**os.environ, "PYTHONPATH": "src:."}
        done = subprocess.run(words, check=True, capture_output=True, text=True, env=environ)
        uid, status = json.loads(done.stdout)

        assert uid == pod.uid
        assert f"Seccomp:\t{2 if pod.seccomp else 0}\n" in status
