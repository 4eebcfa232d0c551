"""What every command over images has in common: its help page, its words, its handles."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from textwrap import fill

from artificer.cli.grammar import (
    WIDTH,
    Formatter,
    Once,
    Parser,
    add_access_options,
    add_common_options,
    add_registry_options,
)
from artificer.cli.session import Session

_REFERENCES = """\
An image is named as [registry/]name[:tag][@digest] for one in a registry, or with a transport:
oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, docker-daemon:NAME, store:NAME, rootfs:DIR.
"""


def reading_parser(name: str, usage: str, about: str) -> Parser:
    """The parser of a command that reads images: *usage* is its words, *about* what it does."""
    return _image_parser(bare_parser(name, usage, about), targets=False)


def writing_parser(name: str, usage: str, about: str) -> Parser:
    """The parser of a command that also puts images somewhere."""
    return _image_parser(bare_parser(name, usage, about), targets=True)


def bare_parser(name: str, usage: str, about: str) -> Parser:
    """The same without any option: whoever asks for it adds those that are for it."""
    return Parser(
        prog=f"artificer {name}",
        usage=f"artificer {name} {usage}",
        description="\n\n".join(fill(part, WIDTH) for part in about.split("\n\n")),
        add_help=False,
        allow_abbrev=False,
        formatter_class=Formatter,
    )


def asking_parser(name: str, usage: str, about: str) -> Parser:
    """The parser of a command that asks registries themselves, whatever the store knows."""
    parser = bare_parser(name, usage, about)
    add_access_options(parser)
    add_common_options(parser)
    parser.set_defaults(pull="always", offline=False)
    return parser


def local_parser(name: str, usage: str, about: str) -> Parser:
    """The parser of a command that knows the local store, and never asks a registry."""
    parser = bare_parser(name, usage, about)
    add_common_options(parser)
    unasked = Parser(add_help=False)
    add_registry_options(unasked, targets=False)
    parser.set_defaults(**{**vars(unasked.parse_args([])), "offline": True})
    return parser


def _image_parser(parser: Parser, *, targets: bool) -> Parser:
    parser.epilog = _REFERENCES
    add_registry_options(parser, targets=targets)
    add_common_options(parser)
    return parser


def add_platform(parser: Parser, meaning: str) -> None:
    """Add ``--platform``, which here means *meaning*."""
    parser.add_argument("--platform", metavar="OS/ARCH", action=Once, help=meaning)


def add_format(parser: Parser) -> None:
    """Add the choice between a page for people and JSON for programs."""
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        action=Once,
        help="how it is printed (text)",
    )


def run_command(
    parser: Parser,
    words: Sequence[str],
    session: Session,
    act: Callable[[Namespace, Session], int],
) -> int:
    """Print the help page if *words* ask for it; else read them and act."""
    options = words[1 : words.index("--")] if "--" in words else words[1:]
    if "-h" in options or "--help" in options:
        session.out(parser.format_help().rstrip("\n"))
        return 0
    args = parser.parse_intermixed_args(words[1:])
    session.console.choose("quiet" if args.quiet else args.progress)
    return act(args, session)
