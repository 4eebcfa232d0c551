"""A one-line build: ``artificer -b BASE -f FILE… -t TARGET``."""

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from artificer.builder.build import Base, Built, Sources, annotations, build
from artificer.builder.known import Known
from artificer.builder.lock import read_lock
from artificer.builder.recipe import AddDebs, Cache, Target
from artificer.builder.shared import share
from artificer.cli.connect import open_reach
from artificer.cli.oneline.grammar import build_parser, with_stdin
from artificer.cli.oneline.target import target_of
from artificer.cli.results import made, tell
from artificer.cli.session import Session
from artificer.cli.words import store_limit, today
from artificer.errors import Misused
from artificer.images.fetch import Pull
from artificer.images.push import Delivery, push
from artificer.images.reach import Reach
from artificer.oci.digest import Digest
from artificer.oci.image import Content, Layer
from artificer.oci.platform import Platform
from artificer.oci.reference import (
    Layout,
    Named,
    OciArchive,
    Reference,
    Scratch,
    StoreName,
    parse_name,
    parse_reference,
)

if TYPE_CHECKING:
    from artificer.builder.debian.tools import DebTools
    from artificer.images.ahead import Ahead

_TOLD = 5
_EXPLAINED = 100_000


def run(words: Sequence[str], session: Session) -> int:
    """Build what *words* describe, and send it where they say."""
    args = parsed(words, session, "artificer")
    if args is None:
        return 0
    target = target_of(args, session.environ)
    references = _places_of(args)
    told = _descriptor_annotations(target, references)
    limit = store_limit(args.store_limit, session.environ)
    reach = open_reach(args, session, references)
    with reach.store.in_use():
        session.say("Checking base image...")
        cache = cache_of(args)
        early = _Early(args, references, reach, session)
        sources = sources_of(args, references, cache, reach, session)._replace(ahead=early.send)
        base = sources.base(target.base)
        session.say("Building new image...")
        built = build(upon(base, target, sources), base, sources)
        session.say("Pushing...")
        orders = orders_of(built, references, arch_tags=args.arch_tags)
        if args.max_upload is not None:
            _check_upload(orders, args, reach)
        send(orders, reach, session, early.finish(), told=told)
        if cache is not None:
            share(cache, built.fresh, reach)
    tell(built, references, args, session)
    if built.fresh:
        from artificer.cli.cache.upkeep import keep_within

        keep_within(limit, reach.store, session)
    session.say("Done.")
    return 0


def make_member(words: Sequence[str], platform: Platform, session: Session) -> None:
    """Make, of the index that *words* describe, the image for *platform*: for its cache alone."""
    args = parsed(words, session, "artificer")
    if args is None:
        return
    target = target_of(args, session.environ)
    own = tuple(one for one in target.annotations if one.scope == "manifest")
    target = target._replace(platforms=(platform,), annotations=own)
    references = references_of(args)
    reach = open_reach(args, session, references)
    with reach.store.in_use():
        cache = cache_of(args)
        sources = sources_of(args, references, cache, reach, session)
        base = sources.base(target.base)
        built = build(upon(base, target, sources), base, sources)
        if cache is not None:
            share(cache, built.fresh, reach)
    session.made += made(built.content, ())


def parsed(
    words: Sequence[str], session: Session, prog: str, *own: tuple[str, ...]
) -> Namespace | None:
    """The options in *words*; None when help was asked for, and given.

    Of *own* options, which only this command has, each is its name, what it means, and what its
    values are, if it has any.
    """
    parser = build_parser(prog)
    if own:
        add = parser.add_argument_group(prog.removeprefix("artificer ")).add_argument
        for name, meaning, *value in own:
            if value:
                add(name, metavar=value[0], action="extend", nargs="*", help=meaning)
            else:
                add(name, action="store_true", help=meaning)
    if "-h" in words or "--help" in words:
        session.out(parser.format_help().rstrip("\n"))
        return None
    args = parser.parse_args(with_stdin(words))
    session.console.choose("quiet" if args.quiet else args.progress)
    if args.password_stdin and any(text == "-" or text.startswith("-:") for text in args.tar):
        raise Misused(
            "standard input cannot be a password and an archive",
            hint="name the archive as a file, or log in before with `artificer login`",
        )
    return args


def references_of(args: Namespace) -> tuple[Reference, ...]:
    """The targets, each once; `scratch` is none."""
    # By their text: references of two kinds are equal as tuples when their words are.
    found = {str(one): one for one in map(parse_reference, args.target)}
    references = tuple(found.values())
    if any(isinstance(one, Scratch) for one in references):
        raise Misused(
            "`scratch` is a base, not a target", hint="keep the image with `-t store:NAME`"
        )
    named = any(isinstance(one, Named) for one in references)
    if args.arch_tags and references and not named:
        raise Misused("--arch-tags, but no target is in a registry", hint="leave --arch-tags out")
    if args.offline and named:
        raise Misused(
            "--offline, but a target is in a registry",
            hint="leave --offline out, or keep the image with `-t store:NAME`",
        )
    return references


def _places_of(args: Namespace) -> tuple[Reference, ...]:
    """The targets of a build that sends its image; there is one at least."""
    references = references_of(args)
    if not references:
        raise Misused(
            "no target", hint="say where the image goes: `-t REGISTRY/NAME:TAG`, `-t oci:DIR` …"
        )
    see_targets(references)
    return references


def pull_of(args: Namespace) -> Pull:
    """When bases are looked up anew."""
    pull: Pull = "never" if args.offline else args.pull
    return pull


def cache_of(args: Namespace) -> Cache | None:
    """The cache repository, if there is one."""
    if args.cache_repo is None:
        if args.cache_readonly:
            raise Misused("--cache-readonly without a --cache-repo")
        return None
    if args.offline:
        raise Misused("--offline, but --cache-repo is in a registry", hint="leave one of them out")
    name = parse_name(args.cache_repo)
    if name.tag or name.digest:
        raise Misused(f"--cache-repo is a repository, without a tag: {args.cache_repo}")
    return Cache(name, readonly=args.cache_readonly, day=today())


def sources_of(
    args: Namespace,
    references: Sequence[Reference],
    cache: Cache | None,
    reach: Reach,
    session: Session,
) -> Sources:
    """Where the build looks for bases and layers."""
    named = () if args.offline else tuple(one for one in references if isinstance(one, Named))

    def debs() -> "DebTools":
        from artificer.cli.debian.tools import deb_tools

        return deb_tools(args, reach, session)

    return Sources(
        reach,
        Known(reach, named, cache, afresh=args.no_cache),
        pull=pull_of(args),
        docker_host=session.environ.get("DOCKER_HOST"),
        stdin=session.stdin.buffer,
        explained=_EXPLAINED if args.explain else _TOLD,
        lock=read_lock(".", only=args.locked),
        debs=debs,
    )


def upon(base: Base, target: Target, sources: Sources) -> Target:
    """*target* with what its *base*, and the lock, have to say about Debian packages in it."""
    if not any(isinstance(step, AddDebs) for step in target.steps):
        return target
    from artificer.builder.package_base import completed

    return completed(target, base, sources)


def orders_of(
    built: Built, references: Sequence[Reference], *, arch_tags: bool
) -> list[tuple[Content, Reference]]:
    """What goes where; with *arch_tags*, each platform's image has a tag of its own, too."""
    orders: list[tuple[Content, Reference]] = [(built.content, one) for one in references]
    if arch_tags:
        for reference in references:
            if isinstance(reference, Named):
                orders.extend(
                    (image, _arch_tag(reference, str(image.platform))) for image in built.images
                )
    return orders


def _arch_tag(name: Named, platform: str) -> Named:
    suffix = platform.removeprefix("linux/").replace("/", "-")
    return name._replace(tag=f"{name.tag or 'latest'}-{suffix}")


class _Early:
    """Sends what was made while the rest is being made, where nothing speaks against it."""

    def __init__(
        self, args: Namespace, references: Sequence[Reference], reach: Reach, session: Session
    ) -> None:
        repositories = [one.repository for one in references if isinstance(one, Named)]
        # With --max-upload nothing is sent before all of it is known.
        self._targets = () if args.max_upload is not None else tuple(dict.fromkeys(repositories))
        self._reach = reach
        self._session = session
        self._ahead: Ahead | None = None

    def send(self, layers: Sequence[Layer]) -> None:
        if not self._targets:
            return
        if self._ahead is None:
            from artificer.images.ahead import Ahead

            self._ahead = Ahead(self._targets, self._reach)
            self._session.closing(self._ahead)
        self._ahead.send(layer.blob for layer in layers)

    def finish(self) -> frozenset[Digest]:
        return self._ahead.finish() if self._ahead is not None else frozenset()


def see_targets(references: Sequence[Reference]) -> None:
    """Refuse, before there is any work, a target that could not be written at the end of it."""
    if any(not isinstance(one, Named | StoreName) for one in references):
        from artificer.images.deliver import see_places

        see_places(references)


def send(
    orders: Sequence[tuple[Content, Reference]],
    reach: Reach,
    session: Session,
    carried: frozenset[Digest] = frozenset(),
    *,
    told: tuple[tuple[str, str], ...] = (),
) -> None:
    """Deliver everything; places other than registries are imported only when there are any.

    Blobs that were *carried* to all registries before are not asked for again. What is *told* are
    annotations for the index.json of OCI layouts.
    """
    named = [Delivery(content, one) for content, one in orders if isinstance(one, Named)]
    if len(named) == len(orders):
        push(named, reach, carried=carried)
        return
    from artificer.images.deliver import Order, deliver

    deliver(
        [Order(content, one, told) for content, one in orders],
        reach,
        docker_host=session.environ.get("DOCKER_HOST"),
        carried=carried,
    )


def _descriptor_annotations(
    target: Target, references: Sequence[Reference]
) -> tuple[tuple[str, str], ...]:
    told = tuple(annotations(target, "index-descriptor").items())
    if told and not any(isinstance(one, Layout | OciArchive) for one in references):
        raise Misused(
            f"an annotation of the index-descriptor ({told[0][0]}), but no target has one",
            hint="it stands in the index.json of `-t oci:DIR` or `-t oci-archive:FILE`; "
            "`index:` is for the index itself",
        )
    return told


def _check_upload(
    orders: Sequence[tuple[Content, Reference]], args: Namespace, reach: Reach
) -> None:
    from artificer.cli.oneline.budget import check_upload
    from artificer.images.forecast import forecast

    forecasts = [
        forecast(content, one, reach) for content, one in orders if isinstance(one, Named)
    ]
    check_upload(sum(each.upload_bytes for each in forecasts), args)
