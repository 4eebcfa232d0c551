"""What is made where nothing is known; imported late: an unchanged build must not pay for it."""

from typing import TYPE_CHECKING

from artificer.builder.kind import Stack
from artificer.builder.recipe import AddFiles, CopyFrom
from artificer.builder.remembered import Remembered
from artificer.builder.work import Work
from artificer.images.reach import Reach
from artificer.oci.image import Image

if TYPE_CHECKING:
    from artificer.images.fetch import Pull
    from artificer.images.place import Found
    from artificer.oci.reference import Reference


def made_files(step: AddFiles, image: Image, work: Work, last: Remembered | None) -> Stack:
    """The layers of *step* on *image*; *last* is what it was made of the last time."""
    from artificer.builder.layering import files_stack

    return files_stack(step, image, work, last)


def copied_files(step: CopyFrom, source: Image, image: Image, work: Work) -> Stack:
    """The layer of what *step* takes out of *source*."""
    from artificer.builder.layering import copied_stack

    return copied_stack(step, source, image, work)


def found(reference: "Reference", reach: Reach, pull: "Pull", docker_host: str | None) -> "Found":
    """What *reference*, which is no name in a registry, stands for."""
    from artificer.images.find import Wishes, find

    return find(reference, reach, Wishes(pull=pull, docker_host=docker_host))
