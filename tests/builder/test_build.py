"""A target is folded over its base: the same inputs, the same image, and nothing made twice."""

import os
import time
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest

from artificer.builder import layering
from artificer.builder.build import Built, Sources, build
from artificer.builder.kind import LAYER_KEY
from artificer.builder.known import Known
from artificer.builder.recipe import AddFiles, Annotation, Compress, CopyFrom, Target
from artificer.errors import ArtificerError, Misused
from artificer.events import Event, LayerChanged, LayerReused, LayerWritten
from artificer.images.deliver import Order, deliver
from artificer.images.files import tree_of
from artificer.images.reach import Reach
from artificer.layers import write
from artificer.layers.rules import Rules
from artificer.layers.select import (
    Delete,
    EmptyDir,
    EmptyFile,
    Source,
    SymlinkTo,
    TarFile,
    parse_files_word,
)
from artificer.oci.edit import Stamp
from artificer.oci.image import Image, Index
from artificer.oci.media import UnsupportedFormat
from artificer.oci.platform import Platform
from artificer.oci.reference import Scratch, StoreName, parse_reference
from artificer.oci.settings import Settings

Make = Callable[[str], Reach]
DEFAULT = Rules()


def add(*sources: str | Source, rules: Rules = DEFAULT) -> AddFiles:
    found = tuple(parse_files_word(one) if isinstance(one, str) else one for one in sources)
    return AddFiles(found, rules, (repr(found), repr(rules)))


def built(target: Target, reach: Reach, *, afresh: bool = False) -> Built:
    sources = Sources(reach, Known(reach, afresh=afresh))
    return build(target, sources.base(target.base), sources)


def image(target: Target, reach: Reach, *, afresh: bool = False) -> Image:
    content = built(target, reach, afresh=afresh).content
    assert isinstance(content, Image)
    return content


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to build from, which is where we are; it has been quiet for a while."""
    root = tmp_path / "work"
    (root / "conf").mkdir(parents=True)
    (root / "server").write_bytes(b"#!/bin/sh\necho hello\n")
    (root / "server").chmod(0o750)
    (root / "conf" / "a.ini").write_text("a=1\n")
    (root / "conf" / "b.ini").write_text("b=1\n")
    monkeypatch.chdir(root)
    settle()
    return root


def settle() -> None:
    """Wait until what was just written is no longer racy."""
    time.sleep(0.03)


PLAIN = Target(
    Scratch(),
    (add("server", "conf"),),
    Settings(env=(("A", "1"),), cmd=("/server",)),
)


def test_the_digest_of_a_build_is_known(files: Path, reach: Reach) -> None:
    """Golden: order, times, headers, names, and every field of the documents."""
    assert image(PLAIN, reach).digest == (
        "sha256:a55cd768fac7c726dd5954f73c4f96d73e956c38cb6bc7fa79025783e1f70ac5"
    )


def test_another_store_directory_and_umask_give_the_same_image(
    files: Path, make_reach: Make, tmp_path: Path
) -> None:
    one = image(PLAIN, make_reach("one"))
    other_root = tmp_path / "elsewhere"
    old = os.umask(0o077)
    try:
        (other_root / "conf").mkdir(parents=True)
        for name in ("conf/b.ini", "conf/a.ini", "server"):
            (other_root / name).write_bytes((files / name).read_bytes())
        (other_root / "server").chmod(0o700)
        with chdir(other_root):
            other = image(PLAIN, make_reach("other"))
    finally:
        os.umask(old)

    assert other.manifest == one.manifest
    assert other.config == one.config


def test_an_unchanged_build_makes_nothing(files: Path, reach: Reach, heard: list[Event]) -> None:
    first = image(PLAIN, reach)
    heard.clear()

    second = image(PLAIN, reach)

    assert second == first
    assert [type(event) for event in heard] == [LayerReused]
    assert isinstance(heard[0], LayerReused)
    assert "unchanged" in heard[0].why


def test_a_changed_file_is_explained(files: Path, reach: Reach, heard: list[Event]) -> None:
    image(PLAIN, reach)
    (files / "conf" / "a.ini").write_text("a=22\n")
    (files / "conf" / "new").write_text("")
    settle()
    heard.clear()

    image(PLAIN, reach)

    (changed,) = [event for event in heard if isinstance(event, LayerChanged)]
    assert changed.changes == ("conf/a.ini: size 4 → 5", "conf/new: added")


def test_a_touched_file_costs_a_read_and_nothing_else(
    files: Path, reach: Reach, heard: list[Event]
) -> None:
    first = image(PLAIN, reach)
    os.utime(files / "server", (1, 1))
    settle()
    heard.clear()

    second = image(PLAIN, reach)

    assert second == first
    assert not [event for event in heard if isinstance(event, LayerReused) and "un" in event.why]


@pytest.mark.parametrize("edited", [1, 40])
def test_a_large_layer_is_read_once_after_an_edit_and_hashed_first_in_a_new_checkout(
    files: Path,
    reach: Reach,
    heard: list[Event],
    edited: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(layering, "HELD", 10)
    monkeypatch.setattr(write, "HELD", 10)
    for number in range(40):
        (files / "conf" / f"{number}.txt").write_text(f"{number}\n")
    settle()
    first = image(PLAIN, reach)
    for number in range(edited):
        os.utime(files / "conf" / f"{number}.txt", (1, 1))
    settle()
    heard.clear()

    assert image(PLAIN, reach) == first

    expected = LayerWritten if edited == 1 else LayerReused
    assert isinstance(heard[-1], expected)


def test_a_file_that_changed_within_the_clocks_tick_is_seen(files: Path, reach: Reach) -> None:
    (files / "server").write_bytes(b"one")
    first = image(PLAIN, reach)
    status = os.stat(files / "server")
    (files / "server").write_bytes(b"two")
    os.utime(files / "server", ns=(status.st_atime_ns, status.st_mtime_ns))

    assert image(PLAIN, reach) != first


def test_a_layer_of_new_files_is_not_compressed_twice(
    files: Path, reach: Reach, heard: list[Event]
) -> None:
    (files / "server").write_bytes(b"just now")
    image(PLAIN, reach)
    heard.clear()

    image(PLAIN, reach)

    (told,) = heard
    assert isinstance(told, LayerReused)


def test_no_cache_reads_everything_again(files: Path, reach: Reach, heard: list[Event]) -> None:
    image(PLAIN, reach)
    heard.clear()

    image(PLAIN, reach, afresh=True)

    (told,) = [event for event in heard if isinstance(event, LayerReused | LayerWritten)]
    assert "unchanged" not in str(told)


def test_no_files_no_layer(reach: Reach, files: Path) -> None:
    assert image(Target(Scratch(), (), Settings(cmd=("x",))), reach).layers == ()
    (files / "empty").mkdir()
    assert image(Target(Scratch(), (add("empty/."),)), reach).layers == ()


def test_a_layer_says_its_key(files: Path, reach: Reach) -> None:
    (layer,) = image(PLAIN, reach).layers

    key = layer.descriptor.annotations[LAYER_KEY]
    assert key.endswith(f"@{layer.diff_id}")
    assert key.startswith("gzip-libdeflate-1-1m")


def test_history_tells_where_things_land_and_never_where_they_were(
    files: Path, reach: Reach
) -> None:
    target = Target(
        Scratch(),
        (add(f"{files}/server", "conf:/etc/app", SymlinkTo("bin", "x"), EmptyDir("data")),),
        Settings(user="7", labels=(("k", "v"),)),
        Stamp("2020-02-02T00:00:00Z", "me"),
    )

    lines = [line["created_by"] for line in image(target, reach).history]

    assert lines == ["ADD /server /etc/app /bin /data", "USER 7", "LABEL k=v"]
    assert str(files) not in image(target, reach).config.decode()


def test_compressions_change_the_blob_and_not_the_tar(files: Path, reach: Reach) -> None:
    images = {
        kind: image(PLAIN._replace(compress=Compress(kind)), reach)
        for kind in ("gzip", "zstd", "none")
    }

    assert len({one.layers[0].diff_id for one in images.values()}) == 1
    assert len({one.layers[0].blob.digest for one in images.values()}) == 3
    assert images["none"].layers[0].blob.digest == images["none"].layers[0].diff_id
    with pytest.raises(UnsupportedFormat):
        image(PLAIN._replace(compress=Compress("zstd"), format="docker"), reach)


def test_several_platforms_make_an_index_and_share_their_layer(
    files: Path, reach: Reach, heard: list[Event]
) -> None:
    target = PLAIN._replace(
        platforms=(Platform.parse("linux/amd64"), Platform.parse("linux/arm64")),
        annotations=(
            Annotation("index", "i", "1"),
            Annotation("manifest", "m", "2"),
            Annotation("manifest-descriptor", "d", "3"),
        ),
    )

    made = built(target, reach)

    assert isinstance(made.content, Index)
    assert [str(one.platform) for one in made.content.descriptors] == [
        "linux/amd64",
        "linux/arm64",
    ]
    assert made.content.annotations == {"i": "1"}
    assert made.content.descriptors[0].annotations == {"d": "3"}
    assert made.images[0].annotations == {"m": "2"}
    assert made.images[0].layers == made.images[1].layers
    assert len([event for event in heard if isinstance(event, LayerWritten)]) == 1


def test_an_annotation_for_an_index_that_is_not_there_is_refused(
    files: Path, reach: Reach
) -> None:
    with pytest.raises(Misused, match="no index"):
        image(PLAIN._replace(annotations=(Annotation("index", "k", "v"),)), reach)


def stored(target: Target, name: str, reach: Reach) -> Image:
    content = image(target, reach)
    deliver([Order(content, StoreName(f"{name}:latest"))], reach)
    return content


def test_a_base_is_built_upon_and_named(files: Path, reach: Reach) -> None:
    base = stored(PLAIN, "base", reach)
    (files / "more").write_text("more")

    upon = image(
        Target(parse_reference("store:base"), (add("more"),), Settings(env=(("B", "$A"),))), reach
    )

    assert upon.layers[0] == base.layers[0]
    assert upon.settings["Env"] == ["A=1", "B=1"]
    assert upon.settings["Cmd"] == ["/server"]
    assert upon.annotations["org.opencontainers.image.base.digest"] == base.digest


def test_what_lands_in_a_standard_directory_goes_through_the_bases_links(
    files: Path, reach: Reach
) -> None:
    stored(
        Target(Scratch(), (add(EmptyDir("usr/bin"), SymlinkTo("bin", "usr/bin")),)), "base", reach
    )

    upon = image(Target(parse_reference("store:base"), (add("server:/bin/server"),)), reach)

    tree = tree_of(upon, reach)
    assert tree.lookup("bin", follow=False).kind == "2"  # type: ignore[union-attr]
    assert tree.lookup("usr/bin/server") is not None


def test_copy_from_takes_files_out_of_another_image(files: Path, reach: Reach) -> None:
    stored(PLAIN, "tools", reach)
    source = parse_reference("store:tools")

    copied = image(
        Target(
            Scratch(), (CopyFrom(source, "/conf", "/etc/conf"), CopyFrom(source, "/server", "/x"))
        ),
        reach,
    )

    assert [file.path for file in tree_of(copied, reach)] == [
        "etc", "etc/conf", "etc/conf/a.ini", "etc/conf/b.ini", "x",
    ]  # fmt: skip
    assert [line["created_by"] for line in copied.history] == ["COPY /etc/conf", "COPY /x"]


def test_a_deleted_path_is_hidden(files: Path, reach: Reach) -> None:
    stored(PLAIN, "base", reach)

    upon = image(Target(parse_reference("store:base"), (add(Delete("conf/a.ini")),)), reach)

    assert [file.path for file in tree_of(upon, reach)] == ["conf", "conf/b.ini", "server"]


def test_tars_are_merged_and_change_with_their_file(files: Path, reach: Reach) -> None:
    os.system("tar --sort=name -czf t.tar.gz conf && tar -cf u.tar server")  # noqa: S605
    settle()
    target = Target(
        Scratch(), (add(TarFile("t.tar.gz"), TarFile("u.tar", "opt"), EmptyFile("e")),)
    )

    first = image(target, reach)
    assert [file.path for file in tree_of(first, reach)] == [
        "conf", "conf/a.ini", "conf/b.ini", "e", "opt", "opt/server",
    ]  # fmt: skip
    (files / "conf" / "a.ini").write_text("other")
    os.system("tar --sort=name -czf t.tar.gz conf")  # noqa: S605
    settle()

    assert image(target, reach) != first


def test_a_failure_leaves_no_blob_of_a_layer(files: Path, reach: Reach) -> None:
    os.symlink("nowhere", files / "dangling")
    before = sorted(os.listdir(reach.store.root))

    with pytest.raises(ArtificerError, match="dangling"):
        image(Target(Scratch(), (add("server", "dangling"),)), reach)

    assert sorted(os.listdir(reach.store.root)) == before
