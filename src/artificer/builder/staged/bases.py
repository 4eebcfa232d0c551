"""The images that stages start from and copy out of: each looked up once in a build."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from artificer.events import BaseResolved
from artificer.images.place import Found, image_for
from artificer.images.reach import Reach
from artificer.oci.edit import empty
from artificer.oci.image import Image
from artificer.oci.platform import LINUX_AMD64, Platform
from artificer.oci.reference import Reference


class Base(Protocol):
    """What a reference stands for as a base: `builder.build.Base`."""

    @property
    def found(self) -> Found | None:
        """What it led to; None for scratch."""

    def annotations(self) -> dict[str, str]:
        """What an image says about its base."""


class Bases:
    """Images by reference and platform; a tag that moves meanwhile is not seen to."""

    def __init__(self, base: Callable[[Reference], Base], reach: Reach) -> None:
        self._base = base
        self._reach = reach
        self._lock = threading.Lock()
        self._bases: dict[Reference, Base] = {}
        self._images: dict[tuple[Reference, Platform | None], Image] = {}

    def base(self, reference: Reference) -> Base:
        """What *reference* stands for."""
        with self._lock:
            return self._looked_up(reference)

    def image(self, reference: Reference, platform: Platform | None) -> Image:
        """The image for *platform*; of scratch, one of no layers."""
        with self._lock:
            known = self._images.get((reference, platform))
            if known is not None:
                return known
            found = self._looked_up(reference).found
            if found is None:
                image = empty(platform or LINUX_AMD64, "oci")
            else:
                image = image_for(found, platform)
                told = BaseResolved(str(reference), image.digest, str(image.platform))
                self._reach.report(told)
            self._images[reference, platform] = image
            return image

    def config_of(self, reference: Reference, platform: Platform | None) -> Mapping[str, Any]:
        """The config document of that image, for a front end."""
        return self.image(reference, platform).config_document

    def _looked_up(self, reference: Reference) -> Base:
        if reference not in self._bases:
            self._bases[reference] = self._base(reference)
        return self._bases[reference]
