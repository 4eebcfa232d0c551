import bz2
import lzma
from pathlib import Path

import pytest

from artificer.builder.staged.shop import Ask, Remote
from artificer.errors import ArtificerError
from artificer.layers.encode import encoder
from tests.builder.staged.kit import Workshop, archive, gzipped
from tests.images.made import DIR, hard, image_of, link, tar_of


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def zstd(data: bytes) -> bytes:
    compress = encoder("zstd").compress
    assert compress
    return bytes(compress(memoryview(data)))


@pytest.mark.parametrize("pack", [bytes, gzipped, bz2.compress, lzma.compress, zstd])
def test_a_local_archive_is_unpacked_whatever_it_is_called(shop: Workshop, pack: object) -> None:
    assert callable(pack)
    shop.write("data.bin", pack(archive(**{"x/y": "1", "z": "22"})))

    image = shop.image("FROM scratch\nADD data.bin /d")

    assert shop.tree(image) == {
        "d": "755 0:0 /",
        "d/x": "755 0:0 /",
        "d/x/y": "644 7:8 1",
        "d/z": "644 7:8 2",
    }
    assert shop.layer(image)["d/z"].mtime == 1_000_000


@pytest.mark.parametrize(
    "data",
    [b"text", b"", bytes(2048), gzipped(b"no tar"), b"\x1f\x8bbroken", b"x" * 600],
)
def test_what_is_no_archive_is_copied_as_it_is(shop: Workshop, data: bytes) -> None:
    shop.write("a.tar.gz", data)

    image = shop.image("FROM scratch\nADD a.tar.gz /d/")

    assert shop.tree(image)["d/a.tar.gz"] == f"644 0:0 {len(data)}"


def test_an_archive_is_left_as_it_is_when_asked(shop: Workshop) -> None:
    data = archive(a="1")
    shop.write("a.tar", data)

    image = shop.image("FROM scratch\nADD --unpack=false a.tar /d/")

    assert shop.tree(image)["d/a.tar"] == f"644 0:0 {len(data)}"


def test_an_archive_lands_through_links_and_keeps_directories(shop: Workshop) -> None:
    base = tar_of(
        ("usr", DIR), ("usr/bin", {**DIR, "uid": 3}), ("bin", link("usr/bin")), ("o", DIR)
    )
    shop.images["base"] = image_of(shop.reach.store, base)
    shop.write(
        "a.tar", tar_of(("./", {**DIR, "mode": 0o700}), ("bin/x", b"1"), ("bin/y", hard("bin/x")))
    )

    image = shop.image("FROM base\nADD a.tar /")

    assert shop.tree(image) == {
        "bin": "-> usr/bin",
        "o": "755 0:0 /",
        "usr": "755 0:0 /",
        "usr/bin": "755 3:0 /",
        "usr/bin/x": "644 0:0 1",
        "usr/bin/y": "644 0:0 1",
    }


def test_chown_and_chmod_count_for_what_is_unpacked(shop: Workshop) -> None:
    shop.write("a.tar", archive(x="1"))

    image = shop.image("FROM scratch\nADD --chown=5:6 --chmod=600 a.tar /d/")

    assert shop.tree(image) == {"d": "755 5:6 /", "d/x": "600 5:6 1"}


def test_of_a_path_that_is_in_an_archive_twice_the_later_counts(shop: Workshop) -> None:
    shop.write("a.tar", tar_of(("x", b"1"), ("x", b"22")))

    image = shop.image("FROM scratch\nADD a.tar /")

    assert shop.tree(image) == {"x": "644 0:0 2"}


@pytest.mark.parametrize("name", ["../x", "a/../../x"])
def test_an_archive_that_leads_upwards_is_refused(shop: Workshop, name: str) -> None:
    shop.write("a.tar", tar_of((name, b"1")))

    with pytest.raises(ArtificerError, match=r"Dockerfile:2"):
        shop.image("FROM scratch\nADD a.tar /d/")


def test_files_and_directories_are_added_as_copied(shop: Workshop) -> None:
    shop.write("d/a.tar", archive(x="1"))
    shop.write("f", "1")

    image = shop.image("FROM scratch\nADD d f /x/")

    assert set(shop.tree(image)) == {"x", "x/a.tar", "x/f"}


def fetched(shop: Workshop, url: str, data: bytes, name: str, checksum: str = "") -> None:
    digest = shop.reach.store.put(data)
    path = shop.reach.store.blob_path(digest)
    shop.remotes[Ask(url, checksum)] = Remote(f"{digest} {name}", path, name or "/", 77)


URL = "https://example.com/files/tool.tar"


def test_a_file_of_the_web_has_its_name_a_mode_of_its_own_and_the_servers_time(
    shop: Workshop,
) -> None:
    fetched(shop, URL, archive(x="1"), "tool.tar")

    image = shop.image(f"FROM scratch\nADD {URL} /d/\nADD --chown=5 --chmod=755 {URL} /e")

    tree = shop.tree(image)
    size = len(archive(x="1"))
    assert tree["d/tool.tar"] == f"600 0:0 {size}"
    assert tree["e"] == f"755 5:5 {size}"
    assert shop.layer(image)["e"].mtime == 77


def test_a_file_of_the_web_is_unpacked_when_asked(shop: Workshop) -> None:
    fetched(shop, URL, archive(x="1"), "tool.tar")

    image = shop.image(f"FROM scratch\nADD --unpack {URL} /d/")

    assert shop.tree(image) == {"d": "755 0:0 /", "d/x": "644 7:8 1"}


def test_a_url_without_a_name_needs_one(shop: Workshop) -> None:
    fetched(shop, "https://example.com/", b"1", "")

    image = shop.image("FROM scratch\nADD https://example.com/ /d")
    assert shop.tree(image) == {"d": "600 0:0 1"}
    with pytest.raises(ArtificerError, match="names no file"):
        shop.image("FROM scratch\nADD https://example.com/ /d/")


def test_a_file_of_the_web_that_changed_is_added_again(shop: Workshop) -> None:
    fetched(shop, URL, b"1", "tool")
    text = f"FROM scratch\nADD {URL} /"
    shop.image(text)
    shop.image(text)
    assert shop.started == []
    fetched(shop, URL, b"2", "tool")

    shop.image(text)

    assert len(shop.started) == 1


def test_a_checkout_is_added_by_its_contents(shop: Workshop) -> None:
    source = shop.folder / "checkout"
    (source / "d").mkdir(parents=True, mode=0o700)
    (source / "d/x").write_text("1")
    (source / "d/x").chmod(0o600)
    url = "https://example.com/x.git#main"
    shop.remotes[Ask(url)] = Remote("commit", str(source))

    image = shop.image(f"FROM scratch\nADD {url} /src")

    assert shop.tree(image) == {
        "src": "755 0:0 /",
        "src/d": "755 0:0 /",
        "src/d/x": "644 0:0 1",
    }
