"""Files are hashed once; a changed one is noticed, also one that was changed at once."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from artificer.builder.inputs import Inputs, MissingInput
from artificer.builder.targets import SourceFile
from artificer.images.reach import Reach
from artificer.oci.digest import Digest
from tests.builder.graphs import settle


@pytest.fixture
def inputs(reach: Reach) -> Callable[[], Inputs]:
    return lambda: Inputs(reach.store, reach.stop)


def source(path: Path, text: str) -> SourceFile:
    path.write_text(text)
    return SourceFile(str(path), path.name)


def test_a_quiet_file_is_known_by_its_stat(inputs: Callable[[], Inputs], tmp_path: Path) -> None:
    one = source(tmp_path / "f", "text")
    settle()
    first = inputs()
    assert not first.known(one)
    found = first.files(one)
    first.save()

    assert inputs().known(one)
    assert inputs().files(one) == found
    assert found[0].digest == Digest.of(b"text")


def test_a_file_that_was_just_written_is_hashed_again(
    inputs: Callable[[], Inputs], tmp_path: Path
) -> None:
    one = source(tmp_path / "f", "text")
    stat = os.stat(one.path)
    os.utime(one.path, ns=(stat.st_atime_ns, time.time_ns() + 10**9))
    first = inputs()
    first.files(one)
    first.save()

    assert not inputs().known(one)


def test_a_changed_file_has_another_digest(inputs: Callable[[], Inputs], tmp_path: Path) -> None:
    one = source(tmp_path / "f", "text")
    settle()
    first = inputs()
    first.files(one)
    first.save()
    source(tmp_path / "f", "tex2")

    assert inputs().files(one)[0].digest == Digest.of(b"tex2")


def test_the_execute_bit_is_part_of_a_file(inputs: Callable[[], Inputs], tmp_path: Path) -> None:
    one = source(tmp_path / "f", "text")
    plain = inputs().files(one)
    (tmp_path / "f").chmod(0o755)

    assert inputs().files(one)[0].executable
    assert not plain[0].executable


def test_a_directory_is_its_files_in_the_order_of_their_names(
    inputs: Callable[[], Inputs], tmp_path: Path
) -> None:
    (tmp_path / "d" / "sub").mkdir(parents=True)
    for name in ("b", "a", "sub/c"):
        (tmp_path / "d" / name).write_text(name)

    found = inputs().files(SourceFile(str(tmp_path / "d"), "pkg/d"))

    assert [file.short for file in found] == ["pkg/d/a", "pkg/d/b", "pkg/d/sub/c"]
    assert {file.tree for file in found} == {"pkg/d"}


def test_a_directory_has_links_within_it_and_what_is_empty(
    inputs: Callable[[], Inputs], tmp_path: Path
) -> None:
    top = tmp_path / "d"
    (top / "sub").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "sub" / "f").write_text("f")
    (tmp_path / "outside").write_text("outside")
    (top / "link").symlink_to("sub/f")
    (top / "sub" / "up").symlink_to("..")
    (top / "out").symlink_to("../outside")
    (top / "whole").symlink_to(top / "sub" / "f")

    found = inputs().files(SourceFile(str(top), "d"))

    assert [(file.short, file.kind, Path(file.path).read_text()) for file in found] == [
        ("d/empty", "directory", ""),
        ("d/link", "link", "sub/f"),
        ("d/out", "file", "outside"),
        ("d/sub/f", "file", "f"),
        ("d/sub/up", "link", ".."),
        ("d/whole", "file", "f"),
    ]


def test_what_is_no_file_says_so(inputs: Callable[[], Inputs], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(MissingInput, match="no such file"):
        inputs().files(SourceFile(str(tmp_path / "gone"), "gone"))
    with pytest.raises(MissingInput, match="neither a file nor a directory"):
        inputs().files(SourceFile(str(tmp_path / "fifo"), "fifo"))
