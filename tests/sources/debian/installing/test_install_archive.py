"""Debian's own packages: the same database as dpkg, scripts that are known, speed."""

import pytest

from artificer.layers.entry import FILE
from artificer.sources.debian.deb import Package, read_package
from artificer.sources.debian.installing.install import installation
from artificer.sources.debian.installing.installation import Options
from artificer.sources.debian.installing.judged import judged
from artificer.sources.debian.installing.scripts import known
from artificer.sources.debian.installing.unpack import bytes_of, open_debs
from artificer.stop import Stop
from tests.parts.debs import deb
from tests.sources.debian.installing.test_install_as_dpkg import unpacked_conffiles
from tests.sources.debian.workbench import Bench, text_of, tree_at

pytestmark = pytest.mark.archive

QUIET = (
    "libc-bin",
    "mawk",
    "openssl",
    "libgdbm6",
    "readline-common",
    "zlib1g",
    "bash",
)
TOLD = {"mawk": "postinst", "nginx-common": "postinst", "apt": "postinst", "perl-base": "postinst"}
JUDGED = {"base-files": "postinst", "ca-certificates": "postinst", "passwd": "postinst"}


def of(name: str) -> Package:
    return read_package(str(deb(name)))


@pytest.mark.parametrize("name", QUIET)
def test_what_dpkg_notes_of_a_package_is_noted(bench: Bench, name: str) -> None:
    path = deb(name)
    root = bench.root("dpkg")
    for folder in ("lib32", "lib64", "libx32"):
        (root / "usr" / folder).mkdir()
        (root / folder).symlink_to(f"usr/{folder}")
    bench.dpkg(root, "--unpack", str(path))

    debs = open_debs([str(path)], bench.spool, threads=1, stop=Stop())
    value = installation(debs, None, Options())

    theirs = tree_at(root)
    status = "var/lib/dpkg/status"
    assert f"644 {unpacked_conffiles(text_of(value.entries, status))}" == theirs[status]
    for entry in value.entries:
        if entry.kind == FILE and entry.path.startswith("var/lib/dpkg/info/"):
            text = b"".join(bytes_of(entry)).decode("utf-8", "replace")
            assert theirs[entry.path] == f"{entry.mode:o} {text}"


@pytest.mark.parametrize("name", TOLD)
def test_scripts_of_usual_snippets_are_told_by_reading(name: str) -> None:
    data = dict(of(name).scripts)[TOLD[name]]

    assert not known(data).unknown


@pytest.mark.parametrize("name", JUDGED)
def test_scripts_that_cannot_be_read_so_are_judged(name: str) -> None:
    package = of(name)
    data = dict(package.scripts)[JUDGED[name]]

    assert known(data).unknown
    assert judged(data, first=True).effects, (
        f"{name} {package.version}: run tools.debian_scripts again"
    )


def test_the_bundle_of_certificates_is_made_without_a_script(bench: Bench) -> None:
    debs = open_debs([str(deb("ca-certificates"))], bench.spool, threads=1, stop=Stop())

    value = installation(debs, None, Options(runs=False))

    bundle = text_of(value.entries, "etc/ssl/certs/ca-certificates.crt")
    place = "usr/share/ca-certificates/"
    names = [one.path for one in debs[0].entries if one.path.startswith(place)]
    shipped = [name for name in names if name.endswith(".crt")]
    assert bundle.count("BEGIN CERTIFICATE") == len(shipped) > 100
    assert {one.script: one.fate for one in value.scripts}["postinst"] == "replaced"
