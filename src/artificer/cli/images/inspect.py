"""``artificer inspect``, ``history`` and ``digest``: what an image says about itself."""

import json
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from artificer.cli.command import add_format, add_platform, reading_parser, run_command
from artificer.cli.grammar import Parser
from artificer.cli.images.portrait import image_page, index_page
from artificer.cli.lookup import Lookup, looking
from artificer.cli.session import Session
from artificer.cli.terminal.console import amount
from artificer.cli.terminal.table import printable, table, width_of
from artificer.errors import ArtificerError, Misused
from artificer.images.check import Fault, faults_of
from artificer.images.place import Found, index_at, raw_at, whole
from artificer.oci.image import Image, Index
from artificer.oci.reference import parse_reference


class Untrue(ArtificerError):
    """An image says something about itself that is not so."""


def run(words: Sequence[str], session: Session) -> int:
    """Run the command that *words* begin with."""
    make, act = _COMMANDS[words[0]]
    return run_command(make(), words, session, act)


def _inspect_parser() -> Parser:
    parser = reading_parser(
        "inspect",
        "IMAGE [--check | --raw | --config] [--platform OS/ARCH] [--format json] [options]",
        "Show what an image says about itself: platform, size, layers, and how a container is "
        "started. No layer is read, unless --check asks whether all of it is true: every digest, "
        "size, type and count, of every platform; each fault is a line, and the exit code is 1.",
    )
    parser.add_argument("image", metavar="IMAGE", help="the image")
    parser.add_argument("--check", action="store_true", help="read everything, verify everything")
    parser.add_argument(
        "--raw", action="store_true", help="print the manifest's, or index's, bytes"
    )
    parser.add_argument("--config", action="store_true", help="print the config's bytes")
    add_platform(parser, "of an index: the image to show")
    add_format(parser)
    return parser


def _inspect(args: Namespace, session: Session) -> int:
    if args.check + args.raw + args.config > 1:
        raise Misused("--check, --raw and --config exclude each other")
    with looking(args, session) as lookup:
        found = lookup.find(parse_reference(args.image))
        if args.check:
            return _check(found, lookup, args, session)
        if args.raw:
            data = raw_at(found) if lookup.asked is None else lookup.image_in(found).manifest
            _print(data, session)
        elif args.config:
            _print(lookup.image_in(found).config, session)
        else:
            _show(found, lookup, args, session)
    return 0


def _print(data: bytes, session: Session) -> None:
    """Print a document: to a pipe byte by byte, so that it still has its digest."""
    if not session.stdout.isatty():
        session.write([data])
        return
    text = data.decode("utf-8", "backslashreplace")
    session.out("\n".join(map(printable, text.splitlines())))


def _show(found: Found, lookup: Lookup, args: Namespace, session: Session) -> None:
    index = index_at(found) if lookup.asked is None else None
    if index is not None:
        document, page = _index_document(found, index), index_page
    else:
        document, page = _image_document(found, lookup.image_in(found)), image_page
    session.out(json.dumps(document, indent=2) if args.format == "json" else page(document))


def _index_document(found: Found, index: Index) -> dict[str, Any]:
    return {
        "reference": found.reference,
        "digest": index.digest,
        "mediaType": index.descriptor.media_type,
        "annotations": index.annotations,
        "manifests": [
            {
                "platform": str(entry.platform) if entry.platform else None,
                "digest": entry.digest,
                "size": entry.size,
                "mediaType": entry.media_type,
            }
            for entry in index.descriptors
        ],
    }


def _image_document(found: Found, image: Image) -> dict[str, Any]:
    return {
        "reference": found.reference,
        "digest": image.digest,
        "mediaType": image.descriptor.media_type,
        "platform": str(image.platform) if image.platform else None,
        "created": image.config_document.get("created"),
        "author": image.config_document.get("author"),
        "size": sum(layer.descriptor.size for layer in image.layers),
        "id": image.config_descriptor.digest,
        "annotations": image.annotations,
        "config": image.settings,
        "layers": [
            {
                "digest": layer.blob.digest,
                "size": layer.descriptor.size,
                "mediaType": layer.descriptor.media_type,
                "diffId": layer.diff_id,
            }
            for layer in image.layers
        ],
    }


def _check(found: Found, lookup: Lookup, args: Namespace, session: Session) -> int:
    content = whole(found) if lookup.asked is None else lookup.image_in(found)
    faults = list(faults_of(content, lookup.reach))
    if args.format == "json":
        session.out(json.dumps([fault._asdict() for fault in faults], indent=2))
    elif faults:
        session.out("\n".join(printable(_fault(fault)) for fault in faults))
    if faults:
        raise Untrue(
            f"{found.reference}: {len(faults)} of its statements about itself are not true",
            hint="the copy is damaged, or whoever made it erred: do not use it",
        )
    session.say(f"{found.reference}: all that it says about itself is true ({content.digest})")
    return 0


def _fault(fault: Fault) -> str:
    return f"{fault.subject} {fault.problem}"


def _history_parser() -> Parser:
    parser = reading_parser(
        "history",
        "IMAGE [--platform OS/ARCH] [--format json] [options]",
        "Show how an image came to be, the oldest step first: when, how large the layer is that "
        "the step brought (as it is sent; - for a step that changed settings alone), and what "
        "was done. On a terminal long lines are cut; piped, they are whole.",
    )
    parser.add_argument("image", metavar="IMAGE", help="the image")
    add_platform(parser, "of an index: the image to show")
    add_format(parser)
    return parser


def _history(args: Namespace, session: Session) -> int:
    with looking(args, session) as lookup:
        steps = list(_steps(lookup.image(parse_reference(args.image))))
    if args.format == "json":
        session.out(json.dumps(steps, indent=2))
        return 0
    rows = [
        (
            str(step["created"] or "")[:10],
            "-" if step["size"] is None else amount(step["size"]),
            " ".join(str(step["created_by"] or step["comment"] or "").split()),
        )
        for step in steps
    ]
    head = ("CREATED", "SIZE", "CREATED BY")
    session.out(table(head, rows, right=frozenset({1}), width=width_of(session.stdout)))
    return 0


def _steps(image: Image) -> Iterator[dict[str, Any]]:
    """The lines of the history with the layers that they brought, and layers without a line."""
    layers = iter(image.layers)
    for line in image.history:
        layer = None if line.get("empty_layer") else next(layers, None)
        yield {
            "created": line.get("created"),
            "created_by": line.get("created_by"),
            "comment": line.get("comment"),
            "size": layer.descriptor.size if layer else None,
            "layer": layer.blob.digest if layer else None,
        }
    for layer in layers:
        yield {
            "created": None,
            "created_by": None,
            "comment": "a layer without history",
            "size": layer.descriptor.size,
            "layer": layer.blob.digest,
        }


def _digest_parser() -> Parser:
    parser = reading_parser(
        "digest",
        "IMAGE [--platform OS/ARCH] [options]",
        "Print an image's digest: what pins it, as in `alpine@sha256:…`. Of an image for several "
        "platforms it is the index's; --platform asks for one of its images'. A registry is "
        "asked for nothing but this.",
    )
    parser.add_argument("image", metavar="IMAGE", help="the image")
    add_platform(parser, "of an index: the image that is meant")
    return parser


def _digest(args: Namespace, session: Session) -> int:
    with looking(args, session) as lookup:
        found = lookup.find(parse_reference(args.image))
        session.out(found.digest if lookup.asked is None else lookup.image_in(found).digest)
    return 0


_COMMANDS: dict[str, tuple[Callable[[], Parser], Callable[[Namespace, Session], int]]] = {
    "inspect": (_inspect_parser, _inspect),
    "history": (_history_parser, _history),
    "digest": (_digest_parser, _digest),
}
