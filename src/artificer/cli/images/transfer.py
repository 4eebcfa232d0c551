"""``artificer pull``, ``push``, ``copy``, ``save`` and ``load``: images from place to place."""

from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence

from artificer.cli.command import (
    add_platform,
    local_parser,
    reading_parser,
    run_command,
    writing_parser,
)
from artificer.cli.grammar import Once, Parser
from artificer.cli.lookup import Lookup, looking
from artificer.cli.results import by_digest
from artificer.cli.session import Session
from artificer.errors import Misused
from artificer.events import Tagged, Warned
from artificer.images.archive import write_archive
from artificer.images.choose import everything, narrowed
from artificer.images.compress import compressed
from artificer.images.deliver import Order, deliver
from artificer.images.docker_archive import docker_parts, saved_as
from artificer.images.each import each_image
from artificer.images.load import Held, images_in
from artificer.images.named import write_name
from artificer.images.oci_archive import oci_parts
from artificer.images.tarred import Part, tarred
from artificer.layers.encode import encoder
from artificer.oci.edit import converted
from artificer.oci.image import Content, Image
from artificer.oci.media import format_of
from artificer.oci.reference import (
    Daemon,
    DockerArchive,
    Layout,
    Named,
    OciArchive,
    Reference,
    RootFs,
    Scratch,
    StoreName,
    parse_name,
    parse_reference,
)

_CHUNK = 1 << 20
_MADE_UP = (DockerArchive, Daemon)
"""Places that keep no manifest: what comes from there has one that we made."""
_LAYOUTS = (Layout, OciArchive)
_PLAIN = (DockerArchive, Daemon, RootFs)
"""Places that take layers uncompressed."""


def run(words: Sequence[str], session: Session) -> int:
    """Run the command that *words* begin with."""
    make, act = _COMMANDS[words[0]]
    return run_command(make(), words, session, act)


def _pull_parser() -> Parser:
    parser = reading_parser(
        "pull",
        "IMAGE… [--platform OS/ARCH | --all-platforms] [options]",
        "Bring images of registries into the local store, layers and all. Of an image for "
        "several platforms one is fetched: --platform, or the only one, or linux/amd64. "
        "Each image's reference by digest is printed. Later: `artificer -b IMAGE "
        "--offline …` builds upon it.",
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="its name in a registry")
    add_platform(parser, "which platform's image to fetch")
    parser.add_argument("--all-platforms", action="store_true", help="fetch every platform's")
    return parser


def _pull(args: Namespace, session: Session) -> int:
    if args.all_platforms and args.platform:
        raise Misused("--platform and --all-platforms exclude each other")
    names = [_registry_name(text) for text in args.images]
    with looking(args, session) as lookup:
        for name in names:
            found = lookup.find(name)
            if args.all_platforms:
                content = everything(found, lookup.reach)
            else:
                content = narrowed(found, lookup.image_in(found))
            _into_store(content, StoreName(name.familiar), lookup)
            session.out(by_digest(name, found.digest))
    return 0


def _registry_name(text: str) -> Named:
    reference = parse_reference(text)
    if not isinstance(reference, Named):
        raise Misused(
            f"{text} is not in a registry",
            hint=f"`artificer copy {text} store:NAME` brings it into the store",
        )
    return reference


def _push_parser() -> Parser:
    parser = writing_parser(
        "push",
        "NAME [TARGET…] [--platform OS/ARCH] [--format FORMAT] [options]",
        "Send an image of the local store to a registry: to where its name points, or to "
        "each TARGET. Only what the registry lacks is sent; the tag is written last. Each "
        "target's reference by digest is printed.",
    )
    parser.add_argument("image", metavar="NAME", help="its name in the store (or transport:NAME)")
    parser.add_argument(
        "targets", metavar="TARGET", nargs="*", default=[], help="where to send it"
    )
    _add_conversion(parser)
    add_platform(parser, "send this platform's image alone")
    return parser


def _push(args: Namespace, session: Session) -> int:
    source = _in_store(args.image)
    targets = [parse_reference(text) for text in args.targets]
    if not targets:
        if not isinstance(source, StoreName):
            raise Misused(f"no target for {source}", hint=f"say `artificer push {source} TARGET`")
        targets = [parse_name(source.name)]
    return _copied(source, targets, args, session)


def _in_store(text: str) -> Reference:
    """What *text* names; without a transport it is an image of the store."""
    reference = parse_reference(text)
    if isinstance(reference, Named) and not text.startswith("docker:"):
        return parse_reference(f"store:{text}")
    return reference


def _copy_parser() -> Parser:
    parser = writing_parser(
        "copy",
        "SOURCE TARGET… [--platform OS/ARCH] [--format FORMAT] [options]",
        "Copy an image from anywhere to anywhere. Everything is copied as it is, all "
        "platforms of an index; --platform picks one, --format converts, and the digest is "
        "another then. Between registries layers are mounted or streamed, not stored. Each "
        "target's reference by digest is printed.",
    )
    parser.add_argument("source", metavar="SOURCE", help="what to copy")
    parser.add_argument("targets", metavar="TARGET", nargs="+", help="where to")
    _add_conversion(parser)
    add_platform(parser, "copy this platform's image alone")
    return parser


def _add_conversion(parser: Parser) -> None:
    parser.add_argument(
        "--format",
        choices=("docker", "oci"),
        action=Once,
        help="convert media types (as they are)",
    )


def _copy(args: Namespace, session: Session) -> int:
    targets = [parse_reference(text) for text in args.targets]
    return _copied(parse_reference(args.source), targets, args, session)


def _copied(
    source: Reference, targets: Sequence[Reference], args: Namespace, session: Session
) -> int:
    if Scratch() in targets:
        raise Misused("`scratch` is a base, not a target")
    if args.offline and any(isinstance(one, Named) for one in targets):
        raise Misused("--offline, but a target is in a registry", hint="leave --offline out")
    with looking(args, session, targets) as lookup:
        content = _for_targets(_content(source, lookup), source, targets, lookup)
        if args.format is not None:
            content = each_image(
                content, lambda image: converted(image, args.format), lookup.reach.report
            )
        _warn_of_format(content, targets, lookup)
        orders = [Order(content, target) for target in targets]
        deliver(orders, lookup.reach, docker_host=lookup.docker_host)
    for target in targets:
        session.out(by_digest(target, content.digest))
    return 0


def _content(reference: Reference, lookup: Lookup) -> Content:
    found = lookup.find(reference)
    return everything(found, lookup.reach) if lookup.asked is None else lookup.image_in(found)


def _for_targets(
    content: Content, source: Reference, targets: Sequence[Reference], lookup: Lookup
) -> Content:
    """What comes from a place without manifests, with the manifest that suits the targets."""
    if not isinstance(source, _MADE_UP) or not isinstance(content, Image):
        return content
    if not all(isinstance(one, _PLAIN) for one in targets):
        content = _small(content, lookup)
    if any(isinstance(one, _LAYOUTS) for one in targets):
        return converted(content, "oci")
    return content


def _warn_of_format(content: Content, targets: Sequence[Reference], lookup: Lookup) -> None:
    layouts = [str(one) for one in targets if isinstance(one, _LAYOUTS)]
    if layouts and format_of(content.descriptor.media_type) == "docker":
        lookup.reach.report(
            Warned(
                f"{layouts[0]} gets docker's manifest, which skopeo and umoci do not read there",
                "convert it with `artificer copy --format oci`; its digest then is another",
            )
        )


def _small(image: Image, lookup: Lookup) -> Image:
    """*image* with layers as registries like them, where its digest says nothing anyway."""
    return compressed(image, encoder("gzip"), lookup.reach)


def _save_parser() -> Parser:
    parser = reading_parser(
        "save",
        "IMAGE… [-o FILE] [--format oci-archive] [--platform OS/ARCH] [options]",
        "Write images as an archive: by default one that `docker load` and `podman load` "
        "read, with --format oci-archive one that keeps digests and all platforms. `-o -` "
        "writes to standard output.",
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="what to save")
    parser.add_argument(
        "-o", "--output", metavar="FILE", action=Once, help="archive to write (standard output)"
    )
    parser.add_argument(
        "--format",
        choices=("docker-archive", "oci-archive"),
        default="docker-archive",
        action=Once,
        help="kind of archive (docker-archive)",
    )
    parser.add_argument("--name", metavar="NAME", action=Once, help="what to call it in there")
    add_platform(parser, "which platform's image to save")
    return parser


def _save(args: Namespace, session: Session) -> int:
    references = [parse_reference(text) for text in args.images]
    path = args.output or "-"
    if len(references) > 1 and (args.name is not None or args.format == "oci-archive"):
        what = "--name" if args.name is not None else "an oci-archive"
        raise Misused(f"{what} is for one image, not for {len(references)}")
    given = None if args.name is None else parse_name(args.name)
    with looking(args, session) as lookup:
        names = [given or _name_of(reference) for reference in references]
        if args.format == "oci-archive":
            contents = [_content(references[0], lookup)]
            _warn_of_format(contents[0], [OciArchive(path)], lookup)
            tag = None if names[0] is None else str(_tagged(names[0]))
            parts = oci_parts(contents[0], OciArchive(path, tag), lookup.reach)
        else:
            contents = [lookup.image(reference) for reference in references]
            saved = [saved_as(*one) for one in zip(contents, names, strict=True)]
            parts = docker_parts(saved, lookup.reach)
        _write(parts, path, lookup, session)
    if path != "-":
        for reference, content in zip(references, contents, strict=True):
            session.out(by_digest(reference, content.digest))
    return 0


def _name_of(reference: Reference) -> Named | None:
    """What an image is called in an archive, if its reference has a name with a tag in it."""
    match reference:
        case Named():
            name = reference
        case StoreName(text):
            name = parse_name(text)
        case Daemon(name):
            pass
        case DockerArchive(_, inner) if inner is not None:
            name = inner
        case _:
            return None
    return name if name.tag or not name.digest else None


def _tagged(name: Named) -> Named:
    return name._replace(tag=name.tag or "latest", digest=None)


def _write(parts: Iterable[Part], path: str, lookup: Lookup, session: Session) -> None:
    if path != "-":
        write_archive(path, parts, lookup.reach)
        return
    session.write(tarred(parts, lookup.reach))


def _load_parser() -> Parser:
    parser = local_parser(
        "load",
        "[-i FILE] [--name NAME] [options]",
        "Read an archive that docker, podman, skopeo or `artificer save` wrote, and put "
        "all its images into the store under the names that they have there. Each is "
        "printed.",
    )
    parser.add_argument(
        "-i", "--input", metavar="FILE", action=Once, help="archive; `-` is standard input (-)"
    )
    parser.add_argument(
        "--name", metavar="NAME", action=Once, help="what to call the archive's only image"
    )
    return parser


def _load(args: Namespace, session: Session) -> int:
    with looking(args, session) as lookup:
        if args.input not in {None, "-"}:
            return _loaded(images_in(args.input, args.input, lookup.reach), args, lookup, session)
        store = lookup.reach.store
        digest = store.put_chunks(_input(session, lookup))
        try:
            held = images_in(store.blob_path(digest), "standard input", lookup.reach)
            return _loaded(held, args, lookup, session)
        finally:
            store.discard(digest)


def _loaded(held: Sequence[Held], args: Namespace, lookup: Lookup, session: Session) -> int:
    """Name everything or nothing: what has no name is found out before anything is written."""
    named = [(one, _load_names(one, args.name, len(held))) for one in held]
    for one, names in named:
        content = everything(one.found, lookup.reach)
        if not one.original and isinstance(content, Image):
            content = _small(content, lookup)
        for name in names:
            target = StoreName(parse_name(name).familiar)
            _into_store(content, target, lookup)
            session.out(by_digest(target, content.digest))
    return 0


def _load_names(held: Held, chosen: str | None, count: int) -> tuple[str, ...]:
    if chosen is not None and count > 1:
        raise Misused(f"--name is for one image, and {held.found.reference} holds {count}")
    names = held.names if chosen is None else (chosen,)
    if not names:
        raise Misused(
            f"{held.found.reference} says of no name for its image {held.found.digest.short}",
            hint="choose one with `--name NAME`",
        )
    return tuple(str(_tagged(parse_name(name))) for name in names)


def _input(session: Session, lookup: Lookup) -> Iterator[bytes]:
    if session.stdin.isatty():
        raise Misused("no archive", hint="name one with `-i FILE`, or pipe it in")
    while chunk := session.stdin.buffer.read(_CHUNK):
        lookup.reach.stop.check()
        yield chunk


def _into_store(content: Content, target: StoreName, lookup: Lookup) -> None:
    write_name(content, target, lookup.reach)
    lookup.reach.report(Tagged(str(target), content.digest))


_COMMANDS: dict[str, tuple[Callable[[], Parser], Callable[[Namespace, Session], int]]] = {
    "pull": (_pull_parser, _pull),
    "push": (_push_parser, _push),
    "copy": (_copy_parser, _copy),
    "save": (_save_parser, _save),
    "load": (_load_parser, _load),
}
