"""Targets that are run: what was built is pushed, all of it at once, or loaded into an engine."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from artificer.builder.outcome import Outcome
from artificer.builder.products import Done, Images
from artificer.builder.targets import Graph, Load, Push, TargetId
from artificer.errors import ArtificerError, Misused
from artificer.images.push import Delivery, push
from artificer.images.reach import Reach
from artificer.oci.edit import converted
from artificer.oci.image import Image, Index
from artificer.oci.media import Format
from artificer.oci.reference import Named, parse_name

Loader = Callable[[Images, Load], tuple[str, ...]]
"""Loads images under their names into an engine; gives the lines that say so."""


class NoPlace(ArtificerError):
    """Something is to be pushed, and nobody says where to."""


class Where(NamedTuple):
    """What the command line says about where to push, instead of what the BUILD file does.

    *names* are whole (``--dst``); *repository* and *tags* replace those parts of each name.
    """

    names: tuple[str, ...] = ()
    repository: str = ""
    tags: tuple[str, ...] = ()


def pushed(
    ids: Sequence[TargetId], outcome: Outcome, graph: Graph, reach: Reach, where: Where
) -> dict[TargetId, Done]:
    """Push what *ids*, which are `Push` targets, yielded: blobs of all, manifests, then tags."""
    deliveries: dict[TargetId, list[Delivery]] = {}
    for one in ids:
        target, product = graph[one].target, outcome.products[one]
        if not isinstance(target, Push) or not isinstance(product, Images):
            raise Misused(f"{one} cannot be pushed: it is no push target")
        deliveries[one] = _deliveries(one, target, product, where)
    done = iter(push([each for some in deliveries.values() for each in some], reach))
    return {
        one: Done(tuple(_line(next(done).target, each) for each in some))
        for one, some in deliveries.items()
    }


def loaded(
    ids: Sequence[TargetId], outcome: Outcome, graph: Graph, load: Loader
) -> dict[TargetId, Done]:
    """Have *load* take what *ids*, which are `Load` targets, yielded."""
    done = {}
    for one in ids:
        target, product = graph[one].target, outcome.products[one]
        if not isinstance(target, Load) or not isinstance(product, Images):
            raise Misused(f"{one} cannot be loaded: it is no load target")
        done[one] = Done(load(product, target))
    return done


def insecure_registries(ids: Sequence[TargetId], outcome: Outcome, graph: Graph) -> frozenset[str]:
    """The registries that `Push` targets among *ids* say need no TLS."""
    hosts = set()
    for one in ids:
        target, product = graph[one].target, outcome.products.get(one)
        if isinstance(target, Push) and target.insecure and isinstance(product, Images):
            hosts |= {parse_name(name).repository.registry for name, _ in product.images if name}
    return frozenset(hosts)


def _deliveries(one: TargetId, target: Push, product: Images, where: Where) -> list[Delivery]:
    images = product.images
    if where.names:
        contents = {content.digest: content for _, content in images}
        if len(contents) != 1:
            raise Misused(f"{one} has several images: --dst would be all of them")
        images = tuple((name, next(iter(contents.values()))) for name in where.names)
    elif where.repository or where.tags:
        images = tuple(_elsewhere(name, content, where, one) for name, content in images)
        if where.tags:
            images = tuple(
                (f"{_repository(name)}:{tag}", content)
                for name, content in images
                for tag in where.tags
            )
    found = []
    for name, content in dict.fromkeys(images):
        if not name:
            raise NoPlace(
                f"{one} says no repository to push to",
                hint="give it the attribute `repository`, or run it with `-- --dst=REFERENCE`",
            )
        shown = typed(content, target.format)
        parsed = parse_name(name)
        if parsed.tag is None:
            # Without a tag it is there by its digest alone.
            parsed = parsed._replace(digest=shown.digest)
        found.append(Delivery(shown, parsed))
    return found


def _elsewhere(
    name: str, content: Image | Index, where: Where, one: TargetId
) -> tuple[str, Image | Index]:
    if not where.repository:
        return name, content
    if where.repository != _repository(where.repository):
        raise Misused(f"{one}: a repository has no tag and no digest: {where.repository}")
    tag = parse_name(name).tag if name else None
    return (f"{where.repository}:{tag}" if tag else where.repository), content


def _repository(name: str) -> str:
    if not name:
        return name
    parsed = parse_name(name)
    return str(parsed.repository)


def typed(content: Image | Index, image_format: Format | None) -> Image | Index:
    """*content* as it is pushed in *image_format*."""
    if image_format is None:
        return content
    if isinstance(content, Image):
        return converted(content, image_format)
    if all(isinstance(one, Image) and one.format == image_format for one in content.members):
        return content
    raise NoPlace(
        f"an index cannot be converted to the {image_format} format",
        hint="set the format of its images, or leave that of the push out",
    )


def _line(target: Named, delivery: Delivery) -> str:
    return f"{target.repository}@{delivery.content.digest}"
