"""Packages that are to be installed, upon an image or upon nothing, to an `Installation`."""

from collections.abc import Iterable, Iterator, Sequence

from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, Entry
from artificer.layers.merge import by_components
from artificer.layers.whiteout import whiteout
from artificer.sources.debian.deb import Deb
from artificer.sources.debian.equivalents.files import Files
from artificer.sources.debian.installing import seeds
from artificer.sources.debian.installing.actions import Calls
from artificer.sources.debian.installing.bookkeeping import Bookkeeping
from artificer.sources.debian.installing.changeover import old_info, vanished, with_conffiles
from artificer.sources.debian.installing.database import OVERRIDES, Database, Record, database
from artificer.sources.debian.installing.effects import replaced
from artificer.sources.debian.installing.fates import effects_of, fates_of
from artificer.sources.debian.installing.filters import Filters
from artificer.sources.debian.installing.installation import Action, Base, Installation, Options
from artificer.sources.debian.installing.layout import Layout, merged_usr
from artificer.sources.debian.installing.ordering import Order, dpkg_version
from artificer.sources.debian.installing.overrides import overridden, overrides
from artificer.sources.debian.installing.replacing import replaces, replacing_first
from artificer.sources.debian.installing.restraints import restraints
from artificer.sources.debian.installing.sequence import sequence
from artificer.sources.debian.installing.stream import diverted, files_only
from artificer.sources.debian.installing.triggers import OWN, TRIGGERS
from artificer.sources.debian.installing.turns import Turn, turn_of
from artificer.sources.debian.installing.unpack import Owner, Placed, Placement, bytes_of


def installation(debs: Sequence[Deb], base: Base | None, options: Options) -> Installation:
    """What installing *debs*, in their order, upon *base* comes to; None is nothing at all.

    The bytes of its entries are where those of *debs* are.
    """
    if options.level == "unpack":
        return _unpacked(debs, base, options)
    return _Work(debs, base, options).value()


def _unpacked(debs: Sequence[Deb], base: Base | None, options: Options) -> Installation:
    order = replacing_first([deb.package for deb in debs])
    found = list(files_only((debs[number] for number in order), base, options))
    placed = [one.placed for one in found if one.placed is not None]
    turns = [Turn(deb, None) for deb in debs]
    entries = _ordered(entry for one in found for entry in one.entries)
    scripts = fates_of(turns, (), Database(), options)
    return Installation((), tuple(entries), (), (), scripts, (), _whose(placed))


def _whose(placed: Iterable[Placed]) -> dict[str, str]:
    """Say of each path which package it is of."""
    return {
        entry.path: one.owner.key
        for one in placed
        for entry in one.entries
        if entry.kind != DIRECTORY
    }


class _Work:
    """What is known of one installation."""

    def __init__(self, debs: Sequence[Deb], base: Base | None, options: Options) -> None:
        self.options = options
        self.base = base
        self.tree = base.tree if base else None
        self.known = database(base.tree, base.read) if base else Database()
        self.turns = [turn_of(deb, self.known) for deb in debs]
        links = {} if base else merged_usr(options.architecture)
        self.layout = Layout(self.tree, links)
        self.links = links
        self.diverted = diverted(base, self.layout)
        self.leaving = [
            record for record in self.known.records.values() if self._is_removed(record)
        ]
        self.placement = Placement(
            self.layout,
            replaces,
            filters=Filters(options.profile.filters),
            owners=self._owners(),
            diversions=self.diverted,
        )

    def value(self) -> Installation:
        placed = [self.placement.add(turn.deb) for turn in self.turns]
        placed = _without_lost(placed, self.placement.lost)
        kept = [
            with_conffiles(one, turn.old, self.tree, self._read)
            for one, turn in zip(placed, self.turns, strict=True)
        ]
        files = self._overridden([entry for one in kept for entry in one.entries])
        extra = self._seeds(files) if self.base is None else []
        temporary = self._temporary({entry.path for entry in files})
        book = Bookkeeping(
            self.options,
            self.known,
            self.turns,
            self.leaving,
            self.placement.lost,
            self._real_list,
        )
        database_entries = book.entries(placed, kept)
        removed = self._removed(placed, [*files, *database_entries])
        hidden = [whiteout(path, self.options.epoch) for path in removed]
        put = _each_once([*files, *extra, *database_entries, *temporary])
        runs = self.options.runs
        entries = _ordered(put) if runs else self._with_effects(put, removed)
        before, commands = self._actions()
        return Installation(
            before,
            (*hidden, *entries),
            tuple(removed),
            commands,
            fates_of(self.turns, self.leaving, self.known, self.options),
            tuple(entry.path for entry in temporary),
            _whose(placed),
        )

    def _with_effects(self, entries: Sequence[Entry], removed: Sequence[str]) -> list[Entry]:
        """*entries*, and what scripts would have made of them and of the base."""
        placed = {entry.path: entry for entry in entries}

        def read(path: str) -> bytes:
            entry = placed.get(path)
            while entry is not None and entry.kind == HARDLINK:
                entry = placed.get(entry.link)
            return self._read(path) if entry is None else b"".join(bytes_of(entry))

        files = Files(placed, read, self.tree, removed, self.options.epoch)
        replaced(effects_of(self._steps()), files)
        gone = (path for path in files.removed if self._is_there(path))
        hidden = [whiteout(path, self.options.epoch) for path in sorted(gone)]
        left = {path: one for path, one in placed.items() if path not in files.removed}
        return [*hidden, *_ordered((left | files.made).values())]

    def _is_there(self, path: str) -> bool:
        return self.tree is not None and self.tree.lookup(path, follow=False) is not None

    def _is_removed(self, record: Record) -> bool:
        names = {record.name, ":".join(record.key)}
        return record.has_files and not names.isdisjoint(self.options.remove)

    def _read(self, path: str) -> bytes:
        assert self.base is not None  # noqa: S101 - asked for what its tree has
        return self.base.read(path)

    def _owners(self) -> dict[str, Owner]:
        """Whose the files of the base are, but for packages that go or change."""
        changed = {id(turn.old) for turn in self.turns} | set(map(id, self.leaving))
        found: dict[str, Owner] = {}
        for record in self.known.records.values():
            if record.has_files and id(record) not in changed:
                owner = record.owner
                found.update(dict.fromkeys(self._real_list(owner), owner))
        return found

    def _overridden(self, files: list[Entry]) -> list[Entry]:
        data = self.known.files.get(OVERRIDES, b"")
        if not data.strip():
            return files
        base = Files({}, self._read, self.tree)
        return overridden(files, overrides(data, self.layout.real, base))

    def _real_list(self, owner: Owner) -> list[str]:
        found = []
        for line in self.known.list_of(owner):
            path = self.layout.real(line[1:]) if line != "/." else ""
            place = self.diverted.get(path)
            found.append(path if place is None or place[1] == owner.name else place[0])
        return found

    def _seeds(self, files: Sequence[Entry]) -> list[Entry]:
        epoch, options = self.options.epoch, self.options
        paths = {entry.path for entry in files}
        made = [
            *seeds.merged_links(self.links, paths, epoch),
            *seeds.account_files(files, epoch),
            *seeds.awk_link(paths, epoch),
            *seeds.filter_settings(options.profile.filters, paths, epoch),
            *seeds.empty_database(options.architecture, options.foreign, epoch),
        ]
        return [entry for entry in made if entry.path not in paths]

    def _temporary(self, paths: set[str]) -> list[Entry]:
        """What is there for the commands only, unless somebody has it for good."""
        if not self.options.runs:
            return []
        wanted = restraints((turn.owner.name for turn in self.turns), self.options.epoch)
        return [
            one
            for one in wanted
            if one.path not in paths
            and (self.tree is None or self.tree.lookup(one.path, follow=False) is None)
        ]

    def _removed(self, placed: Sequence[Placed], new: Iterable[Entry]) -> list[str]:
        """The paths of the base that go: what old versions had and nobody has now."""
        if self.tree is None:
            return []
        paths = {entry.path for entry in new}
        kept = set(self._owners())
        for one in placed:
            kept |= {self.layout.real(line[1:]) for line in one.listed if line != "/."}
        retired = {path for turn in self.turns for path in turn.package.retired}
        old = [self.layout.real(path[1:]) for path in sorted(retired)]
        gone: list[str] = []
        records = [turn.upgraded for turn in self.turns]
        if not self.options.runs:
            records += self.leaving  # else dpkg itself removes them
        for record in records:
            if record is not None:
                conffiles = {one.path for one in record.conffiles}
                real = self._real_list(record.owner)
                lines = self.known.list_of(record.owner)
                both = zip(lines, real, strict=True)
                old += [path for line, path in both if line not in conffiles]
                gone += old_info(self.tree, record, paths)
        gone += [
            path
            for path in self.known.files
            if path.startswith(f"{TRIGGERS}/") and path not in paths and path not in OWN
        ]
        return [*vanished(self.tree, old, kept, paths), *gone]

    def _actions(self) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
        return self._calls() if self.options.runs else ((), ())

    def _calls(self) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
        calls = Calls(self.options.epoch, dpkg_version(self.turns, self.known))
        order = Order(self.turns, self.leaving, self.known, calls, self.base is None)
        return order.before(), order.commands()

    def _steps(self) -> Iterator[tuple[Turn, str]]:
        """Which scripts would be called, in their order."""
        there = [one.name for one in self.known.records.values() if one.has_files]
        before, commands = self._calls()
        return sequence((*before, *commands), self.turns, there)


def _each_once(entries: Iterable[Entry]) -> list[Entry]:
    return list({entry.path: entry for entry in entries}.values())


def _without_lost(placed: Sequence[Placed], lost: Iterable[tuple[Owner, str]]) -> list[Placed]:
    """*placed*, each without the files that others took from it, also in its list."""
    gone: dict[str, set[str]] = {}
    for owner, path in lost:
        gone.setdefault(owner.key, set()).add(path)
    return [_without(one, gone.get(one.owner.key, set())) for one in placed]


def _without(placed: Placed, gone: set[str]) -> Placed:
    if not gone:
        return placed
    both = zip(placed.entries, placed.names, strict=True)
    names = {f"/{name}" for entry, name in both if entry.path in gone}
    stay = [number for number, one in enumerate(placed.entries) if one.path not in gone]
    return placed._replace(
        entries=tuple(placed.entries[number] for number in stay),
        names=tuple(placed.names[number] for number in stay),
        listed=tuple(line for line in placed.listed if line not in names),
    )


def _ordered(entries: Iterable[Entry]) -> list[Entry]:
    """*entries* sorted; of files that are one, the first has the bytes and others link to it."""
    ordered = by_components(entries)
    firsts: dict[str, str] = {}
    files = {entry.path: entry for entry in ordered if entry.kind == FILE}
    out = []
    for entry in ordered:
        target = entry.link if entry.kind == HARDLINK else entry.path
        first = firsts.setdefault(target, entry.path)
        if entry.kind == HARDLINK or first != entry.path:
            whole = files[target]._replace(path=entry.path)
            entry = (
                whole
                if first == entry.path
                else whole._replace(kind=HARDLINK, link=first, size=0, source=None)
            )
        out.append(entry)
    return out
