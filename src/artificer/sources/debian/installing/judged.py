"""Which maintainer scripts can be done without, and what has to be had instead of them."""

import hashlib
import json
import os
from functools import lru_cache
from typing import Any, NamedTuple

from artificer.errors import ArtificerError
from artificer.sources.debian.installing.commands import Effect
from artificer.sources.debian.installing.installation import ScriptFate
from artificer.sources.debian.installing.scripts import known

_TABLE = os.path.join(os.path.dirname(__file__), "scripts.json")


class UnknownScripts(ArtificerError):
    """Scripts that cannot be run here, and nobody knows what they do."""


class Judgement(NamedTuple):
    """What a script does; *told* says how that is known, *unknown* what of it is not."""

    effects: tuple[Effect, ...]
    told: str
    unknown: tuple[str, ...] = ()


def judged(data: bytes, *, first: bool) -> Judgement:
    """What the script *data* does: by the table of those that people have read, or by itself.

    *first* says that its package was not there before.
    """
    row = _table().get(hashlib.sha256(data).hexdigest())
    found = known(data, first=first)
    if row is None:
        return Judgement(found.effects, _how(found.effects), found.unknown)
    # What people have read is said of what cannot be told otherwise; the rest still holds, unless
    # the script goes other ways than it looks.
    told = () if row.get("alone") else found.effects
    effects = tuple(dict.fromkeys((*told, *map(tuple, row["effects"]))))
    left = row.get("without")
    return Judgement(effects, f"{_how(effects)}; without {left}" if left else _how(effects))


def unknown_scripts(fates: tuple[ScriptFate, ...]) -> UnknownScripts:
    """Why packages with the scripts *fates* are refused."""
    lines = [f"\n  {one.package} {one.version}: {one.script} ({one.sha256})" for one in fates]
    return UnknownScripts(
        f"scripts that cannot be run here, and whose effect is not known:{''.join(lines)}",
        hint="run where commands can be (`artificer doctor run`), or go without: "
        "`--accept-skipped`",
    )


def _how(effects: Any) -> str:
    kinds = dict.fromkeys(effect[0] for effect in effects)
    return ", ".join(kinds) or "no effect in an image"


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    with open(_TABLE, "rb") as file:
        table: dict[str, Any] = json.load(file)
    return table
