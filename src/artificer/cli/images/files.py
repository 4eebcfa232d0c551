"""``artificer tree``, ``diff``, ``unpack`` and ``export``: the files of images."""

import json
import os
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence

from artificer.cli.command import add_format, add_platform, reading_parser, run_command
from artificer.cli.grammar import Once, Parser
from artificer.cli.images.filelist import file_document, file_line
from artificer.cli.lookup import Lookup, looking
from artificer.cli.session import Session
from artificer.cli.terminal.console import amount
from artificer.cli.terminal.table import printable
from artificer.errors import Misused
from artificer.images.directory import UnusableDirectory
from artificer.images.files import NoSuchFile, tree_of
from artificer.images.flatten import exported
from artificer.images.place import image_for, platforms
from artificer.images.unpack import unpack
from artificer.images.unwritable import writing
from artificer.images.written import write_file
from artificer.layers.diff import Change, diff
from artificer.layers.index import File
from artificer.layers.tree import Tree
from artificer.oci.compare import Difference, differences
from artificer.oci.image import Image
from artificer.oci.reference import parse_reference

_AT_ONCE = 1000
_NAMES_SHOWN = 10


def run(words: Sequence[str], session: Session) -> int:
    """Run the command that *words* begin with."""
    make, act = _COMMANDS[words[0]]
    return run_command(make(), words, session, act)


def _tree_parser() -> Parser:
    parser = reading_parser(
        "tree",
        "IMAGE [PATH] [--depth N] [--platform OS/ARCH] [--format json] [options]",
        "List the files of an image as its container sees them, or those below PATH: mode, "
        "owner, size, time (UTC), path. Nothing is unpacked or kept: each layer is read once, "
        "as it streams, and its list of files is remembered.",
    )
    parser.add_argument("image", metavar="IMAGE", help="the image")
    parser.add_argument("path", metavar="PATH", nargs="?", default="/", help="where to begin (/)")
    parser.add_argument(
        "--depth", metavar="N", type=int, action=Once, help="so many levels of directories"
    )
    add_platform(parser, "of an index: the image to list")
    add_format(parser)
    return parser


def _tree(args: Namespace, session: Session) -> int:
    if args.depth is not None and args.depth < 1:
        raise Misused("--depth is 1 or more")
    with looking(args, session) as lookup:
        image = lookup.image(parse_reference(args.image))
        tree = tree_of(image, lookup.reach)
        files = _below(tree, args.path, args.image)
        if args.depth is not None:
            top = tree.resolve(args.path).count("/") + (1 if args.path.strip("/") else 0)
            files = (file for file in files if file.path.count("/") < top + args.depth)
        if args.format == "json":
            _print_array(map(file_document, files), session)
        else:
            _print_lines(map(file_line, files), session)
    return 0


def _below(tree: Tree, path: str, image: str) -> Iterable[File]:
    if tree.is_directory(path):
        return tree.walk(path)
    found = tree.lookup(path)
    if found is None:
        parent = path.rstrip("/").rpartition("/")[0]
        names = ", ".join(tree.listdir(parent)[:_NAMES_SHOWN])
        raise NoSuchFile(
            f"{image} has no {path}", hint=f"{parent or '/'} has {names}" if names else None
        )
    return (found,)


def _print_lines(lines: Iterable[str], session: Session) -> None:
    """Print many lines, some at once: a flush for each would take longer than all the rest."""
    waiting: list[str] = []
    for line in lines:
        waiting.append(line)
        if len(waiting) == _AT_ONCE:
            session.out("\n".join(waiting))
            waiting.clear()
    if waiting:
        session.out("\n".join(waiting))


def _print_array(documents: Iterable[object], session: Session) -> None:
    session.out("[")
    _print_lines(_with_commas(json.dumps(document) for document in documents), session)
    session.out("]")


def _with_commas(texts: Iterator[str]) -> Iterator[str]:
    last = next(texts, None)
    for text in texts:
        yield f"  {last},"
        last = text
    if last is not None:
        yield f"  {last}"


def _diff_parser() -> Parser:
    parser = reading_parser(
        "diff",
        "A B [--files | --config | --packages] [--platform OS/ARCH] [--format json] [options]",
        "Compare two images: what they say (settings, platform, labels …) and their files as "
        "containers see them, by content, mode, owner and time; how these are spread over layers "
        "does not matter. A line begins with `+` for what only B has, `-` for what only A has, "
        "`~` for what differs. As with diff, the exit code is 0 if they are the same and 1 if "
        "not; what fails prints `error:`.",
    )
    parser.add_argument("before", metavar="A", help="an image")
    parser.add_argument("after", metavar="B", help="another image")
    parser.add_argument("--files", action="store_true", help="compare files alone")
    parser.add_argument("--config", action="store_true", help="compare what they say alone")
    parser.add_argument(
        "--packages", action="store_true", help="compare their Debian packages alone"
    )
    add_platform(parser, "of an index: the image to compare")
    add_format(parser)
    return parser


def _diff(args: Namespace, session: Session) -> int:
    if args.files + args.config + args.packages > 1:
        raise Misused("--files, --config and --packages exclude each other")
    with looking(args, session) as lookup:
        before, after = _pair(args, lookup)
        if args.packages:
            from artificer.cli.debian.diff import print_differences

            return print_differences(before, after, lookup.reach, session, form=args.format)
        told: list[Difference] = []
        changes: Iterator[Change] = iter(())
        if before != after:
            told = [] if args.files else list(differences(before, after))
            if not args.config:
                changes = diff(tree_of(before, lookup.reach), tree_of(after, lookup.reach))
        if args.format == "json":
            different = _print_document(told, list(changes), session)
        else:
            different = _print_changes(told, changes, session)
        if not different and before != after:
            session.say("no difference, but the digests differ: the layers were made otherwise")
    return 1 if different else 0


def _pair(args: Namespace, lookup: Lookup) -> tuple[Image, Image]:
    """Both images; of an index the one for the other's platform."""
    before = lookup.image(parse_reference(args.before))
    found = lookup.find(parse_reference(args.after))
    if lookup.platform is None and len(platforms(found)) > 1:
        return before, image_for(found, before.platform)
    return before, lookup.image_in(found)


def _print_changes(
    told: Sequence[Difference], changes: Iterable[Change], session: Session
) -> bool:
    count = len(told)

    def counted() -> Iterator[str]:
        nonlocal count
        for change in changes:
            count += 1
            yield _change_line(change)

    _print_lines(map(_difference_line, told), session)
    _print_lines(counted(), session)
    return count > 0


def _difference_line(one: Difference) -> str:
    if one.before is None:
        return printable(f"+ {one.field}  {one.after}")
    if one.after is None:
        return printable(f"- {one.field}  {one.before}")
    return printable(f"~ {one.field}  {one.before} → {one.after}")


def _change_line(change: Change) -> str:
    mark = "+" if change.before is None else "-" if change.after is None else "~"
    what = f"  {', '.join(change.what)}" if change.what else ""
    return printable(f"{mark} /{change.path}{what}")


def _print_document(
    told: Sequence[Difference], changes: Sequence[Change], session: Session
) -> bool:
    document = {
        "same": not told and not changes,
        "config": [one._asdict() for one in told],
        "files": [
            {
                "path": f"/{change.path}",
                "before": change.before and file_document(change.before),
                "after": change.after and file_document(change.after),
                "what": list(change.what),
            }
            for change in changes
        ],
    }
    session.out(json.dumps(document, indent=2))
    return not document["same"]


def _unpack_parser() -> Parser:
    parser = reading_parser(
        "unpack",
        "IMAGE DIR [--force] [--platform OS/ARCH] [options]",
        "Write an image's files into a directory, which is made, or empty; with --force it may "
        "have files, which the image's replace. As root, owners and devices are kept; otherwise "
        "every file is yours, and that is told. Nothing is written outside DIR, whatever the "
        "image holds.",
    )
    parser.add_argument("image", metavar="IMAGE", help="the image")
    parser.add_argument("directory", metavar="DIR", help="where to")
    parser.add_argument("--force", action="store_true", help="write over files that are there")
    add_platform(parser, "of an index: the image to unpack")
    return parser


def _unpack(args: Namespace, session: Session) -> int:
    if not args.force and os.path.isdir(args.directory) and os.listdir(args.directory):
        raise UnusableDirectory(
            f"{args.directory}: the directory is not empty",
            hint="name a new one, or add --force to write over its files",
        )
    with looking(args, session) as lookup:
        image = lookup.image(parse_reference(args.image))
        count = unpack(image, args.directory, lookup.reach, over=args.force)
    session.say(
        f"{args.directory}: {count.directories} directories, {count.files} files "
        f"({amount(count.bytes)}), {count.others} links and others"
    )
    return 0


def _export_parser() -> Parser:
    parser = reading_parser(
        "export",
        "IMAGE [-o FILE] [--platform OS/ARCH] [options]",
        "Write an image's files as one uncompressed tar, as its container sees them: the same "
        "image gives the same bytes. Without -o it goes to standard output.",
    )
    parser.add_argument("image", metavar="IMAGE", help="the image")
    parser.add_argument(
        "-o", "--output", metavar="FILE", action=Once, help="tar to write (standard output)"
    )
    add_platform(parser, "of an index: the image to export")
    return parser


def _export(args: Namespace, session: Session) -> int:
    with looking(args, session) as lookup:
        chunks = exported(lookup.image(parse_reference(args.image)), lookup.reach)
        if args.output in {None, "-"}:
            session.write(chunks)
        else:
            with writing(args.output):
                write_file(args.output, chunks)
    return 0


_COMMANDS: dict[str, tuple[Callable[[], Parser], Callable[[Namespace, Session], int]]] = {
    "tree": (_tree_parser, _tree),
    "diff": (_diff_parser, _diff),
    "unpack": (_unpack_parser, _unpack),
    "export": (_export_parser, _export),
}
