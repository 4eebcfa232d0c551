"""Files of images, made when they are asked for: what docker saves, the digest, the config."""

import json

from artificer.builder.products import Done, File, Files, Images, Layers, Passed, Product
from artificer.builder.targets import Flattened
from artificer.builder.task import Task, Tools, WrongInput
from artificer.errors import ArtificerError
from artificer.images.bytes_of import chunks_of
from artificer.images.docker_archive import Saved, docker_parts
from artificer.images.flatten import exported
from artificer.images.inflate import inflated
from artificer.images.oci_archive import oci_parts
from artificer.images.reach import Reach
from artificer.images.tarred import tarred
from artificer.oci.digest import Digest
from artificer.oci.image import Image, Index
from artificer.oci.reference import OciArchive, parse_name

_KIND = "image-output"
_FORMAT = "2"


def output_file(product: Product, name: str, tools: Tools) -> File:
    """The file *name* of what *product* is: ``NAME.tar``, ``NAME.digest`` or ``NAME.json``.

    An index is saved as an OCI archive, everything else as docker does. The ``-layer.tar`` of
    layers is their tar, if there is one of them.
    """
    reach = tools.reach
    key = json.dumps([_FORMAT, _subject(product), name.rpartition(".")[2], _names(product)])
    with tools.flights.alone(f"output {key}"):
        data = reach.store.record(_KIND, key)
        if data is None:
            digest = _made(product, name, reach)
            reach.store.set_record(_KIND, key, digest.encode(), needs=[digest])
        else:
            digest = Digest(data.decode())
    return File(reach.store.blob_path(digest), name, digest)


def flattened(target: Flattened, task: Task) -> Files:
    """The root filesystem of an image as a tar, and its config."""
    image, store = task.image(target.image), task.reach.store
    tar = store.put_chunks(exported(image, task.reach))
    config = store.put(image.config)
    return Files(
        (
            File(store.blob_path(tar), task.below(f"{target.name}.tar"), tar),
            File(store.blob_path(config), task.below(f"{target.name}.json"), config),
        )
    )


def _subject(product: Product) -> str:
    match product:
        case Image() | Index():
            return product.digest
        case Images(images):
            return " ".join(image.digest for _, image in images)
        case Layers(layers):
            return " ".join(layer.blob.digest for layer in layers)
        case Files() | Passed() | Done():
            return ""


def _names(product: Product) -> list[str]:
    return [name for name, _ in product.images] if isinstance(product, Images) else []


def _made(product: Product, name: str, reach: Reach) -> Digest:
    match product:
        case Image():
            return _of_image(product, name, reach)
        case Index():
            return _of_index(product, name, reach)
        case Images(images) if name.endswith(".digest"):
            return _digest_of(images, name, reach)
        case Images(images):
            return _saved([(text, image) for text, image in images], reach)
        case Layers(layers) if len(layers) == 1:
            return reach.store.put_chunks(inflated(chunks_of(layers[0].blob, reach)))
        case _:
            raise WrongInput(f"there is no file {name}")


def _of_image(image: Image, name: str, reach: Reach) -> Digest:
    if name.endswith(".digest"):
        return reach.store.put(image.digest.encode())
    if name.endswith(".json"):
        return reach.store.put(image.config)
    if name.endswith(".sha256"):
        return reach.store.put(Digest.of(image.config).hex.encode())
    if name.endswith(".tar"):
        return reach.store.put_chunks(tarred(docker_parts([Saved(image, ())], reach), reach))
    raise _unknown(name)


def _of_index(index: Index, name: str, reach: Reach) -> Digest:
    if name.endswith(".digest"):
        return reach.store.put(index.digest.encode())
    if name.endswith(".json"):
        return reach.store.put(index.manifest)
    if name.endswith(".tar"):
        parts = oci_parts(index, OciArchive(""), reach)
        return reach.store.put_chunks(tarred(parts, reach))
    raise _unknown(name)


def _digest_of(images: tuple[tuple[str, Image | Index], ...], name: str, reach: Reach) -> Digest:
    digests = {image.digest for _, image in images}
    if len(digests) != 1:
        raise WrongInput(f"{name} would be one of {len(digests)} digests")
    return reach.store.put(digests.pop().encode())


def _saved(images: list[tuple[str, Image | Index]], reach: Reach) -> Digest:
    saved = []
    for name, image in images:
        if isinstance(image, Index):
            raise WrongInput(f"{name} is an index, which docker cannot save")
        parsed = parse_name(name)
        saved.append(Saved(image, (parsed if parsed.tag else parsed._replace(tag="latest"),)))
    return reach.store.put_chunks(tarred(docker_parts(saved, reach), reach))


def _unknown(name: str) -> ArtificerError:
    return WrongInput(
        f"an image has no file {name}", hint="it has .tar, .digest, .json and .json.sha256"
    )
