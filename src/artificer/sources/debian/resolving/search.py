"""The search for a set of packages in which every relation holds: apt's choices, with a way back.

Packages are taken in apt's order, depth first, each with the first alternative that apt would
take. Where that comes to nothing, the latest choice that had a part in it is made anew
(conflict-directed backjumping); so where apt's own choices work, they are what is found.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from artificer.sources.debian.resolving.binary import Binary, RelationField
from artificer.sources.debian.resolving.candidates import Candidates, Key
from artificer.sources.debian.resolving.explain import Failure, chain, conflict, needed, unmet
from artificer.sources.debian.resolving.relations import Clause
from artificer.sources.debian.resolving.state import NEEDS, Action, Cause, State
from artificer.sources.debian.resolving.tasks import (
    Agenda,
    Choice,
    Evict,
    Follow,
    Mend,
    Need,
    Point,
    Task,
)


class Exhausted(Exception):
    """The search took more steps than it may, or met more tasks."""


class Unsolvable(Exception):
    """There is no solution; *failure* says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class Rules(NamedTuple):
    """What the search may not do, and how long it may take.

    *barred* packages do not come in, *held* ones are not changed. With *spares* what nobody asked
    for goes again where something else excludes it, as with apt; without, the choice that brought
    it in is made anew, which sooner shows that there is no way.
    """

    recommends: bool
    barred: frozenset[Key]
    held: frozenset[Key]
    steps: int
    tasks: int
    spares: bool = True


class Search:
    """One search. `state` is the solution once `run` has returned."""

    def __init__(self, candidates: Candidates, rules: Rules) -> None:
        self.candidates = candidates
        self.rules = rules
        self.installed = candidates.installed
        self.state = State(candidates, candidates.installed)
        self._agenda: Agenda | None = None
        self._later: Agenda | None = None
        self._choices: list[Choice] = []
        self._steps = 0
        self._tasks = 0
        self._dropped = False
        self._of_source: dict[str, list[Key]] = {}
        for key, binary in candidates.installed.items():
            self._of_source.setdefault(_source(binary)[0], []).append(key)

    def run(self, roots: Iterable[Action]) -> None:
        """Have all *roots* and what they need."""
        tasks: list[Task] = []
        for action in roots:
            failure = self._take(action, Cause())
            if failure is not None:
                raise Unsolvable(failure)
            pushed, self._agenda = self._agenda, None
            while pushed is not None:
                tasks.append(pushed.task)
                pushed = pushed.rest
        self._push(tasks)
        while (task := self._next()) is not None:
            failure = self._do(task)
            if failure is not None:
                self._back(failure)
        if self._dropped:
            self._tidy()

    def _tidy(self) -> None:
        """Leave out what only came in for packages that had to go again."""
        asked = [key for key, cause in self.state.picked.items() if cause.parent is None]
        roots = [key for key in (*self.installed, *asked) if key in self.state.have]
        used = self.state.used(roots)
        for key in [key for key in self.state.have if key not in used]:
            self.state.pick(Action(key, None), Cause())

    def _next(self) -> Task | None:
        if self._agenda is not None:
            task, self._agenda = self._agenda
            return task
        if self._later is not None:
            task, self._later = self._later
            return task
        return None

    def _do(self, task: Task) -> Failure | None:
        self._tasks += 1
        if self._tasks > self.rules.tasks:
            raise Exhausted
        match task:
            case Need():
                return self._need(task)
            case Evict():
                return self._evict(task)
            case Mend():
                return self._mend(task)
            case Follow():
                return self._follow(task)

    def _need(self, task: Need) -> Failure | None:
        if self.state.have.get(task.key) is not task.binary:
            return None
        if self.state.holds(task.clause, task.key[1]):
            return None
        if task.optional and self._is_old(task):
            return None
        levels = self.state.picked[task.key].levels
        cause = Cause(task.key, task.field, task.clause, levels)
        actions = self._solutions(task.clause, task.key[1])
        return self._choose(actions, cause, optional=task.optional)

    def _is_old(self, task: Need) -> bool:
        """Whether a package that was installed has done without this recommendation before."""
        old = self.installed.get(task.key)
        if old is None:
            return False
        known = [
            clause
            for clause in old.relations("Recommends")
            if clause[0].name == task.clause[0].name
        ]
        return bool(known) and not any(
            self.candidates.fulfils(binary, relation, task.key[1])
            for clause in known
            for relation in clause
            for binary in self.installed.values()
        )

    def _solutions(self, clause: Clause, architecture: str) -> list[Action]:
        """What makes *clause* hold: upgrades before new packages, each in the clause's order."""
        upgrades: dict[Key, Binary] = {}
        news: dict[Key, Binary] = {}
        for relation in clause:
            for binary in self.candidates.targets(relation, architecture):
                key = self.candidates.key(binary)
                (upgrades if key in self.installed else news).setdefault(key, binary)
        return [Action(key, binary) for key, binary in (upgrades | news).items()]

    def _evict(self, task: Evict) -> Failure | None:
        victim, binary = self.state.have.get(task.key), self.state.have[task.opponent]
        if victim is None or task.key not in self.state.opponents(task.opponent, binary):
            return None
        cause = Cause(task.opponent, "Conflicts", (), self.state.picked[task.opponent].levels)
        other = self.state.picked.get(task.key)
        if other is not None:
            return self._drop(task, other, cause)
        return self._choose([*self._upgrade(task.key, victim), Action(task.key, None)], cause)

    def _drop(self, task: Evict, other: Cause, cause: Cause) -> Failure | None:
        """Leave out what was picked, if it may go again."""
        levels = cause.levels | other.levels
        if not self._is_spare(task.key, other, cause):
            binary = self.state.have[task.opponent]
            return Failure(levels, conflict(binary, task.key, self.state, self.candidates))
        self._pick(Action(task.key, None), cause._replace(levels=levels))
        self._dropped = True
        return None

    def _upgrade(self, key: Key, binary: Binary) -> list[Action]:
        candidate = self.candidates.of(key)
        if candidate is None or candidate is binary or candidate.version == binary.version:
            return []
        return [Action(key, candidate)]

    def _mend(self, task: Mend) -> Failure | None:
        owner = self.state.have.get(task.key)
        if owner is None:
            return None
        found = self._broken(owner, task)
        if found is None:
            return None
        field, clause = found
        lost = self.state.picked[self.candidates.key(task.lost)]
        picked = self.state.picked.get(task.key)
        levels = lost.levels | (picked.levels if picked else 0)
        actions = self._solutions(clause, task.key[1])
        if picked is None:
            # apt rather removes a package than that it installs a new one for it.
            actions = [*self._upgrade(task.key, owner), Action(task.key, None), *actions]
        self._later = Agenda(task, self._later)
        return self._choose(actions, Cause(task.key, field, clause, levels))

    def _follow(self, task: Follow) -> Failure | None:
        """Upgrade what was built together, where that works."""
        own, leader = self.state.have.get(task.key), self.state.have.get(task.leader)
        if own is None or leader is None or task.key in self.state.picked:
            return None
        cause = Cause(task.leader, "Source", (), self.state.picked[task.leader].levels)
        return self._choose(self._upgrade(task.key, own), cause, optional=True)

    def _followers(self, key: Key, binary: Binary) -> Iterator[Follow]:
        """What is installed of the source of *binary*, and would become of the same version."""
        source = _source(binary)
        for other in self._of_source.get(source[0], ()):
            candidate = self.candidates.of(other)
            if other != key and candidate is not None and _source(candidate) == source:
                yield Follow(other, key)

    def _broken(self, owner: Binary, task: Mend) -> tuple[RelationField, Clause] | None:
        """The first need of *owner* that held by what is lost and no longer holds."""
        for field in NEEDS:
            for clause in owner.relations(field):
                if not self.state.holds(clause, task.key[1]) and any(
                    self.candidates.fulfils(task.lost, relation, task.key[1])
                    for relation in clause
                ):
                    return field, clause
        return None

    def _choose(
        self, actions: Sequence[Action], cause: Cause, *, optional: bool = False
    ) -> Failure | None:
        before = Point(self.state.mark, self._agenda, self._later)
        what = actions[0].key if actions else None
        choice = Choice(actions, before, cause, needed(cause, self.candidates, what))
        choice.optional = optional
        self._choices.append(choice)
        self._tasks += len(actions)
        return self._advance(choice)

    def _advance(self, choice: Choice) -> Failure | None:
        """Take the next action that works; a choice without one is no more."""
        level = len(self._choices) - 1
        while choice.tried < len(choice.actions):
            action = choice.actions[choice.tried]
            choice.tried += 1
            self._steps += 1
            if self._steps > self.rules.steps:
                raise Exhausted
            self._restore(choice)
            cause = choice.cause._replace(levels=choice.cause.levels | 1 << level)
            failure = self._take(action, cause)
            if failure is None:
                return None
            choice.failures.append(failure)
        self._restore(choice)
        self._choices.pop()
        if choice.optional:
            return None
        levels = choice.cause.levels
        for failure in choice.failures:
            levels |= failure.levels
        parts = tuple(choice.failures) or (self._lack(choice),)
        return Failure(levels & ~(1 << level), choice.text, parts)

    def _lack(self, choice: Choice) -> Failure:
        parent = choice.cause.parent
        architecture = parent[1] if parent else self.candidates.native
        return Failure(0, unmet(choice.cause.clause, self.candidates, architecture))

    def _restore(self, choice: Choice) -> None:
        mark, self._agenda, self._later = choice.before
        self.state.undo(mark)

    def _back(self, failure: Failure) -> None:
        """Make the latest choice anew that had a part in *failure*."""
        current: Failure | None = failure
        while current is not None:
            if not current.levels:
                raise Unsolvable(current)
            level = current.levels.bit_length() - 1
            del self._choices[level + 1 :]
            choice = self._choices[level]
            choice.failures.append(current)
            current = self._advance(choice)

    def _take(self, action: Action, cause: Cause) -> Failure | None:
        """Do *action* and put what follows from it on the agenda, or say why it cannot be done."""
        old = self.state.have.get(action.key)
        picked = self.state.picked.get(action.key)
        if picked is not None:
            if old is action.binary:
                return None
            return Failure(cause.levels | picked.levels, self._fixed(action.key, old))
        tasks = self._consequences(action, old, cause)
        if isinstance(tasks, Failure):
            return tasks
        self._pick(action, cause)
        self._push(tasks)
        return None

    def _pick(self, action: Action, cause: Cause) -> None:
        old = self.state.have.get(action.key)
        self.state.pick(action, cause)
        if old is not None and old is not action.binary:
            # Only when all is chosen: what comes in may do instead of what goes.
            for key in self.state.dependents(old):
                self._later = Agenda(Mend(key, old), self._later)

    def _is_spare(self, key: Key, other: Cause, cause: Cause) -> bool:
        """Whether the new package at *key* may go again: it is nobody's wish, and not on the way.

        apt lets it go, rather than that it chooses anew what had brought it in.
        """
        asked = other.parent is None or key in self.installed
        return self.rules.spares and not asked and key not in self.state.lineage(cause)

    def _consequences(
        self, action: Action, old: Binary | None, cause: Cause
    ) -> list[Task] | Failure:
        """What is to be done once *action* is, or why it cannot be."""
        refusal = self._refusal(action, cause)
        if refusal:
            return Failure(cause.levels, refusal)
        tasks: list[Task] = []
        if action.binary is None:
            return tasks
        for key in self.state.opponents(action.key, action.binary):
            other = self.state.picked.get(key)
            if other is None or self._is_spare(key, other, cause):
                tasks.append(Evict(key, action.key))
                continue
            text = conflict(action.binary, key, self.state, self.candidates)
            return Failure(cause.levels | other.levels, text)
        if old is not action.binary:
            tasks += self._followers(action.key, action.binary)
        return [*tasks, *self._needs(action.key, action.binary)]

    def _needs(self, key: Key, binary: Binary) -> Iterator[Task]:
        for field in NEEDS:
            for clause in binary.relations(field):
                yield Need(key, binary, field, clause, optional=False)
        if self.rules.recommends:
            for clause in binary.relations("Recommends"):
                yield Need(key, binary, "Recommends", clause, optional=True)

    def _push(self, tasks: Sequence[Task]) -> None:
        for task in reversed(tasks):
            self._agenda = Agenda(task, self._agenda)

    def _fixed(self, key: Key, binary: Binary | None) -> str:
        name, picked = self.candidates.shown(key), self.state.picked
        cause = picked.get(key)
        if binary is None and cause is not None and cause.parent in self.state.have:
            other = self.candidates.shown(cause.parent)
            reason = chain(cause.parent, picked, self.candidates)
            return f"{name} cannot be there beside {other} ({reason}): they exclude one another"
        reason = chain(key, picked, self.candidates)
        if binary is None:
            return f"{name} is not to be there ({reason})"
        return f"{name} {binary.version} is to stay ({reason})"

    def _refusal(self, action: Action, cause: Cause) -> str:
        old = self.state.have.get(action.key)
        name = self.candidates.shown(action.key)
        if action.binary is not None:
            if action.key in self.rules.barred:
                return f"{name} is excluded"
            if action.key in self.rules.held and old is not action.binary:
                return f"{name} is held at {old.version if old else 'nothing'}"
            return ""
        if action.key in self.rules.held:
            return f"{name} is held"
        if old is not None and cause.parent is not None and (old.essential or old.protected):
            return f"{name} is essential and stays"
        return ""


def _source(binary: Binary) -> tuple[str, str]:
    """The name and version of what *binary* was built from."""
    name, _, version = binary.source.partition(" ")
    return name, version or binary.version
