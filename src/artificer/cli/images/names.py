"""``artificer tag``, ``rm`` and ``ls``: what images are called, here and in registries."""

import json
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence

from artificer.cli.command import add_format, asking_parser, run_command, writing_parser
from artificer.cli.grammar import Parser
from artificer.cli.lookup import Lookup, looking
from artificer.cli.results import by_digest
from artificer.cli.session import Session
from artificer.cli.terminal.console import amount
from artificer.cli.terminal.table import printable, table
from artificer.errors import Misused
from artificer.events import Tagged
from artificer.images import tags
from artificer.images.named import also_named, familiar, find_in_store, forget
from artificer.images.stored import NamedImage, named_images
from artificer.oci.reference import (
    Named,
    Reference,
    Repository,
    StoreName,
    parse_name,
    parse_reference,
)

_SHORT_DIGEST = 12


def run(words: Sequence[str], session: Session) -> int:
    """Run the command that *words* begin with."""
    make, act = _COMMANDS[words[0]]
    return run_command(make(), words, session, act)


def _tag_parser() -> Parser:
    parser = writing_parser(
        "tag",
        "SOURCE NAME… [options]",
        "Give an image further names, without copying anything: in the store "
        "(`artificer tag store:app:v1 app:latest`), or in its repository of a registry "
        "(`artificer tag ghcr.io/me/app:v1 ghcr.io/me/app:latest`). The reference by digest of "
        "each name is printed.",
    )
    parser.add_argument("source", metavar="SOURCE", help="the image")
    parser.add_argument("names", metavar="NAME", nargs="+", help="what it is to be called, too")
    return parser


def _tag(args: Namespace, session: Session) -> int:
    source = parse_reference(args.source)
    match source:
        case StoreName():
            return _tag_in_store(
                source, [_store_name(text, source) for text in args.names], args, session
            )
        case Named():
            if args.offline:
                raise Misused(
                    "--offline, but a registry has to be asked", hint="leave --offline out"
                )
            return _tag_in_registry(
                source, [parse_reference(text) for text in args.names], args, session
            )
        case _:
            raise Misused(
                f"{source} is neither in the store nor in a registry",
                hint=f"`artificer copy {source} …` puts it under another name",
            )


def _tag_in_store(
    source: StoreName, names: Sequence[StoreName], args: Namespace, session: Session
) -> int:
    with looking(args, session) as lookup:
        for name in names:
            digest = also_named(source, name, lookup.reach.store)
            lookup.reach.report(Tagged(str(name), digest))
            session.out(by_digest(name, digest))
    return 0


def _store_name(text: str, source: StoreName) -> StoreName:
    """*text* as a name of the store, as the image that is tagged is there."""
    reference = parse_reference(text)
    if isinstance(reference, Named) and not text.startswith("docker:"):
        reference = parse_reference(f"store:{text}")
    if not isinstance(reference, StoreName):
        raise Misused(
            f"{text} is not in the store, but {source} is",
            hint=f"`artificer copy {source} {text}` puts the image there",
        )
    return reference


def _tag_in_registry(
    source: Named, names: Sequence[Reference], args: Namespace, session: Session
) -> int:
    with looking(args, session, names) as lookup:
        found = lookup.find(source)
        for name in names:
            if not isinstance(name, Named):
                raise Misused(
                    f"{name} is not in a registry, but {source} is",
                    hint=f"`artificer copy {source} {name}` puts the image there",
                )
            tags.tag(found, source, name, lookup.reach)
            session.out(by_digest(name, found.digest))
    return 0


def _rm_parser() -> Parser:
    parser = asking_parser(
        "rm",
        "NAME… [--force] [options]",
        "Remove names. `store:NAME` is forgotten by the local store; `artificer cache prune` "
        "then frees the space that nothing else needs. A name without a transport is one in a "
        "registry: its tag is removed there, for everybody, which takes --force. "
        "NAME@sha256:… removes an image with all its tags.",
    )
    parser.add_argument("names", metavar="NAME", nargs="+", help="what to remove")
    parser.add_argument("--force", action="store_true", help="remove from a registry, too")
    return parser


def _rm(args: Namespace, session: Session) -> int:
    names = [_removable(text, forced=args.force) for text in args.names]
    with looking(args, session) as lookup:
        for name in names:
            if isinstance(name, StoreName):
                find_in_store(name, lookup.reach.store)
        for name in names:
            _remove(name, lookup, session)
    return 0


def _removable(text: str, *, forced: bool) -> Named | StoreName:
    reference = parse_reference(text)
    if not isinstance(reference, Named | StoreName):
        raise Misused(f"{text} is neither in the store nor in a registry: remove the file itself")
    if isinstance(reference, Named) and not forced:
        raise Misused(
            f"{reference} is in a registry, where everybody would lose it",
            hint=f"add --force, or name the store's: store:{reference.familiar}",
        )
    return reference


def _remove(name: Named | StoreName, lookup: Lookup, session: Session) -> None:
    if isinstance(name, StoreName):
        forget(name, lookup.reach.store)
        session.say(f"{name} is forgotten; `artificer cache prune` frees what only it used")
        return
    tags.remove(name, lookup.reach)
    what = "the image and all its tags are" if name.digest else "the tag is"
    session.say(f"{name}: {what} removed")


def _ls_parser() -> Parser:
    parser = asking_parser(
        "ls",
        "[REPOSITORY | HOST/] [--format json] [options]",
        "List the images of the local store, with what is here of them; the tags of a "
        "REPOSITORY in a registry, one a line; or, as far as it shows them, the repositories "
        "of the registry at HOST/.",
    )
    parser.add_argument(
        "repository", metavar="REPOSITORY", nargs="?", help="as ghcr.io/me/app or localhost:5000/"
    )
    add_format(parser)
    return parser


def _ls(args: Namespace, session: Session) -> int:
    with looking(args, session) as lookup:
        if args.repository is None:
            images = list(named_images(lookup.reach.store))
            if not images:
                session.say("the store has no named image; `artificer pull NAME` brings one")
            session.out(_document(images) if args.format == "json" else _table(images))
            return 0
        lines = sorted(_remote(args.repository, lookup))
    if args.format == "json":
        session.out(json.dumps(lines, indent=2))
    elif lines:
        session.out("\n".join(map(printable, lines)))
    return 0


def _remote(text: str, lookup: Lookup) -> Iterable[str]:
    if text.endswith("/") and "/" not in text[:-1]:
        return map(str, lookup.reach.registry.catalog(text[:-1]))
    return lookup.reach.registry.tags(_repository(text))


def _repository(text: str) -> Repository:
    name = parse_name(text.removeprefix("docker://"))
    if name.tag or name.digest:
        hint = f"leave it out: `artificer ls {name._replace(tag=None, digest=None).familiar}`"
        if name.tag and name.tag.isdecimal() and "/" not in text:
            hint = f"the repositories of a registry: `artificer ls {text}/`"
        raise Misused(f"{text} names one image, not a repository", hint=hint)
    return name.repository


def _table(images: Sequence[NamedImage]) -> str:
    rows = [
        (
            familiar(image.name),
            image.descriptor.digest.hex[:_SHORT_DIGEST],
            _platforms(image),
            "broken" if image.broken else amount(image.size),
            image.created[:10],
        )
        for image in images
    ]
    head = ("NAME", "DIGEST", "PLATFORM", "SIZE", "CREATED")
    return table(head, rows, right=frozenset({3}))


def _platforms(image: NamedImage) -> str:
    if not image.platforms:
        return "-"
    more = len(image.platforms) - 1
    return f"{image.platforms[0]}" + (f" +{more}" if more else "")


def _document(images: Sequence[NamedImage]) -> str:
    return json.dumps(
        [
            {
                "name": familiar(image.name),
                "digest": image.descriptor.digest,
                "mediaType": image.descriptor.media_type,
                "platforms": [str(platform) for platform in image.platforms],
                "size": image.size,
                "created": image.created or None,
                **({"broken": image.broken} if image.broken else {}),
            }
            for image in images
        ],
        indent=2,
    )


_COMMANDS: dict[str, tuple[Callable[[], Parser], Callable[[Namespace, Session], int]]] = {
    "tag": (_tag_parser, _tag),
    "rm": (_rm_parser, _rm),
    "ls": (_ls_parser, _ls),
}
