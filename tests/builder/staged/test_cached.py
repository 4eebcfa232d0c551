import os
import time
from pathlib import Path

import pytest

from artificer.builder.recipe import Compress
from artificer.builder.staged import contents, disk, making
from artificer.builder.staged.options import Afresh, LocalCache, Options
from artificer.layers.index import File
from tests.builder.staged.kit import Workshop
from tests.images.made import DIR, image_of, tar_of

LONG_AGO = 1_000_000_000


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def settle(shop: Workshop) -> None:
    """Let the clock move on, so that nothing counts as just written."""
    time.sleep(0.03)


TEXT = "FROM scratch\nCOPY a /a\nWORKDIR /w\nCOPY d /d"
ALL = ["COPY a /a", "WORKDIR /w", "COPY d /d"]


def fill(shop: Workshop) -> None:
    shop.files(a="1", other="x")
    shop.write("d/e", "2")
    settle(shop)


def test_what_did_not_change_is_not_made_again(shop: Workshop) -> None:
    fill(shop)
    first = shop.image(TEXT)
    assert shop.started == ALL

    second = shop.image(TEXT)

    assert shop.started == []
    assert shop.cached == ALL
    assert second == first


def test_an_unchanged_context_is_neither_listed_nor_read(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(shop)
    shop.image(TEXT)

    monkeypatch.setattr(contents, "selected", None)
    monkeypatch.setattr(making, "indexes_of", None)
    shop.image(TEXT)

    assert shop.cached == ALL


def test_what_comes_after_a_change_is_made_again_and_told_why(shop: Workshop) -> None:
    fill(shop)
    shop.image(TEXT)
    shop.write("a", "12")
    settle(shop)

    shop.image(TEXT)

    assert shop.started == ALL
    assert shop.changed[0] == ("files of the context: changed", "a: size 1 → 2")
    assert shop.changed[1:] == [("what lies below: changed",)] * 2


def test_a_change_elsewhere_in_the_context_changes_nothing(shop: Workshop) -> None:
    fill(shop)
    shop.image(TEXT)
    shop.write("other", "changed")
    shop.write("new", "new")

    shop.image(TEXT)

    assert shop.started == []


def test_content_counts_not_times_or_inodes(shop: Workshop) -> None:
    fill(shop)
    first = shop.image(TEXT)
    (shop.context / "d/e").unlink()
    shop.write("d/e", "2")
    os.utime(shop.context / "a", (LONG_AGO, LONG_AGO))

    second = shop.image(TEXT)

    assert shop.cached == ALL
    assert second == first


def test_only_changed_files_are_read_again(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write("d/e", "1")
    shop.write("d/f", "2")
    settle(shop)
    text = "FROM scratch\nCOPY d /"
    shop.image(text)
    shop.write("d/f", "3")
    settle(shop)
    read: list[str] = []
    hashed = disk.DiskFiles._hashed

    def told(self: disk.DiskFiles, file: File) -> bytes:
        read.append(file.path)
        return hashed(self, file)

    monkeypatch.setattr(disk.DiskFiles, "_hashed", told)

    shop.image(text)

    assert read == ["d/f"]


def test_a_file_that_was_just_written_is_not_believed_by_its_times(shop: Workshop) -> None:
    place = shop.write("a", "1")
    before = place.stat()
    shop.image("FROM scratch\nCOPY a /")
    with place.open("r+") as file:
        file.write("2")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))

    image = shop.image("FROM scratch\nCOPY a /")

    assert shop.text(image, "/a") == "2"


@pytest.mark.parametrize(
    "line",
    [
        "COPY a /b",
        "COPY --chown=1 a /a",
        "COPY --chmod=600 a /a",
        "COPY --link a /a",
        "COPY --parents a /a",
        "COPY other /a",
        "COPY a* /a",
        "COPY --exclude=x a /a",
        "COPY <<a /a\n1a\n",
    ],
)
def test_every_word_of_a_copy_is_part_of_its_key(shop: Workshop, line: str) -> None:
    fill(shop)
    shop.image("FROM scratch\nCOPY a /a")

    shop.image("FROM scratch\n" + line.replace("1a", "1\na"))

    assert len(shop.started) == 1


def test_the_same_copy_is_known_in_any_dockerfile(shop: Workshop) -> None:
    fill(shop)
    shop.image(TEXT)

    shop.image("FROM scratch AS one\nCOPY a /a\nFROM scratch\nLABEL x=y\nCOPY a /a\nCMD x")

    assert shop.started == []


def test_a_linked_copy_is_the_same_layer_on_every_base(shop: Workshop) -> None:
    fill(shop)
    shop.images["base"] = image_of(shop.reach.store, tar_of(("x", DIR)))
    one = shop.image("FROM scratch\nCOPY --link a /x/a")

    other = shop.image("FROM base\nCOPY --link a /x/a")

    assert shop.cached == ["COPY --link a /x/a"]
    assert other.layers[-1] == one.layers[-1]


def test_what_was_compressed_otherwise_is_made_again(shop: Workshop) -> None:
    fill(shop)
    shop.image(TEXT)

    image = shop.build(TEXT, Options(compress=Compress("zstd"))).image

    assert shop.started == ALL
    assert {layer.descriptor.media_type[-4:] for layer in image.layers} == {"zstd"}


def test_a_layer_that_the_store_lost_is_made_again(shop: Workshop) -> None:
    fill(shop)
    image = shop.image(TEXT)
    shop.reach.store.discard(image.layers[0].blob.digest)

    again = shop.image(TEXT)

    assert shop.started == ["COPY a /a"]
    assert again == image


def test_no_cache_makes_everything_again_and_a_filter_some_stages(shop: Workshop) -> None:
    fill(shop)
    text = "FROM scratch AS one\nCOPY a /a\nFROM scratch\nCOPY --from=one /a /b\nCOPY d /d"
    first = shop.image(text)

    everything = shop.build(text, Options(afresh=Afresh(all=True))).image
    assert shop.started == ["COPY a /a", "COPY --from=one /a /b", "COPY d /d"]
    one = shop.build(text, Options(afresh=Afresh(stages=frozenset({"one"})))).image

    assert shop.started == ["COPY a /a"]
    assert first == everything == one


def test_a_local_cache_gives_what_another_store_made(shop: Workshop, tmp_path: Path) -> None:
    fill(shop)
    cache = Options(caches=(LocalCache(str(tmp_path / "cache")),))
    first = shop.build(TEXT, cache).image
    other = Workshop(tmp_path, "other-store")

    second = other.build(TEXT, cache).image

    assert other.started == []
    assert second == first
    assert other.build(TEXT).image == first


def test_a_readonly_cache_is_not_written(shop: Workshop, tmp_path: Path) -> None:
    fill(shop)

    shop.build(TEXT, Options(caches=(LocalCache(str(tmp_path / "cache"), readonly=True),)))

    assert not (tmp_path / "cache").exists()


def test_the_digest_is_the_same_whatever_was_cached(shop: Workshop, tmp_path: Path) -> None:
    fill(shop)
    lines = TEXT.splitlines()
    whole = shop.image(TEXT)

    for count in range(1, len(lines)):
        other = Workshop(tmp_path, f"store-{count}")
        other.image("\n".join(lines[: count + 1]))
        assert other.image(TEXT) == whole


def test_independent_stages_are_all_built(shop: Workshop) -> None:
    fill(shop)
    stages = "".join(f"FROM scratch AS s{n}\nCOPY a /f{n}\n" for n in range(8))
    copies = "".join(f"COPY --from=s{n} /f{n} /\n" for n in range(8))

    image = shop.build(f"{stages}FROM scratch\n{copies}", Options(jobs=4)).image

    assert sorted(shop.tree(image)) == [f"f{n}" for n in range(8)]


def test_what_two_stages_do_alike_is_done_once(shop: Workshop) -> None:
    fill(shop)
    stages = "".join(f"FROM scratch AS s{n}\nCOPY a /f\n" for n in range(8))
    copies = "".join(f"COPY --from=s{n} /f /f{n}\n" for n in range(8))

    shop.build(f"{stages}FROM scratch\n{copies}", Options(jobs=8))

    assert shop.started.count("COPY a /f") == 1


def test_an_instruction_is_compared_with_itself_where_others_come_before_it(
    shop: Workshop,
) -> None:
    fill(shop)
    shop.image("FROM scratch\nCOPY a /a\nCOPY d /d")

    shop.image("FROM scratch\nWORKDIR /new\nCOPY a /a\nCOPY d /d")

    assert shop.changed[-2:] == [("what lies below: changed",)] * 2


def test_an_instruction_with_other_words_is_compared_with_what_stood_there(
    shop: Workshop,
) -> None:
    fill(shop)
    shop.image("FROM scratch\nCOPY a /a")

    shop.image("FROM scratch\nCOPY --chown=5 a /a")

    assert shop.changed == [("--chown: changed",)]
