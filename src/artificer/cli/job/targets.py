"""Targets of BUILD files as what each index of a Job does."""

from collections.abc import Iterator, Sequence

from artificer.builder.targets import (
    Bundle,
    Flattened,
    Graph,
    ImageTarget,
    Imported,
    IndexTarget,
    Push,
    Reproducible,
    SameImage,
    StructureTest,
    TargetId,
)
from artificer.cli.dockerfile.grammar import valued_of
from artificer.cli.grammar import Parser
from artificer.cli.job.kept import nowhere, shared_words
from artificer.cli.session import Session
from artificer.cli.workspace import build, run, test
from artificer.cli.workspace.open import opened
from artificer.cli.workspace.options import check_patterns, spelled
from artificer.errors import Misused
from artificer.frontends.buildfile.labels import PackageId, Pattern, parse_pattern
from artificer.kubernetes.job import Cache, Work

_IMAGES = (Bundle, Flattened, ImageTarget, Imported, IndexTarget)
_TESTS = (Reproducible, SameImage, StructureTest)
_PLATFORMS = ("--platform", "--platforms")


def works_of(
    words: Sequence[str], cache: Cache, session: Session
) -> tuple[dict[TargetId, Work], Graph]:
    """What *words* (``build //...``, ``test``, ``run``) ask for, a work for each target.

    The workspace of the working directory says which targets there are: it has to be the one
    that the pods get. Of a pattern, images and pushes are meant.
    """
    command, rest = words[0], spelled(words[1:])
    # Of `run`, what follows is the target's; of the others, patterns that take some away.
    ends = rest.index("--") if "--" in rest and command == "run" else len(rest)
    parser = _parser(command)
    args = parser.parse_intermixed_args(rest[:ends])
    check_patterns(args.targets, command)
    with opened(args, session) as workspace:
        loaded = workspace.load(args.targets)
        here = PackageId("", workspace.directory)
    explicit = not any(isinstance(parse_pattern(one, here), Pattern) for one in args.targets)
    kept = not args.cache_readonly if args.cache_repo else cache.keeps
    ids = loaded.roots if explicit else _meant(loaded.roots, loaded.graph, command, kept=kept)
    if not ids:
        what = (
            "test" if command == "test" else "push, or image that a cache repository could keep,"
        )
        raise Misused(
            f"{' '.join(args.targets)}: no {what} is among these",
            hint="`artificer query` lists what there is",
        )
    _check_tags(ids, loaded.graph)
    options = tuple(_options(rest[:ends], args.targets, valued_of(parser)))
    tail = (*options, *shared_words(args.cache_repo, cache), *rest[ends:])
    works = {one: _work(command, one, tail, loaded.graph, kept=kept) for one in ids}
    return works, loaded.graph


def _parser(command: str) -> Parser:
    parsers = {
        "build": build.parser,
        "run": run.parser,
        "test": test.parser,
    }
    return parsers[command]()


def _meant(
    roots: Sequence[TargetId], graph: Graph, command: str, *, kept: bool
) -> tuple[TargetId, ...]:
    """The targets of a pattern that get a pod: an image that is pushed needs none of its own."""
    if command == "test":
        return tuple(one for one in roots if isinstance(graph[one].target, _TESTS))
    pushes = {one: graph[one].target for one in roots if isinstance(graph[one].target, Push)}
    sent = {target.image for target in pushes.values() if isinstance(target, Push)}
    return tuple(
        one
        for one in roots
        if one in pushes or (kept and one not in sent and isinstance(graph[one].target, _IMAGES))
    )


def _check_tags(ids: Sequence[TargetId], graph: Graph) -> None:
    pushes = [one.label for one in ids if isinstance(graph[one].target, Push)]
    twice = next((label for label in pushes if pushes.count(label) > 1), None)
    if twice is not None:
        raise Misused(
            f"{twice} for several platforms would push one image over the other",
            hint="push an index of them (`oci_image_index`, `container_bundle`), or name one "
            "`--platform`",
        )


def _work(command: str, one: TargetId, tail: tuple[str, ...], graph: Graph, *, kept: bool) -> Work:
    platform = (f"--platform={one.platform}",) if one.platform else ()
    pushes = isinstance(graph[one].target, Push)
    if command == "build" and not pushes and not kept:
        raise nowhere(str(one), "declare a push of it, or name a `--cache-repo` that keeps it")
    verb = "run" if pushes else command
    return Work(str(one), (verb, one.label, *platform, *tail))


def _options(
    words: Sequence[str], targets: Sequence[str], valued: frozenset[str]
) -> Iterator[str]:
    """*words* without targets and platforms: these are each index's own."""
    rest = iter(words)
    for word in rest:
        name = word.partition("=")[0]
        if name in _PLATFORMS:
            if word in valued:
                next(rest)
        elif word in valued:
            yield word
            yield next(rest)
        elif word != "--" and word not in targets:
            yield word
