"""What one target is made with: its words, the products it names, and the handles of the build."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from artificer.builder.inputs import Inputs
from artificer.builder.known import Known
from artificer.builder.products import File, Files, Product
from artificer.builder.recipe import Cache
from artificer.builder.targets import (
    Declared,
    FromFile,
    Imported,
    Output,
    Pairs,
    Source,
    SourceFile,
    Stamped,
    TargetId,
    Text,
)
from artificer.errors import ArtificerError
from artificer.events import Warned
from artificer.images.place import Found
from artificer.images.reach import Reach
from artificer.oci.image import Image, Layer
from artificer.oci.platform import Platform
from artificer.oci.reference import Reference

if TYPE_CHECKING:
    from artificer.sandbox.client import Sandbox
    from artificer.sources.git import Git
    from artificer.sources.url import Web

HOST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What commands find their tools on, unless told otherwise."""

Dockerfiles = Callable[[Imported, Platform | None], Image]
"""Builds the image that a Dockerfile describes."""

_TEXT_BYTES = 1024 * 1024


class WrongInput(ArtificerError):
    """What a target names is not what it needs there."""


class GraphOptions(NamedTuple):
    """How a graph is made.

    *stamps* are the values of the workspace's status, and *stamped* says of when and where those
    are that change all the time: "" for the same everywhere. *variables* are what ``$(NAME)``
    stands for in commands. *state* is a directory for what outlives a build but is no part of
    it: the caches of commands, and their work while they run; by default it is in the store.
    *tests* are run, else only what they need is made. Nothing recorded is believed with
    *afresh*; *strange* runs commands in unusual surroundings, to see whether their results
    depend on them.
    """

    jobs: int = 2
    keep_going: bool = False
    tests: bool = False
    explain: bool = False
    afresh: bool = False
    strange: bool = False
    stamps: Mapping[str, str] = {}
    stamped: str = ""
    variables: Mapping[str, str] = {}
    state: str = ""
    path: str = HOST_PATH
    cache: Cache | None = None
    web: "Web | None" = None
    git: "Git | None" = None
    sandbox: "Callable[[], Sandbox] | None" = None
    dockerfiles: Dockerfiles | None = None


class Flights:
    """Lets one thread at a time make what a key names: the next one finds it made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """While inside, nobody else is inside with *key*."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            yield


class Again(NamedTuple):
    """An image that was built a second time, with nothing known, and where its layers are."""

    image: Image
    reach: Reach


class Tools(NamedTuple):
    """The handles of a build with many targets; threads share them.

    *fresh* collects the layers that were really made, for the cache repository. *output* makes a
    file of an image: what its target is called with an ending. *again* builds a target a second
    time, elsewhere.
    """

    reach: Reach
    known: Known
    find: Callable[[Reference], Found]
    inputs: Inputs
    options: GraphOptions
    flights: Flights
    fresh: list[tuple[str, Layer]]
    output: Callable[[Product, str, "Tools"], File]
    again: Callable[[TargetId], Again]

    @property
    def state(self) -> str:
        """The directory for what outlives a build."""
        return self.options.state or f"{self.reach.store.root}/state"


class Task(NamedTuple):
    """One target to be made, when all that it needs is."""

    declared: Declared
    products: Mapping[TargetId, Product]
    graph: Mapping[TargetId, Declared]
    tools: Tools

    @property
    def id(self) -> TargetId:
        """Which target it is."""
        return self.declared.id

    @property
    def label(self) -> str:
        """What it is called."""
        return str(self.declared.id)

    @property
    def name(self) -> str:
        """The last part of its label."""
        return self.declared.id.label.rpartition(":")[2].rpartition("/")[2]

    @property
    def reach(self) -> Reach:
        """The store, the registries, whom to tell."""
        return self.tools.reach

    def below(self, name: str) -> str:
        """*name* below the package of the target: where a file that it yields is put."""
        return below_package(self.declared.id.label, name)

    def warn(self, text: str, hint: str = "") -> None:
        """Tell something about this target."""
        self.reach.report(Warned(f"{self.label}: {text}", hint))

    def files(self, source: Source) -> tuple[File, ...]:
        """The files that *source* stands for."""
        if isinstance(source, SourceFile):
            return self.tools.inputs.files(source)
        product = self.products[source.target]
        if isinstance(product, Files):
            return files_called(product, source)
        name = source.name or f"{source.target.label.rpartition(':')[2]}.tar"
        file = self.tools.output(product, name, self.tools)
        return (file._replace(short=below_package(source.target.label, name)),)

    def file(self, source: Source) -> File:
        """The one file that *source* stands for."""
        found = self.files(source)
        if len(found) != 1:
            raise WrongInput(f"{told(source)} is {len(found)} files where one is needed")
        if found[0].kind != "file":
            raise WrongInput(f"{told(source)} is a directory where a file is needed")
        return found[0]

    def text(self, text: Text) -> str:
        """What *text* comes to."""
        match text:
            case str():
                return text
            case FromFile(source):
                return self.content(source).removesuffix("\n")
            case Stamped(template):
                return stamped(template, self.tools.options.stamps)

    def words(self, texts: tuple[Text, ...] | FromFile, separator: str = "\n") -> tuple[str, ...]:
        """Several texts; those of a file are divided by *separator*, and empty ones dropped."""
        if isinstance(texts, FromFile):
            found = self.content(texts.source).replace("\r\n", "\n").split("\n")
            if separator != "\n":
                found = [word for line in found for word in line.split(separator)]
            return tuple(word.strip() if separator != "\n" else word for word in found if word)
        return tuple(self.text(text) for text in texts)

    def pairs(self, pairs: Pairs | FromFile) -> tuple[tuple[str, str], ...]:
        """Names and their values; a file has ``NAME=VALUE`` in each line."""
        if not isinstance(pairs, FromFile):
            return tuple((name, self.text(value)) for name, value in pairs)
        found = []
        for line in self.words(FromFile(pairs.source)):
            name, equals, value = line.partition("=")
            if not equals or not name:
                raise WrongInput(f"{told(pairs.source)}: not NAME=VALUE: {line[:80]!r}")
            found.append((name, value))
        return tuple(found)

    def content(self, source: Source) -> str:
        """The text in the file *source*, which must be UTF-8 and no longer than a text is."""
        file = self.file(source)
        with open(file.path, "rb") as opened:
            data = opened.read(_TEXT_BYTES + 1)
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise WrongInput(f"{file.short} is not text in UTF-8") from error
        if len(data) > _TEXT_BYTES:
            raise WrongInput(f"{file.short} has more than {_TEXT_BYTES} bytes: no text for this")
        return text

    def image(self, source: Source | TargetId) -> Image:
        """The image that another target yields, whichever of its files *source* names."""
        target = source.target if isinstance(source, Output) else source
        product = self.products.get(target) if isinstance(target, TargetId) else None
        if isinstance(product, Image):
            return product
        raise WrongInput(f"{told(source)} is no image", hint="name a target that yields one")


def below_package(label: str, name: str) -> str:
    """*name* below the package of *label*; those of other repositories are below external/."""
    repository, _, rest = label.partition("//")
    folders = [f"external/{repository.lstrip('@')}"] if repository else []
    package = rest.partition(":")[0]
    return "/".join((*folders, *([package] if package else []), name))


def told(source: Source | TargetId) -> str:
    """How *source* is called in an error."""
    match source:
        case SourceFile(_, short):
            return short
        case Output(target, name):
            return f"{target} ({name})" if name else str(target)
        case TargetId():
            return str(source)


def stamped(template: str, stamps: Mapping[str, str]) -> str:
    """*template* with each ``{NAME}`` that *stamps* knows replaced."""
    if "{" in template:
        for name, value in stamps.items():
            template = template.replace(f"{{{name}}}", value)
    return template


def files_called(product: Files, output: Output) -> tuple[File, ...]:
    """Those of *product*'s files that *output* names: one, a directory's, or all."""
    name = output.name
    if not name:
        return product.files
    found = tuple(one for one in product.files if name in {one.short, one.tree})
    if not found:
        end = f"/{name}"
        found = tuple(
            one for one in product.files if one.short.endswith(end) or one.tree.endswith(end)
        )
    if not found:
        there = ", ".join(one.short for one in product.files[:10]) or "nothing"
        raise WrongInput(f"{output.target} has no file {name}", hint=f"it yields {there}")
    return found
