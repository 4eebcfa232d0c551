"""What a BUILD file puts into a layer lands where the docker rules would put it."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from artificer.builder.outcome import BuildFailed
from artificer.builder.products import Files, Layers
from artificer.builder.targets import (
    Archive,
    Content,
    ImageTarget,
    LayerTarget,
    Output,
    Put,
    SourceFile,
    TargetId,
    TarLayers,
)
from artificer.events import Event, LayerWritten, Warned
from artificer.images.reach import Reach
from artificer.layers.entry import DIRECTORY, SYMLINK
from artificer.oci import media
from tests.builder.graphs import Workspace, put, tree
from tests.sources.test_deb import deb

Make = Callable[[str], Reach]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def tar_file(workspace: Workspace, short: str, **members: str) -> SourceFile:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, text in members.items():
            info = tarfile.TarInfo(name.replace("_", "/"))
            info.size, info.mtime, info.uid, info.mode = len(text), 1234, 7, 0o640
            archive.addfile(info, io.BytesIO(text.encode()))
    return workspace.file(short, data.getvalue())


def listed(workspace: Workspace, content: Content, reach: Reach) -> dict[str, tuple[str, int]]:
    one = workspace.add("//:image", ImageTarget(content=content))
    found = tree(workspace.image(one, reach), reach)
    return {path: (file.kind, file.mode) for path, file in found.items()}


def test_files_are_put_by_name_with_the_mode_that_was_asked_for(
    workspace: Workspace, reach: Reach
) -> None:
    run = workspace.file("bin/run", executable=True)
    content = put(run, workspace.file("etc/conf"), directory="/opt/app/")

    assert listed(workspace, content, reach) == {
        "opt": (DIRECTORY, 0o755),
        "opt/app": (DIRECTORY, 0o755),
        "opt/app/conf": ("0", 0o644),
        "opt/app/run": ("0", 0o755),
    }
    modes = listed(
        workspace, content._replace(mode=0o555, modes=(("/opt/app/run", 0o4755),)), reach
    )
    assert modes["opt/app/conf"] == ("0", 0o555)
    assert modes["opt/app/run"] == ("0", 0o4755)


def test_a_prefix_is_stripped_and_what_is_not_below_it_keeps_its_path(
    workspace: Workspace, reach: Reach
) -> None:
    below, beside = workspace.file("web/static/a/b"), workspace.file("other/c")
    fetched = workspace.file("external/site/file/d")
    content = Content(tuple(Put(one, "srv", "web/static") for one in (below, beside, fetched)))

    assert {"srv/a/b", "srv/other/c", "srv/d"} <= listed(workspace, content, reach).keys()


def test_an_exact_path_is_one_file(workspace: Workspace, reach: Reach) -> None:
    content = Content((Put(workspace.file("a/b"), name="/usr/local/bin/tool", mode=0o700),))

    assert listed(workspace, content, reach)["usr/local/bin/tool"] == ("0", 0o700)


def test_empty_things_and_links_are_not_put_below_the_directory(
    workspace: Workspace, reach: Reach
) -> None:
    content = Content(
        (Put(workspace.file("f")),),
        symlinks=(("/bin/sh", "busybox"), ("lib", "usr/lib")),
        empty_files=("/etc/empty",),
        empty_dirs=("tmp", "/var/lib/app"),
        directory="data",
    )

    found = listed(workspace, content, reach)

    assert found["data/f"] == ("0", 0o644)
    assert found["etc/empty"] == ("0", 0o644)
    assert found["var/lib/app"] == (DIRECTORY, 0o755)
    assert found["bin/sh"] == (SYMLINK, 0o777)
    assert found["lib"] == (SYMLINK, 0o777)


def test_of_two_files_of_one_name_the_first_is_taken_with_a_warning(
    workspace: Workspace, reach: Reach, heard: list[Event]
) -> None:
    first = workspace.file("a/f", "first")
    tars = (Put(tar_file(workspace, "t.tar", f="second")),)
    one = workspace.add("//:image", ImageTarget(content=put(first)._replace(tars=tars)))

    image = workspace.image(one, reach)

    assert tree(image, reach)["f"].size == 5
    assert Warned("//:image: /f of t.tar is left out: its files came first") in heard


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress, bz2.compress])
def test_tars_are_merged_into_the_one_layer_and_relocated(
    workspace: Workspace, reach: Reach, compress: Callable[[bytes], bytes]
) -> None:
    source = tar_file(workspace, "t.tar", a_b="hello")
    workspace.file("t.tar", compress(Path(source.path).read_bytes()))
    content = Content(tars=(Put(source),), directory="opt", mode=0o555)
    one = workspace.add("//:image", ImageTarget(content=content))

    image = workspace.image(one, reach)

    file = tree(image, reach)["opt/a/b"]
    assert (file.uid, file.mode, file.mtime) == (7, 0o640, 0)
    assert len(image.layers) == 1


def test_times_of_tars_are_kept_when_asked(workspace: Workspace, reach: Reach) -> None:
    source = tar_file(workspace, "t.tar", a="x")
    kept = workspace.add(
        "//:kept", ImageTarget(content=Content(tars=(Put(source),), keep_times=True))
    )
    set_ = workspace.add("//:set", ImageTarget(content=Content(tars=(Put(source),), mtime=99)))

    assert tree(workspace.image(kept, reach), reach)["a"].mtime == 1234
    assert tree(workspace.image(set_, reach), reach)["a"].mtime == 99


def test_a_tar_that_goes_upwards_is_refused_by_its_name(
    workspace: Workspace, reach: Reach
) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../escape"))
    source = workspace.file("bad.tar", data.getvalue())
    one = workspace.add("//:image", ImageTarget(content=Content(tars=(Put(source),))))

    with pytest.raises(BuildFailed, match=r"bad\.tar: a name that goes upwards"):
        workspace.image(one, reach)


@pytest.mark.parametrize("path", ["a/../../b", "/a/.wh.b"])
def test_a_path_that_no_image_can_have_is_refused(
    workspace: Workspace, reach: Reach, path: str
) -> None:
    one = workspace.add("//:image", ImageTarget(content=Content(empty_files=(path,))))

    with pytest.raises(BuildFailed, match=r"upwards|hides a file"):
        workspace.image(one, reach)


def test_debs_bring_their_files_and_what_scanners_read(
    workspace: Workspace, reach: Reach, heard: list[Event]
) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        info = tarfile.TarInfo("./usr/bin/tool")
        info.size, info.mode = 2, 0o755
        archive.addfile(info, io.BytesIO(b"hi"))

    built = deb(data.getvalue(), postinst=b"#!/bin/sh\n", md5sums=b"x  y\n")
    source = workspace.file("libfoo.deb", built)
    one = workspace.add("//:image", ImageTarget(content=Content(debs=(Put(source),))))

    image = workspace.image(one, reach)

    assert {
        "usr/bin/tool",
        "var/lib/dpkg/status.d/libstdc++6",
        "var/lib/dpkg/status.d/libstdc++6.md5sums",
    } <= tree(image, reach).keys()
    assert image.settings["Labels"] == {"dev.artificer.scripts-not-run": "libstdc++6"}
    assert any("scripts are not run: postinst" in str(event) for event in heard)
    heard.clear()
    assert workspace.image(one, reach) == image


def test_layers_of_windows_have_their_files_below_files(
    workspace: Workspace, reach: Reach
) -> None:
    content = put(workspace.file("app.exe"))._replace(windows=True)

    assert list(listed(workspace, content, reach)) == ["Files", "Files/app.exe", "Hives"]


def test_owners_are_those_of_the_content_of_a_put_or_of_a_path(
    workspace: Workspace, reach: Reach
) -> None:
    a, b, c = (workspace.file(name) for name in "abc")
    content = Content(
        (Put(a), Put(b, owner=(2, 3)), Put(c)), owner=(1, 1), owners=(("/c", (4, 5)),)
    )
    one = workspace.add("//:image", ImageTarget(content=content))

    found = tree(workspace.image(one, reach), reach)

    assert {path: (file.uid, file.gid) for path, file in found.items()} == {
        "a": (1, 1),
        "b": (2, 3),
        "c": (4, 5),
    }


def test_a_tar_is_a_layer_with_the_very_same_bytes(workspace: Workspace, reach: Reach) -> None:
    source = tar_file(workspace, "t.tar", a="x")
    plain = Path(source.path).read_bytes()
    packed = workspace.file("t.tgz", gzip.compress(plain))
    one = workspace.add("//:layers", TarLayers((source, packed)))

    product = workspace.made(one, reach)

    assert isinstance(product, Layers)
    first, second = product.layers
    assert first.diff_id == second.diff_id == first.blob.digest
    assert (
        Path(reach.store.blob_path(second.blob.digest)).read_bytes()
        == Path(packed.path).read_bytes()
    )
    assert [layer.descriptor.media_type for layer in product.layers] == [
        media.OCI_LAYER,
        media.OCI_LAYER_GZIP,
    ]


def test_a_tar_compressed_as_no_registry_takes_it_is_refused(
    workspace: Workspace, reach: Reach
) -> None:
    one = workspace.add("//:l", TarLayers((workspace.file("t.xz", lzma.compress(bytes(1024))),)))

    with pytest.raises(BuildFailed, match=r"t\.xz is compressed with xz"):
        workspace.made(one, reach)


@pytest.mark.parametrize("compression", ["", "gz", "xz", "bz2", "zst"])
def test_an_archive_is_the_same_each_time_and_others_can_read_it(
    workspace: Workspace, make_reach: Make, compression: str
) -> None:
    content = Content(
        (Put(workspace.file("a/run", "run", executable=True), "bin"),),
        symlinks=(("/link", "bin/run"),),
    )
    one = workspace.add("//:tar", Archive(content, "out.tar", compression))

    data = workspace.files(one, make_reach("one"))["out.tar"]

    assert workspace.files(one, make_reach("two"))["out.tar"] == data
    if compression == "zst":
        assert data.startswith(b"\x28\xb5\x2f\xfd")
        return
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == ["bin", "bin/run", "link"]
        assert archive.getmember("bin/run").mode == 0o755


def test_a_layer_of_a_target_lands_in_the_directories_of_the_base(
    workspace: Workspace, reach: Reach
) -> None:
    base = workspace.add(
        "//:base",
        ImageTarget(content=Content(symlinks=(("bin", "usr/bin"),), empty_dirs=("usr/bin",))),
    )
    layer = workspace.add("//:tools", LayerTarget(put(workspace.file("tool"), directory="bin")))
    one = workspace.add("//:image", ImageTarget(Output(base), (layer,)))

    found = tree(workspace.image(one, reach), reach)

    assert found["bin"].kind == SYMLINK
    assert "usr/bin/tool" in found


def test_the_shared_directory_of_a_layer_is_as_any_system_has_it(
    workspace: Workspace, reach: Reach
) -> None:
    assert listed(workspace, put(workspace.file("f"), directory="tmp"), reach)["tmp"][1] == 0o1777


def test_files_of_another_target_keep_their_executable_bit(
    workspace: Workspace, reach: Reach
) -> None:
    from artificer.builder.targets import Written

    script = workspace.add("//:script", Written("script", "#!/bin/sh\n", executable=True))

    assert listed(workspace, put(script), reach) == {"script": ("0", 0o755)}


def test_an_empty_layer_is_none(workspace: Workspace, reach: Reach, heard: list[Event]) -> None:
    layer = workspace.add("//:env", LayerTarget(Content(), (("A", "1"),)))
    one = workspace.add("//:image", ImageTarget(layers=(layer,)))

    image = workspace.image(one, reach)

    assert image.layers == ()
    assert image.settings["Env"] == ["A=1"]
    assert not any(isinstance(event, LayerWritten) for event in heard)


def test_an_output_names_one_file_of_several(workspace: Workspace, reach: Reach) -> None:
    from artificer.builder.targets import Command

    made = workspace.add("//p:m", Command("touch $(OUTS)", "p", ("x", "y")))
    one = workspace.add("//:image", ImageTarget(content=Content((Put(Output(made, "y")),))))
    bad = workspace.add("//:bad", ImageTarget(content=Content((Put(Output(made, "z")),))))

    assert list(tree(workspace.image(one, reach), reach)) == ["y"]
    with pytest.raises(BuildFailed, match="//p:m has no file z"):
        workspace.image(bad, reach)


def test_a_target_that_yields_no_files_is_an_error(workspace: Workspace, reach: Reach) -> None:
    one = workspace.add("//:image", ImageTarget(layers=(TargetId("//:files"),)))
    workspace.add("//:files", Archive(Content(), "t.tar"))

    with pytest.raises(BuildFailed, match="//:files yields no layers"):
        workspace.image(one, reach)
    assert isinstance(workspace.made(TargetId("//:files"), reach), Files)
