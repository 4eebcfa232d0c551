"""Archives are unpacked below their directory, and nowhere else."""

import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import pytest

from artificer.errors import ArtificerError, Misused
from artificer.sources.archive import unpack_archive
from artificer.store.blobs import open_store
from tests.parts.archive import ar, deb_bytes, made


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Callable[[], BinaryIO]]:
    store = open_store(str(tmp_path / "store"))
    with ExitStack() as stack:
        yield lambda: stack.enter_context(store.spool())


@pytest.fixture
def into(tmp_path: Path) -> Path:
    (tmp_path / "into").mkdir()
    return tmp_path / "into"


def tar_file(path: Path, mode: str, *members: tuple[str, bytes | str | None]) -> str:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members:
            info = tarfile.TarInfo(name)
            if data is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
            else:
                info.size, info.mode = len(data), 0o755
            archive.addfile(info, io.BytesIO(data) if isinstance(data, bytes) else None)
    return str(path)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tar.xz", "w:xz"), ("a.tar.bz2", "w:bz2")],
)
def test_tars_are_unpacked_without_their_prefix(
    tmp_path: Path, spool: Callable[[], BinaryIO], into: Path, name: str, mode: str
) -> None:
    path = tar_file(
        tmp_path / name,
        mode,
        ("top", None),
        ("top/bin/x", b"hello"),
        ("top/link", "bin/x"),
        ("elsewhere", b""),
    )

    found = unpack_archive(path, str(into), spool, strip="top")

    assert found == ("bin/x", "link")
    assert (into / "link").read_bytes() == b"hello"
    assert os.access(into / "bin" / "x", os.X_OK)
    assert not (into / "elsewhere").exists()


def test_zips_are_unpacked_with_modes_and_links(
    tmp_path: Path, spool: Callable[[], BinaryIO], into: Path
) -> None:
    path = tmp_path / "a.bin"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo("d/run")
        info.external_attr = 0o100755 << 16
        archive.writestr(info, b"run")
        link = zipfile.ZipInfo("d/link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "run")
        archive.writestr("d/plain", b"p")

    assert unpack_archive(str(path), str(into), spool, kind="zip") == (
        "d/link",
        "d/plain",
        "d/run",
    )

    assert os.access(into / "d" / "run", os.X_OK)
    assert (
        not os.access(into / "d" / "plain", os.X_OK) or os.stat(into / "d/plain").st_mode & 1 == 0
    )
    assert os.readlink(into / "d" / "link") == "run"


@pytest.mark.parametrize(
    "members",
    [
        [("../x", b"")],
        [("a/../../x", b"")],
        [("link", "/etc")],
        [("link", "../..")],
        [("a/link", "../../x")],
    ],
)
def test_nothing_lands_outside(
    tmp_path: Path,
    spool: Callable[[], BinaryIO],
    into: Path,
    members: list[tuple[str, bytes | str | None]],
) -> None:
    path = tar_file(tmp_path / "evil.tar", "w", *members)

    with pytest.raises(ArtificerError):
        unpack_archive(path, str(into), spool)

    assert not (tmp_path / "x").exists()


def test_a_zip_with_dots_lands_nowhere(
    tmp_path: Path, spool: Callable[[], BinaryIO], into: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../x", b"")

    with pytest.raises(ArtificerError, match="outside"):
        unpack_archive(str(tmp_path / "evil.zip"), str(into), spool)


def test_a_prefix_that_is_not_there_says_what_is(
    tmp_path: Path, spool: Callable[[], BinaryIO], into: Path
) -> None:
    path = tar_file(tmp_path / "a.tar", "w", ("real/x", b""))

    with pytest.raises(Misused) as caught:
        unpack_archive(path, str(into), spool, strip="wrong")

    assert "real" in str(caught.value.hint)


def test_an_unknown_kind_says_what_is_known(
    tmp_path: Path, spool: Callable[[], BinaryIO], into: Path
) -> None:
    (tmp_path / "a.rar").write_bytes(b"Rar!")

    with pytest.raises(Misused, match="no archive"):
        unpack_archive(str(tmp_path / "a.rar"), str(into), spool)


def test_a_package_is_unpacked_into_the_files_that_it_is_made_of(
    tmp_path: Path, spool: Callable[[], BinaryIO], into: Path
) -> None:
    (tmp_path / "x.deb").write_bytes(deb_bytes(made("hello", "1.0")))
    (tmp_path / "y").write_bytes(ar({"..": b"x"}))

    found = unpack_archive(str(tmp_path / "x.deb"), str(into), spool)

    assert found == ("control.tar.xz", "data.tar.xz", "debian-binary")
    assert (into / "debian-binary").read_bytes() == b"2.0\n"
    assert lzma.decompress((into / "data.tar.xz").read_bytes())[:1] == b"."
    with pytest.raises(ArtificerError, match="without a name"):
        unpack_archive(str(tmp_path / "y"), str(into), spool, kind=".deb")
