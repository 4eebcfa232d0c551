"""A recipe of stages to an image: stages that do not wait for one another are built at once."""

from collections.abc import Iterator
from typing import NamedTuple

from artificer.builder.schedule import Doing, run
from artificer.builder.staged.fold import Made, Place, made_stage
from artificer.builder.staged.shop import Shop
from artificer.builder.stages import (
    AddSources,
    BindMount,
    CacheMount,
    ContextFiles,
    CopyFiles,
    From,
    Recipe,
    RunCommand,
    Stage,
    StageImage,
    Step,
)
from artificer.oci.edit import annotated
from artificer.oci.image import Image, Layer


class Built(NamedTuple):
    """The image of the stage that was asked for.

    *layers* are those of all stages, each under its instruction's key, and *fresh* the ones among
    them that were made now.
    """

    image: Image
    layers: tuple[tuple[str, Layer], ...]
    fresh: tuple[tuple[str, Layer], ...]


def build_stages(recipe: Recipe, shop: Shop) -> Built:
    """Build *recipe*; what caches may be written is left to the caller (`Steps.share`)."""
    made: dict[int, Made] = {}

    def act(number: int) -> Made:
        images = {needed: made[needed].image for needed in _needs(recipe.stages[number])}
        place = Place(number, number == recipe.target)
        found = made_stage(recipe.stages[number], place, images, shop)
        made[number] = found
        return found

    doing = Doing(lambda number: _needs(recipe.stages[number]), lambda _: None, act)
    jobs = min(shop.options.jobs, len(recipe.stages))
    done = run([recipe.target], doing, jobs=jobs, keep_going=False, stop=shop.reach.stop)
    for failure in done.failures.values():
        raise failure
    return Built(
        annotated(made[recipe.target].image, _annotations(recipe, shop)),
        tuple(pair for number in sorted(made) for pair in made[number].layers),
        tuple(pair for number in sorted(made) for pair in made[number].fresh),
    )


def _annotations(recipe: Recipe, shop: Shop) -> dict[str, str]:
    """What the image says about the base that its stage stands on in the end."""
    stage = recipe.stages[recipe.target]
    while isinstance(stage.base, StageImage):
        stage = recipe.stages[stage.base.number]
    if isinstance(stage.base, ContextFiles):
        return {}
    return shop.bases.base(stage.base).annotations()


def _needs(stage: Stage) -> tuple[int, ...]:
    sources = [stage.base]
    for instruction in stage.instructions:
        if instruction.step is not None:
            sources += _sources(instruction.step)
    found = (one.number for one in sources if isinstance(one, StageImage))
    return tuple(dict.fromkeys(found))


def _sources(step: Step) -> Iterator[From]:
    match step:
        case CopyFiles():
            yield step.source
        case AddSources(files):
            yield files.source
        case RunCommand():
            for mount in step.mounts:
                if isinstance(mount, BindMount | CacheMount) and mount.source is not None:
                    yield mount.source
        case _:
            pass
