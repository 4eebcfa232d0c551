"""What installing packages comes to: what is run, what is put there, what is taken away."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from artificer.layers.entry import Entry
from artificer.layers.tree import Tree
from artificer.sources.debian.values import Level, Profile

Fate = Literal["run", "replaced", "skipped"]
"""What became of a script: it is run, its effect is had without it, or it is left out."""

ARCHITECTURE = "amd64"


class Action(NamedTuple):
    """A command in the root, as root, with *env* and nothing else in its environment.

    *stdin* is what it reads: scripts that are not in the root yet come so. *package* is ``NAME``
    or ``NAME:ARCH``, empty where dpkg acts for all; *script* is ``preinst``, ``configure`` and so
    on, *purpose* the words for people: ``preinst of nginx 1.22.1-9 (install)``.
    """

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    package: str
    script: str
    purpose: str
    stdin: bytes = b""


class ScriptFate(NamedTuple):
    """What becomes of one script of a package; *how* says by what it is replaced, or why not run.

    *script* may be ``triggers``: what others' changes would set off.
    """

    package: str
    version: str
    script: str
    sha256: str
    fate: Fate
    how: str = ""


class Base(NamedTuple):
    """The image that packages come upon: its files, and how to read one of them whole."""

    tree: Tree
    read: Callable[[str], bytes]


class Options(NamedTuple):
    """How to install. *remove* are installed packages, ``NAME:ARCH``, that have to go.

    *auto* are the names of those that only others need, ``NAME:ARCH`` where they are foreign.
    *epoch* is the time of what no package has a time for. *runs* says whether commands can be run:
    if not, scripts are replaced, and one that nobody knows is an error unless *accept_skipped*.
    *asked* are the packages that are wanted for themselves, which decides what a distroless image
    keeps.
    """

    level: Level = "configure"
    architecture: str = ARCHITECTURE
    foreign: tuple[str, ...] = ()
    profile: Profile = Profile()
    epoch: int = 0
    auto: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    remove: tuple[str, ...] = ()
    runs: bool = True
    accept_skipped: bool = False


class Installation(NamedTuple):
    """What to do, in this order: run *before* on the base, put *entries* upon it, run *commands*.

    *entries* are in the order of a layer (directories first, links after what they link to), with
    whiteouts of *removed*, which are the paths that old versions had and new ones have not. Bytes
    are in the spool that the packages were read into. *temporary* are paths that are there for the
    commands alone: `finish` drops them. *scripts* is known before anything runs. *owners* says
    which package a path of *entries* is of (``NAME`` or ``NAME:ARCH``), but for directories.
    """

    before: tuple[Action, ...]
    entries: tuple[Entry, ...]
    removed: tuple[str, ...]
    commands: tuple[Action, ...]
    scripts: tuple[ScriptFate, ...]
    temporary: tuple[str, ...] = ()
    owners: Mapping[str, str] = MappingProxyType({})
