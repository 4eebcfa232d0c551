"""What kaniko once got wrong, each under its FF_ flag: here it holds.

``FF_KANIKO_RUN_VIA_TINI``, ``SECUREJOIN_EXTRACTION`` of commands and ``PRESERVE_MOUNTED_PATHS``
are about the sandbox (`tests/sandbox`), what has to do with registries is in
`tests/cli/kaniko/test_bugs.py`.
"""

import io
import os
import tarfile
from pathlib import Path

import pytest

from artificer.builder.staged.contexts import directory
from artificer.builder.staged.options import Options
from artificer.errors import ArtificerError
from artificer.oci.edit import annotated
from artificer.oci.image import Image
from artificer.oci.media import OCI_MANIFEST
from tests.builder.staged.kit import FakeSandbox, Workshop, archive
from tests.images.made import DIR, image_of, link, tar_of

MOVED = {"other": tar_of((".wh.x", b""), ("d", DIR), ("d/.wh.y", b""))}


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    tar = tar_of(
        ("etc", DIR),
        ("etc/passwd", b"root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n"),
        ("etc/group", b"root:x:0:\napp:x:1001:\n"),
        ("out", link("../../../../../../../../tmp")),
        ("tmp", {**DIR, "mode": 0o1777}),
        ("x", b"1"),
        ("d", DIR),
        ("d/y", b"1"),
    )
    made.images["base"] = image_of(made.reach.store, tar)
    made.sandbox = FakeSandbox({"make": tar_of(("made", b"1"))})
    made.files(a="a", b="b")
    return made


def new(shop: Workshop, text: str) -> dict[str, str]:
    """The tree that *text* comes to, without what the base has."""
    below = shop.tree(shop.images["base"])
    return {
        path: told
        for path, told in shop.tree(shop.image(f"FROM base\n{text}")).items()
        if below.get(path) != told
    }


def twice(shop: Workshop, first: str, second: str) -> tuple[Image, Image]:
    """Two builds with one store."""
    return shop.image(f"FROM base\n{first}"), shop.image(f"FROM base\n{second}")


# Ownership and modes


def test_copy_as_root__files_belong_to_root_whoever_the_user_is(shop: Workshop) -> None:
    os.chmod(shop.context / "a", 0o600)

    assert new(shop, "USER app\nCOPY a /n/") == {"n": "755 0:0 /", "n/a": "600 0:0 1"}


def test_copy_chmod_on_implicit_dirs__the_mode_is_the_files_only(shop: Workshop) -> None:
    assert new(shop, "COPY --chmod=600 a /n/m/a") == {
        "n": "755 0:0 /",
        "n/m": "755 0:0 /",
        "n/m/a": "600 0:0 1",
    }


def test_chown_on_implicit_dirs__directories_that_are_made_have_the_owner(shop: Workshop) -> None:
    assert new(shop, "COPY --chown=app a /n/m/a") == {
        "n": "755 1000:1001 /",
        "n/m": "755 1000:1001 /",
        "n/m/a": "644 1000:1001 1",
    }


def test_untar_skip_root__the_root_of_an_archive_leaves_the_destination_alone(
    shop: Workshop,
) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo("./")
        info.type, info.mode, info.uid = tarfile.DIRTYPE, 0o700, 5
        tar.addfile(info)
        tar.addfile(tarfile.TarInfo("./f"))
    shop.write("t.tar", file.getvalue())

    assert new(shop, "ADD t.tar /tmp") == {"tmp/f": "644 0:0 0"}


def test_run_honor_group__a_command_has_the_group_of_user(shop: Workshop) -> None:
    shop.image("FROM base\nUSER app:7\nRUN make")

    assert shop.sandbox.ran[-1][1].user == "app:7"


def test_volume_skip_mkdir__a_volume_makes_no_directory(shop: Workshop) -> None:
    assert new(shop, "VOLUME /v") == {}


# Links and whiteouts


def test_preserve_hardlinks__one_file_stays_one(shop: Workshop) -> None:
    shop.write("l/one", "x" * 1000)
    os.link(shop.context / "l/one", shop.context / "l/two")

    image = shop.image("FROM scratch AS s\nCOPY l /l\nFROM scratch\nCOPY --from=s /l /m")

    assert shop.layer(image)["m/two"].islnk()


def test_relative_link_targets__a_hard_link_names_a_path_without_a_slash(shop: Workshop) -> None:
    shop.write("l/one", "x")
    os.link(shop.context / "l/one", shop.context / "l/two")

    assert shop.layer(shop.image("FROM scratch\nCOPY l /l"))["l/two"].linkname == "l/one"


def test_skip_write_whiteouts__what_is_gone_is_not_copied_as_a_file(shop: Workshop) -> None:
    shop.sandbox = FakeSandbox(MOVED)

    image = shop.image("FROM base AS s\nRUN other\nFROM scratch\nCOPY --from=s / /")

    assert shop.tree(image).keys() == {"etc", "etc/group", "etc/passwd", "out", "tmp", "d"}
    assert not any(".wh." in name for name in shop.layer(image))


def test_skip_write_whiteouts__a_file_of_such_a_name_deletes_nothing(shop: Workshop) -> None:
    shop.write("w/.wh.x", "")

    with pytest.raises(ArtificerError, match="says that a file is gone"):
        shop.image("FROM base\nCOPY w /")


def test_securejoin_extraction__links_lead_nowhere_but_into_the_image(shop: Workshop) -> None:
    shop.write("t.tar", archive(**{"out/unpacked": "1"}))

    assert new(shop, "COPY a /out/copied\nADD t.tar /\nWORKDIR /out/made") == {
        "tmp/copied": "644 0:0 1",
        "tmp/unpacked": "644 7:8 1",
        "tmp/made": "755 0:0 /",
    }
    assert not os.path.exists("/tmp/unpacked")


# Keys of the cache


def test_infer_cross_stage_cache_key__a_change_in_a_stage_is_a_change_where_it_is_copied(
    shop: Workshop,
) -> None:
    text = "FROM scratch AS s\nCOPY a /\nFROM scratch\nCOPY --from=s /a /"
    first = shop.image(text)
    shop.write("a", "changed")

    assert shop.text(first, "a") == "a"
    assert shop.text(shop.image(text), "a") == "changed"


def test_cache_lookahead__what_is_known_unpacks_nothing(shop: Workshop) -> None:
    text = "FROM base AS s\nRUN make\nFROM base\nCOPY --from=s /made /"
    first = shop.image(text)
    shop.sandbox = FakeSandbox({})

    assert shop.image(text) == first
    assert shop.sandbox.ran == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('RUN ["make", "b"]', 'RUN ["make b"]'),
        ('RUN ["make", "", "b"]', 'RUN ["make", "b", ""]'),
        ("ENV A='1 B=2'\nRUN make", "ENV A=1 B=2\nRUN make"),
        ("ENV A=1\nENV B=\nRUN make", "ENV A=\nENV B=1\nRUN make"),
        ("USER app\nWORKDIR /d\nRUN make", "USER app/d\nRUN make"),
        ("ARG A=1\nRUN make", "RUN A=1 make"),
    ],
)
def test_rolling_cache_key__words_that_join_alike_are_not_the_same(
    shop: Workshop, first: str, second: str
) -> None:
    shop.image(f"FROM base\n{first}")
    shop.sandbox.ran.clear()

    shop.image(f"FROM base\n{second}")

    assert len(shop.sandbox.ran) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"ab": "c"}, {"a": "bc"}),
        ({"a": "1", "b": ""}, {"a": "", "b": "1"}),
        ({"a/b": "1"}, {"ab": "1"}),
        ({"a": "x\0b\0y"}, {"a": "x", "b": "y"}),
    ],
)
def test_hash_dir_framing__trees_that_join_alike_are_not_the_same(
    shop: Workshop, first: dict[str, str], second: dict[str, str]
) -> None:
    for name, text in first.items():
        shop.write(f"one/{name}", text)
    for name, text in second.items():
        shop.write(f"two/{name}", text)
    shop.image("FROM scratch\nCOPY one /d")
    (shop.context / "one").rename(shop.context / "gone")
    (shop.context / "two").rename(shop.context / "one")

    image = shop.image("FROM scratch\nCOPY one /d")

    assert shop.started == ["COPY one /d"]
    assert all(shop.text(image, f"d/{name}") == text for name, text in second.items())


def test_resolve_cache_key__another_argument_copies_another_file(shop: Workshop) -> None:
    text = "FROM scratch\nARG WHICH\nCOPY $WHICH /x"
    first = shop.image(text, build_args={"WHICH": "a"})
    second = shop.image(text, build_args={"WHICH": "b"})

    assert shop.text(first, "x") == "a"
    assert shop.text(second, "x") == "b"


def test_cache_probe_after_miss__a_step_is_known_behind_one_that_was_not(shop: Workshop) -> None:
    twice(shop, "COPY a /a\nRUN make", "COPY --chmod=0644 a /a\nRUN make")

    assert shop.started == ["COPY --chmod=0644 a /a"]
    assert shop.cached == ["RUN make"]


def test_ignore_cached_manifest__a_layer_of_the_cache_brings_no_settings(shop: Workshop) -> None:
    first, second = twice(shop, "LABEL a=1\nCOPY a /\nENV X=1", "COPY a /\nLABEL b=2")

    assert first.layers == second.layers
    assert second.config_document["config"]["Labels"] == {"b": "2"}
    assert not any(one.startswith("X=") for one in second.config_document["config"]["Env"])


# Dockerfiles


def test_buildkit_arg_env_precedence__what_comes_later_counts(shop: Workshop) -> None:
    shop.image(
        "FROM base\nENV A=env B=env\nARG A=arg\nARG B\nARG C=arg\nENV C=env\nRUN make",
        build_args={},
    )

    env = dict(shop.sandbox.ran[-1][1].env)
    assert (env["A"], env["B"], env["C"]) == ("arg", "env", "env")


def test_expand_heredoc__variables_are_expanded_unless_the_word_is_quoted(shop: Workshop) -> None:
    image = shop.image(
        "FROM scratch\nARG V=1\nCOPY <<one <<'two' /\n$V ${V:-2} \\$V\none\n$V\ntwo\n"
    )

    assert shop.text(image, "one") == "1 1 $V\n"
    assert shop.text(image, "two") == "$V\n"


def test_scoped_dockerignore__that_of_the_dockerfile_replaces_the_others(shop: Workshop) -> None:
    shop.write(".dockerignore", "a\n")
    shop.write("D.dockerignore", "*\n!a\n")
    whole = str(shop.context)

    contexts = {"": directory(whole, f"{whole}/D")}
    built = shop.build("FROM scratch\nCOPY . /", Options(contexts=contexts))

    assert shop.tree(built.image).keys() == {"a"}


# Transfer and output


def test_oci_scratch_base__an_image_of_nothing_is_an_oci_image(shop: Workshop) -> None:
    image = shop.image("FROM scratch\nCOPY a /")

    assert image.descriptor.media_type == OCI_MANIFEST
    assert len(image.layers) == 1


def test_skip_relabel_recompress__settings_alone_touch_no_layer(shop: Workshop) -> None:
    image = shop.image("FROM base\nLABEL a=1\nENV B=2")

    assert image.layers == shop.images["base"].layers
    assert shop.started == []


def test_reproducible_preserve_base_layers__the_layers_of_the_base_are_as_they_were(
    shop: Workshop,
) -> None:
    base = shop.images["base"]

    image = shop.build("FROM base\nCOPY a /", Options(epoch=1000)).image

    assert image.layers[: len(base.layers)] == base.layers


def test_no_propagate_annotations__those_of_the_base_are_its_own(shop: Workshop) -> None:
    shop.images["base"] = annotated(shop.images["base"], {"org.example.base": "1"})

    assert "org.example.base" not in shop.image("FROM base\nCOPY a /").annotations


# Process


def test_skip_cached_stages__a_stage_that_nobody_needs_is_not_built(shop: Workshop) -> None:
    shop.image("FROM base AS no\nRUN make\nFROM base AS yes\nCOPY a /\nFROM yes")

    assert shop.started == ["COPY a /"]
