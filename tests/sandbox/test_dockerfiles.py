"""Dockerfiles come to one digest on every rung, whatever the caches hold."""

import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.parts import images
from tests.sandbox import roots

pytestmark = pytest.mark.slow

STEPS = (
    "RUN mkdir -p /s/d && echo a > /s/a && echo b > /s/b && echo x > /s/d/x && ln /s/a /s/d/a",
    "RUN seen=$([ /s/a -nt /s/b ] && echo newer; stat -c '%n %Y' /s/* /etc /root /bin/sh /s/d/*);"
    ' echo "$seen" > /r1',
    "COPY src /s/src",
    "RUN touch -d '2020-01-01 00:00:00' /s/b; find /s /etc /r1 -newer /s/b | sort > /tmp/found",
    "RUN cd /s/src; for f in *.c; do [ ${f%.c}.o -nt $f ] || echo made $f > ${f%.c}.o; done",
    "WORKDIR /s/work/deep",
    "RUN cd /s/src; for f in *.c; do [ ${f%.c}.o -nt $f ] || echo again $f >> ${f%.c}.o; done",
    "RUN rm -r /s/d; mkdir /s/d; echo new > /s/d/new; mv /s/src /s/moved; cd /s;"
    ' seen=$(find . -newer a | sort); echo "$seen" > /newer',
    "COPY --chown=33:33 src/a.c /s/moved/",
    "RUN seen=$(find /s /etc /root /usr -newer /s/moved/a.c -type f | sort); chown 33 /s/b;"
    ' chmod 700 /s/work; echo "$seen" > /late',
    "RUN stat -c '%n %a %u %g %F %Y' $(find /s /root /etc | sort) > /tmp/all; cp -a /s /copy",
    "RUN mkdir -p /l/s; echo x > /l/f; chmod 711 /l/f; ln /l/f /g; echo y > /l/y; ln /l/y /l/s/z",
    "RUN mv /l /m",
    "RUN ln /m/y /m/w; rm /m/s/z; cp -al /m /n; echo z >> /n/y; cat /m/y /m/w /n/w > /links",
    "RUN echo 1 >> /g; cat /m/f /n/f >> /links; stat -c '%n %a' /m/* /g /n/* >> /links",
    "RUN cmp /s/moved/a.o /copy/moved/a.o && find /copy -newer /tmp/all | sort > /last;"
    " rm -rf /copy/d /s/a",
)
DOCKERFILE = ("FROM base", *STEPS)


class Machine(NamedTuple):
    """Who builds: somebody on a rung, with a store of their own."""

    rung: str
    folder: Path
    store: Path

    def build(self, lines: tuple[str, ...], *words: str) -> str:
        """Build a Dockerfile of *lines*; return the image's digest."""
        file = self.folder / f"Dockerfile-{self.store.name}"
        file.write_text("\n".join(lines))
        environ = {
            **os.environ,
            "ARTIFICER_STORE": str(self.store),
            "HOME": str(self.store),
            "LC_ALL": "C.UTF-8",
            "CONTAINERS_REGISTRIES_CONF": os.devnull,
        }
        command = [
            *(*roots.launcher(self.rung), sys.executable, "-m", "artificer", "build", "-q"),
            *("--rung", self.rung, "--build-context", f"base=oci-layout://{self.folder}/base:3.7"),
            *("-f", str(file), *words, str(self.folder / "context")),
        ]
        ended = subprocess.run(
            command, check=False, capture_output=True, text=True, env=environ, timeout=300
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip().rpartition("@")[2]


Machines = Callable[[str], Machine]


@pytest.fixture(scope="module")
def folder(sandbox_folder: Path) -> Path:
    """A base and a context that everybody may read."""
    place = sandbox_folder / "dockerfiles"
    source = place / "context" / "src"
    source.mkdir(parents=True)
    for name in ("a", "b"):
        (source / f"{name}.c").write_text(f"{name}\n")
        (source / f"{name}.c").chmod(0o644)
    images.base_layout(place / "base")
    subprocess.run(["chmod", "-R", "a+rX", place], check=True)
    return place


@pytest.fixture
def machines(folder: Path, users: None) -> Iterator[Machines]:
    """Gives an empty machine each time it is called."""
    made: list[Path] = []

    def machine(rung: str) -> Machine:
        store = folder / f"{rung}-{len(os.listdir(folder))}"
        store.mkdir()
        if user := roots.USERS.get(rung):
            owner = pwd.getpwnam(user)
            os.chown(store, owner.pw_uid, owner.pw_gid)
        made.append(store)
        return Machine(rung, folder, store)

    yield machine
    for store in made:
        subprocess.run(["rm", "-rf", store], check=False, capture_output=True)


@pytest.fixture(scope="module")
def whole(folder: Path) -> str:
    """The digest of the whole Dockerfile, built by root where nothing is known."""
    store = folder / "whole"
    store.mkdir()
    return Machine("root", folder, store).build(DOCKERFILE)


@pytest.mark.parametrize("count", range(1, len(STEPS)))
def test_a_cache_of_the_first_steps_changes_nothing(
    count: int, machines: Machines, whole: str
) -> None:
    machine = machines("root")
    machine.build(DOCKERFILE[: count + 1])

    assert machine.build(DOCKERFILE) == whole


def test_layers_of_another_machine_change_nothing(machines: Machines, whole: str) -> None:
    cache = machines("root").store / "cache"
    found = []
    for count in range(1, len(STEPS)):
        first = machines("root")
        first.build(DOCKERFILE[: count + 1], "--cache-to", f"type=local,dest={cache}-{count}")
        second = machines("root")
        found.append(second.build(DOCKERFILE, "--cache-from", f"type=local,src={cache}-{count}"))

    assert found == [whole] * len(found)


@pytest.mark.parametrize("rung", roots.EVERYWHERE)
def test_every_rung_comes_to_one_digest(rung: str, machines: Machines, whole: str) -> None:
    machine = machines(rung)

    assert machine.build(DOCKERFILE) == whole


@pytest.mark.parametrize("rung", roots.EVERYWHERE[1:])
def test_a_cache_of_one_rung_serves_another(rung: str, machines: Machines, whole: str) -> None:
    half = len(STEPS) // 2
    first, second = machines(rung), machines("root")
    cache = first.store / "cache"
    first.build(DOCKERFILE[: half + 1], "--cache-to", f"type=local,dest={cache}")

    there = second.build(DOCKERFILE, "--cache-from", f"type=local,src={cache}")

    assert there == whole
