"""What targets take from outside: images pulled or imported, files fetched and unpacked."""

import os
from typing import TYPE_CHECKING

from artificer import limits
from artificer.builder.actions.image import kept
from artificer.builder.actions.scratch import scratch
from artificer.builder.products import File, Files
from artificer.builder.targets import Fetch, Imported, Pull, Source, Unpacked
from artificer.builder.task import Task, WrongInput
from artificer.errors import ArtificerError
from artificer.events import BaseResolved, Unpinned
from artificer.images.inflate import packed_tar
from artificer.images.load import images_in
from artificer.images.place import image_for, index_at, whole
from artificer.layers.encode import GZIP, ZSTD
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.document import dump, parse
from artificer.oci.image import Image, Index, Origin, Stored
from artificer.sources.archive import unpack_archive
from artificer.sources.url import fetch, wanted

if TYPE_CHECKING:
    from artificer.oci.digest import Digest

_CHUNK = 1 << 18


class MovedBase(ArtificerError):
    """A base is not the one that its digest, or the parts of it, say."""


class Offline(ArtificerError):
    """A file would have to be fetched, and nothing can be."""


def pulled(target: Pull, task: Task) -> Image | Index:
    """The image that *target* names, for its platform; an index whole if it names none."""
    found = task.tools.find(target.name)
    platform = target.platform or task.id.platform
    if target.name.digest is None:
        tagged = target.name if target.name.tag else target.name._replace(tag="latest")
        task.reach.report(Unpinned(str(target.name), tagged.pinned(found.digest).familiar))
    if platform is None and index_at(found) is not None:
        content = whole(found)
        if isinstance(content, Index):
            return content
    image = image_for(found, platform)
    task.reach.report(BaseResolved(str(target.name), image.digest, str(image.platform)))
    return image


def fetched(target: Fetch, task: Task) -> Files:
    """The file at one of *target*'s urls."""
    web = task.tools.options.web
    if web is None:
        raise Offline(f"{target.urls[0]} cannot be fetched: nothing may be")
    file = fetch(wanted(target.urls, sha256=target.sha256, integrity=target.integrity), web)
    return Files((File(file.path, task.below(target.name), file.digest, target.executable),))


def unpacked(target: Unpacked, task: Task) -> Files:
    """The files of an archive, each a blob of the store. Links are followed."""
    archive = task.file(target.archive)
    kind = target.kind or archive.short.rpartition("/")[2]
    store = task.reach.store
    with scratch(task.tools.state) as folder:
        names = unpack_archive(archive.path, folder, store.spool, strip=target.strip, kind=kind)
        files = []
        for name in names:
            path = f"{folder}/{name}"
            if os.path.isfile(path):
                files.append(stored_file(path, name, task))
    return Files(tuple(files))


def stored_file(path: str, short: str, task: Task) -> File:
    """The file at *path*, brought into the store, under the name *short*."""
    with open(path, "rb", buffering=0) as file:
        executable = bool(os.fstat(file.fileno()).st_mode & 0o100)
        digest = task.reach.store.put_chunks(iter(lambda: file.read(_CHUNK), b""))
    return File(task.reach.store.blob_path(digest), short, digest, executable)


def imported(target: Imported, task: Task) -> Image:
    """The image in an archive, of the parts that *target* names, or of a Dockerfile."""
    if target.dockerfile is not None:
        build = task.tools.options.dockerfiles
        if build is None:
            raise Offline(f"{target.dockerfile.short} cannot be built: nothing may be")
        return build(target, task.id.platform)
    if target.archive is not None:
        file = task.file(target.archive)
        held = images_in(kept(file.path, file.digest, task), file.short, task.reach)
        if len(held) != 1:
            names = ", ".join(name for one in held for name in one.names)
            raise WrongInput(f"{file.short} holds {len(held)} images", hint=f"they are {names}")
        return image_for(held[0].found, task.id.platform)
    if target.config is None:
        raise WrongInput("an image of parts needs its config")
    return _assembled(target, target.config, task)


def _assembled(target: Imported, config: Source, task: Task) -> Image:
    data = _bytes(config, limits.CONFIG_BYTES, task)
    described = _described(target, task)
    rootfs = parse(data, limit=limits.CONFIG_BYTES, what="the image's config").get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    files = [file for layer in target.layers for file in task.files(layer)]
    if not isinstance(diff_ids, list) or len(diff_ids) != len(files):
        count = len(diff_ids) if isinstance(diff_ids, list) else 0
        raise MovedBase(f"the config has {count} layers, and {len(files)} are given")
    origins: dict[Digest, Origin] = {}
    descriptors = []
    for file, diff_id in zip(files, diff_ids, strict=True):
        descriptor = _layer(kept(file.path, file.digest, task), file, str(diff_id), task)
        origins[descriptor.digest] = Stored(task.reach.store.blob_path(descriptor.digest))
        descriptors.append(descriptor)
    if described is not None:
        return Image(described, data, origins)
    manifest = {
        "schemaVersion": 2,
        "mediaType": media.DOCKER_MANIFEST,
        "config": Descriptor.for_bytes(media.DOCKER_CONFIG, data).document,
        "layers": [descriptor.document for descriptor in descriptors],
    }
    return Image(dump(manifest), data, origins)


def _described(target: Imported, task: Task) -> bytes | None:
    if target.manifest is None:
        return None
    return _bytes(target.manifest, limits.MANIFEST_BYTES, task)


def _layer(path: str, file: File, diff_id: str, task: Task) -> Descriptor:
    kind, size, found = packed_tar(path, task.reach)
    if str(found) != diff_id:
        raise MovedBase(
            f"{file.short} is not the layer {diff_id} that the config names",
            hint="layers are given in the order of the config",
        )
    if kind not in {GZIP, ZSTD, "none"}:
        raise MovedBase(f"{file.short} is compressed with {kind}, which no registry takes")
    media_type = media.layer_type("docker", "gzip") if kind == GZIP else media.DOCKER_LAYER
    if kind == ZSTD:
        media_type = media.OCI_LAYER_ZSTD
    return Descriptor.make(media_type, file.digest, size)


def _bytes(source: Source, limit: int, task: Task) -> bytes:
    file = task.file(source)
    with open(file.path, "rb") as opened:
        data = opened.read(limit + 1)
    if len(data) > limit:
        raise WrongInput(f"{file.short} has more than {limit} bytes")
    return data
