"""What a search for packages has yet to do, and the choices that it has made on the way."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from artificer.sources.debian.resolving.binary import Binary, RelationField
from artificer.sources.debian.resolving.candidates import Key
from artificer.sources.debian.resolving.relations import Clause
from artificer.sources.debian.resolving.state import Action, Cause

if TYPE_CHECKING:
    from artificer.sources.debian.resolving.explain import Failure


class Need(NamedTuple):
    """A task: *clause* of *binary* must come to hold; where *optional* it may also not."""

    key: Key
    binary: Binary
    field: RelationField
    clause: Clause
    optional: bool


class Evict(NamedTuple):
    """A task: what is installed at *key* conflicts with the package at *opponent*."""

    key: Key
    opponent: Key


class Mend(NamedTuple):
    """A task: the package at *key* may have needed *lost*, which is gone."""

    key: Key
    lost: Binary


class Follow(NamedTuple):
    """A task: the package at *key* is of the same source as *leader*, which is changed."""

    key: Key
    leader: Key


Task = Need | Evict | Mend | Follow


class Agenda(NamedTuple):
    """What is to be done yet; a list that shares its tail with those of earlier choices."""

    task: Task
    rest: "Agenda | None"


class Point(NamedTuple):
    """Where the search stood: what it had picked, and what was to be done at once and later."""

    mark: int
    agenda: Agenda | None
    later: Agenda | None


class Choice:
    """Several actions of which one will do; *before* is where the search stood."""

    __slots__ = ("actions", "before", "cause", "failures", "optional", "text", "tried")

    def __init__(
        self, actions: Sequence[Action], before: "Point", cause: Cause, text: str
    ) -> None:
        self.actions = actions
        self.before = before
        self.cause = cause
        self.text = text
        self.optional = False
        self.tried = 0
        self.failures: list[Failure] = []
