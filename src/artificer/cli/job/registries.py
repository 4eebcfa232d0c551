"""Which repositories a command line reads from and pushes to, as far as files here tell."""

import os
from collections.abc import Iterator, Mapping, Sequence

from artificer.builder.recipe import CopyFrom
from artificer.builder.staged.options import LocalCache
from artificer.builder.targets import Declared, Imported, Pull, Push, SourceFile, TargetId
from artificer.cli.builds.main import is_of_dockerfile
from artificer.cli.dockerfile.names import DOCKERFILES, is_remote
from artificer.cli.job.works import asked
from artificer.cli.session import Session
from artificer.events import Warned
from artificer.frontends.dockerfile.images import images_of
from artificer.frontends.dockerfile.options import Options
from artificer.frontends.dockerfile.parse import dockerfile
from artificer.kubernetes.job import Cache
from artificer.limits import DOCKERFILE_BYTES
from artificer.oci.reference import (
    InvalidReference,
    Named,
    Reference,
    Repository,
    parse_name,
    parse_reference,
)


def repositories_of(
    words: Sequence[str], cache: Cache, session: Session
) -> tuple[Repository, ...]:
    """The repositories of bases, targets and caches that *words* name, each once."""
    found = asked(words, cache, session)
    named = [parse_name(cache.repository)] if cache.repository else []
    if words[0].startswith("-"):
        named += _one_line(words, session)
    elif words[0] == "kaniko" or (words[0] == "build" and is_of_dockerfile(words[1:])):
        named += _dockerfile(words, session)
    elif words[0] == "copy":
        references = (parse_reference(word) for word in words[1:] if not word.startswith("-"))
        named += [one for one in references if isinstance(one, Named)]
    named += _targets(found.graph, session)
    return tuple(dict.fromkeys(one.repository for one in named))


def _named(references: Sequence[Reference]) -> list[Named]:
    return [one for one in references if isinstance(one, Named)]


def _one_line(words: Sequence[str], session: Session) -> list[Named]:
    from artificer.cli.oneline.grammar import build_parser, with_stdin
    from artificer.cli.oneline.main import references_of
    from artificer.cli.oneline.target import target_of

    args = build_parser("artificer job … --").parse_args(with_stdin(words))
    target = target_of(args, session.environ)
    copied = [step.image for step in target.steps if isinstance(step, CopyFrom)]
    own = [parse_name(args.cache_repo)] if args.cache_repo else []
    return [*_named([target.base, *copied]), *_named(references_of(args)), *own]


def _dockerfile(words: Sequence[str], session: Session) -> list[Named]:
    from artificer.cli.dockerfile.main import parsed_dockerfile
    from artificer.cli.dockerfile.request import request_of
    from artificer.cli.kaniko.main import translated

    own = translated(words[1:], {}).words if words[0] == "kaniko" else words[1:]
    args = parsed_dockerfile(own, session)
    request = request_of(args, session.environ)
    shared = (one for one in request.caches.steps if not isinstance(one, LocalCache))
    named = [*_named(request.outputs.references), *(one.name for one in shared)]
    if is_remote(args.context):
        session.report(
            Warned(
                f"the Dockerfile is in {args.context}: what it builds upon is not known here",
                hint="name those registries, too, if they want a login",
            )
        )
        return named
    return [*named, *_bases(_path(args.context, args.file), request.options, session)]


def _path(context: str, file: str | None) -> str:
    if file is not None:
        return file
    paths = (os.path.join(context, name) for name in DOCKERFILES)
    return next((path for path in paths if os.path.isfile(path)), f"{context}/Dockerfile")


def _bases(path: str, options: Options, session: Session) -> Iterator[Named]:
    try:
        with open(path, "rb") as file:
            data = file.read(DOCKERFILE_BYTES)
    except FileNotFoundError:
        session.report(Warned(f"there is no {path} here, so what it builds upon is not known"))
        return
    for text in images_of(dockerfile(data, path), options):
        try:
            yield parse_name(text)
        except InvalidReference:
            continue  # The build says where it stands.


def _targets(graph: Mapping[TargetId, Declared], session: Session) -> Iterator[Named]:
    for one, declared in graph.items():
        match declared.target:
            case Pull(name=name):
                yield name
            case Push(registry=str() as registry, repository=str() as repository):
                yield from _pushed("/".join(filter(None, (registry, repository))), one, session)
            case Push():
                yield from _pushed("", one, session)
            case Imported(dockerfile=SourceFile(path=path), arguments=arguments):
                yield from _bases(path, Options(build_args=dict(arguments)), session)
            case _:
                continue


def _pushed(text: str, one: TargetId, session: Session) -> Iterator[Named]:
    try:
        yield parse_name(text)
    except InvalidReference:
        session.report(
            Warned(
                f"{one} says where it pushes to only when it is built",
                hint="name its registry, too",
            )
        )
