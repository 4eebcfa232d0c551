"""A workspace on disk and a graph over it, as a front end would declare them."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from artificer.builder.build import Sources
from artificer.builder.graph import make
from artificer.builder.known import Known
from artificer.builder.outcome import Outcome
from artificer.builder.place import Place
from artificer.builder.products import Files, Product
from artificer.builder.targets import Content, Declared, Output, Put, SourceFile, Target, TargetId
from artificer.builder.task import GraphOptions
from artificer.events import Event, TargetDone, TargetStarted
from artificer.images.files import tree_of
from artificer.images.reach import Reach
from artificer.layers.index import File
from artificer.oci.image import Image

PLAIN = GraphOptions()


class Workspace:
    """Files below *root*, and targets by label."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.graph: dict[TargetId, Declared] = {}

    def file(self, short: str, text: str | bytes = "", *, executable: bool = False) -> SourceFile:
        path = self.root / short
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(0o755 if executable else 0o644)
        return SourceFile(str(path), short)

    def add(self, label: str, target: Target, rule: str = "rule") -> TargetId:
        one = TargetId(label)
        package = label.removeprefix("//").rpartition(":")[0]
        place = Place(f"{package}/BUILD", 3)
        self.graph[one] = Declared(one, target, rule, place)
        return one

    def outcome(
        self, ids: Sequence[TargetId], reach: Reach, options: GraphOptions = PLAIN
    ) -> Outcome:
        return make(ids, self.graph, Sources(reach, Known(reach)), options)

    def made(self, one: TargetId, reach: Reach, options: GraphOptions = PLAIN) -> Product:
        outcome = self.outcome([one], reach, options)
        outcome.check()
        return outcome.products[one]

    def image(self, one: TargetId, reach: Reach, options: GraphOptions = PLAIN) -> Image:
        product = self.made(one, reach, options)
        assert isinstance(product, Image)
        return product

    def files(
        self, one: TargetId, reach: Reach, options: GraphOptions = PLAIN
    ) -> Mapping[str, bytes]:
        product = self.made(one, reach, options)
        assert isinstance(product, Files)
        return {file.short: Path(file.path).read_bytes() for file in product.files}


def put(*sources: SourceFile | TargetId, directory: str = "") -> Content:
    found = (one if isinstance(one, SourceFile) else Output(one) for one in sources)
    return Content(tuple(Put(one, directory) for one in found))


def tree(image: Image, reach: Reach) -> dict[str, File]:
    return {file.path: file for file in tree_of(image, reach)}


def started(heard: Sequence[Event]) -> list[str]:
    return [event.label for event in heard if isinstance(event, TargetStarted)]


def reasons(heard: Sequence[Event]) -> dict[str, str]:
    return {event.label: event.why for event in heard if isinstance(event, TargetDone)}


def settle() -> None:
    """Wait until what was just written is no longer racy."""
    time.sleep(0.03)
