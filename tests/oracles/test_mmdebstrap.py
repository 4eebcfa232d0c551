"""What mmdebstrap makes of the same packages: each difference has a reason, or there is none."""

import hashlib
import os
import re
from pathlib import Path

import pytest

from artificer.layers.entry import FILE
from artificer.sources.debian.installing.filters import Filters
from artificer.sources.debian.installing.profiles import MINIMAL
from tests.oracles.conftest import EPOCH, LARGE, Images
from tests.parts.commands import command
from tests.parts.flat_archive import FlatArchive
from tests.parts.images import alone, cache_folder
from tests.parts.trees import (
    Tree,
    differences,
    layers_of,
    lines_in,
    tree_of_layout,
    tree_of_tar,
)

pytestmark = pytest.mark.archive

ALLOWED = {
    # An engine mounts a /dev of its own.
    r"dev/.*": "missing",
    # Of the machine that mmdebstrap ran on, not of a package.
    r"etc/(?:fstab|hostname|resolv\.conf|apt/sources\.list)": "missing",
    # Locks, and what a file was before.
    r"etc/\.pwd\.lock|etc/(?:group|passwd|shadow|gshadow|subuid|subgid)-": "missing",
    r"var/lib/dpkg/(?:.*-old|lock|lock-frontend|triggers/Lock)": "missing",
    r"var/(?:cache/apt/archives|lib/apt/lists)/lock": "missing",
    r"var/cache/debconf/.*-old": "missing",
    # apt was run on their root, and made the directories its own.
    r"var/(?:cache/apt/archives|lib/apt/lists)/partial": "mode owner",
    # dpkg wants it to be there; it is empty.
    r"var/lib/dpkg/available": "added",
    # What dpkg was told on their command line, and what we tell it who is to go on with the image.
    r"etc/dpkg/dpkg\.cfg\.d/99mmdebstrap": "missing",
    r"etc/dpkg/dpkg\.cfg\.d/path-filters": "added",
    # The lines are the same, in the order that packages were configured in.
    r"etc/shells|var/lib/dpkg/triggers/File": "content",
    # Keys that all containers would share, and the links to them.
    r"etc/ssh/ssh_host_.*|etc/ssl/private/ssl-cert-snakeoil\.key": "missing",
    r"etc/ssl/certs/(?:ssl-cert-snakeoil\.pem|[0-9a-f]{8}\.0)": "missing",
    # A database that is new each time, and what keeps apt from removing its server.
    r"(?:etc|var/lib)/postgresql/[0-9]+(?:/.*)?": "missing",
    r"etc/apt/apt\.conf\.d/02autoremove-postgresql": "content",
    # Certificates are the same, the times in their store are not.
    r"etc/ssl/certs/java/cacerts": "content",
    # Caches and logs; what a file was before.
    r"var/(?:cache/(?:fontconfig|man)/.*|log/.*\.log)": "missing",
    r"usr/share/info/dir\.old|var/lib/ucf/[^/]*\.[0-9]": "missing",
    # mmdebstrap empties /run, also of what packages have there.
    r"run/.*": "added",
    # netbase makes one where there is none; engines, and our sandbox, bring one.
    r"etc/hosts": "missing",
    # mmdebstrap has no word for essential packages that nobody asked for; apt-mark has.
    r"var/lib/apt/extended_states": "content",
}


@pytest.fixture(scope="module")
def large(images: Images) -> str:
    """Users, keys, services, certificates, caches, a database: whatever scripts make."""
    return images.build("large", ("--apt", *LARGE, "apt"))


@pytest.fixture(scope="module")
def rivals(archive: FlatArchive) -> "Rivals":
    return Rivals(archive)


class Rivals:
    """mmdebstrap's roots, kept between runs: it takes a minute for one."""

    def __init__(self, archive: FlatArchive) -> None:
        self.archive = archive

    def tar(self, *words: str) -> Path:
        """The root that mmdebstrap makes with *words*, which no test may change."""
        key = hashlib.sha256(repr((self.archive.folder.name, EPOCH, words)).encode())
        path = cache_folder() / f"mmdebstrap-{key.hexdigest()[:16]}.tar"
        with alone(cache_folder()):
            if not path.exists():
                self._make(path, words)
        return path

    def _make(self, path: Path, words: tuple[str, ...]) -> None:
        partial = path.with_name(f"{path.stem}-{os.getpid()}.tar")
        line = f"deb [trusted=yes] copy:{self.archive.folder} ./"
        # It hands the environment on to scripts, so theirs is as bare as ours.
        names = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
        environ = {**names, "LC_ALL": "C", "SOURCE_DATE_EPOCH": EPOCH}
        mmdebstrap = command("mmdebstrap", "-q", "--variant=apt", environ=environ)
        mmdebstrap.run("--dpkgopt=force-unsafe-io", *words, "", str(partial), line)
        partial.rename(path)


def unexplained(theirs: Tree, ours: Tree) -> dict[str, str]:
    """The differences that no line of `ALLOWED` is about."""
    return {
        path: what
        for path, what in differences(theirs, ours).items()
        if not any(
            what == allowed and re.fullmatch(pattern, path) for pattern, allowed in ALLOWED.items()
        )
    }


def test_nginx_from_nothing_is_what_mmdebstrap_makes(
    web: str, images: Images, rivals: Rivals
) -> None:
    theirs = tree_of_tar(rivals.tar("--include=nginx"))

    ours = tree_of_layout(images.folder, "web")

    assert len(ours) > 7000
    assert unexplained(theirs, ours) == {}


def test_files_that_dpkg_would_leave_out_are_left_out(images: Images, rivals: Rivals) -> None:
    words = [f"--dpkgopt=path-{kind}={pattern}" for kind, pattern in MINIMAL.filters]
    theirs = rivals.tar("--include=nginx", *words)

    images.build("minimal", ("--apt", "nginx", "apt", "--deb-profile", "minimal"))
    [ours] = layers_of(images.folder, "minimal")

    found = unexplained(tree_of_tar(theirs), tree_of_tar(ours))
    listed = re.compile(r"var/lib/dpkg/info/.*\.(?:list|md5sums)")
    assert {path: what for path, what in found.items() if not listed.fullmatch(path)} == {}
    # dpkg goes on listing what it has left out, so that `dpkg -V` misses it.
    theirs_listed, ours_listed = lines_in(theirs, found), lines_in(ours, found)
    left_out = Filters(MINIMAL.filters)
    for path in found:
        assert ours_listed[path] < theirs_listed[path]
        for line in theirs_listed[path] - ours_listed[path]:
            assert left_out.excludes(f"/{line.partition('  ')[2] or line[1:]}", FILE)


def test_a_large_set_is_what_mmdebstrap_makes(large: str, images: Images, rivals: Rivals) -> None:
    theirs = tree_of_tar(rivals.tar(f"--include={','.join(LARGE)}"))

    ours = tree_of_layout(images.folder, "large")

    assert len(ours) > 20000
    assert unexplained(theirs, ours) == {}
    made = [path for path in ours if re.match("(?:etc|var/lib)/postgresql/", path)]
    assert all(ours[path].kind == "5" for path in made)
