"""What dpkg's database will say of an installation, as entries."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from artificer.layers.entry import Entry
from artificer.sources.debian.deb import Package
from artificer.sources.debian.deb822 import stanzas
from artificer.sources.debian.installing.changeover import Kept, md5sums, without
from artificer.sources.debian.installing.database import (
    ARCH,
    EXTENDED,
    INFO,
    STATUS,
    Database,
    Record,
    file_entry,
    lines_in,
    lines_of,
    status_file,
)
from artificer.sources.debian.installing.installation import Options
from artificer.sources.debian.installing.triggers import (
    interests,
    known_interests,
    nothing_waits,
    set_off,
    trigger_files,
)
from artificer.sources.debian.installing.turns import Turn, left_of, stanza_of
from artificer.sources.debian.installing.unpack import Owner, Placed
from artificer.sources.debian.values import name_beside

Real = Callable[[Owner], list[str]]
"""Where the files of a package's list really are."""


class Bookkeeping(NamedTuple):
    """What is noted: *turns* are taken, *removed* go; *lost* are files that others took."""

    options: Options
    known: Database
    turns: Sequence[Turn]
    removed: Sequence[Record]
    lost: Sequence[tuple[Owner, str]]
    real: Real

    def entries(self, placed: Sequence[Placed], kept: Sequence[Kept]) -> list[Entry]:
        """All files of the database that are new or other than they were."""
        both = zip(placed, kept, strict=True)
        info = [entry for one, part in both for entry in self.info(one, part)]
        return [*info, *self.lost_lists(), *self.database(placed, kept)]

    def info(self, placed: Placed, kept: Kept) -> list[Entry]:
        """The files of the database about one package."""
        prefix, epoch = f"{INFO}/{placed.owner.key}", self.options.epoch
        control = placed.package.files
        found = [
            file_entry(f"{prefix}.{file.name}", file.data, epoch, file.mode)
            for file in control
            if file.name not in {"control", "list"} and "/" not in file.name
        ]
        stay = {one.path for one in kept.conffiles if one.flag == "obsolete"}
        lines = (*placed.listed, *sorted(stay - set(placed.listed)))
        found.append(file_entry(f"{prefix}.list", lines_of(lines), epoch))
        if placed.package.md5sums is None:
            found.append(file_entry(f"{prefix}.md5sums", md5sums(placed), epoch))
        return found

    def lost_lists(self) -> list[Entry]:
        """The lists of packages of the base that lost files to new ones."""
        lost: dict[Owner, set[str]] = {}
        new = {turn.owner for turn in self.turns}
        for owner, path in self.lost:
            if owner not in new:
                lost.setdefault(owner, set()).add(path)
        out = []
        for owner, paths in lost.items():
            lines = self.known.list_of(owner)
            real = self.real(owner)
            gone = {line for line, path in zip(lines, real, strict=True) if path in paths}
            key = owner.key if owner.key in self.known.lists else owner.name
            data = lines_of(without(lines, gone))
            out.append(file_entry(f"{INFO}/{key}.list", data, self.options.epoch))
        return out

    def database(self, placed: Sequence[Placed], kept: Sequence[Kept]) -> list[Entry]:
        """The files of the database about all packages."""
        epoch = self.options.epoch
        records = {key: record.raw for key, record in self.known.records.items()}
        for record in self.removed:
            records.pop(record.key)
            records.update(left_of(record, self.known))
        for turn, part in zip(self.turns, kept, strict=True):
            if turn.old is not None:
                records.pop(turn.old.key, None)
            package = turn.package
            key = package.name, package.architecture
            records[key] = stanza_of(turn, part.conffiles, runs=self.options.runs)
        out = [file_entry(STATUS, status_file(records.items()), epoch)]
        triggers = self._triggers(placed)
        out += [file_entry(path, data, epoch) for path, data in triggers.items()]
        return [*out, *self.architectures(), *self.auto(placed)]

    def architectures(self) -> list[Entry]:
        """Which architectures there are packages of, as ``dpkg --add-architecture`` notes it."""
        known = [one for one in lines_in(self.known.files.get(ARCH, b"")) if one]
        found = known or [self.options.architecture]
        new = [one for one in self.options.foreign if one not in found]
        return [file_entry(ARCH, lines_of([*found, *new]), self.options.epoch)] if new else []

    def _shown(self, package: Package) -> str:
        return name_beside(self.options.architecture, package.name, package.architecture)

    def _triggers(self, placed: Sequence[Placed]) -> dict[str, bytes]:
        olds = (turn.old for turn in self.turns if turn.old is not None)
        names = {turn.owner.key for turn in self.turns}
        names |= {name for one in (*olds, *self.removed) for name in (one.name, one.owner.key)}
        stay = [one for one in known_interests(self.known.files) if one.package not in names]
        new = [
            interest
            for one in placed
            for file in one.package.files
            if file.name == "triggers"
            for interest in interests(one.owner.key, file.data)
        ]
        files = trigger_files([*stay, *new])
        if not self.options.runs:
            return {**files, **nothing_waits()}
        return {**files, **set_off(stay, (e.path for one in placed for e in one.entries))}

    def auto(self, placed: Sequence[Placed]) -> list[Entry]:
        """What apt knows of which packages nobody asked for, where there is apt."""
        has_apt = any(one.package.name == "apt" for one in placed) or any(
            record.name == "apt" for record in self.known.records.values()
        )
        auto = [one.package for one in placed if self._shown(one.package) in self.options.auto]
        if not (has_apt and auto):
            return []
        known = {
            (fields.get("Package", ""), fields.get("Architecture", "")): fields
            for fields in stanzas(self.known.files.get(EXTENDED, b""), f"/{EXTENDED}")
        }
        for package in auto:
            # apt files packages for all architectures under its own.
            own = self.options.architecture
            architecture = own if package.architecture == "all" else package.architecture
            key = package.name, architecture
            known.setdefault(
                key,
                {"Package": key[0], "Architecture": key[1], "Auto-Installed": "1"},
            )
        text = "".join(
            "".join(f"{name}: {value}\n" for name, value in fields.items()) + "\n"
            for fields in known.values()
        )
        return [file_entry(EXTENDED, text.encode(), self.options.epoch)]
