"""What a build of stages is told besides its recipe: values."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from artificer.builder.recipe import Cache, Compress
from artificer.builder.staged.contexts import Directory
from artificer.oci.edit import Stamp
from artificer.oci.media import Format
from artificer.oci.reference import Named

NOTHING: Mapping[str, str] = MappingProxyType({})


class Secrets(Mapping[str, bytes]):
    """Secrets by id; what they are is in no repr."""

    def __init__(self, given: Mapping[str, bytes]) -> None:
        self._given = dict(given)

    def __getitem__(self, name: str) -> bytes:
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def __repr__(self) -> str:
        """Their ids."""
        return f"Secrets({', '.join(self._given)})"


class LocalCache(NamedTuple):
    """A directory that instructions are shared through; a readonly one is only asked."""

    path: str
    readonly: bool = False


class InlineCache(NamedTuple):
    """An image whose layers say which instructions they are: it is only asked."""

    name: Named


StepCache = Cache | LocalCache | InlineCache


class Afresh(NamedTuple):
    """What is carried out whatever is known of it: *all* of it, or *stages* by name or number."""

    all: bool = False
    stages: frozenset[str] = frozenset()

    def has(self, name: str, number: int) -> bool:
        """Whether the stage with this name and number is."""
        return self.all or name in self.stages or str(number) in self.stages


class Running(NamedTuple):
    """What commands are given: lines for /etc/hosts, secrets, and sockets of agents by id."""

    hosts: tuple[tuple[str, str], ...] = ()
    secrets: Secrets = Secrets({})
    agents: Mapping[str, str] = NOTHING


class Options(NamedTuple):
    """How stages are built.

    *epoch* is SOURCE_DATE_EPOCH: the time of what has none of its own; *stamp* says the same, and
    more, of the image. When *inline*, layers say in an annotation which instruction they are. At
    most *jobs* stages are built at once, and of what is made again *explained* reasons are told.
    """

    contexts: Mapping[str, Directory] = MappingProxyType({})
    format: Format | None = None
    compress: Compress = Compress()
    epoch: int = 0
    stamp: Stamp = Stamp()
    preserve_mtime: bool = False
    afresh: Afresh = Afresh()
    caches: tuple[StepCache, ...] = ()
    mounts: Cache | None = None
    inline: bool = False
    running: Running = Running()
    jobs: int = 2
    explained: int = 3
