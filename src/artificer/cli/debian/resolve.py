"""``artificer packages resolve``: which packages an empty root would get."""

import json
from argparse import Namespace
from typing import Any

from artificer.builder.debian.choice import foreign_of
from artificer.cli.command import add_format, bare_parser
from artificer.cli.debian.access import open_web
from artificer.cli.debian.words import archives_given, is_file, pins_given
from artificer.cli.grammar import (
    OptionGroup,
    Parser,
    add_archive_options,
    add_common_options,
    add_connection_options,
    add_registry_options,
)
from artificer.cli.session import Session
from artificer.errors import Misused
from artificer.sources.debian.archives.acquire import open_universe
from artificer.sources.debian.resolving.binary import Binary
from artificer.sources.debian.resolving.resolve import Solution, resolve
from artificer.sources.debian.values import Wanted, name_beside

_ABOUT = """\
Print the packages that an empty root would get, a line NAME=VERSION each: those named, what they
need, the essential set and apt. They are those that apt-get would install; nothing is downloaded
but the lists of packages, and they are kept.

PACKAGE is a word of apt-get: NAME, NAME=VERSION, NAME/SUITE, NAME:ARCHITECTURE, or NAME- to do
without; or the path of a .deb file. Archives are named by --archive or --sources.
"""


def resolve_parser() -> Parser:
    """The grammar of ``packages resolve``."""
    parser = bare_parser(
        "packages resolve", "[--archive LINE | --sources FILE] PACKAGE... [options]", _ABOUT
    )
    parser.add_argument("package", metavar="PACKAGE", nargs="*", help="what is asked for")
    group = OptionGroup(parser, "packages")
    group.many(
        "--architecture",
        "NAME",
        "as Debian calls it (amd64); a further one is for NAME:ARCHITECTURE",
    )
    group.switch("--recommends", "take what packages recommend, too")
    group.many("--exclude", "NAME", "a package that must not come in")
    add_format(parser)
    group = OptionGroup(parser, "archives")
    add_archive_options(group)
    group.switch("--offline", "use the lists of the store as they are")
    add_connection_options(parser)
    add_common_options(parser)
    unasked = Parser(add_help=False)
    add_registry_options(unasked, targets=False)
    parser.set_defaults(**vars(unasked.parse_args([])))
    return parser


def print_resolved(args: Namespace, session: Session) -> int:
    """Print what *args* come to."""
    named = list(dict.fromkeys(args.architecture)) or ["amd64"]
    architectures = list(dict.fromkeys((*named, *foreign_of(args.package, named[0]))))
    pins = pins_given(args)
    wanted = Wanted(
        packages=tuple(word for word in args.package if not is_file(word)),
        files=tuple(word for word in args.package if is_file(word)),
        exclude=tuple(args.exclude),
        pins=pins,
        recommends=args.recommends,
        essential=True,
        apt=True,
    )
    archives = archives_given(args)
    if not archives:
        raise Misused(
            "packages of which archive?",
            hint="name it: `--archive 'http://deb.debian.org/debian bookworm main'`, "
            "or `--sources FILE` with a sources.list or .sources file",
        )
    store = session.store(args.store)
    with store.in_use():
        web = open_web(args, session, store)
        universe = open_universe(archives, architectures, web, pins=pins, files=wanted.files)
        solution = resolve(wanted, universe, (), architectures[0], architectures[1:])
        page = _page(solution, architectures[0], as_json=args.format == "json")
        if page:
            session.out(page)
    return 0


def _page(solution: Solution, native: str, *, as_json: bool) -> str:
    packages = sorted(solution.install, key=lambda one: (one.name, one.architecture))
    named = [(name_beside(native, one.name, one.architecture), one) for one in packages]
    if not as_json:
        return "\n".join(f"{name}={one.version}" for name, one in named)
    document = {
        "architecture": native,
        "packages": [_document(one, name, solution) for name, one in named],
    }
    return json.dumps(document, indent=2)


def _document(binary: Binary, name: str, solution: Solution) -> dict[str, Any]:
    return {
        "name": binary.name,
        "version": binary.version,
        "architecture": binary.architecture,
        "source": binary.source,
        "auto": name in solution.auto,
        "why": solution.why[name],
        "urls": list(binary.urls),
        "size": binary.size,
        "sha256": binary.sha256,
    }
