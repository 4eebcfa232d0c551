"""The example of Debian packages comes to one digest per level, whoever builds it.

What its locks name is fetched from this machine's own archive and served on loopback. When Debian
has newer packages, and that archive lacks those of the locks, the test locks anew before it
builds; `test_the_archive_has_what_the_locks_name` tells so.
"""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

import pytest

from artificer.builder.package_lock import parsed_set
from artificer.errors import ArtificerError
from artificer.sources.debian.archives.acquire import acquire
from artificer.sources.debian.archives.sourceslist import archives_of
from artificer.sources.debian.values import Locked
from tests.docs.blocks import blocks_of, matches
from tests.parts.archive_server import Served, served
from tests.parts.commands import Command, found
from tests.parts.machine_archive import archive_store, machine_archives, web_over
from tests.sandbox import roots

EXAMPLE = Path(__file__).parents[2] / "examples" / "debian"
DEBIAN = "https://deb.debian.org/"
LOCKS = ("nginx.lock", "nginx-files.lock")

pytestmark = [pytest.mark.archive, pytest.mark.slow]


class Place(NamedTuple):
    """A copy of the example that every user can read, whose packages come from loopback."""

    folder: Path
    server: Served

    def artificer(
        self, *words: str, rung: str = "root", home: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """What the command says and prints for whoever has *rung*, in a store of their own."""
        return self._run(words, rung, self.folder / f"home-{home or rung}")

    def _run(
        self, words: Sequence[str], rung: str, home: Path
    ) -> subprocess.CompletedProcess[str]:
        # In a pod, users of a root have to get through to it.
        (home / "store").mkdir(parents=True, exist_ok=True)
        project = home / "project"
        if not project.exists():
            shutil.copytree(self.folder / "project", project)
        user = roots.USERS.get(rung)
        if user:
            owner = pwd.getpwnam(user)
            subprocess.run(["chown", "-R", f"{owner.pw_uid}:{owner.pw_gid}", home], check=True)
        return subprocess.run(
            [*roots.launcher(rung), sys.executable, "-P", "-m", "artificer", *words],
            cwd=project,
            env={
                "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
                "HOME": str(home),
                "ARTIFICER_STORE": str(home / "store"),
                "LC_ALL": "C.UTF-8",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def digests(self, *targets: str, rung: str = "root") -> dict[str, str]:
        """What *targets* come to for whoever has *rung*."""
        done = self.artificer("build", *targets, "--rung", rung, rung=rung)
        assert done.returncode == 0, done.stderr[-4000:]
        return dict(re.findall(r"^(//\S+).* (sha256:\w+)", done.stdout, re.MULTILINE))

    def archive_of(self, name: str) -> Path:
        """Where root's image of *name* is."""
        return self.folder / "home-root" / "project" / "artificer-bin" / f"{name}.tar"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    roots.add_users()
    folder = Path(mkdtemp(prefix="artificer-example-"))
    folder.chmod(0o755)
    try:
        shutil.copytree(
            EXAMPLE, folder / "project", ignore=shutil.ignore_patterns("artificer-bin")
        )
        if not _fetched(folder):
            # The archive has moved on: what it has now is as good an example.
            _renew(folder / "project")
            assert _fetched(folder), "what was locked a moment ago is not there"
        with served(folder / "archive") as server:
            for name in LOCKS:
                lock = folder / "project" / name
                lock.write_text(lock.read_text().replace(DEBIAN, f"{server.uri}/"))
            subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
            yield Place(folder, server)
    finally:
        subprocess.run(["rm", "-rf", folder], check=False)


def locked(lock: Path) -> Iterator[Locked]:
    """The packages of *lock*, of all architectures."""
    for packages in parsed_set(json.loads(lock.read_text()), str(lock)).packages.values():
        yield from packages


def _fetched(folder: Path) -> bool:
    """Whether this machine's archive has the files of the locks; then they are in *folder*."""
    packages = {one: one.urls[0] for name in LOCKS for one in locked(folder / "project" / name)}
    try:
        with web_over(archive_store()) as web:
            own = {one: one._replace(urls=_mirrored(url)) for one, url in packages.items()}
            paths = acquire(list(set(own.values())), web)
    except ArtificerError:
        return False
    for one, url in packages.items():
        copy = folder / "archive" / url.removeprefix(DEBIAN)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(paths[own[one]], copy)
    return True


def _mirrored(url: str) -> tuple[str, ...]:
    """Where this machine's apt would have *url* from."""
    roots_of = {archive.uri.rstrip("/") for archive in machine_archives()}
    return tuple(
        f"{root}/{url.removeprefix(DEBIAN).partition('/')[2]}"
        for root in sorted(roots_of)
        if root.rpartition("/")[2] == url.removeprefix(DEBIAN).partition("/")[0]
    )


def _renew(project: Path) -> None:
    """Lock anew what this machine's archive has, as if Debian's own had it."""
    text = (project / "debian.sources").read_text()
    own = text
    for archive in archives_of(text.encode(), "debian.sources"):
        (uri,) = {root.rpartition("/")[0] for root in _mirrored(f"{archive.uri}/x")}
        own = own.replace(archive.uri, uri)
    (project / "debian.sources").write_text(own)
    words = [sys.executable, "-P", "-m", "artificer", "lock", "--update"]
    store = {**os.environ, "ARTIFICER_STORE": archive_store().root}
    subprocess.run(words, cwd=project, env=store, check=True, capture_output=True)
    for name in LOCKS:
        lock = project / name
        renewed = lock.read_text()
        for archive, debian in zip(
            archives_of(own.encode(), "own"), archives_of(text.encode(), "theirs"), strict=True
        ):
            renewed = renewed.replace(f'"{archive.uri}/', f'"{debian.uri}/')
        lock.write_text(renewed)


@pytest.fixture(scope="module")
def digests(place: Place) -> dict[str, str]:
    """What root's build comes to, with the requests that it made."""
    return place.digests("//:configured.tar", "//:distroless.tar", "//:unpacked.tar")


@pytest.mark.parametrize("rung", ["full-map", "range-map", "single-map", "chroot", "proot"])
def test_every_way_comes_to_the_same_digest(
    place: Place, digests: dict[str, str], rung: str
) -> None:
    found = place.digests("//:configured.tar", "//:distroless.tar", "//:unpacked.tar", rung=rung)

    assert found == digests


@pytest.mark.usefixtures("digests")
def test_a_build_from_locks_asks_for_their_packages_alone(place: Place) -> None:
    named = {
        f"/{url.removeprefix(f'{place.server.uri}/')}"
        for name in LOCKS
        for one in locked(place.folder / "project" / name)
        for url in one.urls
        if one.architecture != "arm64"
    }

    assert set(place.server.paths) >= named
    assert all(path.endswith(".deb") for path in place.server.paths)


def test_files_alone_need_no_sandbox(place: Place, digests: dict[str, str]) -> None:
    # The way is one that this user has not.
    files, whole = (
        place.artificer(
            "build", f"//:{target}.tar", "--rung", "root", rung="single-map", home="unable"
        )
        for target in ("unpacked", "configured")
    )

    assert f"//:unpacked.tar {digests['//:unpacked.tar']}" in files.stdout
    assert "replaced" not in files.stderr
    assert "warning: scripts of packages are replaced, not run" in whole.stderr
    assert digests["//:configured.tar"] not in whole.stdout


def test_files_alone_are_taken_for_other_machines(place: Place) -> None:
    done = place.artificer("build", "//:unpacked.tar", "--platform", "linux/arm64")

    assert done.returncode == 0, done.stderr
    image = f"docker-archive:{place.archive_of('unpacked')}"
    told = place.artificer("packages", "list", image, "--format", "json").stdout
    assert {"amd64", "arm64", "all"} - {
        one["architecture"] for one in json.loads(told)["packages"]
    } == {"amd64"}


@pytest.mark.usefixtures("digests")
def test_dpkg_finds_nothing_amiss(place: Place, podman: Command) -> None:
    name = _loaded(podman, place.archive_of("configured"))
    script = "dpkg --verify; dpkg --audit; dpkg -l | grep -c ^ii"

    said = podman.output("run", "--rm", "--network=none", name, "sh", "-euc", script)

    count = sum(1 for _ in locked(place.folder / "project" / "nginx.lock"))
    assert said == str(count)


@contextmanager
def serving(podman: Command, name: str) -> Iterator[Callable[[int], str]]:
    """Run the image *name* with a network of its own; gives what its server has at a port."""
    container = podman.output("run", "-d", "--network=none", name)
    process = podman.output("inspect", "--format", "{{.State.Pid}}", container)

    def page(port: int) -> str:
        words = [found("nsenter"), "-t", process, "-n", found("curl"), "-fsS"]
        for _ in range(1000):
            done = subprocess.run(
                [*words, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return done.stdout
            time.sleep(0.1)
        pytest.fail(done.stderr + podman.output("logs", container), False)

    try:
        yield page
    finally:
        podman.run("rm", "-f", "-t", "1", container)


def _loaded(podman: Command, archive: Path) -> str:
    return podman.output("load", "-q", "-i", str(archive)).rpartition(" ")[2]


@pytest.mark.parametrize(
    ("target", "port"), [("configured", 80), ("distroless", 80), ("unpacked", 8080)]
)
def test_nginx_serves_the_page(place: Place, podman: Command, target: str, port: int) -> None:
    place.digests(f"//:{target}.tar")

    with serving(podman, _loaded(podman, place.archive_of(target))) as page:
        assert page(port) == (EXAMPLE / "index.html").read_text()


def test_the_readme_shows_what_happens(place: Place) -> None:
    for block in blocks_of(EXAMPLE / "README.md"):
        if block.why:
            continue
        for line in block.script.splitlines():
            assert line.startswith("artificer "), line
        told = [place.artificer(*line.split()[1:]) for line in block.script.splitlines()]
        printed = [
            " ".join(line.split())
            for done in told
            for line in (done.stdout + done.stderr).splitlines()
        ]

        assert [done.returncode for done in told] == [0] * len(told), printed
        for expected in block.output:
            assert any(matches(expected, line) for line in printed), (expected, printed)


def test_the_example_is_locked_for_what_its_build_file_asks_for() -> None:
    names = set(re.findall(r'lock = "(.*)"', (EXAMPLE / "BUILD").read_text()))

    assert names == set(LOCKS) == {path.name for path in EXAMPLE.glob("*.lock")}
    assert all(
        url.startswith(DEBIAN) and one.size and len(one.sha256) == 64
        for name in LOCKS
        for one in locked(EXAMPLE / name)
        for url in one.urls
    )
