"""A target to an image: a fold of its steps over the base, for each platform."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, assert_never

from artificer.builder.kind import Stack, kind_of
from artificer.builder.known import Known
from artificer.builder.lock import EMPTY, Lock
from artificer.builder.make import copied_files, found, installed_debs, made_files
from artificer.builder.recipe import AddDebs, AddFiles, CopyFrom, Scope, Step, Target
from artificer.builder.remembered import remembered, still_true
from artificer.builder.work import Work, nowhere
from artificer.errors import Misused
from artificer.events import BaseResolved, LayerReused, Unpinned
from artificer.images.fetch import Pull, find_in_registry
from artificer.images.place import Found, image_for
from artificer.images.reach import Reach
from artificer.oci.edit import (
    BASE_DIGEST,
    BASE_NAME,
    annotated,
    appended,
    configured,
    converted,
    empty,
    index_of,
)
from artificer.oci.image import Image, Index, Layer
from artificer.oci.platform import LINUX_AMD64, Platform
from artificer.oci.reference import Named, Reference, Scratch

if TYPE_CHECKING:
    from artificer.builder.debian.tools import DebTools


class Base(NamedTuple):
    """What a target is built upon; *found* is None for scratch."""

    reference: Reference
    found: Found | None

    def annotations(self) -> dict[str, str]:
        """What an image says about its base; a local path is none of its readers' business."""
        if self.found is None:
            return {}
        told = {BASE_DIGEST: str(self.found.digest)}
        if isinstance(self.reference, Named):
            return {BASE_NAME: str(_tagged(self.reference)._replace(digest=None)), **told}
        return told

    def document(self) -> dict[str, Any]:
        """As it stands in the metadata file."""
        return {"reference": str(self.reference), "digest": self.found and self.found.digest}


class Sources(NamedTuple):
    """Where a build looks: handles, who may know layers, and how bases are found.

    What *lock* pins is not looked up. *debs* opens what installing packages needs, where there are
    any to be installed.
    """

    reach: Reach
    known: Known
    pull: Pull = "always"
    docker_host: str | None = None
    stdin: BinaryIO | None = None
    ahead: Callable[[Sequence[Layer]], None] = nowhere
    explained: int = 5
    lock: Lock = EMPTY
    debs: "Callable[[], DebTools] | None" = None

    def find(self, reference: Reference) -> Found:
        """What *reference* stands for; nothing but documents is fetched."""
        if isinstance(reference, Named):
            return find_in_registry(self.lock.pinned(reference), self.reach, pull=self.pull)
        return found(reference, self.reach, self.pull, self.docker_host)

    def base(self, reference: Reference) -> Base:
        """What *reference* stands for as a base; a mere tag is told how to be pinned."""
        if isinstance(reference, Scratch):
            return Base(reference, None)
        if isinstance(reference, Named):
            reference = self.lock.pinned(reference)
        base = Base(reference, self.find(reference))
        if isinstance(reference, Named) and reference.digest is None and base.found:
            pinned = _tagged(reference).pinned(base.found.digest)
            self.reach.report(Unpinned(str(reference), pinned.familiar))
        return base


class Built(NamedTuple):
    """What came of a target: one image, or an index of several; *fresh* is what was made."""

    content: Image | Index
    images: tuple[Image, ...]
    base: Base
    fresh: tuple[tuple[str, Layer], ...] = ()


def build(target: Target, base: Base, sources: Sources) -> Built:
    """Build *target* on *base*: layers are reused where a key is known, else made in the store.

    One platform (or none named) gives an image, several give an index.
    """
    fresh: list[tuple[str, Layer]] = []
    platforms: Sequence[Platform | None] = target.platforms or (None,)
    images = tuple(_image(target, base, platform, sources, fresh) for platform in platforms)
    if len(images) == 1:
        _refuse_index_annotations(target)
        return Built(images[0], images, base, tuple(fresh))
    members = [(image, annotations(target, "manifest-descriptor")) for image in images]
    told = {**base.annotations(), **annotations(target, "index")}
    index = index_of(members, told, images[0].format)
    return Built(index, images, base, tuple(fresh))


def base_image(target: Target, base: Base, platform: Platform | None, sources: Sources) -> Image:
    """The image that *target* starts from; `WrongPlatform` says what there is instead."""
    if base.found is None:
        return empty(platform or LINUX_AMD64, target.format or "oci")
    image = image_for(base.found, platform)
    sources.reach.report(BaseResolved(str(base.reference), image.digest, str(image.platform)))
    return image if target.format is None else converted(image, target.format)


def finished(image: Image, target: Target, base: Base) -> Image:
    """*image* with everything but layers that *target* asks for."""
    image = configured(image, target.settings, target.stamp)
    return annotated(image, {**base.annotations(), **annotations(target, "manifest")})


def annotations(target: Target, scope: Scope) -> dict[str, str]:
    """Those of *target*'s annotations that are for *scope*."""
    return {one.key: one.value for one in target.annotations if one.scope == scope}


def _image(
    target: Target,
    base: Base,
    platform: Platform | None,
    sources: Sources,
    fresh: list[tuple[str, Layer]],
) -> Image:
    image = base_image(target, base, platform, sources)
    kind = kind_of(target.compress, image.format)
    below = image.layers
    work = Work(
        *(kind, sources.reach, sources.known, sources.stdin, fresh),
        ahead=lambda layers: sources.ahead((*below, *layers)),
        explained=sources.explained,
    )
    for step in target.steps:
        stack = _stack(step, image, work, sources)
        if stack.layers:
            image = appended(image, stack.layers, stack.lines, target.stamp)
    return finished(image, target, base)


def _stack(step: Step, image: Image, work: Work, sources: Sources) -> Stack:
    match step:
        case AddFiles():
            last = remembered(step, work.kind, work.reach)
            if last is not None and not sources.known.afresh and still_true(last, step, image):
                for layer, line in zip(last.stack.layers, last.stack.lines, strict=True):
                    size = layer.descriptor.size
                    why = "its files are unchanged"
                    work.reach.report(LayerReused(line, layer.blob.digest, size, why))
                return last.stack
            return made_files(step, image, work, last)
        case CopyFrom(reference):
            source = image_for(sources.find(reference), image.platform)
            return copied_files(step, source, image, work)
        case AddDebs():
            return installed_debs(step, image, work, sources.debs)
        case _:
            assert_never(step)


def _tagged(name: Named) -> Named:
    return name if name.tag or name.digest else name._replace(tag="latest")


def _refuse_index_annotations(target: Target) -> None:
    lost = [one for one in target.annotations if one.scope != "manifest"]
    if lost:
        raise Misused(
            f"an annotation of the {lost[0].scope} ({lost[0].key}), but there is no index",
            hint="one platform gives an image, several give an index; leave the scope out",
        )
