"""What is made where nothing is known; imported late: an unchanged build must not pay for it."""

from typing import TYPE_CHECKING, assert_never

from artificer.builder.kind import Stack
from artificer.builder.recipe import AddDebs, AddFiles, CopyFrom
from artificer.builder.remembered import Remembered
from artificer.builder.work import Work
from artificer.images.reach import Reach
from artificer.oci.image import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager, ExitStack

    from artificer.builder import targets
    from artificer.builder.debian.below import Below
    from artificer.builder.debian.choice import Chosen
    from artificer.builder.debian.job import Resolve
    from artificer.builder.debian.tools import DebTools
    from artificer.builder.layering import Piece
    from artificer.builder.products import File, Product
    from artificer.builder.recipe import Cache
    from artificer.builder.results import Kept, Made
    from artificer.builder.task import Task, Tools
    from artificer.images.fetch import Pull
    from artificer.images.place import Found
    from artificer.oci.image import Layer
    from artificer.oci.reference import Reference
    from artificer.store.blobs import Store


def made_files(step: AddFiles, image: Image, work: Work, last: Remembered | None) -> Stack:
    """The layers of *step* on *image*; *last* is what it was made of the last time."""
    from artificer.builder.layering import files_stack

    return files_stack(step, image, work, last)


def copied_files(step: CopyFrom, source: Image, image: Image, work: Work) -> Stack:
    """The layer of what *step* takes out of *source*."""
    from artificer.builder.layering import copied_stack

    return copied_stack(step, source, image, work)


def installed_debs(
    step: AddDebs, image: Image, work: Work, tools: "Callable[[], DebTools] | None"
) -> Stack:
    """The layers of the packages that *step* installs on *image*."""
    from artificer.builder.debian.below import Below
    from artificer.builder.debian.job import job_of, known_stack

    below = Below()
    # What a cache repository knows needs no sandbox; what the store knows has been unpacked.
    ahead = below if work.known.alone and step.level == "configure" else None
    job = job_of(step, image, work, tools, _resolving(ahead))._replace(below=below)
    known = known_stack(job, runs=job.may_run)
    if known is not None:
        return known
    from artificer.builder.debian.stack import made_stack

    return made_stack(job)


def planned_debs(
    step: AddDebs,
    image: Image,
    work: Work,
    tools: "Callable[[], DebTools] | None",
    spools: "ExitStack",
) -> "Stack | tuple[Piece, ...]":
    """The layers of *step* if they are known, else what would be put there, told without doing."""
    from artificer.builder.debian.job import job_of, known_stack

    job = job_of(step, image, work, tools, _resolving(None))
    known = known_stack(job, runs=job.may_run)
    if known is not None:
        return known
    from artificer.builder.debian import stack

    return stack.planned_debs(job, spools)


def _resolving(below: "Below | None") -> "Resolve":
    """What asks archives; where they have something new, *below* is begun with meanwhile."""

    def resolve(
        step: AddDebs, image: Image, architecture: str, reach: Reach, tools: "DebTools"
    ) -> "Chosen":
        from artificer.builder.debian.recalled import asked

        told = asked(step, image, architecture, tools.web)
        if told.known is not None and step.level != "unpack":
            return told.known
        if told.known is None and below is not None and step.scripts != "replace":
            from artificer.builder.staged.running import chain_of

            below.begin(chain_of(image.layers, reach), tools.sandbox)
        from artificer.builder.debian.chosen import settled

        return settled(told, step, image, architecture, reach, tools)

    return resolve


def found(reference: "Reference", reach: Reach, pull: "Pull", docker_host: str | None) -> "Found":
    """What *reference*, which is no name in a registry, stands for."""
    from artificer.images.find import Wishes, find

    return find(reference, reach, Wishes(pull=pull, docker_host=docker_host))


def made(task: "Task") -> "Product":
    """What the target of *task* yields, whatever is known of it."""
    from artificer.builder import targets

    match task.declared.target:
        case (
            targets.Pull()
            | targets.Fetch()
            | targets.Unpacked()
            | targets.GitTree()
            | targets.Imported() as target
        ):
            return _taken(target, task)
        case targets.Command() | targets.Written() | targets.Archive() as target:
            return _files(target, task)
        case targets.LayerTarget() | targets.TarLayers() | targets.ImageTarget() as target:
            return _image(target, task)
        case targets.Flattened() as target:
            from artificer.builder.actions.outputs import flattened

            return flattened(target, task)
        case (
            targets.Program()
            | targets.StructureTest()
            | targets.SameImage()
            | targets.Reproducible() as target
        ):
            return _tested(target, task)
        case _:
            return _gathered(task)


def output(product: "Product", name: str, tools: "Tools") -> "File":
    """The file *name* of an image."""
    from artificer.builder.actions.outputs import output_file

    return output_file(product, name, tools)


def _taken(
    target: "targets.Pull | targets.Fetch | targets.Unpacked | targets.GitTree | targets.Imported",
    task: "Task",
) -> "Product":
    from artificer.builder import targets
    from artificer.builder.actions import fetched

    match target:
        case targets.Pull():
            return fetched.pulled(target, task)
        case targets.Fetch():
            return fetched.fetched(target, task)
        case targets.Unpacked():
            return fetched.unpacked(target, task)
        case targets.GitTree():
            from artificer.builder.actions.git_files import git_files

            return git_files(target, task)
        case targets.Imported():
            return fetched.imported(target, task)
        case _:
            assert_never(target)


def _files(
    target: "targets.Command | targets.Written | targets.Archive", task: "Task"
) -> "Product":
    from artificer.builder import targets

    if isinstance(target, targets.Command) and target.root is not None:
        from artificer.builder.actions.run_in_image import ran

        return ran(target, target.root, task)
    if isinstance(target, targets.Archive):
        from artificer.builder.actions.layer import archive_file

        return archive_file(target, task)
    from artificer.builder.actions import command

    if isinstance(target, targets.Written):
        return command.written(target, task)
    return command.command_files(target, task)


def _image(
    target: "targets.LayerTarget | targets.TarLayers | targets.ImageTarget", task: "Task"
) -> "Product":
    from artificer.builder import targets
    from artificer.builder.actions import layer

    match target:
        case targets.LayerTarget():
            return layer.layers_of(target, task)
        case targets.TarLayers():
            return layer.tar_layers(target, task)
        case targets.ImageTarget():
            from artificer.builder.actions.image import image_of

            return image_of(target, task)
        case _:
            assert_never(target)


def _tested(
    target: "targets.Program | targets.StructureTest | targets.SameImage | targets.Reproducible",
    task: "Task",
) -> "Product":
    from artificer.builder import targets

    match target:
        case targets.Program():
            from artificer.builder.actions.command import tested

            return tested(target, task)
        case targets.StructureTest():
            from artificer.builder.actions.structure import structure_test

            return structure_test(target, task)
        case targets.SameImage():
            from artificer.builder.actions.comparing import same_image

            return same_image(target, task)
        case targets.Reproducible():
            from artificer.builder.actions.comparing import reproducible

            return reproducible(target, task)
        case _:
            assert_never(target)


def _gathered(task: "Task") -> "Product":
    from artificer.builder.package_targets import PACKAGE_TARGETS

    if isinstance(task.declared.target, PACKAGE_TARGETS):
        from artificer.builder.actions.deb_targets import made_of_packages

        return made_of_packages(task.declared.target, task)
    from artificer.builder.actions.gathered import gathered

    return gathered(task)


def shared_product(cache: "Cache", key: str, reach: Reach) -> "Kept | None":
    """What the cache repository has under *key*."""
    from artificer.builder.shared_products import cached_product

    return cached_product(cache, key, reach)


def share_all(
    cache: "Cache", layers: "Sequence[tuple[str, Layer]]", products: "Sequence[Made]", reach: Reach
) -> None:
    """Write what was made into the cache repository."""
    from artificer.builder.shared import share
    from artificer.builder.shared_products import share_products

    share(cache, layers, reach)
    share_products(cache, products, reach)


def second_store(state: str) -> "AbstractContextManager[Store]":
    """A store with nothing in it, which is gone afterwards."""
    from artificer.builder.actions.scratch import empty_store

    return empty_store(state)


def swept(state: str) -> None:
    """Remove what killed builds have left in *state*."""
    from artificer.builder.actions.scratch import sweep

    sweep(state)
