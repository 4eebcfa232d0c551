"""``artificer verify //pkg:name``: targets made a second time, elsewhere, and compared."""

from argparse import Namespace
from collections.abc import Iterator, Sequence

from artificer.builder.compare import first_difference
from artificer.builder.graph import make
from artificer.builder.known import Known
from artificer.builder.make import second_store
from artificer.builder.outcome import Outcome
from artificer.builder.products import File, Files, Layers, Product
from artificer.cli.command import run_command
from artificer.cli.grammar import Parser
from artificer.cli.session import Session
from artificer.cli.workspace.open import opened
from artificer.cli.workspace.options import check_patterns, spelled, target_parser
from artificer.errors import ArtificerError
from artificer.frontends.buildfile.graph import Loaded
from artificer.images.reach import Reach
from artificer.oci.image import Image, Index

_ABOUT = """\
Make targets, and make them again with nothing known, in other directories, with another umask
and one at a time. What does not come out the same is told, the innermost target first.
"""
_CHUNK = 1 << 16


class NotReproducible(ArtificerError):
    """A target that came out another one."""


def run_in_workspace(words: Sequence[str], session: Session) -> int:
    """Verify the targets in *words*."""
    return run_command(parser(), spelled(words), session, _verify)


def parser() -> Parser:
    """The words that it takes."""
    made = target_parser("verify", "TARGET… [options]", _ABOUT)
    made.add_argument("targets", nargs="*", metavar="TARGET")
    return made


def _verify(args: Namespace, session: Session) -> int:
    check_patterns(args.targets, "verify")
    with opened(args, session) as workspace:
        loaded = workspace.load(args.targets)
        first = workspace.make(loaded.roots, loaded.graph)
        first.check()
        options = workspace.options()
        state = f"{workspace.reach.store.root}/state"
        with second_store(state) as store:
            reach = workspace.reach._replace(store=store)
            sources = workspace.sources()._replace(reach=reach, known=Known(reach, afresh=True))
            strange = options._replace(jobs=1, afresh=True, strange=True, cache=None)
            second = make(loaded.roots, loaded.graph, sources, strange)
            second.check()
            told = next(_differences(loaded, first, second, workspace.reach, reach), None)
    if told is not None:
        raise NotReproducible(told, hint="a command must not depend on time, order or place")
    for one in loaded.roots:
        session.out(f"{one} is the same again")
    return 0


def _differences(
    loaded: Loaded, first: Outcome, second: Outcome, reach: Reach, other: Reach
) -> Iterator[str]:
    """What differs, the targets that others need first."""
    for one, product in second.products.items():
        found = _difference(first.products[one], product, reach, other)
        if found:
            yield f"{loaded.graph[one].place}: {one} is not the same again: {found}"


def _difference(one: Product, two: Product, reach: Reach, other: Reach) -> str | None:
    match one, two:
        case Files(some), Files(others):
            return _of_files(some, others)
        case Image(), Image():
            return first_difference(one, two, reach, other)
        case Index(), Index():
            # Its images are targets of their own, and were compared before.
            return None if one.digest == two.digest else "it lists other images"
        case Layers(some_layers), Layers(other_layers):
            ids = [layer.diff_id for layer in some_layers]
            same = ids == [layer.diff_id for layer in other_layers]
            return None if same else "its layers have other contents"
        case _:
            return None


def _of_files(some: Sequence[File], others: Sequence[File]) -> str | None:
    names, again = [file.short for file in some], [file.short for file in others]
    if names != again:
        return f"it has other files: {', '.join(sorted(set(names) ^ set(again)))[:300]}"
    for one, two in zip(some, others, strict=True):
        if one.executable != two.executable:
            return f"{one.short} is executable only once"
        if one.digest != two.digest:
            return f"{one.short}{_first_byte(one.path, two.path)}"
    return None


def _first_byte(one: str, two: str) -> str:
    """Where two files begin to differ, and how they go on there."""
    at = line = 0
    with open(one, "rb") as first, open(two, "rb") as second:
        while True:
            some, others = first.read(_CHUNK), second.read(_CHUNK)
            if some != others or not some:
                break
            at, line = at + len(some), line + some.count(b"\n")
    same = next(
        (n for n, (a, b) in enumerate(zip(some, others, strict=False)) if a != b),
        min(len(some), len(others)),
    )
    start = some.rfind(b"\n", 0, same) + 1
    line += some.count(b"\n", 0, same) + 1
    shown = [data[start : start + 80].split(b"\n")[0] for data in (some, others)]
    first_text, second_text = (repr(text.decode("utf-8", "replace")) for text in shown)
    return f", byte {at + same}, line {line}: {first_text}, then {second_text}"
