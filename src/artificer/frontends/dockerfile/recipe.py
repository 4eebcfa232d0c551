"""A Dockerfile, evaluated: every stage that is needed, each with its steps and its config.

As BuildKit does where the reference leaves it open or says otherwise: of ARG and ENV what comes
last wins, also from one stage to the next; lines of history are BuildKit's. What BuildKit takes
silently to an end that nobody asked for is an error here: an empty source, user, owner, mode or
checksum, a port 0.
"""

from typing import NamedTuple

from artificer.builder.stages import Recipe, RunCommand
from artificer.events import Warned
from artificer.frontends.dockerfile.arguments import arguments_of, unused
from artificer.frontends.dockerfile.contexts import Contexts
from artificer.frontends.dockerfile.evaluate import BaseOf, Evaluation, Given, Mismatch
from artificer.frontends.dockerfile.graph import StageGraph
from artificer.frontends.dockerfile.instructions import Dockerfile, Lines
from artificer.frontends.dockerfile.options import Controls, Options, controls, proxies
from artificer.frontends.dockerfile.running import Surroundings
from artificer.frontends.dockerfile.scope import Expander, Undefined
from artificer.oci.platform import Platform
from artificer.oci.reference import Reference


class Made(NamedTuple):
    """What a Dockerfile came to, and what there is to say about it.

    *images* are those that the recipe begins with or copies from, each with the platform;
    *contexts* the names of the contexts that it reads ("" is the main one). *runs* is whether a
    command has to be run. *undefined* and *undefined_in_from* (of all stages) are variables that
    nothing sets, *mismatched* bases of another platform: for lint.
    """

    recipe: Recipe
    warnings: tuple[Warned, ...]
    images: tuple[tuple[Reference, Platform], ...]
    contexts: frozenset[str]
    runs: bool
    epoch: int
    controls: Controls
    undefined: tuple[Undefined, ...]
    undefined_in_from: tuple[tuple[Lines, str], ...]
    mismatched: tuple[Mismatch, ...]


def recipe(dockerfile: Dockerfile, options: Options, base_of: BaseOf) -> Made:
    """Evaluate *dockerfile*. Only bases of stages that are needed are looked up."""
    asked = controls(options.build_args)
    expander = Expander(dockerfile.directives.escape)
    target = options.target or dockerfile.stages[-1].start.name
    arguments = arguments_of(dockerfile, options, expander, target)
    contexts = Contexts(options.contexts)
    graph = StageGraph(dockerfile, arguments.everywhere, contexts, options.platform, expander)
    surroundings = Surroundings(
        proxies(options.build_args), options.network, asked.cache_namespace, arguments.epoch
    )
    wanted = graph.target(options.target)
    evaluation = Evaluation(
        Given(graph, arguments, contexts, options, surroundings, base_of), expander
    )
    if options.all_stages:
        evaluation.all()
    result = evaluation.result(wanted)
    made = Recipe(tuple(evaluation.stages), result)
    for name in unused(dockerfile, options, frozenset(evaluation.triggered)):
        evaluation.warnings.append(
            Warned(f"no ARG declares the build argument {name}", "add an ARG, or leave it out")
        )
    return Made(
        made,
        tuple(evaluation.warnings),
        tuple(evaluation.images),
        frozenset(evaluation.contexts),
        _runs(made),
        arguments.epoch,
        asked,
        tuple(dict.fromkeys(expander.undefined)),
        tuple(graph.undefined),
        tuple(evaluation.mismatched),
    )


def _runs(made: Recipe) -> bool:
    return any(
        isinstance(instruction.step, RunCommand)
        for stage in made.stages
        for instruction in stage.instructions
    )
