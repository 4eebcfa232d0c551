"""What a build with Debian packages takes from its base image, and from its lock."""

from artificer.builder.build import Base, Sources
from artificer.builder.debian.tools import architecture_of
from artificer.builder.debian.upon import (
    base_words,
    chain_name,
    lock_name,
    locked_set,
    with_archives,
)
from artificer.builder.package_lock import request_of
from artificer.builder.recipe import AddDebs, Target
from artificer.images.place import image_for
from artificer.oci.image import Image
from artificer.oci.platform import LINUX_AMD64
from artificer.sources.debian.values import Wanted


def completed(target: Target, base: Base, sources: Sources) -> Target:
    """*target* with the packages that the lock has, or with the archives that the base names."""
    steps = tuple(
        _completed(step, target, base, sources) if isinstance(step, AddDebs) else step
        for step in target.steps
    )
    return target._replace(steps=steps)


def _completed(step: AddDebs, target: Target, base: Base, sources: Sources) -> AddDebs:
    wanted = step.wanted or Wanted()
    bases = images_by_architecture(target, base)
    name = lock_name(wanted, base.reference)
    lock = locked_set(name, sources.lock)
    if lock is None:
        return with_archives(step, base.reference, bases, sources.reach)
    request = request_of(wanted, step.archives, base_words(base.reference))
    found = {
        architecture: lock.of(architecture, request=request, base=chain_name(image), what=name)
        for architecture, image in bases.items()
    }
    return step._replace(locked=tuple(found.items()), leaving=tuple(lock.leaving.items()))


def images_by_architecture(target: Target, base: Base) -> dict[str, Image | None]:
    """The base of each platform, by what Debian calls its architecture; None is nothing."""
    found: dict[str, Image | None] = {}
    for platform in target.platforms or (None,):
        if base.found is None:
            found[architecture_of(platform or LINUX_AMD64)] = None
        else:
            image = image_for(base.found, platform)
            found[architecture_of(image.platform or LINUX_AMD64)] = image
    return found
