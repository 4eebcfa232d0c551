"""``artificer verify build CONTEXT``: a Dockerfile built twice, under other circumstances."""

import os
from argparse import Namespace
from collections.abc import Sequence

from artificer.cli.builds.circumstances import check_same, elsewhere, only_warnings, own_store
from artificer.cli.builds.main import is_of_dockerfile
from artificer.cli.connect import open_reach
from artificer.cli.dockerfile.build import Result, Site, built
from artificer.cli.dockerfile.main import checked_request, parsed_dockerfile
from artificer.cli.dockerfile.request import Request
from artificer.cli.dockerfile.sources import opener_of, sources_of
from artificer.cli.session import Session
from artificer.errors import Misused
from artificer.frontends.dockerfile.contexts import NamedContext
from artificer.frontends.dockerfile.parse import dockerfile
from artificer.images.reach import Reach
from artificer.oci.reference import DockerArchive, Layout, OciArchive, RootFs
from artificer.sources.git_reference import is_git_reference

_HINT = (
    "a command that writes the time, a random number or an order that is not sorted makes it so; "
    "SOURCE_DATE_EPOCH is in its environment"
)


def run_build(words: Sequence[str], session: Session) -> int:
    """Build what *words* (from ``build`` on) describe twice, and compare."""
    if "-h" in words or "--help" in words:
        from artificer.cli.builds.main import run

        return run(words, session)
    if not is_of_dockerfile(words[1:]):
        from artificer.cli.workspace.verify import run_in_workspace

        return run_in_workspace(["verify", *words[1:]], session)
    args = parsed_dockerfile(words[1:], session)
    if "-" in {args.context, args.file}:
        raise Misused("standard input cannot be read twice", hint="name a directory and a file")
    request = _from_anywhere(checked_request(args, session))
    reach = open_reach(args, session, request.outputs.references)
    with (
        reach.store.in_use(),
        own_store(reach, reach.report) as one,
        own_store(reach, only_warnings(reach)) as other,
    ):
        session.say("Building as it is...")
        first = _built(args, request, one, session)
        session.say("Building with other umask, time zone, directory and order of files...")
        with elsewhere():
            second = _built(args, request, other, session)
        check_same(first.images, second.images, one, other, _HINT)
    session.say("Both are the same.")
    session.out(str(first.content.digest))
    return 0


def _built(args: Namespace, request: Request, reach: Reach, session: Session) -> Result:
    opener = opener_of(args, request, reach, session)
    opened = opener.open(request.words)
    read = dockerfile(opened.text, opened.name)
    site = Site(args, request, sources_of(args, request, reach, session), opener, session)
    return built(read, opened, site)


def _from_anywhere(request: Request) -> Request:
    """*request* with places that are the same in every directory; nobody's layers are taken."""
    words = request.words
    place = words.context
    if not is_git_reference(place) and "://" not in place:
        place = os.path.abspath(place)
    local = os.path.isdir(place)
    file = os.path.abspath(words.file) if words.file is not None and local else words.file
    ignore = os.path.abspath(words.ignore_file) if words.ignore_file is not None else None
    contexts = tuple(map(_anywhere, request.options.contexts))
    return request._replace(
        words=words._replace(context=place, file=file, ignore_file=ignore),
        options=request.options._replace(contexts=contexts),
        caches=request.caches._replace(steps=()),
        outputs=request.outputs._replace(references=()),
    )


def _anywhere(context: NamedContext) -> NamedContext:
    source = context.source
    if isinstance(source, Layout | OciArchive | DockerArchive | RootFs):
        return context._replace(source=source._replace(path=os.path.abspath(source.path)))
    if os.path.exists(context.value):
        return context._replace(value=os.path.abspath(context.value))
    return context
