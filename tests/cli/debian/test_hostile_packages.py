"""Packages and bases that mean harm, or are broken: what is said, and that there is no image."""

import io
import lzma
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.outside import Cli, Done
from tests.parts import images
from tests.parts.archive import Made, SmallArchive, ar, deb_bytes, made

LINK, HARD, BLOCK = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.BLKTYPE
CONTROL = "Package: own\nVersion: 1\nArchitecture: all\n"
GIB = 1 << 30
Build = Callable[..., Done]


def tar(*members: tuple[str, dict[str, Any]]) -> bytes:
    """A tar of *members*: names, and what is set of their headers."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for name, fields in members:
            info = tarfile.TarInfo(name)
            for field, value in fields.items():
                setattr(info, field, value)
            data = b"" if info.type != tarfile.REGTYPE else b"x"
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def package(data: bytes, control: str = CONTROL, *, packed: bytes = b"") -> bytes:
    """A .deb of the tar *data*, or of one that was *packed* by xz already."""
    info = tarfile.TarInfo("./control")
    info.size = len(control)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        file.addfile(info, io.BytesIO(control.encode()))
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": lzma.compress(buffer.getvalue()),
        "data.tar.xz": packed or lzma.compress(data),
    }
    return ar(members)


@pytest.fixture
def archive(tmp_path: Path) -> SmallArchive:
    return SmallArchive(tmp_path / "archive").add(made("hello", "1.0", "amd64")).publish()


@pytest.fixture
def build(cli: Cli, work: Path, archive: SmallArchive) -> Iterator[Build]:
    """Builds with a package; where that fails there is no image. The store stays sound."""

    def built(data: bytes, *words: str, base: str = "scratch", code: int = 1) -> Done:
        (work / "own.deb").write_bytes(data)
        where = ("-b", base, "--archive", archive.line())
        done = cli(*where, "--deb", "own.deb", *words, "-t", "oci:out", code=code)
        assert (work / "out").exists() == (code == 0)
        assert "Traceback" not in done.stderr
        return done

    yield built
    assert list((cli.store / "tmp").glob("*")) == []
    assert list(cli.store.glob("state/work/*/*")) == []
    cli("cache", "verify")


@pytest.fixture
def unpack(build: Build) -> Build:
    """Builds with a package's files alone."""

    def built(data: bytes, code: int = 1) -> Done:
        return build(data, "--deb-level", "unpack", code=code)

    return built


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (("../../etc/evil", {}), "goes upwards in the archive: '../../etc/evil'"),
        (("./usr/../../evil", {}), "goes upwards in the archive"),
        (("./hard", {"type": HARD, "linkname": "../../etc/passwd"}), "goes upwards"),
        (("./hard", {"type": HARD, "linkname": "./none"}), "a hard link to what is not before it"),
        (("./etc/.wh.passwd", {}), "a name that no layer can hold: etc/.wh.passwd"),
    ],
)
def test_a_package_with_a_name_that_leads_elsewhere_is_refused(
    unpack: Build, member: tuple[str, dict[str, Any]], said: str
) -> None:
    assert said in unpack(package(tar(member))).error


@pytest.mark.parametrize("target", ["/etc", "../../../../etc"])
def test_links_of_a_package_lead_nowhere_but_into_the_image(
    unpack: Build, cli: Cli, target: str
) -> None:
    name = f"evil-{os.getpid()}"
    link = ("./usr/link", {"type": LINK, "linkname": target})

    unpack(package(tar(link, (f"./usr/link/{name}", {}))), code=0)

    assert f"/etc/{name}\n" in cli("tree", "oci:out").stdout
    assert not Path("/etc", name).exists()


def test_devices_and_setuid_files_of_a_package_are_in_the_image_as_dpkg_has_them(
    unpack: Build, cli: Cli
) -> None:
    device = ("./dev/own", {"type": BLOCK, "devmajor": 8, "devminor": 1, "mode": 0o660})

    unpack(package(tar(device, ("./usr/bin/own", {"mode": 0o4755}))), code=0)

    told = cli("tree", "oci:out").stdout
    assert any(line.startswith("brw-rw----") and "8,1" in line for line in told.splitlines())
    assert any(line.startswith("-rwsr-xr-x") for line in told.splitlines())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not a Debian package: it is no ar archive"),
        (b"hello", "is not a Debian package: it is no ar archive"),
        (package(tar(("./a", {})))[:-40], "is cut short"),
        (package(b"", CONTROL.replace("own", "../../evil")), "names no package: '../../evil'"),
        (package(b"", CONTROL.replace("1", "1\x1b[31m")), r"names no version: '1\x1b[31m'"),
        (package(b"", "Package: own\nVersion: 1\n"), "names no architecture"),
    ],
    ids=["empty", "text", "cut", "name", "escape", "architecture"],
)
def test_what_is_no_package_is_told(unpack: Build, data: bytes, said: str) -> None:
    done = unpack(data)

    assert f"own.deb{'' if said.startswith('is') else ': its control file'} {said}" in done.error
    assert "\x1b" not in done.stderr
    assert done.hint


def test_a_package_that_becomes_a_gigabyte_of_zeros_is_refused(unpack: Build) -> None:
    info = tarfile.TarInfo("./zeros")
    info.size = GIB
    packer, piece = lzma.LZMACompressor(preset=0), bytes(1 << 24)
    parts = [packer.compress(info.tobuf()), *(packer.compress(piece) for _ in range(64))]

    done = unpack(package(b"", packed=b"".join([*parts, packer.flush()])))

    assert "own.deb: xz data that becomes more than 1000 times its size" in done.error


@pytest.fixture
def base(cli: Cli, work: Path) -> Callable[[str | None], str]:
    """Makes a base that has a file, and a dpkg status if it is given."""

    def made_of(status: str | None) -> str:
        (work / "sh").write_text("x")
        (work / "status").write_text(status or "")
        more = () if status is None else ("-f", "status:/var/lib/dpkg/status")
        cli("-b", "scratch", "-f", "sh:/bin/sh", *more, "-t", "oci:base")
        return "oci:base"

    return made_of


STANZA = "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n%s\n"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (None, "the image has no dpkg database: there is no /var/lib/dpkg/status"),
        ("\0\1garbage", r"/var/lib/dpkg/status:1: not a field: '\x00\x01garbage'"),
        (STANZA % "Depends: (((((\n", "a:amd64=1: Depends: not a relation between packages"),
        (STANZA % f"X: {'x' * (5 << 20)}\n", "/var/lib/dpkg/status:1: a stanza of 5"),
        (STANZA % "", "the image has no dpkg: there is no /usr/bin/dpkg"),
    ],
    ids=["none", "garbage", "relation", "huge", "program"],
)
def test_a_base_whose_database_cannot_be_used_is_told(
    build: Build, base: Callable[[str | None], str], status: str | None, said: str
) -> None:
    done = build(deb_bytes(made("own")), base=base(status))

    assert said in done.error


@pytest.fixture
def debian(work: Path) -> str:
    """A real base."""
    images.debian_layout(work / "debian")
    return "oci:debian:bookworm"


def scripted(**scripts: str) -> bytes:
    return deb_bytes(_scripted(scripts))


def _scripted(scripts: dict[str, str]) -> Made:
    return made("own", scripts={name: f"#!/bin/sh\n{text}\n" for name, text in scripts.items()})


@pytest.mark.archive
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            scripted(postinst="echo I do not want to; echo because >&2; exit 3"),
            [
                "own: not configured: ",
                "post-installation script subprocess returned error exit status 3",
                "  I do not want to",
                "  because",
            ],
        ),
        (scripted(postinst="kill -9 $$"), ["own: not configured: ", "killed by signal (Killed)"]),
        (
            scripted(preinst="echo not here; exit 4"),
            ["preinst of own 1 (install) ended with exit code 4", "  not here"],
        ),
        (
            deb_bytes(made("own", scripts={"postinst": "#!/usr/bin/nothing\n"})),
            ["own: not configured: ", "No such file or directory"],
        ),
    ],
    ids=["postinst", "signal", "preinst", "interpreter"],
)
def test_a_script_that_fails_is_told_with_its_output(
    build: Build, debian: str, data: bytes, said: list[str]
) -> None:
    done = build(data, base=debian)

    for text in said:
        assert text in done.stderr.partition("error: ")[2]
    assert done.hint == (
        "no image was made; do without the package, or take its files only (level `unpack`)"
    )


@pytest.mark.archive
def test_who_asks_gets_no_answer_and_does_not_wait(build: Build, cli: Cli, debian: str) -> None:
    build(scripted(postinst='read -r a || echo nobody; echo "$a" > /got'), base=debian, code=0)

    assert " 1 " in cli("tree", "oci:out", "/got").stdout


@pytest.mark.archive
def test_who_fails_for_want_of_an_answer_is_told_where_answers_come_from(
    build: Build, debian: str
) -> None:
    asks = {
        "config": "#!/bin/sh\n",
        "postinst": "#!/bin/sh\n. /usr/share/debconf/confmodule\ndb_get own/name\n"
        '[ "$RET" ] || exit 1\n',
        "templates": "Template: own/name\nType: string\nDescription: name\n",
    }

    done = build(deb_bytes(made("own", scripts=asks)), base=debian)

    assert "own: not configured: " in done.error
    assert "`debconf-set-selections`" in done.hint


@pytest.mark.archive
def test_a_package_may_not_write_what_dpkg_knows(build: Build, cli: Cli, debian: str) -> None:
    forged = made("own", files={"var/lib/dpkg/status": STANZA % "Description: evil\n"})

    build(deb_bytes(forged), base=debian, code=0)

    names = cli("packages", "list", "oci:out").stdout.split("\n")
    assert any(line.startswith("bash ") for line in names)
    assert not any(line.startswith("a ") for line in names)


@pytest.mark.archive
def test_a_file_of_the_base_stays_its_own(build: Build, debian: str) -> None:
    done = build(deb_bytes(made("own", files={"bin/bash": "mine"})), base=debian)

    assert "/usr/bin/bash is in own 1 and also in bash " in done.error


@pytest.mark.archive
def test_a_package_that_excludes_an_essential_one_is_refused(build: Build, debian: str) -> None:
    done = build(deb_bytes(made("own", Conflicts="bash")), base=debian)

    assert "  own conflicts with bash\n    bash is essential and stays" in done.stderr
