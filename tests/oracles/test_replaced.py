"""Images whose scripts were replaced against those where they were run: why each difference is."""

import re

import pytest

from tests.oracles.conftest import Images
from tests.parts.trees import differences, tree_of_layout

pytestmark = pytest.mark.archive

ALLOWED = {
    # Nobody is asked, so there are no answers to be kept: debconf makes its files when it is run.
    r"var/cache/debconf/(?:config|passwords|templates)\.dat": "missing",
    # Only Python of the same version can compile, and does so where it may write.
    r"usr/.*/__pycache__(?:/.*)?": "missing",
    # What is in /run is made anew wherever the image is run.
    r"run/.*": "missing",
}
SEVERAL = ("python3", "openssh-server", "postgresql-client", "ca-certificates", "apt")


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
