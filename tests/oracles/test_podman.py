"""podman runs what was installed: servers serve, interpreters import, dpkg finds it whole."""

import urllib.request
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.oracles.conftest import Images
from tests.parts.commands import Command
from tests.parts.ports import free_port
from tests.parts.trees import layers_of
from tests.parts.waiting import wait_until

pytestmark = pytest.mark.archive

Pulled = Callable[[str], str]
HOST = ("run", "--rm", "--network", "host")


def fetched(url: str) -> bytes:
    """What a server says, once it is there."""
    found: list[bytes] = []

    def answers() -> bool:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:
            found.append(response.read())
        return bool(found)

    wait_until(answers, f"nobody serves {url}")
    return found[0]


def serves(podman: Command, image: str, port: int, *words: str) -> bytes:
    """What nginx of *image* says on *port*, started with *words*."""
    options = ("--detach", "--network", "host")
    container = podman.output("run", *options, image, *words)
    try:
        return fetched(f"http://127.0.0.1:{port}/")
    finally:
        podman.run("rm", "--force", container)


def test_dpkg_finds_nothing_amiss(podman: Command, pulled: Pulled, web: str) -> None:
    image = pulled(web)

    script = "dpkg --audit; dpkg -V; dpkg -l | grep -c ^ii; dpkg -l | grep -v ^ii | tail -n +6"
    count = podman.output(*HOST, image, "sh", "-c", script)

    assert int(count) > 100


def test_nginx_serves_its_page(podman: Command, pulled: Pulled, web: str) -> None:
    port = free_port()
    listen = f"sed -i 's/listen .*80 default_server;/listen {port};/' /etc/nginx/sites-enabled/*"
    # The second listens to IPv6, the same port; one is enough.
    script = (
        f"{listen}; sed -i '0,/listen {port};/!{{/listen {port};/d}}' /etc/nginx/sites-enabled/*"
    )

    said = serves(podman, pulled(web), port, "sh", "-c", f"{script}; exec nginx -g 'daemon off;'")

    assert b"Welcome to nginx!" in said


POSTGRES = """\
set -e
test "$(id -un)" = postgres
bin=$(echo /usr/lib/postgresql/*/bin)
$bin/initdb -D /tmp/data >/dev/null
$bin/pg_ctl -D /tmp/data -o "-k /tmp -c listen_addresses=" -l /tmp/log -w start >/dev/null
psql -h /tmp -Atc 'SELECT 6 * 7' postgres
$bin/pg_ctl -D /tmp/data -m fast stop >/dev/null
"""
CLUSTER = """\
set -e
version=$(ls /usr/lib/postgresql)
pg_createcluster $version main --start >/dev/null
su postgres -c "psql -Atc 'SHOW cluster_name'"
pg_lsclusters -h | cut -d' ' -f1-4
"""


@pytest.fixture(scope="session")
def postgres(images: Images) -> str:
    return images.build("postgres", ("--apt", "postgresql", "apt"))


def test_postgres_answers_as_its_own_user(podman: Command, pulled: Pulled, postgres: str) -> None:
    words = (*HOST, "--user", "postgres", pulled(postgres), "sh", "-c", POSTGRES)

    assert podman.output(*words) == "42"


def test_a_cluster_is_made_where_the_image_is_run(
    podman: Command, pulled: Pulled, postgres: str
) -> None:
    found = podman.output(*HOST, pulled(postgres), "sh", "-c", CLUSTER).splitlines()

    assert found[0].endswith("/main")
    assert found[1].split()[1:4] == ["main", "5432", "online"]


def test_postgres_is_one_digest_whoever_builds_it(images: Images, postgres: str) -> None:
    afresh = images.artificer.machine("another")
    words = ("-b", "scratch", "--archive", images.archive.line, "--apt", "postgresql", "apt")

    done = afresh(*words, "-t", f"oci:{images.folder}:postgres-again")

    told = next(line for line in done.stderr.splitlines() if "postinst is run" in line)
    assert "makes no cluster" in told
    first, second = (
        [path.name for path in layers_of(images.folder, tag)]
        for tag in ("postgres", "postgres-again")
    )
    assert first == second
