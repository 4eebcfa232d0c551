"""What becomes of each maintainer script, known before anything is run."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from artificer.sources.debian.installing.commands import Effect
from artificer.sources.debian.installing.database import Database, Record
from artificer.sources.debian.installing.installation import Options, ScriptFate
from artificer.sources.debian.installing.judged import judged, unknown_scripts
from artificer.sources.debian.installing.restraints import restrained
from artificer.sources.debian.installing.triggers import activated
from artificer.sources.debian.installing.turns import Turn

_AT_INSTALLATION = ("preinst", "postinst", "triggers")
_GONE = ("prerm", "postrm")

_Decide = Callable[[ScriptFate, bytes, Record | None], ScriptFate]
"""Of a script, whose bytes are these, and what was there before of its package."""


def fates_of(
    turns: Sequence[Turn], leaving: Sequence[Record], known: Database, options: Options
) -> tuple[ScriptFate, ...]:
    """The scripts of *turns* and of what they take the place of, and those of *leaving*.

    Where scripts are not run, all must be known, unless it is accepted that some are skipped.
    """
    decide = _decision(options)
    found = [fate for turn in turns for fate in _of_turn(turn, known, decide)]
    found += [fate for record in leaving for fate in _of_record(record, known, decide)]
    unknown = [fate for fate in found if fate.fate == "skipped" and fate.how.startswith(_UNKNOWN)]
    if unknown and not options.accept_skipped:
        raise unknown_scripts(tuple(unknown))
    return tuple(found)


def effects_of(steps: Iterable[tuple[Turn, str]]) -> list[Effect]:
    """What the scripts of *steps* would do, in their order; then what triggers would."""
    found: list[Effect] = []
    asked: list[Effect] = []
    for turn, script in steps:
        scripts = dict(turn.package.scripts)
        if script in scripts:
            found += judged(scripts[script], first=turn.old is None).effects
        if script == "postinst" and "triggers" in scripts:
            asked += _set_off(scripts["triggers"])
    return [*found, *dict.fromkeys(asked)]


_UNKNOWN = "not known: "
_TRIGGERS = {"ldconfig": "ldconfig", "update-ca-certificates": "ca-certificates"}
"""By what is set off: which kind of effect that has."""


def _set_off(data: bytes) -> list[Effect]:
    """What a package's triggers do to others, as far as that is no cache of a program."""
    names = activated(data)
    return [(kind,) for name, kind in _TRIGGERS.items() if name in names]


def _decision(options: Options) -> _Decide:
    if options.level == "unpack":
        return lambda fate, *_: fate._replace(fate="skipped", how="level unpack runs no scripts")
    return _run if options.runs else _replaced


def _run(fate: ScriptFate, *_: object) -> ScriptFate:
    return restrained(fate)


def _replaced(fate: ScriptFate, data: bytes, old: Record | None) -> ScriptFate:
    if fate.script == "triggers":
        kinds = ", ".join(effect[0] for effect in _set_off(data))
        if kinds:
            return fate._replace(fate="replaced", how=kinds)
        return fate._replace(fate="skipped", how="caches are made where they are used")
    judgement = judged(data, first=old is None)
    if judgement.unknown:
        what = "; ".join(judgement.unknown[:3])
        return fate._replace(fate="skipped", how=f"{_UNKNOWN}{what}")
    return fate._replace(fate="replaced", how=judgement.told)


def _of_turn(turn: Turn, known: Database, decide: _Decide) -> Iterator[ScriptFate]:
    package = turn.package
    for script, data in package.scripts:
        if script in _AT_INSTALLATION:
            digest = hashlib.sha256(data).hexdigest()
            fate = ScriptFate(turn.owner.key, package.version, script, digest, "run")
            yield decide(fate, data, turn.old)
    if turn.upgraded is not None:
        yield from _of_record(turn.upgraded, known, decide)


def _of_record(record: Record, known: Database, decide: _Decide) -> Iterator[ScriptFate]:
    for script in _GONE:
        path = known.script(record.owner, script)
        if path is not None:
            data = known.files[path]
            digest = hashlib.sha256(data).hexdigest()
            version = record.owner.version
            fate = ScriptFate(record.owner.key, version, script, digest, "run")
            yield decide(fate, data, record)
