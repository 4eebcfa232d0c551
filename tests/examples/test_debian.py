"""The example of Debian packages comes to one digest per level, whoever builds it."""

import os
import re
from pathlib import Path

import pytest

from tests.cli.outside import Cli, cli, work
from tests.parts.machine_archive import machine_archives

__all__ = ["cli", "work"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "debian"
FILES = ("WORKSPACE", "BUILD", "debian.sources", "nginx.lock", "nginx-files.lock")


@pytest.fixture
def example(cli: Cli, work: Path) -> Cli:
    """The example, with the mirror that this machine has in place of Debian's own."""
    mirror = machine_archives()[0].uri.rstrip("/")
    for name in FILES:
        text = (EXAMPLE / name).read_text()
        # What is locked is not asked for by the list of archives: that may stay as it is.
        if name.endswith(".lock"):
            text = text.replace("https://deb.debian.org/debian", mirror)
        (work / name).write_text(text)
    return cli


@pytest.mark.archive
def test_the_example_is_built_from_its_locks(example: Cli, work: Path) -> None:
    done = example("build", "//:configured.tar", "//:unpacked.tar")

    images = [
        f"docker-archive:{work}/artificer-bin/{name}.tar" for name in ("configured", "unpacked")
    ]
    configured, unpacked = (
        example("packages", "list", image).stdout.splitlines() for image in images
    )
    assert len(configured) > len(unpacked) > 10
    assert any(line.startswith("nginx ") for line in unpacked)
    assert "is replaced" not in done.stderr


def test_the_example_is_locked_for_what_its_build_file_asks_for() -> None:
    names = set(re.findall(r'lock = "(.*)"', (EXAMPLE / "BUILD").read_text()))

    assert names == {path.name for path in EXAMPLE.glob("*.lock")}
    assert all(os.path.getsize(EXAMPLE / name) for name in names)
