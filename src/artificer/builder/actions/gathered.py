"""Targets that cost nothing to make: groups, indexes, bundles, and what acts only when run."""

from artificer.builder.products import Done, File, Files, Images, Passed, Product
from artificer.builder.targets import (
    Bundle,
    FromFile,
    Group,
    IndexTarget,
    Load,
    Output,
    Program,
    Push,
    Refused,
    Reproducible,
    SameImage,
    StructureTest,
    Target,
    TargetId,
)
from artificer.builder.task import Task, WrongInput
from artificer.errors import ArtificerError
from artificer.oci.edit import index_of
from artificer.oci.image import Image, Index
from artificer.oci.reference import parse_name


class RefusedRule(ArtificerError):
    """A rule that is known, and cannot be done."""


def costs_nothing(target: Target, *, tests: bool) -> bool:
    """Whether `gathered` makes *target*: at once, and no record of it is worth while."""
    match target:
        case Group() | IndexTarget() | Bundle() | Push() | Load() | Refused():
            return True
        case Program(test=test):
            return not (test and tests)
        case StructureTest() | SameImage() | Reproducible():
            return not tests
        case _:
            return False


def gathered(task: Task) -> Product:  # noqa: PLR0911 - one line a kind
    """What a target that costs nothing yields; tests among them are not run."""
    match task.declared.target:
        case Group() as target:
            return group(target, task)
        case IndexTarget() as target:
            return index(target, task)
        case Bundle() as target:
            return bundle(target, task)
        case Push() | Load() as target:
            return named(target, task)
        case Program() as target:
            return program(target, task)
        case Refused() as target:
            return refuse(target)
        case _:
            return Done(())


def group(target: Group, task: Task) -> Product:
    """The files of a group; a group of one target yields what that target does."""
    if len(target.sources) == 1:
        source = target.sources[0]
        if isinstance(source, Output) and not source.name:
            return task.products[source.target]
    files: dict[str, File] = {}
    for source in target.sources:
        if isinstance(source, Output) and isinstance(task.products[source.target], Passed | Done):
            # A suite of tests has no files.
            continue
        for file in task.files(source):
            files.setdefault(file.short, file)
    return Files(tuple(files.values()))


def index(target: IndexTarget, task: Task) -> Index:
    """An index of several images, each filed under its platform."""
    images = [task.image(one) for one in target.images]
    if not images:
        raise WrongInput("an index of no images")
    seen: dict[str, TargetId] = {}
    for one, image in zip(target.images, images, strict=True):
        platform = str(image.platform)
        if platform in seen:
            raise WrongInput(f"{seen[platform]} and {one} are both for {platform}")
        seen[platform] = one
    members = [(image, dict[str, str]()) for image in images]
    return index_of(members, dict(task.pairs(target.annotations)), images[0].format)


def bundle(target: Bundle, task: Task) -> Images:
    """Images by name; one without a tag is the latest."""
    return Images(
        tuple((_tagged(task.text(name)), content_of(one, task)) for name, one in target.images)
    )


def _tagged(name: str) -> str:
    parsed = parse_name(name)
    return name if parsed.tag or parsed.digest else f"{name}:latest"


def named(target: Push | Load, task: Task) -> Images:
    """What is to be pushed or loaded, under each of its names ("" while it has none)."""
    product = task.products[target.image]
    if isinstance(product, Images):
        return product
    content = content_of(target.image, task)
    names = push_names(target, task) if isinstance(target, Push) else task.words(target.names)
    return Images(tuple((name, content) for name in names or ("",)))


def push_names(target: Push, task: Task) -> tuple[str, ...]:
    """The names that an image is pushed to; none if no repository is said."""
    registry, repository = task.text(target.registry), task.text(target.repository)
    if not repository:
        return ()
    place = f"{registry}/{repository}" if registry else repository
    if isinstance(target.tags, FromFile):
        tags = tuple(tag.strip() for tag in task.words(target.tags))
    else:
        tags = task.words(target.tags)
    return tuple(f"{place}:{tag}" for tag in tags) or (place,)


def content_of(one: TargetId, task: Task) -> Image | Index:
    """The image or index that *one* yields."""
    product = task.products[one]
    if not isinstance(product, Image | Index):
        raise WrongInput(f"{one} is no image", hint="name a target that yields one")
    return product


def program(target: Program, task: Task) -> Files:
    """The program, and what it wants beside it; the program comes first."""
    files = {file.short: file for file in (task.file(target.source),)}
    for source in target.data:
        for file in task.files(source):
            files.setdefault(file.short, file)
    return Files(tuple(files.values()))


def refuse(target: Refused) -> Product:
    """Say why *target* cannot be made."""
    raise RefusedRule(f"{target.rule}: {target.reason}", hint=target.hint)
