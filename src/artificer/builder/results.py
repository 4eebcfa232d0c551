"""Products as records: what a key yields, in bytes, and back."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from artificer.builder.products import File, Files, Layers, Passed
from artificer.errors import ArtificerError
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import dump, parse
from artificer.oci.image import Blob, Image, Layer, Origin, Remote, Stored, Urls
from artificer.oci.reference import parse_repository
from artificer.store.blobs import Store

Kept = Files | Layers | Image | Passed
"""The products that records hold: all others follow from these without any work."""

_LIMIT = 64 * 1024 * 1024
_HERE = ""

Elsewhere = Callable[[Digest], Origin | None]
"""Where a blob can be had that is said to be in the store, and is not."""


class NotPortable(ArtificerError):
    """A product with bytes that only this machine can find."""


class Made(NamedTuple):
    """A product that was made: of which target, under which key, and what that consists of."""

    label: str
    key: str
    parts: Mapping[str, str]
    product: Kept


class Packed(NamedTuple):
    """A product as bytes, and the blobs of the store that it is worth nothing without."""

    data: bytes
    needs: tuple[Digest, ...]


def packed(product: Kept, store: Store) -> Packed:
    """*product* as a record of *store* has it. No path of this machine is in it."""
    match product:
        case Files(files):
            rows = [
                [one.short, one.digest, int(one.executable), one.tree]
                + ([] if one.kind == "file" else [one.kind])
                for one in files
            ]
            return Packed(dump({"files": rows}), tuple(dict.fromkeys(one[2] for one in files)))
        case Layers(layers, lines, env, scripts):
            origins = {layer.blob.digest: layer.blob.origin for layer in layers}
            told, needs = _places(origins, store)
            document = {
                "layers": [[layer.descriptor.raw, layer.diff_id] for layer in layers],
                "lines": lines,
                "env": env,
                "scripts": scripts,
                "origins": told,
            }
            return Packed(dump(document), needs)
        case Image():
            used = {layer.blob.digest: layer.blob.origin for layer in product.layers}
            told, needs = _places(used, store)
            document = {
                "manifest": product.manifest.decode(),
                "config": product.config.decode(),
                "origins": told,
            }
            return Packed(dump(document), needs)
        case Passed(passed, output):
            return Packed(dump({"passed": passed, "output": output}), ())


def unpacked(data: bytes, store: Store, elsewhere: Elsewhere | None = None) -> Kept | None:
    """The product that *data* holds; None for what is of another version, or damaged."""
    try:
        document = parse(data, limit=_LIMIT, what="a record of the store")
        if "manifest" in document:
            return Image(
                document["manifest"].encode(),
                document["config"].encode(),
                _origins(document["origins"], store, elsewhere),
            )
        if "files" in document:
            return Files(tuple(_file(row, store) for row in document["files"]))
        if "layers" in document:
            return _layers(document, store, elsewhere)
        return Passed(bool(document["passed"]), str(document["output"]))
    except (ValueError, KeyError, TypeError, ArtificerError):
        return None


def _places(
    origins: Mapping[Digest, Origin], store: Store
) -> tuple[dict[str, Any], tuple[Digest, ...]]:
    told: dict[str, Any] = {}
    needs: list[Digest] = []
    for digest, origin in origins.items():
        match origin:
            case Stored(path, offset):
                lies_in = _blob_at(path, store)
                needs.append(lies_in)
                told[digest] = _HERE if lies_in == digest else [lies_in, offset]
            case Remote(repository):
                told[digest] = str(repository)
            case Urls():
                pass  # they stand in its descriptor
    return told, tuple(dict.fromkeys(needs))


def _blob_at(path: str, store: Store) -> Digest:
    head = f"{store.root}/blobs/"
    if not path.startswith(head):
        raise NotPortable(f"{path} is not in the store")
    return Digest(path.removeprefix(head).replace("/", ":", 1))


def _origins(
    told: Mapping[str, Any], store: Store, elsewhere: Elsewhere | None
) -> dict[Digest, Origin]:
    return {
        Digest(digest): _origin(Digest(digest), place, store, elsewhere)
        for digest, place in told.items()
    }


def _origin(digest: Digest, place: Any, store: Store, elsewhere: Elsewhere | None) -> Origin:
    if isinstance(place, list):
        return Stored(store.blob_path(Digest(place[0])), int(place[1]))
    if place != _HERE:
        return Remote(parse_repository(str(place)))
    found = None if elsewhere is None or store.has(digest) is not None else elsewhere(digest)
    return found or Stored(store.blob_path(digest))


def _file(row: list[Any], store: Store) -> File:
    short, digest, executable, tree, *kind = row
    path = store.blob_path(Digest(digest))
    return File(path, short, Digest(digest), bool(executable), tree, *kind)


def _layers(document: Mapping[str, Any], store: Store, elsewhere: Elsewhere | None) -> Layers:
    origins = _origins(document["origins"], store, elsewhere)
    layers = []
    for raw, diff_id in document["layers"]:
        descriptor = Descriptor.of(json.loads(raw))
        origin = origins.get(descriptor.digest) or Urls(descriptor.urls)
        layers.append(Layer(Blob(descriptor, origin), Digest(diff_id)))
    env = tuple((str(name), str(value)) for name, value in document["env"])
    return Layers(tuple(layers), tuple(document["lines"]), env, tuple(document["scripts"]))
