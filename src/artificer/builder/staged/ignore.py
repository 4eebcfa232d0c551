"""What a .dockerignore, or `--exclude`, leaves out: thousands of patterns at a cost of few.

The order of patterns matters only where their signs differ, so they fall into runs of one sign,
numbered from 1; the highest run of which a pattern names a path, or a directory above it, decides
(0: none does). Most patterns are a name or an ending: these are looked up, not tried one by one.
"""

import posixpath
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from artificer.layers.patterns import InvalidPattern, translated

_WILD = re.compile(r"[*?\[\\]")

Match = Callable[[str], object]


class Pattern(NamedTuple):
    """One pattern, cleaned: *run* is where it stands, *text* has no slash at either end."""

    run: int
    text: str


class Tried(NamedTuple):
    """Patterns that have to be tried: *any* of them first, then those of each run."""

    any: Match
    runs: tuple[tuple[int, Match], ...]

    def highest(self, text: str, best: int) -> int:
        """Return the highest run of which a pattern names *text*, or *best* if that is higher."""
        if self.runs[0][0] > best and self.any(text):
            for run, match in self.runs:
                if run <= best:
                    break
                if match(text):
                    return run
        return best


class Ignore:
    """The patterns of one directory, compiled once. Runs with even numbers take in again."""

    __slots__ = (
        "_above",
        "_anywhere",
        "_at_top",
        "_below",
        "_endings",
        "_exact",
        "_names",
        "_on_name",
        "_tops",
        "lines",
    )

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.lines = tuple(patterns)
        self._exact: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._endings: dict[int, dict[str, int]] = {}
        self._above: dict[str, int] = {}
        self._below: dict[str, int] = {}
        tops: dict[str, list[Pattern]] = {}
        on_name: list[Pattern] = []
        for pattern in _in_runs(self.lines):
            if not leaves_out(pattern.run):
                self._note(pattern)
            if self._looked_up(pattern):
                continue
            name = pattern.text.removeprefix("**/")
            if name != pattern.text and "/" not in name and "**" not in name:
                on_name.append(pattern._replace(text=name))
            else:
                tops.setdefault(_top(pattern.text), []).append(pattern)
        self._on_name = _tried(on_name)
        self._at_top = _tried(tops.pop("", []))
        self._anywhere = _tried(tops.pop("/", []))
        self._tops = {top: _tried(found) for top, found in tops.items()}

    def __bool__(self) -> bool:
        """Whether there is any line at all."""
        return bool(self.lines)

    def __call__(self, path: str) -> bool:
        """Whether *path* is left out; a walk down to it asks `run` for each directory instead."""
        run = 0
        for at in (at for at, letter in enumerate(f"{path}/") if letter == "/"):
            run = self.run(path[:at], run)
        return leaves_out(run)

    def run(self, path: str, above: int) -> int:
        """Return the run that decides about *path*, whose directory's is *above*."""
        name = path[path.rfind("/") + 1 :]
        best = max(above, self._exact.get(path, 0), self._names.get(name, 0))
        for length, endings in self._endings.items():
            best = max(best, endings.get(name[-length:], 0))
        if self._on_name is not None:
            best = self._on_name.highest(name, best)
        top, slash, _ = path.partition("/")
        tried = self._tops.get(top) if slash else self._at_top
        if tried is not None:
            best = tried.highest(path, best)
        return best if self._anywhere is None else self._anywhere.highest(path, best)

    def takes_in_below(self, path: str, run: int) -> bool:
        """Whether something below *path*, which *run* leaves out, may be taken in again."""
        if max(self._above.get(path, 0), self._below.get("", 0)) > run:
            return True
        while path:
            if self._below.get(path, 0) > run:
                return True
            path = path.rpartition("/")[0]
        return False

    def _looked_up(self, pattern: Pattern) -> bool:
        """File *pattern* where it is looked up, if it is a path, a name or an ending."""
        run, text = pattern
        if not _WILD.search(text):
            self._exact[text] = run
            return True
        name = text.removeprefix("**/")
        if name == text or "/" in name or name.startswith("**"):
            return False
        if not _WILD.search(name):
            self._names[name] = run
        elif name[0] == "*" and name != "*" and not _WILD.search(name[1:]):
            self._endings.setdefault(len(name) - 1, {})[name[1:]] = run
        else:
            return False
        return True

    def _note(self, pattern: Pattern) -> None:
        """Note where *pattern* may take something in."""
        parts = pattern.text.split("/")
        fixed: list[str] = []
        for part in parts:
            if _WILD.search(part):
                self._below["/".join(fixed)] = pattern.run
                break
            fixed.append(part)
        for count in range(len(fixed)):
            self._above["/".join(fixed[: count + 1])] = pattern.run


def leaves_out(run: int) -> bool:
    """Whether a path that *run* decides about is left out."""
    return run % 2 == 1


def _top(text: str) -> str:
    """Return the first component of *text*; "/" if it may be any, "" if there is no other."""
    if "**" in text:
        top = text.partition("/")[0]
        return "/" if "/" not in text or _WILD.search(top) else top
    top, slash, _ = text.partition("/")
    return "/" if slash and _WILD.search(top) else top if slash else ""


def _tried(patterns: list[Pattern]) -> Tried | None:
    if not patterns:
        return None
    runs: dict[int, list[str]] = {}
    for run, text in patterns:
        runs.setdefault(run, []).append(translated(text))
    compiled = [(run, _matching(texts)) for run, texts in sorted(runs.items(), reverse=True)]
    whole = _matching([text for texts in runs.values() for text in texts])
    return Tried(whole, tuple(compiled))


def _matching(texts: list[str]) -> Match:
    return re.compile(f"(?:{'|'.join(texts)})\\Z", re.DOTALL).match


def _in_runs(patterns: Iterable[str]) -> Iterable[Pattern]:
    run = 0
    for pattern in patterns:
        text = pattern.strip()
        out = not text.startswith("!")
        text = text.removeprefix("!").strip()
        if not text:
            if not out:
                raise InvalidPattern("a pattern of a single `!`", hint="name what to take in")
            continue
        cleaned = posixpath.normpath(text).lstrip("/")
        if cleaned in {"", "."} or cleaned == ".." or cleaned.startswith("../"):
            continue  # It names nothing here; others take such lines, too.
        if leaves_out(run) is not out:
            run += 1
        yield Pattern(run, cleaned)
