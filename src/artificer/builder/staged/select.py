"""What the sources of a COPY name: files of a context, of a stage or of an image."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple, Protocol

from artificer.builder.staged.ignore import Ignore, leaves_out
from artificer.builder.stages import CopyFiles
from artificer.errors import ArtificerError
from artificer.layers.entry import DIRECTORY, SYMLINK
from artificer.layers.index import File
from artificer.layers.parents import outer
from artificer.layers.patterns import translated

_WILD = re.compile(r"(?<!\\)(?:\\\\)*[*?\[]")
_PIVOT = "/./"


class NoSuchSource(ArtificerError):
    """A COPY names a file that is not there."""


class Files(Protocol):
    """Files by path: a context's, or an image's."""

    def lookup(self, path: str, *, follow: bool = True) -> File | None:
        """Return the file at *path*; links above it are followed, itself if *follow*."""

    def resolve(self, path: str) -> str:
        """Return where *path* really is, all links followed."""

    def children(self, path: str) -> list[File]:
        """Return what is in the directory *path* (no links in it), sorted by names."""


class Picked(NamedTuple):
    """A file, and its path below the directory that was named."""

    file: File
    below: str


class Source(NamedTuple):
    """What one path comes to: a file called *name*, or what is in a directory ("" is its name)."""

    name: str
    picked: tuple[Picked, ...]

    @property
    def is_directory(self) -> bool:
        """Whether its files go below a destination, not to it."""
        return not self.name


class Manner(NamedTuple):
    """How sources are read: with their *parents*, and what is left out of them."""

    parents: bool = False
    exclude: Ignore = Ignore()


def manner_of(copy: CopyFiles) -> Manner:
    """How the sources of *copy* are read."""
    return Manner(copy.parents, Ignore(copy.exclude))


def selected(files: Files, patterns: Iterable[str], manner: Manner) -> list[Source]:
    """Return what *patterns* name, in their order; what a wildcard does not match is no error.

    A path that is missing is a `NoSuchSource`. Named links are followed, others are kept.
    """
    found: list[Source] = []
    for pattern in patterns:
        if manner.parents:
            found += _with_parents(files, pattern, manner.exclude)
            continue
        cleaned = _clean(pattern)
        for path in _matched(files, cleaned) if is_wild(cleaned) else [_literal(cleaned)]:
            source = _named(files, path, manner.exclude)
            if source is not None:
                found.append(source)
    return found


def is_wild(pattern: str) -> bool:
    """Whether *pattern* may name several files."""
    return _WILD.search(pattern) is not None


def literal(path: str) -> str:
    """Return the pattern that names *path* and nothing else."""
    return re.sub(r"([*?\[\\])", r"\\\1", path)


def below(files: Files, real: str, exclude: Ignore, at: str = "") -> Iterator[Picked]:
    """Yield what is in the directory *real*, a directory before what is in it.

    Paths, which *exclude* is asked about, too, begin with *at*.
    """
    cut = len(real) + 1 if real else 0
    prefix = f"{at}/" if at else ""
    start = _run_at(at, exclude)
    waiting = [(start, file) for file in reversed(files.children(real))]
    held: list[Picked] = []
    while waiting:
        above, file = waiting.pop()
        path = prefix + file.path[cut:]
        run = exclude.run(path, above) if exclude else 0
        while held and not path.startswith(f"{held[-1].below}/"):
            held.pop()
        if leaves_out(run):
            if file.kind != DIRECTORY or not exclude.takes_in_below(path, run):
                continue
            held.append(Picked(file, path))  # It is there if something in it is.
        else:
            yield from held
            held.clear()
            yield Picked(file, path)
        if file.kind == DIRECTORY:
            waiting += [(run, child) for child in reversed(files.children(file.path))]


def _run_at(path: str, exclude: Ignore) -> int:
    run = 0
    for above in outer(path):
        run = exclude.run(above, run)
    return exclude.run(path, run) if path else 0


def _clean(pattern: str) -> str:
    return posixpath.normpath(f"/{pattern}").lstrip("/")


def _literal(pattern: str) -> str:
    return re.sub(r"\\(.)", r"\1", pattern)


def _named(files: Files, path: str, exclude: Ignore) -> Source | None:
    file = files.lookup(path)
    if file is None and path:
        raise _missing(files, path)
    real = files.resolve(path)
    if not path or (file is not None and file.kind == DIRECTORY):
        return Source("", tuple(below(files, real, exclude)))
    assert file is not None  # noqa: S101 - said above
    name = path.rpartition("/")[2]
    if exclude and leaves_out(exclude.run(name, 0)):
        return None
    return Source(name, (Picked(file, ""),))


def _matched(files: Files, pattern: str) -> list[str]:
    """Return the paths that *pattern* names as Go's filepath.Match does: `*` takes dots, too."""
    found = [""]
    fixed = True
    for part in pattern.split("/"):
        if not is_wild(part):
            name = _literal(part)
            found = [f"{path}/{name}" if path else name for path in found]
            if not fixed:
                found = [path for path in found if files.lookup(path, follow=False)]
            continue
        # Links before the first wildcard are followed, others are not.
        starts = [files.resolve(path) for path in found] if fixed else found
        fixed = False
        match = re.compile(translated(re.sub(r"\*+", "*", part)) + r"\Z", re.DOTALL).match
        found = [
            file.path
            for start in starts
            if _is_directory(files, start)
            for file in files.children(start)
            if match(file.path.rpartition("/")[2])
        ]
    return found


def _is_directory(files: Files, path: str) -> bool:
    if not path:
        return True
    file = files.lookup(path, follow=False)
    return file is not None and file.kind == DIRECTORY


def _with_parents(files: Files, pattern: str, exclude: Ignore) -> list[Source]:
    base, pivot, rest = pattern.partition(_PIVOT)
    if not pivot:
        base, rest = "", pattern
    base = _clean(base)
    starts = _matched(files, base) if is_wild(base) else [_literal(base)]
    found = (_from(files, files.resolve(start), _clean(rest), exclude) for start in starts)
    return [Source("", picked) for picked in found if picked]


def _from(files: Files, start: str, rest: str, exclude: Ignore) -> tuple[Picked, ...]:
    """Return what *rest* names below the directory *start*, and the directories above that."""
    lead = "/".join(map(_literal, takewhile(lambda part: not is_wild(part), rest.split("/"))))
    path = _joined(start, lead)
    file = files.lookup(path, follow=False)
    if is_wild(rest):
        real = files.resolve(path)
        found = below(files, real, exclude, lead) if _is_directory(files, real) else iter(())
        picked = list(_kept(found, Ignore([rest])))
        parents = [*outer(lead), lead] if lead else []
    elif file is None and path:
        raise _missing(files, path)
    else:
        picked = [Picked(file, lead)] if file is not None and lead else []
        if file is None or file.kind == DIRECTORY:
            picked += below(files, path, exclude, lead)
        parents = outer(lead)
        if leaves_out(_run_at(lead, exclude)):
            picked = []
    if not picked:
        return ()
    folders = [(files.lookup(_joined(start, parent)), parent) for parent in parents]
    above = [Picked(folder, parent) for folder, parent in folders if folder is not None]
    return (*above, *picked)


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


def _kept(found: Iterable[Picked], wanted: Ignore) -> Iterator[Picked]:
    """Yield what *wanted* names, all below it, and the directories above it."""
    runs: dict[str, int] = {}
    held: list[Picked] = []
    for one in found:
        run = wanted.run(one.below, runs.get(one.below.rpartition("/")[0], 0))
        while held and not one.below.startswith(f"{held[-1].below}/"):
            held.pop()
        if one.file.kind == DIRECTORY:
            runs[one.below] = run
        if run:
            yield from held
            held.clear()
            yield one
        elif one.file.kind == DIRECTORY:
            held.append(one)


def _missing(files: Files, path: str) -> NoSuchSource:
    parts = path.split("/")
    for count in range(len(parts)):
        above = "/".join(parts[:count])
        file = files.lookup("/".join(parts[: count + 1]))
        if file is not None:
            continue
        link = files.lookup("/".join(parts[: count + 1]), follow=False)
        if link is not None and link.kind == SYMLINK:
            hint = f"/{link.path} is a link to {link.link}, which is not there"
            return NoSuchSource(f"there is no /{path}", hint=hint)
        return NoSuchSource(f"there is no /{path}", hint=_nearest(files, above))
    return NoSuchSource(f"there is no /{path}")


def _nearest(files: Files, above: str) -> str | None:
    real = files.resolve(above)
    if not _is_directory(files, real):
        return None
    names = [file.path.rpartition("/")[2] for file in files.children(real)]
    return f"/{above} has {_listed(names)}" if names else f"/{above} is empty"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
