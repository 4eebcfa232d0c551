"""Layers that want to get out of their root, or to break who unpacks them."""

import os
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from artificer.sandbox.client import Sandbox, SandboxFailed
from artificer.sandbox.command import TreeLayer
from tests.sandbox import roots


@pytest.fixture
def outside(sandbox_folder: Path, tmp_path: Path) -> Path:
    """A folder that everybody may write to, and nobody should."""
    folder = sandbox_folder / f"outside-{tmp_path.name}"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "victim").write_text("safe")
    (folder / "victim").chmod(0o666)
    return folder


def said(box: Sandbox, layers: tuple[TreeLayer, ...], script: str) -> str:
    with box.at(layers) as root:
        return roots.ran(root, script).said


def test_a_file_below_an_absolute_link_stays_inside(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path, outside: Path
) -> None:
    layer = roots.layer(
        sandbox_folder, [roots.link("way", str(outside)), roots.member("way/new", b"x")]
    )

    assert said(box, (base, layer), "cat /way/new; stat -c %F /way") == "xdirectory\n"
    assert [path.name for path in outside.iterdir()] == ["victim"]


def test_a_file_below_a_link_upwards_stays_inside(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path, outside: Path
) -> None:
    way = "../" * 20 + str(outside).lstrip("/")
    first = roots.layer(sandbox_folder, [roots.link("way", way)])
    second = roots.layer(
        sandbox_folder, [roots.member("way/victim", b"x"), roots.member("way/.wh.victim")]
    )

    said(box, (base, first, second), "cat /way/victim")

    assert (outside / "victim").read_text() == "safe"


def test_links_of_the_image_are_not_followed_when_files_are_put_over_them(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path, outside: Path
) -> None:
    layer = roots.layer(
        sandbox_folder,
        [
            roots.link("file", str(outside / "victim")),
            roots.member("file", b"x"),
            roots.link("etc/hosts", str(outside / "victim")),
            roots.link("etc/resolv.conf", str(outside / "new")),
            roots.link("mnt", str(outside)),
        ],
    )

    assert (
        said(box, (base, layer), "cat /file; cat /etc/hosts > /dev/null; echo x > /mnt/x")
        == ("x/bin/sh: can't create /mnt/x: nonexistent directory\n")
        or not (outside / "x").exists()
    )
    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_text() == "safe"


def test_standard_mount_points_may_be_links(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path, outside: Path
) -> None:
    layer = roots.layer(
        sandbox_folder,
        [
            roots.link("proc", str(outside)),
            roots.link("dev", "../../.."),
            roots.link("sys", "tmp"),
        ],
    )
    with box.at((base, layer)) as root, suppress(SandboxFailed):
        roots.ran(root, "true")

    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert os.path.exists("/proc/self")
    assert os.path.exists("/dev/null")


@pytest.mark.parametrize("name", ["../escape", "a/../../escape", "/../escape"])
def test_names_that_go_upwards_are_refused(
    name: str, box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    layer = roots.layer(sandbox_folder, [roots.member(name, b"x")])

    with pytest.raises(SandboxFailed, match="goes upwards"), box.at((base, layer)):
        pass


@pytest.mark.parametrize("target", ["../../etc/passwd", "/etc/shadow", "srv/f0", "d", "nothing"])
def test_hard_links_to_what_is_not_in_the_layer_are_refused(
    target: str, box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    layer = roots.layer(
        sandbox_folder,
        [
            roots.directory("d"),
            roots.member("stolen", type=tarfile.LNKTYPE, linkname=target),
        ],
    )

    with pytest.raises(SandboxFailed, match=r"hard link|goes upwards"), box.at((base, layer)):
        pass


def test_a_hard_link_to_a_link_is_one_to_the_link(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path, outside: Path
) -> None:
    layer = roots.layer(
        sandbox_folder,
        [
            roots.link("one", str(outside / "victim")),
            roots.member("two", type=tarfile.LNKTYPE, linkname="one"),
            roots.member("two", b"x"),
        ],
    )

    assert said(box, (base, layer), "readlink /one; cat /two") == f"{outside}/victim\nx"
    assert (outside / "victim").read_text() == "safe"


def test_devices_of_an_image_cannot_be_used(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    layer = roots.layer(
        sandbox_folder,
        [
            roots.member("kmsg", type=tarfile.CHRTYPE, devmajor=1, devminor=11, mode=0o666),
            roots.member("disk", type=tarfile.BLKTYPE, devmajor=254, devminor=0, mode=0o666),
            roots.member("gone", type=tarfile.CHRTYPE, devmajor=0, devminor=0),
            roots.member("srv/f0", type=tarfile.CHRTYPE, devmajor=0, devminor=0),
        ],
    )
    with box.at((base, layer)) as root:
        done = roots.ran(root, "dd if=/disk of=/dev/null count=1; cat /srv/f0; ls /gone")

    assert "1+0 records" not in done.said
    assert "/gone" in done.said
    assert done.members == {}


def test_a_mark_in_a_layer_is_not_believed(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    xattrs = {
        "SCHILY.xattr.user.artificer.owner": "33:33",
        "SCHILY.xattr.user.artificer.device": "c:1:3:666",
        "SCHILY.xattr.user.overlay.opaque": "y",
        "SCHILY.xattr.trusted.overlay.redirect": "/srv",
        "SCHILY.xattr.user.mine": "yes",
    }
    layer = roots.layer(sandbox_folder, [roots.member("f", b"f", pax_headers=xattrs)])
    with box.at((base, layer)) as root:
        done = roots.ran(root, "stat -c '%u %F' /f; echo x >> /f")

    member = done.members["f"]
    assert done.said == "0 regular file\n"
    assert (member.uid, member.isreg()) == (0, True)
    assert member.pax_headers == {"SCHILY.xattr.user.mine": "yes"}


def test_a_huge_file_of_nothing_takes_no_room(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    layer = roots.layer(sandbox_folder, [roots.member("huge", bytes(64 << 20))])
    with box.at((base, layer)) as root:
        done = roots.ran(root, "stat -c '%s %b' /huge")

    size, blocks = map(int, done.said.split())
    assert size == 64 << 20
    assert blocks < 1000


def test_a_sparse_file_of_a_terabyte_is_refused(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.realsize": "1" + "0" * 12,
    }
    layer = roots.layer(sandbox_folder, [roots.member("huge", b"0\n", pax_headers=headers)])

    with pytest.raises(SandboxFailed, match="sparse file"), box.at((base, layer)):
        pass


def test_a_broken_layer_leaves_nothing(
    rung: str, box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    layer = roots.layer(sandbox_folder, [roots.member("f", b"f" * 10000)])
    Path(layer.path).write_bytes(Path(layer.path).read_bytes()[:5000])

    with pytest.raises(SandboxFailed, match="ends in the middle"), box.at((base, layer)):
        pass

    state = Path(roots.state_of(rung, sandbox_folder))
    assert not list(state.rglob(".part-*"))


def test_directories_in_the_way_of_files_and_the_reverse(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    layer = roots.layer(
        sandbox_folder,
        [
            roots.member("a", b"file"),
            roots.member("a/b/c", b"now a directory"),
            roots.directory("d/e"),
            roots.member("d/e/f", b"x"),
            roots.member("d", b"now a file"),
            roots.member("srv/f0/in", b"below what was a file"),
            roots.directory("srv/link"),
        ],
    )

    show = "cat /a/b/c; echo; cat /d; echo; cat /srv/f0/in; echo; stat -c %F /srv/link"
    assert said(box, (base, layer), show).splitlines() == [
        "now a directory",
        "now a file",
        "below what was a file",
        "directory",
    ]
