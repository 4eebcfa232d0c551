"""What apt-get makes of the same base and packages, in a container: file by file."""

import re
from collections.abc import Callable

import pytest

from tests.oracles.conftest import EPOCH, Images
from tests.parts.commands import Command
from tests.parts.trees import differences, layers_of, lines_in, tree_of_layout

pytestmark = pytest.mark.archive

# A capability, users, certificates, services, hooks of other packages.
PACKAGES = ("nginx", "cron", "ca-certificates", "iputils-ping", "less")
INSTALL = """\
set -e
rm -f /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] copy:/mnt ./' > /etc/apt/sources.list
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH={epoch}
apt-get -qq update
apt-get -qq install -y --no-install-recommends {packages}
rm -rf /usr/sbin/policy-rc.d /var/lib/apt/lists/* /tmp/* /var/tmp/*
"""
# apt writes it in the order of a hash table.
STATES = "var/lib/apt/extended_states"
ALLOWED = {
    # How they were told where packages are.
    r"etc/apt/sources\.list(?:\.d/.*)?": "",
    # What a container's engine puts there.
    r"(?:dev|proc|sys|run)(?:/.*)?|etc/(?:hosts|hostname|resolv\.conf)": "",
    # Logs, caches, locks, and what a file was before.
    r"var/(?:log|cache/(?:apt|ldconfig|debconf))/.*|var/lib/apt/(?:lists|periodic)(?:/.*)?": "",
    r"etc/\.pwd\.lock|etc/(?:group|passwd|shadow|gshadow|subuid|subgid)-": "",
    r"var/lib/dpkg/(?:.*-old|lock|lock-frontend|triggers/Lock)": "",
}


def test_packages_upon_a_base_are_what_apt_get_makes(
    images: Images, minbase: str, buildah: Command, pulled: Callable[[str], str]
) -> None:
    script = INSTALL.format(epoch=EPOCH, packages=" ".join(PACKAGES))
    container = buildah.output("from", "-q", pulled(minbase))
    buildah.run(
        "run", "-v", f"{images.archive.folder}:/mnt:ro", container, "--", "sh", "-c", script
    )
    theirs = images.folder.with_name("theirs")
    buildah.run("commit", "-q", "--rm", container, f"oci:{theirs}:it")

    images.build("upon", ("--apt", *PACKAGES), minbase)

    found = differences(tree_of_layout(theirs, "it"), tree_of_layout(images.folder, "upon"))
    assert {
        path: what
        for path, what in found.items()
        if not any(re.fullmatch(pattern, path) for pattern in ALLOWED)
    } == {STATES: "content"}
    layers = layers_of(theirs, "it")[-1], layers_of(images.folder, "upon")[-1]
    first, second = (lines_in(layer, [STATES])[STATES] for layer in layers)
    assert first == second
