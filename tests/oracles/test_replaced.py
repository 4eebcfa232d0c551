"""Images whose scripts were replaced against those where they were run: why each difference is."""

import re

import pytest

from tests.cli.outside import Cli
from tests.oracles.conftest import Images
from tests.parts.flat_archive import flat_archive
from tests.parts.trees import differences, tree_of_layout

pytestmark = pytest.mark.archive

ALLOWED = {
    # Nobody is asked, so there are no answers to be kept: debconf makes its files when it is run.
    r"var/cache/debconf/(?:config|passwords|templates)\.dat": "missing",
    # Only Python of the same version can compile, and does so where it may write.
    r"usr/.*/__pycache__(?:/.*)?": "missing",
    # What is in /run is made anew wherever the image is run.
    r"run/.*": "missing",
    # The lines are the same, in dpkg's order.
    r"var/lib/dpkg/statoverride": "content",
}
SEVERAL = ("python3", "openssh-server", "postgresql-client", "ca-certificates", "apt")
MORE = ("chrony", "default-jre-headless", "sgml-base", "ssl-cert", "xz-utils")


def unexplained(images: Images, name: str, words: tuple[str, ...]) -> dict[str, str]:
    """How the image *name* differs where its scripts are replaced, but for what is allowed."""
    images.build(name, words)
    images.build(f"{name}-replaced", (*words, "--deb-scripts", "replace"))
    run = tree_of_layout(images.folder, name)
    replaced = tree_of_layout(images.folder, f"{name}-replaced")
    assert len(run) > 6000
    return {
        path: what
        for path, what in differences(run, replaced).items()
        if not any(
            what == allowed and re.fullmatch(pattern, path) for pattern, allowed in ALLOWED.items()
        )
    }


def test_nginx_is_the_same_without_running_a_script(images: Images) -> None:
    assert unexplained(images, "web", ("--apt", "nginx", "apt")) == {}


def test_times_are_the_same_as_well(images: Images) -> None:
    words = ("--apt", "nginx", "apt")
    run = images.build("web", words)
    replaced = images.build("web-replaced", (*words, "--deb-scripts", "replace"))

    told = images.artificer("diff", run, replaced, code=1).stdout

    names = ("config", "passwords", "templates")
    assert told.splitlines() == [f"- /var/cache/debconf/{name}.dat" for name in names]


def test_python_ssh_postgresql_and_certificates_are_the_same_without_running_a_script(
    images: Images,
) -> None:
    assert unexplained(images, "several", ("--apt", *SEVERAL)) == {}


def test_java_and_a_server_are_the_same_without_running_a_script(artificer: Cli) -> None:
    images = Images(artificer, flat_archive(*MORE))

    assert unexplained(images, "java", ("--compression", "none", "--apt", *MORE)) == {}


ELSEWHERE = re.compile(
    # Programs, libraries and what is said of them are of an architecture.
    r"var/lib/dpkg/(?:arch|arch-native|status|info/.*|triggers/.*|diversions)|var/lib/apt/.*"
    r"|etc/ld\.so\.(?:cache|conf\.d/.*)|(?:usr/)?lib(?:32|64|x32|exec)?(?:/.*)?|usr/share/.*"
    r"|(?:usr/)?s?bin/.*"
)


def test_another_architecture_has_the_same_settings_users_and_links(
    artificer: Cli, images: Images
) -> None:
    images.build("web", ("--apt", "nginx", "apt"))
    other = Images(artificer, flat_archive("nginx", architecture="arm64"))
    plain = ("--compression", "none", "--platform", "linux/arm64")
    other.build("web-arm64", (*plain, "--apt", "nginx", "apt"))
    here = tree_of_layout(images.folder, "web")
    there = tree_of_layout(other.folder, "web-arm64")

    found = differences(here, there)
    assert len(there) > 6000
    assert {
        path: what
        for path, what in found.items()
        if not ELSEWHERE.fullmatch(path)
        and not any(what == ALLOWED[one] and re.fullmatch(one, path) for one in ALLOWED)
    } == {}
