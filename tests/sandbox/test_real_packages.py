"""Packages of Debian's own archive, configured: one digest whatever runs their scripts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artificer.builder.debian.chosen import resolved
from artificer.builder.debian.stack import debs_stack
from artificer.builder.debian.tools import DebTools
from artificer.builder.kind import Stack, kind_of
from artificer.builder.known import Known
from artificer.builder.recipe import AddDebs, Compress
from artificer.builder.work import Work
from artificer.events import unheard
from artificer.images.files import read_file, tree_of
from artificer.images.reach import Reach
from artificer.oci.edit import Stamp, appended, empty
from artificer.oci.image import Image
from artificer.oci.platform import LINUX_AMD64
from artificer.sandbox.client import Sandbox
from artificer.sandbox.rung import NotPossible
from artificer.sources.debian.archives.acquire import acquire
from artificer.sources.debian.deb822 import stanzas
from artificer.sources.debian.values import Locked, Wanted
from artificer.sources.url import Web
from artificer.stop import Stop
from artificer.store.blobs import Store, open_store
from tests.parts.machine_archive import archive_store, machine_archives, web_over

pytestmark = pytest.mark.archive

NOTHING = empty(LINUX_AMD64, "oci")
LOCAL: Any = None
Install = Callable[..., Stack]


def reach_of(store: Store) -> Reach:
    return Reach(store, LOCAL, unheard, Stop())


def locked(*words: str, on: Image = NOTHING, at: Reach | None = None) -> tuple[Locked, ...]:
    """What the archive has for *words* now, each package as a file of this machine."""
    store = archive_store()
    with web_over(store) as web:
        wanted = Wanted(words, essential=not on.layers, apt=not on.layers)
        step = AddDebs(wanted, machine_archives())
        tools = DebTools(web, _no_sandbox)
        found = resolved(step, on, "amd64", at or reach_of(store), tools).packages
        paths = acquire(found, web)
    return tuple(one._replace(urls=(f"file://{paths[one]}",)) for one in found)


def _no_sandbox() -> Sandbox:
    raise AssertionError("nothing is to be run")


@pytest.fixture(scope="module")
def nginx() -> tuple[Locked, ...]:
    return locked("nginx")


@pytest.fixture(scope="module")
def install(sandbox_folder: Path, _boxes: dict[str, Sandbox]) -> Install:
    """Installs packages on a rung, in a store of its own."""

    def installed(rung: str, packages: tuple[Locked, ...], *, on: Image = NOTHING) -> Stack:
        # Other users read the layers from there.
        place = sandbox_folder / f"packages-{rung}"
        store = open_store(str(place))
        for folder in (place, place / "tmp", place / "blobs", place / "blobs/sha256"):
            folder.chmod(0o755)
        reach = reach_of(store)
        work = Work(kind_of(Compress(), "oci"), reach, Known(reach), None, [])
        step = AddDebs(Wanted(("nginx",)), locked=(("amd64", packages),))
        web = Web(LOCAL, store, unheard, Stop(), offline=True)
        return debs_stack(step, on, work, lambda: DebTools(web, lambda: _boxes[rung]))

    return installed


@pytest.fixture(scope="module")
def as_root(install: Install, nginx: tuple[Locked, ...]) -> Stack:
    return install("root", nginx)


@pytest.fixture(scope="module")
def image(as_root: Stack, sandbox_folder: Path) -> tuple[Image, Reach]:
    reach = reach_of(open_store(str(sandbox_folder / "packages-root")))
    return appended(NOTHING, as_root.layers, as_root.lines, Stamp()), reach


@pytest.mark.parametrize("rung", ["full-map", "range-map", "single-map", "chroot"])
def test_a_configured_nginx_has_one_digest(
    rung: str, install: Install, nginx: tuple[Locked, ...], as_root: Stack
) -> None:
    found = install(rung, nginx)

    assert [layer.blob.digest for layer in found.layers] == [
        layer.blob.digest for layer in as_root.layers
    ]


def test_the_database_says_that_all_is_installed(
    image: tuple[Image, Reach], nginx: tuple[Locked, ...]
) -> None:
    built, reach = image

    status = read_file(built, "var/lib/dpkg/status", 1 << 26, reach)

    told = {one["Package"]: one["Status"] for one in stanzas(status)}
    assert told == dict.fromkeys((one.name for one in nginx), "install ok installed")


def test_what_belongs_to_one_machine_is_not_there(image: tuple[Image, Reach]) -> None:
    tree = tree_of(*image)

    there = {file.path for file in tree}
    assert there.isdisjoint(
        {
            "usr/sbin/policy-rc.d",
            "var/log/dpkg.log",
            "var/cache/ldconfig/aux-cache",
            "var/lib/dpkg/status-old",
        }
    )
    log = tree.lookup("var/log/nginx/access.log")
    assert log is not None
    assert (log.size, log.uid, log.gid) == (0, 33, 4)


@pytest.mark.parametrize("rung", ["single-map", "chroot"])
def test_packages_upon_a_base_have_one_digest(
    rung: str, install: Install, image: tuple[Image, Reach]
) -> None:
    base, reach = image
    packages = locked("cron", on=base, at=reach)

    found = install(rung, packages, on=base)
    expected = install("root", packages, on=base)

    assert found.layers == expected.layers
    grown = appended(base, expected.layers, expected.lines, Stamp())
    status = {
        one["Package"]: one["Status"]
        for one in stanzas(read_file(grown, "var/lib/dpkg/status", 1 << 26, reach))
    }
    assert set(status.values()) == {"install ok installed"}
    assert {"cron", "nginx", "libc6"} <= status.keys()


def test_what_one_user_id_cannot_give_is_refused(
    install: Install, image: tuple[Image, Reach]
) -> None:
    base, reach = image
    packages = locked("postgresql", on=base, at=reach)

    with pytest.raises(NotPossible, match="there is only one user id here"):
        install("single-map", packages, on=base)
