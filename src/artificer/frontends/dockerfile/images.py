"""Which images a Dockerfile needs, without asking anybody for them."""

from collections.abc import Iterator

from artificer.frontends.dockerfile.arguments import arguments_of
from artificer.frontends.dockerfile.contexts import Contexts
from artificer.frontends.dockerfile.graph import StageGraph, origins
from artificer.frontends.dockerfile.instructions import Dockerfile
from artificer.frontends.dockerfile.options import Options
from artificer.frontends.dockerfile.scope import Expander
from artificer.oci.reference import Named


def images_of(dockerfile: Dockerfile, options: Options) -> tuple[str, ...]:
    """The names of all images that stages, and contexts in *options*, are, each once."""
    return tuple(dict.fromkeys(_images(dockerfile, options)))


def _images(dockerfile: Dockerfile, options: Options) -> Iterator[str]:
    expander = Expander(dockerfile.directives.escape)
    arguments = arguments_of(dockerfile, options, expander, options.target or "default")
    contexts = Contexts(options.contexts)
    graph = StageGraph(dockerfile, arguments.everywhere, contexts, options.platform, expander)
    for plan in graph.plans:
        if isinstance(plan.base, str) and plan.base != "scratch" and plan.context is None:
            yield plan.base
        for instruction in plan.lines.body:
            for text in origins(instruction):
                found = graph.origin(text, plan.number, instruction.at)
                if isinstance(found, str):
                    yield found
    yield from (str(one.source) for one in options.contexts if isinstance(one.source, Named))
