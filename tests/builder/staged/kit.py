"""Dockerfiles built without a registry, commands by a sandbox that is a dictionary."""

import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from artificer.builder.build import Base
from artificer.builder.known import Known
from artificer.builder.staged.bases import Bases
from artificer.builder.staged.build import Built, build_stages
from artificer.builder.staged.contexts import Contexts, directory
from artificer.builder.staged.making import StageMaker
from artificer.builder.staged.options import Options
from artificer.builder.staged.shop import Ask, Remote, Shop
from artificer.builder.staged.steps import Steps
from artificer.events import Event, StepCached, StepChanged, StepStarted
from artificer.frontends.dockerfile import options as front
from artificer.frontends.dockerfile.parse import dockerfile
from artificer.frontends.dockerfile.recipe import recipe
from artificer.images.files import tree_of
from artificer.images.place import Found, Place
from artificer.images.reach import Reach
from artificer.layers.entry import DIRECTORY, FILE, HARDLINK
from artificer.layers.write import Tar
from artificer.oci.digest import Digest
from artificer.oci.image import Image
from artificer.oci.reference import Reference, Scratch
from artificer.sandbox.command import Chain, Command
from artificer.stop import Stop
from artificer.store.blobs import open_store
from tests.images.made import tar_of

Effect = Callable[[Command], bytes]


class Chosen(NamedTuple):
    identity: str = "real"


class FakeSandbox:
    """Each command is answered by *effects*: the tar of what it changed, by its last word."""

    def __init__(self, effects: Mapping[str, bytes | int], identity: str = "real") -> None:
        self.effects = effects
        self.rung = Chosen(identity)
        self.ran: list[tuple[Chain, Command]] = []
        self.adopted: list[Digest] = []
        self.caches: dict[str, bytes] = {}

    @contextmanager
    def at(self, chain: Chain) -> Iterator["FakeRoot"]:
        yield FakeRoot(self, chain)


class FakeRoot:
    def __init__(self, sandbox: FakeSandbox, chain: Chain) -> None:
        self.sandbox = sandbox
        self.chain = chain
        self.tar = b""

    def run(self, command: Command, output: Callable[[bytes], None]) -> int:
        self.sandbox.ran.append((self.chain, command))
        output(b"running\nhalf")
        effect = self.sandbox.effects.get(command.argv[-1], tar_of())
        if isinstance(effect, int):
            return effect
        self.tar = effect
        return 0

    def changes(self) -> Tar:
        return Tar(len(self.tar), [self.tar], 1)

    def cached(self, identity: str) -> Tar | None:
        tar = self.sandbox.caches.get(identity)
        return None if tar is None else Tar(len(tar), [tar], 1)

    def adopt(self, diff_id: Digest) -> None:
        self.sandbox.adopted.append(diff_id)


class Workshop:
    """A folder with a store and a context ``c``, and what is said while it is built."""

    def __init__(self, folder: Path, store: str = "store") -> None:
        self.folder = folder
        self.context = folder / "c"
        self.context.mkdir(exist_ok=True)
        self.heard: list[Event] = []
        offline: Any = None
        self.reach = Reach(open_store(str(folder / store)), offline, self.heard.append, Stop())
        self.images: dict[str, Image] = {}
        self.sandbox = FakeSandbox({})
        self.remotes: dict[Ask, Remote] = {}

    def files(self, **files: str) -> None:
        for name, text in files.items():
            self.write(name, text)

    def write(self, name: str, text: str | bytes, mode: int = 0o644) -> Path:
        place = self.context / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())
        place.chmod(mode)
        return place

    def base(self, reference: Reference) -> Base:
        if isinstance(reference, Scratch):
            return Base(reference, None)
        image = self.images[str(reference).rpartition("/")[2].partition(":")[0]]

        def read(descriptor: Any, limit: int) -> bytes:
            if descriptor.digest == image.digest:
                return image.manifest
            return image.config

        place = Place("here", read, lambda one: image.origins[one.digest])
        return Base(reference, Found(str(reference), image.descriptor, place))

    def build(self, text: str, options: Options | None = None, **arguments: Any) -> Built:
        """Build a Dockerfile of *text*; *arguments* are the front end's options."""
        self.heard.clear()
        context = directory(str(self.context))
        options = options or Options()
        if "" not in options.contexts:
            options = options._replace(contexts={"": context, **options.contexts})
        bases = Bases(self.base, self.reach)
        made = recipe(
            dockerfile(text.encode(), "Dockerfile"), front.Options(**arguments), bases.config_of
        )
        shop = Shop(
            self.reach,
            Known(self.reach),
            Contexts(options.contexts, self.reach.report),
            bases,
            Steps(self.reach, options.caches),
            options,
            self.remotes.__getitem__,
            lambda: self.sandbox,
            StageMaker,
        )
        built = build_stages(made.recipe, shop)
        shop.steps.share(built.fresh)
        return built

    def image(self, text: str, **arguments: Any) -> Image:
        return self.build(text, **arguments).image

    @property
    def started(self) -> list[str]:
        return [event.title for event in self.heard if isinstance(event, StepStarted)]

    @property
    def cached(self) -> list[str]:
        return [event.title for event in self.heard if isinstance(event, StepCached)]

    @property
    def changed(self) -> list[tuple[str, ...]]:
        return [event.changes for event in self.heard if isinstance(event, StepChanged)]

    def tree(self, image: Image) -> dict[str, str]:
        """What each path of *image* is: ``644 0:0 'text'``, ``755 1:2 /``, ``-> link``."""
        return {file.path: self._told(image, file) for file in tree_of(image, self.reach)}

    def _told(self, image: Image, file: Any) -> str:
        owner = f"{file.mode:o} {file.uid}:{file.gid}"
        if file.kind == DIRECTORY:
            return f"{owner} /"
        if file.kind in {FILE, HARDLINK}:
            return f"{owner} {file.size}"
        return f"-> {file.link}" if file.link else f"{owner} {file.kind}"

    def layer(self, image: Image, number: int = -1) -> dict[str, tarfile.TarInfo]:
        """The members of a layer's tar."""
        from artificer.images.plain import plain_layer

        path = plain_layer(image.layers[number], self.reach)
        with tarfile.open(path) as tar:
            return {member.name: member for member in tar}

    def text(self, image: Image, path: str) -> str:
        """What is in the file *path* of *image*."""
        from artificer.images.files import read_file

        return read_file(image, path, 1 << 20, self.reach).decode()


def gzipped(tar: bytes) -> bytes:
    import gzip

    return gzip.compress(tar, mtime=0)


def archive(**files: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uid, info.gid = len(text), 1_000_000, 7, 8
            tar.addfile(info, io.BytesIO(text.encode()))
    return file.getvalue()
