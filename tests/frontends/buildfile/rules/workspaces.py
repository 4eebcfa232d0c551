"""Workspaces with our own rules: written from texts, loaded, made, and looked at from outside."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from artificer.builder.build import Sources
from artificer.builder.graph import make
from artificer.builder.known import Known
from artificer.builder.products import Files, Layers, Passed, Product
from artificer.builder.targets import Target, TargetId
from artificer.builder.task import GraphOptions
from artificer.errors import ArtificerError
from artificer.events import Event, Warned
from artificer.frontends.buildfile.graph import Loaded, LoadOptions, load_graph
from artificer.frontends.buildfile.rules.book import BOOK
from artificer.http.request import Request, Response
from artificer.images.bytes_of import chunks_of
from artificer.images.inflate import inflated
from artificer.images.reach import Reach
from artificer.oci.image import Image, Layer
from artificer.sources.url import Web
from tests.images.made import FakeRegistry, reach_of

STAMPS = {"BUILD_TIMESTAMP": "86400", "STABLE_GIT": "abc123"}
DOCKER = 'load("@io_bazel_rules_docker//container:container.bzl", "container_image")\n'


class Workspace:
    """A directory with a WORKSPACE, a store, and a registry that is a dictionary.

    *state* is where commands keep their caches.
    """

    def __init__(self, root: Path, state: Path) -> None:
        self._state = str(state)
        self.root = root / "workspace"
        self.registry = FakeRegistry()
        self.events: list[Event]
        self.reach, self.events = reach_of(str(root / "store"), self.registry)
        self.write({"WORKSPACE": 'workspace(name = "test")\n'})

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write *files*; programs are those that begin with ``#!``."""
        for name, data in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.encode() if isinstance(data, str) else data)
            path.chmod(0o755 if path.read_bytes().startswith(b"#!") else 0o644)

    def load(self, *patterns: str, options: LoadOptions | None = None) -> Loaded:
        """The graph of *patterns*."""
        options = options or LoadOptions(report=self.events.append)
        return load_graph(str(self.root), patterns, options, BOOK)

    def product(
        self, label: str, *, tests: bool = False, options: LoadOptions | None = None
    ) -> Any:
        """What the target *label* yields."""
        loaded = self.load(label, options=options)
        sources = Sources(self.reach, Known(self.reach))
        how = GraphOptions(
            tests=tests, stamps=STAMPS, path=HOST, web=web_of(self.reach), state=self._state
        )
        outcome = make(loaded.roots, loaded.graph, sources, how)
        outcome.check()
        product: Product = outcome.products[loaded.roots[0]]
        return product

    def image(self, label: str = "//:image", **options: Any) -> Image:
        """The image that *label* yields."""
        product = self.product(label, **options)
        assert isinstance(product, Image)
        return product

    def settings(self, text: str, **options: Any) -> Mapping[str, Any]:
        """What the image ``//:image`` of a BUILD file with *text* says of its containers."""
        self.write({"BUILD": text})
        return self.image(**options).settings

    def files(self, label: str) -> dict[str, bytes]:
        """The files that *label* yields."""
        product = self.product(label)
        assert isinstance(product, Files)
        return {file.short: Path(file.path).read_bytes() for file in product.files}

    def test(self, label: str) -> Passed:
        """What the test *label* says."""
        product = self.product(label, tests=True)
        assert isinstance(product, Passed)
        return product

    def target(self, label: str, options: LoadOptions | None = None) -> Target:
        """The target that *label* is."""
        loaded = self.load(label, options=options)
        return loaded.graph[loaded.roots[0]].target

    def members(self, label: str, at: int = -1) -> dict[str, tarfile.TarInfo]:
        """What the layer *at* of the image or layer target *label* has, as tarfile reads it."""
        product = self.product(label)
        layers = product.layers if isinstance(product, Image | Layers) else ()
        return members_of(self.tar_of(layers[at]))

    def tar_of(self, layer: Layer) -> bytes:
        """The tar of *layer*."""
        return b"".join(inflated(chunks_of(layer.blob, self.reach)))

    def warnings(self) -> list[str]:
        """The warnings so far."""
        return [event.text for event in self.events if isinstance(event, Warned)]

    def wrong(self, text: str, label: str = "//:all") -> ArtificerError:
        """The error of a BUILD file with *text*."""
        self.write({"BUILD": text})
        return self.error(label)

    def error(self, label: str = "//:all", **options: Any) -> ArtificerError:
        """The error that *label* gives."""
        try:
            self.product(label, **options)
        except ArtificerError as error:
            return error
        raise AssertionError("nothing was wrong")


def web_of(reach: Reach) -> Web:
    """A web in which only files of this machine can be had."""
    return Web(_nowhere, reach.store, reach.report, reach.stop)


def _nowhere(request: Request) -> Response:
    raise AssertionError(f"the network was asked for {request.url}")


HOST = "/usr/local/bin:/usr/bin:/bin"


def members_of(tar: bytes) -> dict[str, tarfile.TarInfo]:
    """The members of *tar* by path."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return {member.name: member for member in opened}


def content_of(tar: bytes, path: str) -> bytes:
    """The bytes of *path* in *tar*."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        file = opened.extractfile(path)
        assert file is not None
        return file.read()


def id_of(label: str) -> TargetId:
    """The id of *label*, for no platform in particular."""
    return TargetId(label)


def config_of(image: Image) -> dict[str, Any]:
    """The config of *image*, parsed by somebody else."""
    config: dict[str, Any] = json.loads(image.config)
    return config
