"""Tests of whole images: whether several are one, and whether one comes out the same again."""

from artificer.builder.compare import first_difference
from artificer.builder.products import Passed
from artificer.builder.targets import Output, Reproducible, SameImage
from artificer.builder.task import Task, WrongInput, told
from artificer.images.load import images_in
from artificer.images.place import image_for
from artificer.oci.image import Image


def same_image(target: SameImage, task: Task) -> Passed:
    """Whether all images have one image ID: the digest of their configs."""
    if len(target.images) < 2 and not target.id:
        raise WrongInput(
            "one image alone is always the same", hint="name a second image, or its `id`"
        )
    found: list[tuple[str, str]] = [("id", f"sha256:{target.id.removeprefix('sha256:')}")]
    found = found if target.id else []
    for source in target.images:
        if isinstance(source, Output) and isinstance(task.products[source.target], Image):
            image = task.image(source)
        else:
            file = task.file(source)
            held = images_in(file.path, file.short, task.reach)
            image = image_for(held[0].found, None)
        found.append((told(source), image.config_descriptor.digest))
    lines = "\n".join(f"{digest} {name}" for name, digest in found)
    return Passed(len({digest for _, digest in found}) == 1, lines)


def reproducible(target: Reproducible, task: Task) -> Passed:
    """Whether *target*'s image is the same when it is built again, with nothing known."""
    image = task.image(target.image)
    again = task.tools.again(target.image)
    difference = first_difference(image, again.image, task.reach, again.reach)
    if difference is None:
        return Passed(passed=True, output=f"{image.digest}, twice")
    return Passed(passed=False, output=f"{target.image} is not the same again: {difference}")
