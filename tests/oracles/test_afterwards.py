"""An image that was configured is one that apt, dpkg and others go on with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.oracles.conftest import Images
from tests.parts.commands import Command

pytestmark = pytest.mark.archive

Ran = Callable[..., list[str]]
SOUND = "apt-get check -qq; dpkg --audit; dpkg -V"
APT = """\
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -s upgrade | tail -n 1
apt-get -s autoremove | tail -n 1
apt-mark showmanual | tr '\\n' ' '
echo
"""
LOCAL = f"""\
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get install -qq -y /mnt/{{deb}} >/dev/null 2>&1
less --version | head -n 1 | cut -d' ' -f1
{SOUND}
echo 'deb [trusted=yes] copy:/mnt ./' > /etc/apt/sources.list
apt-get -qq update
apt-get install -qq -y --no-install-recommends cron >/dev/null 2>&1
getent group crontab | cut -d: -f1
apt-get purge -qq -y --autoremove cron nginx >/dev/null 2>&1
{SOUND}
dpkg-query -Wf '${{{{db:Status-Abbrev}}}}\\n' | sort -u
test ! -e /etc/nginx || find /etc/nginx
"""
DOCKERFILE = """\
FROM web
RUN --mount=type=bind,from=packages,target=/mnt \\
    echo 'deb [trusted=yes] copy:/mnt ./' > /etc/apt/sources.list \\
 && apt-get -qq update && apt-get -qq install -y --no-install-recommends cron less
"""


@pytest.fixture
def ran(podman: Command, pulled: Callable[[str], str], images: Images) -> Ran:
    """What a script prints in a container of an image; the archive is at /mnt."""
    mount = f"{images.archive.folder}:/mnt:ro"

    def lines(reference: str, script: str) -> list[str]:
        words = ("run", "--rm", "-v", mount, pulled(reference), "sh", "-c", script)
        return podman.output(*words).splitlines()

    return lines


def test_apt_has_nothing_to_mend(ran: Ran, web: str) -> None:
    assert ran(web, SOUND) == []
    upgraded, removed, manual = ran(web, APT)
    assert upgraded.startswith("0 upgraded, 0 newly installed, 0 to remove")
    assert removed.startswith("0 upgraded, 0 newly installed, 0 to remove")
    found = set(manual.split())
    assert {"apt", "base-files", "nginx"} <= found
    assert found.isdisjoint({"libc6", "nginx-common", "perl"})


def test_apt_installs_and_purges_what_comes_later(ran: Ran, images: Images, web: str) -> None:
    deb = images.archive.deb("less").name

    assert ran(web, LOCAL.format(deb=deb)) == ["less", "crontab", "ii "]


def test_more_packages_upon_the_image_are_as_sound(ran: Ran, images: Images, web: str) -> None:
    more = images.build("more", ("--apt", "cron", "less"), web)

    assert ran(more, SOUND) == []
    assert ran(more, "dpkg-query -Wf '${db:Status-Abbrev}\\n' | sort -u") == ["ii "]
    _, removed, manual = ran(more, APT)
    assert removed.startswith("0 upgraded, 0 newly installed, 0 to remove")
    found = set(manual.split())
    assert {"apt", "cron", "less", "nginx"} <= found
    assert found.isdisjoint({"cron-daemon-common", "libc6", "nginx-common"})


def test_a_dockerfile_goes_on_with_apt_get(
    ran: Ran, images: Images, web: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    name = f"oci:{images.folder}:dockerfile"
    contexts = (
        f"--build-context=web=oci-layout://{images.folder}:web",
        f"--build-context=packages={images.archive.folder}",
    )

    images.artificer("build", *contexts, "-t", name, str(tmp_path))

    assert ran(name, SOUND) == []
    assert ran(name, "dpkg-query -Wf '${Package}\\n' cron less") == ["cron", "less"]
