"""Every shell block of the guides is run, and prints what the page says that it prints."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.blocks import Block, blocks_of, guides, matches
from tests.parts.archive import SmallArchive, deb_bytes, made
from tests.parts.commands import SEARCH, found
from tests.parts.images import BaseImage
from tests.parts.registries import LockedRegistry, registry

ALL_NOT_RUN = 40
"""More blocks than this may not be marked as not run."""


class Reader(NamedTuple):
    """Somebody who follows a page: where, with which variables, and what names mean there."""

    folder: Path
    environ: dict[str, str]
    names: dict[str, str]

    def at_home(self, text: str) -> str:
        """*text* with the registries of the pages replaced by those of the tests."""
        for name, host in self.names.items():
            text = text.replace(name, host)
        return text

    def follow(self, block: Block, page: Path) -> None:
        """Run *block* and compare what it prints."""
        done = subprocess.run(
            ["sh", "-eu", "-c", self.at_home(block.script)],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        printed = done.stdout + done.stderr
        where = f"{page.name}:{block.line}"
        assert done.returncode == 0, f"{where}: exit {done.returncode}\n{block.script}\n{printed}"
        for expected in map(self.at_home, block.output):
            lines = printed.splitlines()
            assert any(matches(expected, one) for one in lines), f"{where}: {expected}\n{printed}"


@pytest.fixture
def reader(
    tmp_path: Path,
    htpasswd_registry: LockedRegistry,
    registries_conf: Path,
    alpine: BaseImage,
    multi: BaseImage,
) -> Iterator[Reader]:
    """A home with the files that a page begins with, and two registries.

    ``localhost:5000`` is an empty, open one, ``registry.example.com`` one with TLS and a password;
    docker.io has ``alpine:3.7`` and ``multi:1``, and deb.debian.org a few packages.
    """
    assert alpine.short == "alpine:3.7"
    assert multi.short == "multi:1"
    home, folder = tmp_path / "home", tmp_path / "project"
    settings = home / ".config" / "containers"
    shutil.copytree(htpasswd_registry.cert_dir, settings / "certs.d" / htpasswd_registry.host)
    _project(folder)
    bin_folder = Path(sys.executable).parent
    environ = {
        "CONTAINERS_REGISTRIES_CONF": str(registries_conf),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PATH": os.pathsep.join((str(bin_folder), SEARCH)),
        "REGISTRY_USER": htpasswd_registry.user,
        "REGISTRY_PASSWORD": htpasswd_registry.password,
    }
    archive = _archive(tmp_path / "archive", folder)
    with registry(tmp_path / "registry") as empty, archive.serve() as served:
        names = {
            "https://deb.debian.org/debian": served.uri,
            "/usr/share/keyrings/debian-archive-keyring.gpg": str(archive.keyring),
            "localhost:5000": empty.host,
            "registry.example.com": htpasswd_registry.host,
        }
        yield Reader(folder, environ, names)


def _archive(root: Path, folder: Path) -> SmallArchive:
    """What the page about packages takes, and a package that somebody has made."""
    common = made("nginx-common", "1.22.1-9", Source="nginx")
    nginx = made("nginx", "1.22.1-9", "amd64", Depends="nginx-common (= 1.22.1-9)")
    (folder / "nginx-common.deb").write_bytes(deb_bytes(common))
    return SmallArchive(root).add(common, nginx).publish("bookworm")


def _project(folder: Path) -> None:
    """What most pages speak of: a program that says hello, and its settings."""
    (folder / "conf").mkdir(parents=True)
    shutil.copy(found("busybox"), folder / "server")
    (folder / "conf" / "server.toml").write_text("port = 8080\n")


@pytest.mark.parametrize("page", guides(), ids=lambda page: page.stem)
def test_what_a_guide_shows_works(page: Path, reader: Reader) -> None:
    for block in blocks_of(page):
        if not block.why:
            reader.follow(block, page)


def test_every_shell_block_of_the_guides_is_found() -> None:
    shown = {page.name: len(re.findall(r"^```sh$", page.read_text(), re.M)) for page in guides()}
    read = {
        page.name: sum(1 for block in blocks_of(page) if block.why or _is_shown(block, page))
        for page in guides()
    }

    assert read == shown


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    skipped = [block for page in guides() for block in blocks_of(page) if block.why]

    assert len(skipped) <= ALL_NOT_RUN
    assert all(len(block.why) > 5 for block in skipped)


def _is_shown(block: Block, page: Path) -> bool:
    return page.read_text().splitlines()[block.line - 1] == "```sh"
