"""``artificer flatten`` and ``rebase``: the same image, on other layers."""

from argparse import Namespace
from collections.abc import Callable, Sequence

from artificer.builder.build import Base
from artificer.builder.kind import kind_of
from artificer.builder.recipe import Compress
from artificer.cli.command import add_platform, run_command, writing_parser
from artificer.cli.grammar import Once, Parser
from artificer.cli.lookup import Lookup, looking
from artificer.cli.results import by_digest
from artificer.cli.session import Session
from artificer.errors import Misused
from artificer.events import Note
from artificer.images.choose import everything
from artificer.images.deliver import Order, deliver
from artificer.images.each import Edit, each_image
from artificer.images.flatten import flattened
from artificer.images.foundation import check_fit
from artificer.images.place import image_for
from artificer.oci.digest import Digest
from artificer.oci.edit import BASE_DIGEST, BASE_NAME
from artificer.oci.image import Image
from artificer.oci.rebase import rebased
from artificer.oci.reference import Named, Reference, Scratch, parse_name, parse_reference


def run(words: Sequence[str], session: Session) -> int:
    """Run the command that *words* begin with."""
    make, act = _COMMANDS[words[0]]
    return run_command(make(), words, session, act)


def _flatten_parser() -> Parser:
    parser = writing_parser(
        "flatten",
        "IMAGE -t TARGET [--platform OS/ARCH] [options]",
        "Make one layer of all layers of an image, without the files that upper layers hide; "
        "settings stay as they are. Of an index, every platform's image is flattened. Each "
        "target's reference by digest is printed.",
    )
    _add_words(parser)
    parser.add_argument(
        "--compression",
        choices=("gzip", "zstd", "none"),
        default="gzip",
        action=Once,
        help="of the layer (gzip)",
    )
    parser.add_argument(
        "--compression-level", metavar="N", type=int, action=Once, help="default: 1, the fastest"
    )
    return parser


def _add_words(parser: Parser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="the image")
    parser.add_argument(
        *("-t", "--target"),
        metavar="TARGET",
        action="append",
        required=True,
        help="where the result goes; several are possible",
    )
    add_platform(parser, "of an index: this image alone")


def _flatten(args: Namespace, session: Session) -> int:
    compress = Compress(args.compression, args.compression_level)

    def maker(lookup: Lookup) -> Edit:
        return lambda image: _flat(image, compress, lookup)

    return _reshaped(maker, args, session)


def _flat(image: Image, compress: Compress, lookup: Lookup) -> Image:
    if not image.layers:  # No files, no layer.
        return image
    return flattened(image, kind_of(compress, image.format).encoder, lookup.reach)


def _rebase_parser() -> Parser:
    parser = writing_parser(
        "rebase",
        "IMAGE -t TARGET [--new-base BASE] [--old-base BASE] [--force] [options]",
        "Put an image's own layers on another base, or on what its base's tag is now, by editing "
        "its manifest: nothing is built, and layers are read only to see what a base has in it. "
        "Settings that came from the base are renewed. A base of another system or version "
        "(/etc/os-release), or without the loader (ld-linux, ld-musl) or the interpreters "
        "(python3.11 …) that the old one had, is refused. Each target's reference by digest is "
        "printed.",
    )
    _add_words(parser)
    parser.add_argument(
        "--new-base", metavar="BASE", action=Once, help="the new base (what the old tag names now)"
    )
    parser.add_argument(
        "--old-base", metavar="BASE", action=Once, help="what it was built upon (its annotations)"
    )
    parser.add_argument("--force", action="store_true", help="take any base")
    return parser


def _rebase(args: Namespace, session: Session) -> int:
    old = None if args.old_base is None else parse_reference(args.old_base)
    new = None if args.new_base is None else parse_reference(args.new_base)
    if Scratch() in (old, new):
        raise Misused("`scratch` has no layers: nothing is built upon it that could be moved")

    def maker(lookup: Lookup) -> Edit:
        return lambda image: _on_new_base(image, old, new, args, lookup)

    return _reshaped(maker, args, session)


def _on_new_base(
    image: Image, old: Reference | None, new: Reference | None, args: Namespace, lookup: Lookup
) -> Image:
    told = _told_base(image)
    old = old or told
    if old is None:
        raise Misused(
            f"{args.image} does not say what it was built upon",
            hint="name its base with `--old-base`, by digest if the tag has moved",
        )
    new = new or _by_tag(told, args)
    before = image_for(lookup.find(old), image.platform)
    found = lookup.find(new)
    after = image_for(found, image.platform)
    if before == after:
        lookup.reach.report(Note(f"{args.image} ({image.platform}) is on {new} already"))
        return image
    if not args.force:
        check_fit(before, after, lookup.reach)
    return rebased(image, before, after, Base(new, found).annotations())


def _told_base(image: Image) -> Named | None:
    """The base that the image's annotations name, by digest and with the tag it was named by."""
    name, digest = image.annotations.get(BASE_NAME), image.annotations.get(BASE_DIGEST)
    if not name or not digest:
        return None
    return parse_name(name).pinned(Digest(digest))


def _by_tag(told: Named | None, args: Namespace) -> Named:
    if told is None or told.tag is None:
        raise Misused(
            f"{args.image} does not say under which tag its base is", hint="name a `--new-base`"
        )
    return told._replace(digest=None)


def _reshaped(maker: Callable[[Lookup], Edit], args: Namespace, session: Session) -> int:
    """Edit the image, or every image of the index, and send the result to the targets."""
    source = parse_reference(args.image)
    targets = [parse_reference(text) for text in dict.fromkeys(args.target)]
    if Scratch() in targets:
        raise Misused("`scratch` is a base, not a target")
    if args.offline and any(isinstance(one, Named) for one in targets):
        raise Misused("--offline, but a target is in a registry", hint="leave --offline out")
    with looking(args, session, targets) as lookup:
        found = lookup.find(source)
        content = (
            everything(found, lookup.reach) if lookup.asked is None else lookup.image_in(found)
        )
        result = each_image(content, maker(lookup), lookup.reach.report)
        orders = [Order(result, target) for target in targets]
        deliver(orders, lookup.reach, docker_host=lookup.docker_host)
    for target in targets:
        session.out(by_digest(target, result.digest))
    return 0


_COMMANDS: dict[str, tuple[Callable[[], Parser], Callable[[Namespace, Session], int]]] = {
    "flatten": (_flatten_parser, _flatten),
    "rebase": (_rebase_parser, _rebase),
}
