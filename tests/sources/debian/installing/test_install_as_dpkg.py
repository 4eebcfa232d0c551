"""Installations against dpkg itself: the same files and the same database."""

import re
import subprocess
from typing import Literal

import pytest

from artificer.sources.debian.installing.install import installation
from artificer.sources.debian.installing.installation import Options
from artificer.sources.debian.installing.unpack import open_debs
from artificer.sources.debian.values import Profile
from artificer.stop import Stop
from tests.parts.archive import File, Made, made
from tests.parts.commands import found
from tests.sources.debian.workbench import Bench, base_at, put, text_of, tree_at

TOOLS = made(
    "tools",
    "1:2.0-1",
    "amd64",
    files={
        "bin/tool": "#!/bin/sh\n",
        "usr/lib/tools/": File(mode=0o700),
        "usr/bin/other": File(link="tool"),
        "usr/share/tools/a b": "blank",
        "etc/tool.conf": "x",
        "etc/tool.d/one": "1",
    },
    conffiles=["/etc/tool.conf", "/etc/tool.d/one"],
    scripts={"triggers": "interest-noawait /usr/share/plugins\ninterest tool-trigger\n"},
    Depends="libone(>=1) ,libtwo | libthree ( << 3 )",
    Multi_Arch="same",
    Essential="no",
    X_Unknown="kept",
    Tag="a::b,\n c::d",
)
LIBONE = made(
    "libone",
    "0:1",
    "all",
    files={"usr/lib/libone.so.1": "so", "usr/share/plugins/one": "plugin"},
    Replaces="tools(<<1:3)",
    Provides="virtual (= 2)",
    Homepage="https://example.org",
)


def unpacked_conffiles(status: str) -> str:
    """*status* with conffiles as dpkg has them while their files wait beside their places."""
    return re.sub(r"(?m)^( /\S+) [0-9a-f]{32}$", r"\1 newconffile", status)


@pytest.mark.parametrize("packages", [[TOOLS], [LIBONE], [TOOLS, LIBONE]])
def test_what_is_unpacked_upon_nothing_is_noted_as_dpkg_notes_it(
    bench: Bench, packages: list[Made]
) -> None:
    root, ours = bench.root("dpkg"), bench.root("ours")
    bench.dpkg(root, "--unpack", *bench.paths(*packages))

    value = installation(bench.debs(*packages), None, Options())
    put(ours, value.entries)

    theirs, mine = tree_at(root), tree_at(ours)
    extra = {path for path in mine if path not in theirs and f"{path}.dpkg-new" not in theirs}
    status = "var/lib/dpkg/status"
    mine[status] = unpacked_conffiles(mine[status])
    for path, text in theirs.items():
        assert mine.get(path.removesuffix(".dpkg-new")) == text, path
    assert extra <= {
        *("usr/sbin/policy-rc.d", "var/lib/dpkg/available", "var/lib/dpkg/arch"),
        *("lib32", "lib64", "libx32", "usr/lib32", "usr/lib64", "usr/libx32"),
    }


NEW = TOOLS._replace(
    version="1:3.0-1",
    files={
        "usr/bin/tool": File(b"#!/bin/sh\nnew\n", 0o755),
        "usr/share/tools/new": File(b"new"),
        "etc/tool.conf": File(b"y"),
        "etc/new.conf": File(b"new"),
    },
    conffiles=["/etc/tool.conf", "/etc/new.conf"],
    scripts={"triggers": "interest tool-trigger\n"},
)


@pytest.mark.parametrize("changed", ["nothing", "conffile", "deleted", "as new"])
def test_an_upgrade_leaves_what_dpkg_leaves(bench: Bench, changed: str) -> None:
    root = bench.root("dpkg")
    bench.dpkg(root, "--install", *bench.paths(LIBONE, TOOLS))
    conf = root / "etc/tool.conf"
    if changed == "deleted":
        conf.unlink()
    elif changed != "nothing":
        conf.write_text({"conffile": "mine", "as new": "y"}[changed])
    ours = bench.copy(root, "ours")

    value = installation(bench.debs(NEW), base_at(ours), Options())
    put(ours, [one for one in value.entries if one.path not in value.temporary])
    bench.dpkg(ours, "--configure", "-a")
    bench.dpkg(root, "--install", *bench.paths(NEW))

    assert tree_at(ours) == tree_at(root)


RETIRED = TOOLS._replace(
    version="1:3.0-2",
    conffiles=[
        "remove-on-upgrade /etc/new.conf",
        "/etc/tool.conf",
        "remove-on-upgrade /etc/tool.d/one",
    ],
    files={path: file for path, file in TOOLS.files.items() if path != "etc/tool.d/one"},
)


@pytest.mark.parametrize("text", [None, "1", "mine"])
@pytest.mark.parametrize("before", [(), (LIBONE, TOOLS), (LIBONE, TOOLS, RETIRED)])
def test_a_conffile_that_is_retired_goes_as_with_dpkg(
    bench: Bench, before: tuple[Made, ...], text: str | None
) -> None:
    root = bench.root("dpkg")
    for package in before:
        bench.dpkg(root, "--install", *bench.paths(package))
    conf = root / "etc/tool.d/one"
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.unlink(missing_ok=True)
    if text is not None:
        conf.write_text(text)
    ours = bench.copy(root, "ours")
    new = [RETIRED] if before else [LIBONE, RETIRED]

    value = installation(bench.debs(*new), base_at(ours), Options())
    put(ours, [one for one in value.entries if one.path not in value.temporary])
    bench.dpkg(ours, "--configure", "-a")
    bench.dpkg(root, "--install", *bench.paths(*new))

    assert tree_at(ours) == tree_at(root)


def test_files_that_another_package_takes_leave_the_list_of_the_first(bench: Bench) -> None:
    root = bench.root("dpkg")
    taker = made("taker", files={"usr/share/tools/a b": "taken"}, Replaces="tools (<< 1:9)")
    bench.dpkg(root, "--install", *bench.paths(TOOLS))
    ours = bench.copy(root, "ours")

    value = installation(bench.debs(taker), base_at(ours), Options())
    put(ours, [one for one in value.entries if one.path not in value.temporary])
    bench.dpkg(ours, "--configure", "-a")
    bench.dpkg(root, "--install", *bench.paths(taker))

    assert tree_at(ours) == tree_at(root)


def test_what_is_removed_is_noted_as_dpkg_notes_it(bench: Bench) -> None:
    root = bench.root("dpkg")
    bench.dpkg(root, "--install", *bench.paths(LIBONE, TOOLS))
    ours = bench.copy(root, "ours")
    options = Options(remove=("tools:amd64", "libone"))

    value = installation((), base_at(ours), options)
    bench.dpkg(ours, *value.before[0].argv[-4:])
    put(ours, [one for one in value.entries if one.path not in value.temporary])
    bench.dpkg(root, "--remove", "tools:amd64", "libone")

    assert set(value.before[0].argv[-3:]) == {"--remove", "tools:amd64", "libone"}
    assert tree_at(ours) == tree_at(root)


def test_sums_that_a_package_does_not_ship_are_made_as_dpkg_makes_them(bench: Bench) -> None:
    source = bench.folder / "source"
    files = {"DEBIAN/control": TOOLS.control, "DEBIAN/conffiles": "/etc/a\n", "etc/a": "x"}
    for path, text in {**files, "usr/bin/b": "y", "usr/share/doc/c": "z"}.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text)
    (source / "usr/bin/hard").hardlink_to(source / "usr/bin/b")
    path = str(bench.folder / "made.deb")
    words = ["--root-owner-group", "-Zgzip", "--build", str(source), path]
    subprocess.run([found("dpkg-deb"), *words], check=True, capture_output=True)
    root = bench.root("dpkg")
    filters: tuple[tuple[Literal["exclude"], str], ...] = (("exclude", "/usr/share/doc/*"),)
    bench.dpkg(root, f"--path-exclude={filters[0][1]}", "--unpack", path)

    debs = open_debs([path], bench.spool, threads=1, stop=Stop())
    value = installation(debs, None, Options(profile=Profile(filters)))

    sums = "var/lib/dpkg/info/tools:amd64.md5sums"
    ours = text_of(value.entries, sums)
    assert sorted(ours.splitlines()) == sorted((root / sums).read_text().splitlines())
    assert len(ours.splitlines()) == len(("etc/a", "usr/bin/b", "usr/bin/hard"))
