"""Images made by hand, and a registry that is a dictionary."""

import gzip
import io
import tarfile
from collections.abc import Iterator, Sequence

from artificer.events import Event
from artificer.http.request import Body
from artificer.images.reach import Reach
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import dump
from artificer.oci.edit import Stamp, appended, configured, empty, index_of
from artificer.oci.image import Blob, Image, Index, Layer, Origin, Stored
from artificer.oci.platform import Platform
from artificer.oci.reference import Named, Repository, parse_name
from artificer.oci.settings import Settings
from artificer.stop import Stop
from artificer.store.blobs import Store, open_store


class FakeRegistry:
    """Manifests and blobs by repository; `requests` tells what was asked for."""

    def __init__(self) -> None:
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.requests: list[str] = []
        self.refuses: set[str] = set()

    def head_manifest(self, name: Named) -> Descriptor | None:
        self.requests.append(f"HEAD {name}")
        found = self.manifests.get((str(name.repository), name.identifier))
        return Descriptor.for_bytes(*found) if found else None

    def manifest(self, repository: Repository, reference: str) -> tuple[str, bytes]:
        self.requests.append(f"GET {repository} {reference}")
        return self.manifests[str(repository), reference]

    def put_manifest(
        self, repository: Repository, reference: str, media_type: str, data: bytes
    ) -> Digest:
        self.requests.append(f"PUT {repository} {reference}")
        if reference in self.refuses or str(repository) in self.refuses:
            raise ConnectionError(f"{repository} {reference}")
        digest = Digest.of(data)
        for name in (reference, digest):
            self.manifests[str(repository), name] = (media_type, data)
        return digest

    def head_blob(self, repository: Repository, digest: Digest) -> int | None:
        self.requests.append(f"HEAD {repository} {digest}")
        found = self.blobs.get((str(repository), digest))
        return None if found is None else len(found)

    head_target = head_manifest

    def blob_chunks(
        self, repository: Repository, descriptor: Descriptor, *, offset: int = 0
    ) -> Iterator[bytes]:
        self.requests.append(f"GET {repository} {descriptor.digest}")
        data = self.blobs[str(repository), descriptor.digest][offset:]
        yield from (data[at : at + 1000] for at in range(0, len(data), 1000))

    def push_blob(
        self,
        repository: Repository,
        descriptor: Descriptor,
        body: Body,
        mount_from: Sequence[Repository] = (),
    ) -> str:
        key = (str(repository), descriptor.digest)
        if key in self.blobs:
            return "exists"
        for source in mount_from:
            if (str(source), descriptor.digest) in self.blobs:
                self.requests.append(f"MOUNT {repository} {descriptor.digest} {source}")
                self.blobs[key] = self.blobs[str(source), descriptor.digest]
                return f"mounted:{source}"
        self.requests.append(f"SEND {repository} {descriptor.digest}")
        if descriptor.digest in self.refuses or str(repository) in self.refuses:
            raise ConnectionError(f"{repository} {descriptor.digest}")
        self.blobs[key] = b"".join(body.open(0))
        assert descriptor.digest.matches(self.blobs[key])
        return "sent"

    def hold(self, content: Image | Index, name: str) -> None:
        """Have *content* under *name*, blobs and all, without any request."""
        named = parse_name(name)
        members = content.members if isinstance(content, Index) else ()
        for member in members:
            assert isinstance(member, Image)
            self.hold(member, f"{named.repository}@{member.digest}")
        if isinstance(content, Image):
            self.blobs[str(named.repository), content.config_descriptor.digest] = content.config
            for layer in content.layers:
                assert isinstance(layer.blob.origin, Stored)
                with open(layer.blob.origin.path, "rb") as file:
                    self.blobs[str(named.repository), layer.blob.digest] = file.read()
        for reference in (named.identifier, content.digest):
            self.manifests[str(named.repository), reference] = (
                content.descriptor.media_type,
                content.manifest,
            )


def reach_of(root: str, registry: object = None) -> tuple[Reach, list[Event]]:
    """A reach with a store at *root*, and the events that were told."""
    events: list[Event] = []
    registry = FakeRegistry() if registry is None else registry
    return Reach(open_store(root), registry, events.append, Stop()), events  # type: ignore[arg-type]


def tar_of(*members: tuple[str, object]) -> bytes:
    """A tar of NAME and bytes (a file), or NAME and a `tarfile.TarInfo`'s attributes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, what in members:
            info = tarfile.TarInfo(name)
            if isinstance(what, bytes):
                info.size = len(what)
                tar.addfile(info, io.BytesIO(what))
            else:
                assert isinstance(what, dict)
                for key, value in what.items():
                    setattr(info, key, value)
                tar.addfile(info)
    return file.getvalue()


DIR = {"type": tarfile.DIRTYPE, "mode": 0o755}


def link(target: str) -> dict[str, object]:
    """A symbolic link for `tar_of`."""
    return {"type": tarfile.SYMTYPE, "linkname": target}


def hard(target: str) -> dict[str, object]:
    """A hard link for `tar_of`."""
    return {"type": tarfile.LNKTYPE, "linkname": target}


def layer_of(store: Store, tar: bytes, *, compressed: bool = True) -> Layer:
    """A layer of *tar*, in the store."""
    data = gzip.compress(tar, 1, mtime=0) if compressed else tar
    media_type = media.OCI_LAYER_GZIP if compressed else media.OCI_LAYER
    digest = store.put(data)
    descriptor = Descriptor.make(media_type, digest, len(data))
    return Layer(Blob(descriptor, Stored(store.blob_path(digest))), Digest.of(tar))


def image_of(
    store: Store, *tars: bytes, platform: str = "linux/amd64", compressed: bool = True
) -> Image:
    """An OCI image with a layer for each of *tars*."""
    layers = [layer_of(store, tar, compressed=compressed) for tar in tars]
    image = appended(
        empty(Platform.parse(platform), "oci"), layers, ["test"] * len(layers), Stamp()
    )
    return configured(image, Settings(), Stamp())


def index_of_images(*images: Image) -> Index:
    """An index of *images*."""
    return index_of([(image, {}) for image in images], {}, "oci")


def with_origin(image: Image, origin: Origin) -> Image:
    """*image*, all of whose layers are to be had at *origin*."""
    return Image(image.manifest, image.config, {blob.digest: origin for blob in image.blobs})


def schema_1() -> bytes:
    """A manifest as registries gave them until 2017."""
    return dump({"schemaVersion": 1, "name": "x", "fsLayers": []})
