"""What becomes of each maintainer script, known before anything is run."""

import hashlib
from collections.abc import Iterator, Sequence

from artificer.sources.debian.database import Database, Record
from artificer.sources.debian.installation import Options, ScriptFate
from artificer.sources.debian.turns import Turn

_AT_INSTALLATION = ("preinst", "postinst", "triggers")


def fates_of(
    turns: Sequence[Turn], leaving: Sequence[Record], known: Database, options: Options
) -> tuple[ScriptFate, ...]:
    """The scripts of *turns* and of what they take the place of, and those of *leaving*."""
    if options.level == "unpack":
        return tuple(
            fate._replace(fate="skipped", how="level unpack runs no scripts")
            for turn in turns
            for fate in _of_turn(turn, known)
        )
    found = [fate for turn in turns for fate in _of_turn(turn, known)]
    found += [
        fate for record in leaving for fate in _of_record(record, known, ("prerm", "postrm"))
    ]
    return tuple(found)


def _of_turn(turn: Turn, known: Database) -> Iterator[ScriptFate]:
    package = turn.package
    for script, data in package.scripts:
        if script in _AT_INSTALLATION:
            digest = hashlib.sha256(data).hexdigest()
            yield ScriptFate(turn.owner.key, package.version, script, digest, "run")
    if turn.upgraded is not None:
        yield from _of_record(turn.upgraded, known, ("prerm", "postrm"))


def _of_record(record: Record, known: Database, scripts: Sequence[str]) -> Iterator[ScriptFate]:
    for script in scripts:
        path = known.script(record.owner, script)
        if path is not None:
            digest = hashlib.sha256(known.files[path]).hexdigest()
            version = record.owner.version
            yield ScriptFate(record.owner.key, version, script, digest, "run")
