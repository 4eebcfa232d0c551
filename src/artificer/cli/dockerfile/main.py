"""``artificer build CONTEXT``: the image that a Dockerfile describes, built and sent."""

from argparse import Namespace
from collections.abc import Callable, Sequence

from artificer.cli.connect import open_reach
from artificer.cli.dockerfile.build import Result, Site, built, options_for
from artificer.cli.dockerfile.call import answer, call_of
from artificer.cli.dockerfile.grammar import dockerfile_parser, plain_words
from artificer.cli.dockerfile.request import Request, request_of
from artificer.cli.dockerfile.send import check_outputs, deliver, see_outputs
from artificer.cli.dockerfile.sources import opener_of, sources_of
from artificer.cli.results import made
from artificer.cli.session import Session
from artificer.cli.words import store_limit
from artificer.errors import Misused
from artificer.frontends.dockerfile.parse import dockerfile
from artificer.images.reach import Reach
from artificer.oci.image import Image
from artificer.oci.platform import Platform
from artificer.oci.reference import Named

_PROGRESS = {"tty": "auto", "rawjson": "json", "none": "quiet"}
"""What docker calls kinds of progress."""

After = Callable[[Result, Reach], None]


def run(words: Sequence[str], session: Session) -> int:
    """Build what *words* describe."""
    return carry_out(parsed_dockerfile(words[1:], session), session, lambda result, reach: None)


def image_of(words: Sequence[str], session: Session, reach: Reach) -> Image:
    """Build what *words* describe, for one platform, and send it nowhere."""
    parser = dockerfile_parser()
    args = parser.parse_intermixed_args(plain_words(words, parser))
    request = request_of(args, session.environ)
    opener = opener_of(args, request, reach, session)
    opened = opener.open(request.words)
    site = Site(args, request, sources_of(args, request, reach, session), opener, session)
    return built(dockerfile(opened.text, opened.name), opened, site).images[0]


def make_member(words: Sequence[str], platform: Platform, session: Session) -> None:
    """Make, of the index that *words* describe, the image for *platform*: for its cache alone."""
    args = parsed_dockerfile(words[1:], session)
    request = checked_request(args, session)
    own = tuple(one for one in request.annotations if one.scope == "manifest")
    request = request._replace(platforms=(platform,), annotations=own)
    reach = open_reach(args, session, request.outputs.references)
    with reach.store.in_use():
        opener = opener_of(args, request, reach, session)
        opened = opener.open(request.words)
        site = Site(args, request, sources_of(args, request, reach, session), opener, session)
        result = built(dockerfile(opened.text, opened.name), opened, site)
    session.made += made(result.content, ())


def parsed_dockerfile(words: Sequence[str], session: Session) -> Namespace:
    """The options in *words*; from now on progress is shown as they say."""
    parser = dockerfile_parser()
    args = parser.parse_intermixed_args(plain_words(words, parser))
    progress = _PROGRESS.get(args.progress, args.progress)
    session.console.choose("quiet" if args.quiet else progress)
    if args.pull == "newer":
        args.pull = "always"
    return args


def carry_out(args: Namespace, session: Session, after: After) -> int:
    """Build and deliver what *args* describe, and do what is to be done *after* that."""
    request = checked_request(args, session)
    call = call_of(args)
    if call is None:
        see_outputs(request.outputs)
    limit = store_limit(args.store_limit, session.environ)
    reach = open_reach(args, session, request.outputs.references)
    with reach.store.in_use():
        opener = opener_of(args, request, reach, session)
        opened = opener.open(request.words)
        read = dockerfile(opened.text, opened.name)
        site = Site(args, request, sources_of(args, request, reach, session), opener, session)
        if call is not None:
            options = options_for(request, request.platforms[0], opened)
            return answer(call, read, options, opened.files, site)
        result = built(read, opened, site)
        deliver(result, request, args, reach, session)
        after(result, reach)
    if result.fresh:
        from artificer.cli.cache.upkeep import keep_within

        keep_within(limit, reach.store, session)
    return 0


def checked_request(args: Namespace, session: Session) -> Request:
    """What *args* ask for; what no output could do is refused before anything is built."""
    request = request_of(args, session.environ)
    check_outputs(request)
    if args.offline and any(isinstance(one, Named) for one in request.outputs.references):
        raise Misused(
            "--offline, but the image is to be sent to a registry",
            hint="leave --offline out, or keep the image in the store: `-t NAME`",
        )
    return request
