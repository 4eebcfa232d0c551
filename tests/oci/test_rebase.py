import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.edit import (
    BASE_DIGEST,
    BASE_NAME,
    Stamp,
    annotated,
    appended,
    configured,
    converted,
    empty,
)
from artificer.oci.image import Blob, Image, InvalidImage, Layer, Stored
from artificer.oci.platform import LINUX_AMD64
from artificer.oci.rebase import NotBasedOn, merged_settings, rebased
from artificer.oci.settings import Settings

TOLD = {BASE_NAME: "docker.io/library/base:1", BASE_DIGEST: str(Digest.of(b"new"))}


def layer(name: str) -> Layer:
    data = name.encode()
    descriptor = Descriptor.for_bytes(media.OCI_LAYER_GZIP, data)
    return Layer(Blob(descriptor, Stored(f"/{name}")), Digest.of(b"tar " + data))


def built(base: Image, *names: str, **settings: object) -> Image:
    image = appended(base, [layer(name) for name in names], [f"ADD {n}" for n in names], Stamp())
    return configured(image, Settings(**settings), Stamp())  # type: ignore[arg-type]


SCRATCH = empty(LINUX_AMD64, "oci")
OLD = built(SCRATCH, "old", env=(("PATH", "/bin"), ("V", "1")), cmd=("sh",))
NEW = built(SCRATCH, "new1", "new2", env=(("PATH", "/sbin"), ("V", "2"), ("N", "1")), cmd=("sh",))


def test_the_layers_of_the_old_base_give_way_to_those_of_the_new_one() -> None:
    app = annotated(built(OLD, "app", workdir="/srv"), {"kept": "1", BASE_NAME: "gone"})

    moved = rebased(app, OLD, NEW, TOLD)

    assert [one.diff_id for one in moved.layers] == [
        layer(name).diff_id for name in ("new1", "new2", "app")
    ]
    assert moved.layers[2].blob.origin == Stored("/app")
    assert [line["created_by"] for line in moved.history] == [
        *("ADD new1", "ADD new2", "ENV PATH=/sbin", "ENV V=2", "ENV N=1", 'CMD ["sh"]'),
        *("ADD app", "WORKDIR /srv"),
    ]
    assert moved.annotations == {"kept": "1", **TOLD}


def test_a_rebased_image_is_what_a_build_on_the_new_base_would_be() -> None:
    wishes = {"env": (("V", "9"), ("MINE", "x")), "cmd": ("app",), "user": "1"}

    moved = rebased(built(OLD, "app", **wishes), OLD, NEW, {})

    assert moved.settings == built(NEW, "app", **wishes).settings
    assert moved.config_document == built(NEW, "app", **wishes).config_document


@pytest.mark.parametrize(
    ("mine", "was", "now", "merged"),
    [
        ({"Cmd": ["a"]}, {"Cmd": ["a"]}, {"Cmd": ["b"]}, {"Cmd": ["b"]}),
        ({"Cmd": ["x"]}, {"Cmd": ["a"]}, {"Cmd": ["b"]}, {"Cmd": ["x"]}),
        ({"Cmd": None}, {"Cmd": ["a"]}, {"Cmd": ["b"]}, {}),
        ({"User": "1"}, {"User": "1"}, {}, {}),
        ({}, {}, {"User": "1"}, {"User": "1"}),
        ({"Env": ["A=1", "B=1"]}, {"Env": ["A=1"]}, {}, {"Env": ["B=1"]}),
        ({"Env": []}, {"Env": ["A=1"]}, {"Env": ["A=2"]}, {"Env": []}),
        ({"Env": ["A=1"]}, {"Env": ["A=1"]}, {"Env": ["A=2", "B"]}, {"Env": ["A=2", "B="]}),
        (
            {"Labels": {"a": "1", "b": "mine"}},
            {"Labels": {"a": "1", "b": "1"}},
            {"Labels": {"a": "2", "b": "2"}},
            {"Labels": {"a": "2", "b": "mine"}},
        ),
        (
            {"ExposedPorts": {"80/tcp": {}, "90/tcp": {}}},
            {"ExposedPorts": {"80/tcp": {}}},
            {"ExposedPorts": {"81/tcp": {}}},
            {"ExposedPorts": {"81/tcp": {}, "90/tcp": {}}},
        ),
    ],
)
def test_what_came_from_the_base_is_renewed_and_the_rest_stays(
    mine: dict[str, object],
    was: dict[str, object],
    now: dict[str, object],
    merged: dict[str, object],
) -> None:
    assert merged_settings(mine, was, now) == merged


_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "Cmd": st.lists(st.sampled_from("ab"), min_size=1, max_size=2),
        "User": st.sampled_from(["0", "1"]),
        "Env": st.sets(st.sampled_from("ABC"), min_size=1).map(
            lambda names: [f"{name}=1" for name in sorted(names)]
        ),
        "Labels": st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"), min_size=1),
    },
)


@given(_SETTINGS, _SETTINGS)
def test_on_the_same_base_nothing_changes(mine: dict[str, object], was: dict[str, object]) -> None:
    merged = merged_settings(mine, was, was)
    assert {k: sorted(v) if k == "Env" else v for k, v in merged.items()} == mine


@given(_SETTINGS, _SETTINGS)
def test_an_image_that_adds_nothing_becomes_the_new_base(
    was: dict[str, object], now: dict[str, object]
) -> None:
    assert merged_settings(was, was, now) == now


def test_an_image_with_other_layers_is_refused() -> None:
    with pytest.raises(NotBasedOn, match="does not begin with the 2 layers"):
        rebased(built(OLD, "app"), NEW, OLD, {})


def test_too_many_layers_are_refused() -> None:
    tall = built(SCRATCH, *(str(number) for number in range(126)))

    rebased(built(OLD, "app"), OLD, tall, {})
    with pytest.raises(InvalidImage, match="would have 128 layers"):
        rebased(built(OLD, "app", "more"), OLD, tall, {})


def test_the_format_of_the_image_stays() -> None:
    docker = converted(OLD, "docker")
    app = built(docker, "app")
    app = converted(app, "docker")

    moved = rebased(app, docker, NEW, {})

    assert moved.format == "docker"
    assert {one.descriptor.media_type for one in moved.layers[:2]} == {media.DOCKER_LAYER_GZIP}


def test_layers_without_history_get_a_line_each() -> None:
    document = {**NEW.config_document, "history": []}
    silent = _with_config(NEW, document)

    moved = rebased(built(OLD, "app"), OLD, silent, {})

    filled = [line for line in moved.history if not line.get("empty_layer")]
    assert len(filled) == 3
    assert filled[2]["created_by"] == "ADD app"


def _with_config(image: Image, document: dict[str, object]) -> Image:
    from artificer.oci.document import dump

    config = dump(document)
    manifest = {
        **image.manifest_document,
        "config": Descriptor.for_bytes(media.OCI_CONFIG, config).document,
    }
    return Image(dump(manifest), config, image.origins)
