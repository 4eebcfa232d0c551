"""Whatever JSON somebody else wrote, it is used or refused: nothing else happens."""

import contextlib
import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.errors import ArtificerError
from artificer.oci import edit, media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import parse
from artificer.oci.image import Blob, Image, Index, Layer, Stored
from artificer.oci.platform import Platform
from artificer.oci.settings import Settings

LAYER = Descriptor.for_bytes(media.OCI_LAYER_GZIP, b"layer", annotations={"a": "b"})
CONFIG: dict[str, Any] = {
    "created": "2020-01-01T00:00:00Z",
    "author": "me",
    "architecture": "arm64",
    "os": "linux",
    "variant": "v8",
    "os.version": "1",
    "config": {
        "User": "u",
        "ExposedPorts": {"80/tcp": {}},
        "Env": ["A=1", "PATH=/bin"],
        "Entrypoint": ["/e"],
        "Cmd": ["c"],
        "Volumes": {"/v": {}},
        "WorkingDir": "/w",
        "Labels": {"l": "1"},
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["CMD", "x"], "Interval": 3},
        "OnBuild": ["RUN x"],
        "Shell": ["/bin/sh", "-c"],
    },
    "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(b"tar"))]},
    "history": [{"created_by": "x"}, {"created_by": "y", "empty_layer": True}],
}
MANIFEST: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": media.OCI_MANIFEST,
    "config": {},
    "layers": [LAYER.document],
    "annotations": {"x": "y"},
    "subject": LAYER.document,
}
WISHES = Settings(
    env=(("B", "$A:${A:-x}"), ("PATH", "/x:$PATH")),
    entrypoint=("/x",),
    workdir="/x",
    user="7",
    labels=(("k", "v"),),
    ports=("81/tcp",),
    volumes=("/x",),
    stop_signal="9",
    healthcheck={"Test": ["NONE"]},
)
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 1 << 70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "x", "a=b", "$A", "\ud800", "\x00number:1", "é", "/", "=", "linux"]),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in *document*."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(document, dict):
        pairs = list(document.items())
    elif isinstance(document, list):
        pairs = list(enumerate(document))
    found = [(*path, key) for key, _ in pairs]
    for key, value in pairs:
        found.extend(places(value, (*path, key)))
    return found


@st.composite
def spoiled(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """*document* with some of its values replaced, or gone."""
    changed = copy.deepcopy(document)
    for path in draw(st.lists(st.sampled_from(places(document)), min_size=1, max_size=3)):
        inner: Any = changed
        with contextlib.suppress(KeyError, IndexError, TypeError):
            for key in path[:-1]:
                inner = inner[key]
            if draw(st.booleans()):
                inner[path[-1]] = draw(_values)
            else:
                del inner[path[-1]]
    return changed


def used(manifest: dict[str, Any], config: dict[str, Any]) -> None:
    """Do with an image all that a build does with its base."""
    data = json.dumps(config).encode()
    named = {"mediaType": media.OCI_CONFIG, "digest": str(Digest.of(data)), "size": len(data)}
    said = manifest.get("config")
    manifest = {**manifest, "config": {**(said if isinstance(said, dict) else {}), **named}}
    origin = Stored("/nowhere")
    image = Image(json.dumps(manifest).encode(), data, {LAYER.digest: origin})
    _ = (image.platform, image.annotations, image.settings, image.history, repr(image.layers))
    for kind in ("docker", "oci"):
        with contextlib.suppress(ArtificerError):
            edit.converted(image, kind)
    layer = Layer(Blob(LAYER, origin), Digest.of(b"tar"))
    more = edit.appended(image, [layer], ["ADD"], edit.Stamp())
    more = edit.configured(more, WISHES, edit.Stamp(author="x"))
    more = edit.configured(more, Settings(platform=Platform.parse("linux/s390x")), edit.Stamp())
    more = edit.annotated(more, {"k": "v"})
    index = edit.index_of([(more, {"a": "b"})], {"c": "d"}, "oci")
    assert index.descriptors[0].platform == Platform.parse("linux/s390x")
    assert parse(more.config, limit=1 << 20, what="")["rootfs"]["diff_ids"][-1] == layer.diff_id


@given(spoiled(MANIFEST), st.just(CONFIG) | spoiled(CONFIG))
@settings(max_examples=500)
def test_any_manifest_is_used_or_refused(manifest: dict[str, Any], config: dict[str, Any]) -> None:
    with contextlib.suppress(ArtificerError):
        used(manifest, config)


@given(spoiled(CONFIG))
@settings(max_examples=1000)
def test_any_config_is_used_or_refused(config: dict[str, Any]) -> None:
    with contextlib.suppress(ArtificerError):
        used(MANIFEST, config)


INDEX: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": media.OCI_INDEX,
    "manifests": [
        {**LAYER.document, "mediaType": media.OCI_MANIFEST, "platform": CONFIG},
        {**LAYER.document, "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
    ],
    "annotations": {"x": "y"},
}


@given(spoiled(INDEX))
@settings(max_examples=500)
def test_any_index_is_used_or_refused(document: dict[str, Any]) -> None:
    with contextlib.suppress(ArtificerError):
        index = Index(json.dumps(document).encode())
        _ = (index.annotations, [str(one.platform) for one in index.descriptors])
        _ = [(one.annotations, one.urls, hash(one)) for one in index.descriptors]


def test_the_whole_ones_are_used() -> None:
    used(MANIFEST, CONFIG)
