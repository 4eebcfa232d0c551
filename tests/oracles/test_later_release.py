"""Debian 13, whatever the machine itself has, beside mmdebstrap, and run by podman."""

import re
from collections.abc import Callable

import pytest

from tests.cli.outside import Cli
from tests.oracles.conftest import Images
from tests.oracles.test_mmdebstrap import Rivals, unexplained
from tests.oracles.test_podman import serves
from tests.parts.commands import Command
from tests.parts.flat_archive import flat_archive
from tests.parts.ports import free_port
from tests.parts.trees import differences, tree_of_layout, tree_of_tar

pytestmark = pytest.mark.archive

# procps retires a conffile; the C library and readline keep others from where they were.
PACKAGES = ("nginx", "procps", "ca-certificates", "python3", "less")
PRECONFIGURED = "var/cache/debconf/tmp.ci"
REPLACED = {
    # Python compiles them where they are first imported.
    r"usr/(?:lib|share)/.*__pycache__(?:/.*)?": "missing",
    # Nobody has asked debconf; our sandbox brings /etc/hosts.
    r"var/cache/debconf/.*\.dat": "missing",
    r"etc/hosts": "added",
    # The same lines in another order.
    r"var/lib/dpkg/diversions": "content",
}


@pytest.fixture(scope="module")
def trixie(artificer: Cli) -> Images:
    return Images(artificer, flat_archive(*PACKAGES, release="trixie"))


@pytest.fixture(scope="module")
def configured(trixie: Images) -> str:
    return trixie.build("trixie", ("--apt", *PACKAGES, "apt"))


def test_packages_from_nothing_are_what_mmdebstrap_makes(configured: str, trixie: Images) -> None:
    theirs = tree_of_tar(Rivals(trixie.archive).tar(f"--include={','.join(PACKAGES)}"))

    ours = tree_of_layout(trixie.folder, "trixie")

    assert len(ours) > 7000
    # Only its apt asks questions ahead of installing.
    assert unexplained(theirs, ours) in ({}, {PRECONFIGURED: "missing"})


def test_scripts_that_are_replaced_come_to_the_same(configured: str, trixie: Images) -> None:
    trixie.build("replaced", ("--apt", *PACKAGES, "apt", "--deb-scripts", "replace"))

    trees = [tree_of_layout(trixie.folder, tag) for tag in ("trixie", "replaced")]
    found = differences(*trees)
    assert {
        path: what
        for path, what in found.items()
        if not any(
            what == allowed and re.fullmatch(pattern, path)
            for pattern, allowed in REPLACED.items()
        )
    } == {}


def test_it_is_sound_and_nginx_serves(
    podman: Command, pulled: Callable[[str], str], configured: str
) -> None:
    image = pulled(configured)
    script = "dpkg --audit; dpkg -V; apt-get check -qq; grep ^VERSION_ID= /etc/os-release"
    port = free_port()
    serving = (
        f"sed -i '/::/d; s/listen .*80 default_server;/listen {port};/' "
        "/etc/nginx/sites-enabled/*; exec nginx -g 'daemon off;'"
    )

    assert podman.output("run", "--rm", image, "sh", "-c", script) == 'VERSION_ID="13"'
    assert b"Welcome to nginx!" in serves(podman, image, port, "sh", "-c", serving)
