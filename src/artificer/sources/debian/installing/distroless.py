"""A configured result without shell, dpkg and what else only helped to configure it. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from artificer.errors import ArtificerError
from artificer.layers.entry import DIRECTORY, SYMLINK, Entry
from artificer.layers.merge import by_components
from artificer.layers.parents import parents
from artificer.layers.whiteout import is_whiteout
from artificer.sources.debian.deb import STATUS as PIECES
from artificer.sources.debian.installing.database import (
    FOLDER,
    INFO,
    STATUS,
    Record,
    file_entry,
    lines_in,
    records_of,
)
from artificer.sources.debian.installing.finish import without
from artificer.sources.debian.installing.layout import Layout
from artificer.sources.debian.resolving.relations import parse_relations

_ALWAYS = frozenset(("base-files", "netbase", "tzdata"))
_HELPERS = frozenset(
    ("adduser", "apt", "debconf", "dpkg", "init-system-helpers", "lsb-base", "passwd", "ucf")
)
# What scripts left that is of no use without the programs that are gone.
_OF_HELPERS = (
    f"{FOLDER}/",
    "etc/pam.d/",
    "etc/apt/",
    "etc/rc",
    "etc/systemd/",
    "etc/shells",
    "etc/subuid",
    "etc/subgid",
    "root/.",
    "var/lib/apt/",
    "var/lib/pam/",
    "var/lib/shells.state",
    "var/lib/systemd/",
    "var/lib/ucf/",
    "var/cache/debconf/",
    "var/cache/apt/",
    "usr/share/info/",
    "usr/local/man",
)


class NotConfigured(ArtificerError):
    """There is no dpkg database in what is to become distroless."""


class _Listed(NamedTuple):
    """The real paths of packages that stay, and those that only packages that go have."""

    stay: frozenset[str]
    go: frozenset[str]


def distroless(
    entries: Sequence[Entry], read: Callable[[Entry], bytes], asked: Collection[str], epoch: int
) -> list[Entry]:
    """What of *entries*, a whole configured installation, is needed at run time.

    That is the packages *asked* for and what they depend on, but for the essential set and
    helpers of scripts; what scripts made for them: users, certificates, alternatives, the cache
    of libraries; and `status.d`, from which scanners know them.
    """
    files = {entry.path: entry for entry in entries}
    if STATUS not in files:
        raise NotConfigured(
            "a distroless image is made of packages that were configured from nothing",
            hint="take level `configure` and no base",
        )
    records = {one.name: one for one in records_of(read(files[STATUS]))}
    kept = needed(records, asked)
    listed = _listed(files, read, records, kept)
    dropped = {entry.path for entry in entries if not _stays(entry, listed)}
    dropped |= _dangling(files, dropped)
    dropped |= _idle(entries, dropped, listed.stay)
    pieces = [
        piece for name in sorted(kept) for piece in _pieces(records[name], files, read, epoch)
    ]
    return _inserted(without(entries, dropped), pieces, epoch)


def needed(records: Mapping[str, Record], asked: Collection[str]) -> set[str]:
    """The packages of *records* that stay when *asked* are wanted at run time."""
    providers = _providers(records)
    waiting = [name for name in records if name in asked or name in _ALWAYS]
    kept: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in kept:
            continue
        kept.add(name)
        if name in asked or name not in _ALWAYS:
            found = _depends(records[name], records, providers)
            waiting += [one for one in found if _is_wanted(records[one], asked)]
    return kept


def _is_wanted(record: Record, asked: Collection[str]) -> bool:
    if record.name in asked:
        return True
    essential = record.fields.get("Essential", "").lower() == "yes"
    return not essential and record.name not in _HELPERS


def _providers(records: Mapping[str, Record]) -> dict[str, str]:
    """By names that are no package's own: the first package that provides each."""
    found: dict[str, str] = {}
    for one in records.values():
        for clause in parse_relations(one.fields.get("Provides", "")):
            found.setdefault(clause[0].name, one.name)
    return found


def _depends(
    record: Record, records: Mapping[str, Record], providers: Mapping[str, str]
) -> Iterable[str]:
    for field in ("Pre-Depends", "Depends"):
        for clause in parse_relations(record.fields.get(field, "")):
            for relation in clause:
                name = relation.name
                found = name if name in records else providers.get(name)
                if found is not None:
                    yield found
                    break


def _listed(
    files: Mapping[str, Entry],
    read: Callable[[Entry], bytes],
    records: Mapping[str, Record],
    kept: Collection[str],
) -> _Listed:
    links = {path: entry.link for path, entry in files.items() if entry.kind == SYMLINK}
    layout = Layout(None, links)
    stay: set[str] = set()
    go: set[str] = set()
    for name, record in records.items():
        entry = files.get(f"{INFO}/{record.owner.key}.list") or files.get(f"{INFO}/{name}.list")
        lines = lines_in(read(entry)) if entry else []
        paths = {layout.real(line[1:]) for line in lines if line != "/."}
        (stay if name in kept else go).update(paths)
    return _Listed(frozenset(stay), frozenset(go - stay))


def _stays(entry: Entry, listed: _Listed) -> bool:
    path = entry.path
    if is_whiteout(path) or path.startswith(_OF_HELPERS):
        return path in listed.stay and not path.startswith(f"{FOLDER}/")
    if path in listed.stay or "/" not in path:
        return True
    if path in listed.go:
        return False
    return entry.kind == DIRECTORY or path.rpartition("/")[0] not in listed.go


def _dangling(files: Mapping[str, Entry], dropped: Collection[str]) -> set[str]:
    """The links that lead to what is dropped, also by other links."""
    left = {path: one for path, one in files.items() if path not in dropped}
    links = {path: one.link for path, one in left.items() if one.kind == SYMLINK}
    layout = Layout(None, links)
    gone: set[str] = set()
    for path in links:
        target = path
        for _ in range(8):
            link = links.get(target)
            if link is None:
                break
            folder = target.rpartition("/")[0]
            whole = link[1:] if link.startswith("/") else f"{folder}/{link}"
            target = layout.real(_plain(whole))
        if target in files and target not in left:
            gone.add(path)
    return gone


def _plain(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def _idle(entries: Sequence[Entry], dropped: Collection[str], stay: Collection[str]) -> set[str]:
    """The directories that nobody has any more and that nothing is in."""
    left = [one for one in entries if one.path not in dropped]
    used = {folder for one in left if one.kind != DIRECTORY for folder in parents(one.path)}
    used |= {folder for path in stay for folder in parents(path)}
    return {
        one.path
        for one in left
        if one.kind == DIRECTORY and one.path not in used and one.path not in stay
    }


def _pieces(
    record: Record, files: Mapping[str, Entry], read: Callable[[Entry], bytes], epoch: int
) -> list[Entry]:
    """The files of `status.d` about one package."""
    text = record.raw.decode("utf-8", "surrogateescape").split("\n")
    lines: list[str] = []
    skipping = False
    for line in text:
        if line[:1] not in {" ", "\t"}:
            skipping = line.startswith(("Status:", "Conffiles:", "Config-Version:"))
        if not skipping and line:
            lines.append(line)
    data = "\n".join([*lines, ""]).encode("utf-8", "surrogateescape")
    made = [file_entry(f"{PIECES}/{record.name}", data, epoch)]
    sums = files.get(f"{INFO}/{record.owner.key}.md5sums")
    if sums is not None:
        made.append(file_entry(f"{PIECES}/{record.name}.md5sums", read(sums), epoch))
    return made


def _inserted(entries: Sequence[Entry], pieces: Sequence[Entry], epoch: int) -> list[Entry]:
    """*entries* and *pieces* with the directories above, in the order of paths."""
    there = {entry.path for entry in entries}
    missing = [path for path in parents(f"{PIECES}/x") if path not in there]
    made = [Entry(path, DIRECTORY, 0o755, 0, 0, 0, epoch, "", None) for path in missing]
    return by_components([*entries, *made, *pieces])
