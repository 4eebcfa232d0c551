"""Loading images into container engines, without the layers that they have."""

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, assert_never

from artificer.events import EngineLoaded
from artificer.images.bytes_of import into_store
from artificer.images.daemon import load_into_daemon
from artificer.images.docker_archive import docker_parts, saved_as
from artificer.images.oci_archive import oci_parts
from artificer.images.parts import images_of, parts_of
from artificer.images.place import NotAnImage
from artificer.images.program import Program, ProgramFailed
from artificer.images.reach import Reach
from artificer.images.tarred import tarred
from artificer.oci.digest import Digest, InvalidDigest
from artificer.oci.image import Content, Image, Index
from artificer.oci.platform import Platform, select
from artificer.oci.reference import Daemon, Named, OciArchive

_CONTAINERD_NAME = "io.containerd.image.name"
_NOT_FOUND = "not found"
_IMPORTS = 3  # the last one with all blobs
_DIRECTORY_VERSION = "Directory Transport Version: 1.1\n"


class Docker(NamedTuple):
    """A docker engine, at the socket that *host* (what DOCKER_HOST says) names."""

    host: str | None = None


class Podman(NamedTuple):
    """podman, by its program."""

    program: Program


class Containerd(NamedTuple):
    """containerd by ``ctr``, whose words name the namespace; also that of a node of kind."""

    program: Program


class Nerdctl(NamedTuple):
    """nerdctl, which does not tell what it has: it is sent everything."""

    program: Program


Engine = Docker | Podman | Containerd | Nerdctl


def load(content: Content, name: Named, engine: Engine, reach: Reach, host: Platform) -> None:
    """Make *engine* have *content* as *name*; tell how many bytes that took.

    Of an index, engines that hold images of one platform get the one for *host*.
    """
    match engine:
        case Docker(where):
            load_into_daemon(one_image(content, host), Daemon(name), where, reach)
        case Podman(program):
            _into_podman(one_image(content, host), name, program, reach)
        case Containerd(program):
            _into_containerd(content, name, program, reach)
        case Nerdctl(program):
            _into_nerdctl(one_image(content, host), name, program, reach)
        case _:
            assert_never(engine)


def kind_nodes(kind: Program, cluster: str) -> tuple[Containerd, ...]:
    """The containerd of each node of a kind *cluster*."""
    inside = "podman" if kind.environ.get("KIND_EXPERIMENTAL_PROVIDER") == "podman" else "docker"
    nodes = kind.run("get", "nodes", "--name", cluster).split()
    if not nodes:
        raise ProgramFailed(
            f"kind has no cluster {cluster}", hint="`kind get clusters` lists them"
        )
    words = ("ctr", "--namespace", "k8s.io")
    return tuple(
        Containerd(Program((inside, "exec", "-i", node, *words), kind.environ)) for node in nodes
    )


def one_image(content: Content, host: Platform) -> Image:
    """The image of *content*; of an index, the one for *host*."""
    if isinstance(content, Image):
        return content
    images = tuple(images_of(content))
    if len(images) == 1:
        return images[0]
    chosen = select(content.descriptors, host) if isinstance(content, Index) else None
    for image in images:
        if chosen is not None and image.digest == chosen.digest:
            return image
    there = ", ".join(str(image.platform) for image in images) or "none"
    raise NotAnImage(f"there is no image for {host}", hint=f"it has {there}; see `--platform`")


def _into_podman(image: Image, name: Named, podman: Program, reach: Reach) -> None:
    """Offer *image* as a directory in which only the layers lie that no image of podman has."""
    there = _diff_ids_of_podman(podman)
    blobs = {layer.blob.digest: layer for layer in image.layers}
    lacking = [one for one in blobs.values() if one.diff_id not in there]
    try:
        identity = _pulled(image, [one.blob.digest for one in lacking], podman, reach)
    except ProgramFailed:
        # What an image had may have gone meanwhile, or be of no use.
        if len(lacking) == len(blobs):
            raise
        lacking = list(blobs.values())
        identity = _pulled(image, list(blobs), podman, reach)
    podman.run("tag", identity, name.familiar)
    sent = len(image.manifest) + len(image.config)
    sent += sum(one.descriptor.size for one in lacking)
    reach.report(EngineLoaded(f"podman:{name.familiar}", identity, sent, _size(image)))


def _diff_ids_of_podman(podman: Program) -> frozenset[str]:
    identities = podman.run("images", "--all", "--quiet", "--no-trunc").split()
    if not identities:
        return frozenset()
    words = ("image", "inspect", "--format", "{{json .RootFS.Layers}}")
    said = podman.ask(*words, *dict.fromkeys(identities))
    # An image that was removed meanwhile is an error, and the others are told.
    lists = (json.loads(line) or () for line in said.out.splitlines() if line.startswith("["))
    return frozenset(str(diff_id) for one in lists for diff_id in one)


def _pulled(image: Image, digests: Collection[Digest], podman: Program, reach: Reach) -> str:
    """The ID of *image* once podman took it from a directory with the blobs *digests*."""
    # podman makes a name of the path: lower case, and nothing that a name may not have.
    folder = os.path.join(tempfile.gettempdir(), f"artificer-load-{secrets.token_hex(8)}")
    os.mkdir(folder, 0o700)
    try:
        _write(f"{folder}/version", _DIRECTORY_VERSION.encode())
        _write(f"{folder}/manifest.json", image.manifest)
        _write(f"{folder}/{image.config_descriptor.digest.hex}", image.config)
        for blob in parts_of(image).blobs:
            if blob.digest in digests:
                os.symlink(into_store(blob, reach), f"{folder}/{blob.digest.hex}")
        identity = podman.run("pull", "--quiet", f"dir:{folder}").split()[-1]
        names = podman.run("image", "inspect", "--format", "{{json .RepoTags}}", identity)
        for given in json.loads(names) or ():
            if os.path.basename(folder) in given:
                podman.run("untag", identity, given)
    finally:
        shutil.rmtree(folder)
    return identity


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _into_containerd(content: Content, name: Named, ctr: Program, reach: Reach) -> None:
    """Import an archive without the blobs that containerd has in this namespace.

    Nothing refers to a blob, or to what was unpacked of it, once its image is removed, or before
    that is written: containerd may collect either at any time, and does not find it then.
    """
    parts = parts_of(content)
    annotations = {_CONTAINERD_NAME: str(name)}
    words = ("images", "import", "--all-platforms", "-")
    sent = _Counted()
    for left in reversed(range(_IMPORTS)):
        there = _digests(ctr.run("content", "ls", "--quiet")) if left else frozenset[Digest]()
        archive = oci_parts(content, OciArchive(""), reach, annotations=annotations, without=there)
        said = ctr.ask(*words, data=sent.counting(tarred(archive, reach)))
        if not said.code:
            break
        if not (left and (there or _NOT_FOUND in said.err)):
            raise ctr.failure(words, said)
    size = sum(blob.descriptor.size for blob in parts.blobs)
    reach.report(EngineLoaded(f"containerd:{name}", content.digest, sent.bytes, size))


def _digests(lines: str) -> frozenset[Digest]:
    found = set()
    for line in lines.split():
        with suppress(InvalidDigest):
            found.add(Digest(line))
    return frozenset(found)


def _into_nerdctl(image: Image, name: Named, nerdctl: Program, reach: Reach) -> None:
    sent = _Counted()
    archive = tarred(docker_parts([saved_as(image, name)], reach, spelled=str), reach)
    nerdctl.run("load", data=sent.counting(archive))
    told = f"nerdctl:{name.familiar}"
    reach.report(EngineLoaded(told, image.config_descriptor.digest, sent.bytes, _size(image)))


class _Counted:
    """How many bytes went by."""

    def __init__(self) -> None:
        self.bytes = 0

    def counting(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.bytes += len(chunk)
            yield chunk


def _size(image: Image) -> int:
    return sum(layer.descriptor.size for layer in image.layers)
