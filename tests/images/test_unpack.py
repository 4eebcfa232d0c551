import os
import stat
import tarfile
from pathlib import Path

import pytest

from artificer.events import Warned
from artificer.images.bytes_of import chunks_of
from artificer.images.check import faults_of
from artificer.images.directory import UnsafeEntry, UnusableDirectory
from artificer.images.files import NoSuchFile, copy_entries, read_file, tree_of
from artificer.images.find import Wishes, find
from artificer.images.flatten import exported, flattened_layer
from artificer.images.layout import write_layout
from artificer.images.place import Corrupt, NotFound, image_for
from artificer.images.rootfs import write_rootfs
from artificer.images.unpack import unpack
from artificer.layers.encode import encoder
from artificer.layers.entry import FILE, Span
from artificer.layers.header import BadArchive
from artificer.layers.inflate import plain
from artificer.oci.digest import Digest
from artificer.oci.edit import Stamp, appended, empty
from artificer.oci.image import Image, Layer, Remote
from artificer.oci.platform import LINUX_AMD64
from artificer.oci.reference import Layout, RootFs, parse_repository
from tests.images.made import (
    DIR,
    FakeRegistry,
    hard,
    image_of,
    layer_of,
    link,
    reach_of,
    tar_of,
)
from tests.parts.commands import Command

BASE = tar_of(
    ("bin", link("usr/bin")),
    ("etc/", DIR),
    ("etc/passwd", b"root"),
    ("etc/group", b"root"),
    ("etc/old/", DIR),
    ("etc/old/a", b"a"),
    ("tmp/", {**DIR, "mode": 0o1777}),
    ("usr/bin/sh", b"#!"),
    ("usr/bin/ash", hard("usr/bin/sh")),
    ("opt/app/", DIR),
    ("opt/app/x", b"x"),
    ("locked/", {**DIR, "mode": 0o555}),
)
UPPER = tar_of(
    ("etc/.wh.group", b""),
    ("etc/old/.wh..wh..opq", b""),
    ("etc/old/b", b"b"),
    ("locked/inside", b"i"),
    ("usr/bin/tool", {"type": tarfile.SYMTYPE, "linkname": "/usr/bin/sh"}),
)


def _listing(root: Path) -> dict[str, tuple[int, str]]:
    found = {}
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            what = os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""
            if stat.S_ISREG(status.st_mode):
                what = Path(path).read_text()
            found[os.path.relpath(path, root)] = (status.st_mode, what)
    return found


def test_layers_are_applied_one_upon_another(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, BASE, UPPER)

    unpack(image, f"{tmp_path}/root", reach)

    root = tmp_path / "root"
    assert (root / "bin" / "sh").read_text() == "#!"
    assert sorted(os.listdir(root / "etc")) == ["old", "passwd"]
    assert sorted(os.listdir(root / "etc" / "old")) == ["b"]
    assert (root / "usr/bin/sh").stat().st_nlink == 2
    assert stat.S_IMODE((root / "tmp").stat().st_mode) == 0o1777
    assert stat.S_IMODE((root / "locked").stat().st_mode) == 0o555
    assert (root / "locked" / "inside").read_text() == "i"


def test_umoci_unpacks_the_same_tree(tmp_path: Path, umoci: Command) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, BASE, UPPER)
    write_layout(image, Layout(f"{tmp_path}/l", "x"), reach)

    unpack(image, f"{tmp_path}/root", reach)
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    umoci.run("unpack", *rootless, "--image", f"{tmp_path}/l:x", f"{tmp_path}/bundle")

    assert _listing(tmp_path / "root") == _listing(tmp_path / "bundle" / "rootfs")


@pytest.mark.parametrize(
    "tar",
    [
        tar_of(("../evil", b"x")),
        tar_of(("a/../../evil", b"x")),
        tar_of(("x", hard("../../etc/passwd"))),
        tar_of(("x", hard("missing"))),
        tar_of(("loop", link("loop")), ("loop/x", b"x")),
        tar_of(("d/", DIR), ("x", hard("d"))),
        tar_of((".wh...", b"")),
    ],
)
def test_what_would_leave_the_directory_is_refused(tmp_path: Path, tar: bytes) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, tar)

    with pytest.raises((UnsafeEntry, BadArchive)):
        unpack(image, f"{tmp_path}/root", reach)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("target", ["..", "../..", "/", "/../..", "../../../../../.."])
def test_links_lead_nowhere_but_inside(tmp_path: Path, target: str) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    evil = tar_of(("out", link(target)), ("out/evil", b"x"), ("out/h", hard("out/evil")))
    again = tar_of(("out/evil", b"y"), ("out/.wh.h", b""))

    unpack(image_of(reach.store, evil, again), f"{tmp_path}/root", reach)

    assert (tmp_path / "root" / "evil").read_text() == "y"
    assert sorted(os.listdir(tmp_path)) == ["root", "store"]
    assert sorted(os.listdir(tmp_path / "root")) == ["evil", "out"]


def test_a_file_is_not_written_through_a_link_of_its_name(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    (tmp_path / "victim").write_text("mine")
    evil = tar_of(("a", link(f"{tmp_path}/victim")))
    over = tar_of(("a", b"theirs"))

    unpack(image_of(reach.store, evil, over), f"{tmp_path}/root", reach)

    assert (tmp_path / "victim").read_text() == "mine"
    assert (tmp_path / "root" / "a").read_text() == "theirs"


def test_an_ordinary_user_is_told_what_is_left_out(tmp_path: Path) -> None:
    reach, events = reach_of(f"{tmp_path}/store")
    device = {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}
    tar = tar_of(("dev/null", device), ("a", {"uid": 7, "type": tarfile.FIFOTYPE}))

    unpack(image_of(reach.store, tar), f"{tmp_path}/root", reach, owners=False)

    assert stat.S_ISFIFO((tmp_path / "root" / "a").stat().st_mode)
    assert not (tmp_path / "root" / "dev" / "null").exists()
    told = [event.text for event in events if isinstance(event, Warned)]
    assert told == [
        "devices of 1 files could not be set, as of /dev/null",
        "owners of 1 files could not be set, as of /a",
    ]


def test_only_an_empty_directory_is_filled(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")

    with pytest.raises(UnusableDirectory, match="not empty"):
        unpack(image_of(reach.store, BASE), str(tmp_path), reach)


def test_a_layer_that_is_not_its_diff_id_is_found_out(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    layer = layer_of(reach.store, BASE)._replace(diff_id=Digest.of(b"other"))
    image = appended(empty(LINUX_AMD64, "oci"), [layer], ["x"], Stamp())

    with pytest.raises(Corrupt, match="is not the sha256:"):
        unpack(image, f"{tmp_path}/root", reach)
    faults = list(faults_of(image, reach))
    assert len(faults) == 1
    assert f"not {layer.diff_id}" in faults[0].problem


def test_the_index_of_a_layer_is_made_once(tmp_path: Path) -> None:
    registry = FakeRegistry()
    maker, _ = reach_of(f"{tmp_path}/maker", registry)
    made = image_of(maker.store, BASE, UPPER)
    registry.hold(made, "a.example/x:1")
    reach, _ = reach_of(f"{tmp_path}/store", registry)
    origin = Remote(parse_repository("a.example/x"))
    image = Image(made.manifest, made.config, {one.digest: origin for one in made.blobs})

    tree = tree_of(image, reach)
    registry.requests.clear()
    again = tree_of(image, reach)

    assert [file.path for file in tree] == [file.path for file in again]
    assert "etc/group" not in [file.path for file in tree]
    assert registry.requests == []
    assert read_file(image, "/bin/ash", 10, reach) == b"#!"
    with pytest.raises(NoSuchFile):
        read_file(image, "/etc/group", 10, reach)
    with pytest.raises(NoSuchFile, match="more than 1"):
        read_file(image, "/bin/tool", 1, reach)


def _copied(image: Image, path: str, dest: str | None, reach: object) -> dict[str, str]:
    entries = copy_entries(image, path, dest, reach)  # type: ignore[arg-type]
    return {entry.path: entry.kind for entry in entries}


def test_copies_follow_links_above_and_keep_those_below(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, BASE, UPPER)

    assert _copied(image, "/bin/sh", None, reach) == {"bin/sh": "0"}
    assert _copied(image, "/bin/tool", "/x/", reach) == {"x/tool": "0"}
    assert _copied(image, "/bin", "/tools", reach) == {
        "tools/ash": "0",
        "tools/sh": "1",
        "tools/tool": "2",
    }
    assert _copied(image, "/opt/app", None, reach) == {"opt/app": "5", "opt/app/x": "0"}
    assert _copied(image, "/opt/app", "/tmp", reach) == {"tmp/x": "0"}
    with pytest.raises(NoSuchFile) as error:
        copy_entries(image, "/etc/nothing", None, reach)
    assert error.value.hint == "/etc has old, passwd"
    entry = copy_entries(image, "/etc/passwd", None, reach)[0]
    assert entry.kind == FILE
    assert isinstance(entry.source, Span)
    with open(entry.source.path, "rb") as file:
        file.seek(entry.source.offset)
        assert file.read(entry.size) == b"root"


def test_an_export_is_what_unpacking_gives(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, BASE, UPPER)
    write_rootfs(image, RootFs(f"{tmp_path}/a.tar"), reach)
    write_rootfs(image, RootFs(f"{tmp_path}/root"), reach)

    with tarfile.open(f"{tmp_path}/a.tar") as tar:
        tar.extractall(tmp_path / "extracted", filter="fully_trusted")  # noqa: S202 - our own
        links = [one.name for one in tar if one.type == tarfile.LNKTYPE]

    assert _listing(tmp_path / "extracted") == _listing(tmp_path / "root")
    assert links == ["usr/bin/sh"]


def test_a_flattened_layer_is_the_export(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, BASE, UPPER)

    layer = flattened_layer(image, encoder("gzip"), reach)

    assert b"".join(plain(chunks_of(layer.blob, reach))) == b"".join(exported(image, reach))


@pytest.mark.parametrize("kind", ["directory", "tar"])
def test_a_root_filesystem_is_a_base(tmp_path: Path, kind: str) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    source = f"{tmp_path}/source" if kind == "directory" else f"{tmp_path}/source.tar"
    write_rootfs(image_of(reach.store, BASE, UPPER), RootFs(source), reach)

    found = find(RootFs(source), reach, Wishes(encoder=encoder("zstd")))
    image = image_for(found, None)

    assert len(image.layers) == 1
    assert list(faults_of(image, reach)) == []
    unpack(image, f"{tmp_path}/again", reach)
    unpack(image_of(reach.store, BASE, UPPER), f"{tmp_path}/root", reach)
    assert _listing(tmp_path / "again") == _listing(tmp_path / "root")
    with pytest.raises(NotFound):
        find(RootFs(f"{tmp_path}/missing"), reach)


def test_a_true_image_has_no_faults_and_a_false_one_every_one_of_its_own(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    image = image_of(reach.store, BASE, UPPER)
    assert list(faults_of(image, reach)) == []

    layer = layer_of(reach.store, b"no tar at all" * 100)
    broken = appended(image, [Layer(layer.blob, layer.diff_id)], ["x"], Stamp())

    faults = list(faults_of(broken, reach))
    assert [fault.subject for fault in faults] == [f"the layer {layer.blob.digest}"]


def test_unpacking_over_files_leaves_those_that_the_image_lacks(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "own").write_text("mine")
    (root / "etc" / "one").symlink_to("/etc/hostname")
    image = image_of(reach.store, tar_of(("etc", DIR), ("etc/one", b"1"), ("etc/two", b"22")))

    counts = unpack(image, str(root), reach, over=True)

    assert (root / "etc" / "own").read_text() == "mine"
    assert (root / "etc" / "one").read_text() == "1"
    assert not (root / "etc" / "one").is_symlink()
    assert counts == (2, 3, 1, 0)
