"""``artificer packages``: which Debian packages an image has, or an empty root would get."""

import json
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from artificer import limits
from artificer.cli.command import add_format, add_platform, reading_parser
from artificer.cli.debian.resolve import print_resolved, resolve_parser
from artificer.cli.grammar import Parser
from artificer.cli.lookup import looking
from artificer.cli.parts import Part, run_part
from artificer.cli.session import Session
from artificer.cli.terminal.table import table
from artificer.images.files import read_files, tree_of
from artificer.images.reach import Reach
from artificer.layers.tree import Tree
from artificer.oci.image import Image
from artificer.oci.reference import parse_reference
from artificer.sources.debian.listing import (
    Distribution,
    Listed,
    distribution,
    files_of,
    listed,
    release_of,
    size_of,
    source_of,
)
from artificer.sources.debian.purl import purl_of
from artificer.sources.debian.values import Installed

_LIST = """\
List the Debian packages of an image: name, version, architecture, and the source package that
each was built from. They are read from dpkg's database and from status.d, where images without
dpkg have them; a package that both have is listed once, as the database has it. Nothing is
unpacked. As JSON each has its package URL, its size as it says itself, and the file it was read
from, too.
"""


def run(words: Sequence[str], session: Session) -> int:
    """Run the part that *words* name."""
    return run_part("packages", _PARTS, words, session)


def packages_of(image: Image, reach: Reach) -> tuple[Installed, ...]:
    """The packages of *image*, sorted."""
    tree = tree_of(image, reach)
    return tuple(one.package for one in _packages(image, tree, reach))


def _packages(image: Image, tree: Tree, reach: Reach) -> tuple[Listed, ...]:
    return listed(read_files(image, tree, files_of(tree), limits.STATUS_BYTES, reach))


def _distribution(image: Image, tree: Tree, reach: Reach) -> Distribution:
    path = release_of(tree)
    if path is None:
        return Distribution()
    return distribution(read_files(image, tree, [path], limits.SOURCES_BYTES, reach)[path])


def _list_parser() -> Parser:
    parser = reading_parser(
        "packages list", "IMAGE [--platform OS/ARCH] [--format json] [options]", _LIST
    )
    parser.add_argument("image", metavar="IMAGE", help="the image")
    add_platform(parser, "of an index: the image to list")
    add_format(parser)
    return parser


def _list(args: Namespace, session: Session) -> int:
    with looking(args, session) as lookup:
        image = lookup.image(parse_reference(args.image))
        tree = tree_of(image, lookup.reach)
        packages = _packages(image, tree, lookup.reach)
        system = _distribution(image, tree, lookup.reach)
    if args.format == "json":
        document = {
            "distribution": system._asdict() if system.id else None,
            "packages": [_document(one, system) for one in packages],
        }
        session.out(json.dumps(document, indent=2))
    elif packages:
        rows = [(*one.package[:3], _shown_source(one.package)) for one in packages]
        session.out(table(("NAME", "VERSION", "ARCHITECTURE", "SOURCE"), rows))
    if not packages:
        what = f" ({system.name or system.id})" if system.id else ""
        session.say(f"{args.image}{what} has no dpkg database, and no status.d")
    return 0


def _document(one: Listed, system: Distribution) -> dict[str, Any]:
    package = one.package
    source, version = source_of(package)
    return {
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "source": source,
        "source_version": version,
        "status": package.status,
        "purl": purl_of(package, system),
        "installed_size": size_of(package),
        "read_from": f"/{one.path}",
    }


def _shown_source(package: Installed) -> str:
    """The source, with its version where that is not the package's."""
    source, version = source_of(package)
    return source if version == package.version else f"{source} {version}"


_PARTS = {"list": Part(_list_parser, _list), "resolve": Part(resolve_parser, print_resolved)}
