"""Scripts of small packages upon a real base: their order, upgrades, and what goes wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artificer.builder.debian.chosen import locked_of
from artificer.builder.debian.stack import debs_stack
from artificer.builder.debian.tools import DebTools
from artificer.builder.kind import kind_of
from artificer.builder.known import Known
from artificer.builder.recipe import AddDebs, Compress
from artificer.builder.work import Work
from artificer.events import CommandOutput, Event
from artificer.images.files import index_of, read_file, tree_of
from artificer.images.reach import Reach
from artificer.oci.edit import Stamp, appended
from artificer.oci.image import Image
from artificer.sandbox.client import Sandbox
from artificer.sources.debian.archives.acquire import local_binary
from artificer.sources.debian.deb822 import stanzas
from artificer.sources.debian.installing.actions import ScriptFailed
from artificer.sources.url import Web
from artificer.stop import Stop
from artificer.store.blobs import open_store
from tests.parts.archive import Made, deb_bytes, made
from tests.sandbox.test_real_packages import NOTHING, locked

pytestmark = pytest.mark.archive

LOCAL: Any = None
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")


def noting(version: str) -> dict[str, str]:
    """Scripts that write down when they are called, and how."""
    text = '#!/bin/sh\nset -e\necho "$(basename "$0") %s $*" | sed "s/^[^ ]*[.]//" >> /var/calls\n'
    return dict.fromkeys(SCRIPTS, text % version)


ONE = made("one", "1", files={"usr/share/one/old": "1", "usr/share/one/both": "1"})
ONE = ONE._replace(scripts=noting("1"))
TWO = made("one", "2", files={"usr/share/one/new": "2", "usr/share/one/both": "2"})
TWO = TWO._replace(scripts=noting("2"))

Install = Callable[..., Image]


@pytest.fixture(scope="module")
def heard() -> list[Event]:
    return []


@pytest.fixture(scope="module")
def reach(sandbox_folder: Path, heard: list[Event]) -> Reach:
    place = sandbox_folder / "package-scripts"
    store = open_store(str(place))
    for folder in (place, place / "tmp", place / "blobs", place / "blobs/sha256"):
        folder.chmod(0o755)
    return Reach(store, LOCAL, heard.append, Stop())


@pytest.fixture(scope="module")
def install(reach: Reach, _boxes: dict[str, Sandbox], sandbox_folder: Path) -> Install:
    def installed(on: Image, *packages: Made, rung: str = "root") -> Image:
        found = []
        for package in packages:
            path = sandbox_folder / package.file_name
            path.write_bytes(deb_bytes(package))
            found.append(locked_of(local_binary(str(path)), auto=False))
        return put(AddDebs(locked=(("amd64", tuple(found)),)), on, rung)

    def put(step: AddDebs, on: Image, rung: str) -> Image:
        # Afresh: each rung is to do it by itself.
        known = Known(reach, afresh=bool(on.layers))
        work = Work(kind_of(Compress(), "oci"), reach, known, None, [])
        web = Web(LOCAL, reach.store, reach.report, Stop(), offline=True)
        stack = debs_stack(step, on, work, lambda: DebTools(web, lambda: _boxes[rung]))
        return appended(on, stack.layers, stack.lines, Stamp())

    installed.put = put  # type: ignore[attr-defined]
    return installed


@pytest.fixture(scope="module")
def base(install: Any) -> Image:
    """The essential packages of Debian."""
    base: Image = install.put(AddDebs(locked=(("amd64", locked()),)), NOTHING, "root")
    return base


@pytest.fixture(scope="module")
def with_one(install: Install, base: Image) -> Image:
    return install(base, ONE)


def text_of(image: Image, path: str, reach: Reach) -> str:
    return read_file(image, path, 1 << 26, reach).decode()


def test_scripts_are_called_as_dpkg_does(with_one: Image, reach: Reach) -> None:
    lines = text_of(with_one, "var/calls", reach).splitlines()

    assert lines == ["preinst 1 install", "postinst 1 configure "]


def test_the_index_that_is_kept_is_what_the_layer_has(
    with_one: Image, base: Image, reach: Reach
) -> None:
    for image in (base, with_one):
        layer = image.layers[-1]
        kept = reach.store.take_record("index", layer.diff_id)

        assert kept == index_of(layer, reach).pack()


@pytest.mark.parametrize("rung", ["root", "single-map", "chroot"])
def test_an_upgrade_is_one_layer_wherever_it_is_made(
    rung: str, install: Install, with_one: Image, reach: Reach
) -> None:
    image = install(with_one, TWO, rung=rung)

    assert image.digest == install(with_one, TWO).digest
    assert text_of(image, "var/calls", reach).splitlines()[2:] == [
        "prerm 1 upgrade 2",
        "preinst 2 upgrade 1 2",
        "postrm 1 upgrade 2",
        "postinst 2 configure 1",
    ]
    tree = tree_of(image, reach)
    assert tree.listdir("usr/share/one") == ["both", "new"]
    status = {
        one["Package"]: one["Version"]
        for one in stanzas(read_file(image, "var/lib/dpkg/status", 1 << 26, reach))
    }
    assert status["one"] == "2"


def test_a_postinst_that_fails_is_told_and_no_layer_is_written(
    install: Install, base: Image, reach: Reach, heard: list[Event]
) -> None:
    broken = made("broken", scripts={"postinst": "#!/bin/sh\necho it is broken\nexit 7\n"})
    blobs = {path.name for path in Path(reach.store.root, "blobs/sha256").iterdir()}
    heard.clear()

    with pytest.raises(ScriptFailed, match=r"broken: not configured: .*exit status 7"):
        install(base, broken)

    assert any(isinstance(one, CommandOutput) and "it is broken" in one.line for one in heard)
    left = {path.name for path in Path(reach.store.root, "blobs/sha256").iterdir()}
    assert left == blobs


def test_a_preinst_that_fails_is_told(install: Install, base: Image) -> None:
    broken = made("broken", scripts={"preinst": "#!/bin/sh\necho not here >&2\nexit 3\n"})

    with pytest.raises(ScriptFailed, match=r"preinst of broken 1 .*exit code 3\n  not here"):
        install(base, broken)


def test_questions_are_answered_by_their_defaults(
    install: Install, base: Image, reach: Reach
) -> None:
    script = (
        "#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\n"
        "db_input critical asking/colour || true\ndb_go || true\ndb_get asking/colour\n"
        'echo "$RET" > /var/colour\n'
    )
    template = "Template: asking/colour\nType: string\nDefault: green\nDescription: Which?\n"
    asking = made("asking", scripts={"postinst": script, "templates": template})

    image = install(base, asking)

    assert text_of(image, "var/colour", reach) == "green\n"


def test_a_trigger_is_run_for_who_wants_it(install: Install, base: Image, reach: Reach) -> None:
    wanting = made(
        "wanting",
        scripts={
            "triggers": "interest-noawait /usr/share/things\n",
            "postinst": '#!/bin/sh\necho "$1" >> /var/triggered\n',
        },
    )
    thing = made("thing", files={"usr/share/things/x": "x"})
    first = install(base, wanting)

    image = install(first, thing)

    assert text_of(first, "var/triggered", reach).splitlines() == ["configure"]
    assert text_of(image, "var/triggered", reach).splitlines() == ["configure", "triggered"]
