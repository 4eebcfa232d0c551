"""``artificer plan build CONTEXT``: which instructions would be carried out, and what is sent."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from artificer.builder.staged.build import build_stages
from artificer.builder.staged.shop import Ground, Shop, Told
from artificer.builder.staged.steps import Steps
from artificer.builder.stages import Recipe, Step
from artificer.cli.builds.main import is_of_dockerfile
from artificer.cli.connect import open_reach
from artificer.cli.dockerfile.build import Site, evaluated
from artificer.cli.dockerfile.main import checked_request, parsed_dockerfile
from artificer.cli.dockerfile.request import Request
from artificer.cli.dockerfile.sources import opener_of, sources_of
from artificer.cli.session import Session
from artificer.cli.terminal.console import amount
from artificer.errors import ArtificerError, Cancelled, Misused
from artificer.events import Event, StepCached, StepChanged, StepDone, StepStarted
from artificer.frontends.dockerfile.parse import dockerfile
from artificer.images.forecast import forecast
from artificer.images.reach import Reach
from artificer.oci.image import Image, Layer
from artificer.oci.reference import Named

_LINE = 60
_MAKE, _UNKNOWN = "make", "known when those above are made"


class Row(NamedTuple):
    """An instruction: what would become of it, and how that is known."""

    label: str
    title: str
    action: str
    why: str = ""


class Planned(NamedTuple):
    """What would be done for one platform; *sent* is how many bytes where all is known."""

    platform: str
    rows: tuple[Row, ...]
    sent: int | None


def run_build(words: Sequence[str], session: Session) -> int:
    """Print the plan of the Dockerfile's build in *words* (from ``build`` on)."""
    if "-h" in words or "--help" in words:
        from artificer.cli.builds.main import run

        return run(words, session)
    rest = [word for word in words[1:] if word != "--json"]
    if not is_of_dockerfile(rest):
        raise Misused(
            "a plan is of a Dockerfile or of one line, not of targets",
            hint="`artificer build --explain` says why targets are made again",
        )
    args = parsed_dockerfile(rest, session)
    request = checked_request(args, session)
    reach = open_reach(args, session, request.outputs.references)
    seen = _Seen(reach)
    with reach.store.in_use():
        opener = opener_of(args, request, reach, session)
        opened = opener.open(request.words)
        read = dockerfile(opened.text, opened.name)
        quiet = reach._replace(report=seen.report)
        site = Site(args, request, sources_of(args, request, quiet, session), opener, session)
        found = [
            _planned(str(platform), *evaluated(read, platform, opened, site), request, seen)
            for platform in request.platforms
        ]
    json_asked = "--json" in words
    session.out(_document(found) if json_asked else "\n".join(map(_shown, found)))
    return 0


class _Unmade(ArtificerError):
    """Where a build would begin to make something."""


class _Seen:
    """Hears what is known, and lets everything else through."""

    def __init__(self, reach: Reach) -> None:
        self.known: dict[str, str] = {}
        self.missing: set[str] = set()
        self._reach = reach

    def report(self, event: Event) -> None:
        match event:
            case StepCached(label, _, why):
                self.known[label] = why
            case StepStarted() | StepDone() | StepChanged():
                return
            case _:
                self._reach.report(event)

    def layer(self, step: Step, ground: Ground, told: Told) -> Layer:
        """Make nothing: it is a `shop.Maker`."""
        self.missing.add(told.label)
        raise _Unmade(told.title)


class _Asking(Steps):
    """Remembers nothing: the next build explains itself as if there had been no plan."""

    def explain(self, places: Sequence[str], parts: Mapping[str, str]) -> tuple[str, ...]:
        return ()

    def keep(self, key: str, layer: Layer) -> None:
        return


def _planned(platform: str, recipe: Recipe, shop: Shop, request: Request, seen: _Seen) -> Planned:
    shop = shop._replace(
        maker=lambda _: seen,
        steps=_Asking(shop.reach, shop.options.caches),
        options=shop.options._replace(jobs=1),
    )
    image: Image | None = None
    for number in range(len(recipe.stages)):
        try:
            built = build_stages(recipe._replace(target=number), shop)
        except Cancelled:
            raise
        except ArtificerError:
            if not seen.missing:
                raise
            continue
        image = built.image if number == recipe.target else image
    rows = tuple(_rows(recipe, seen))
    seen.known.clear()
    seen.missing.clear()
    return Planned(platform, rows, None if image is None else _sent(image, request, shop.reach))


def _rows(recipe: Recipe, seen: _Seen) -> Iterator[Row]:
    for number, stage in enumerate(recipe.stages):
        steps = [one for one in stage.instructions if one.step is not None]
        for at, one in enumerate(steps, 1):
            label = f"{stage.name or f'stage-{number}'} {at}/{len(steps)}"
            if label in seen.known:
                yield Row(label, one.title, "reuse", seen.known[label])
            elif label in seen.missing:
                yield Row(label, one.title, _MAKE)
            else:
                yield Row(label, one.title, _UNKNOWN)


def _sent(image: Image, request: Request, reach: Reach) -> int:
    names = (one for one in request.outputs.references if isinstance(one, Named))
    return sum(forecast(image, name, reach).upload_bytes for name in names)


def _shown(planned: Planned) -> str:
    lines = [planned.platform]
    for row in planned.rows:
        title = f"[{row.label}] {row.title}"
        shown = title if len(title) <= _LINE else title[: _LINE - 1] + "…"
        lines.append(f"  {shown:{_LINE}}  {row.action}")
    made = sum(row.action == _MAKE for row in planned.rows)
    if planned.sent is None:
        lines.append(f"  at least {made} would be made, and what follows them")
    else:
        lines.append(f"  nothing would be made; would send {amount(planned.sent)}")
    return "\n".join(lines)


def _document(found: Sequence[Planned]) -> str:
    return json.dumps(
        [
            {
                "platform": one.platform,
                "upload_bytes": one.sent,
                "steps": [row._asdict() for row in one.rows],
            }
            for one in found
        ],
        indent=2,
    )
