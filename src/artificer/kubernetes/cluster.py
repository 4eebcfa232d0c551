"""What is asked of a cluster, by `kubectl` or by its API itself, and what goes wrong."""

from collections.abc import Generator, Iterable, Iterator
from typing import Any, Literal, NamedTuple, Protocol

from artificer.errors import ArtificerError, Transient, Unauthorized, Unavailable

Document = dict[str, Any]

Kind = Literal[
    "jobs", "pods", "events", "secrets", "namespaces", "nodes", "configmaps", "serviceaccounts"
]


class NoCluster(Unavailable):
    """No cluster answers, or none is configured."""


class NoKubectl(Unavailable):
    """The program `kubectl` is not there, and we are in no pod either."""


class Forbidden(Unauthorized):
    """The cluster knows us, and does not let us do this."""


class Unidentified(Unauthorized):
    """The cluster does not know who we are."""


class Refused(ArtificerError):
    """The cluster does not take what it was given."""


class NotFound(ArtificerError):
    """There is no such object."""


class Conflict(ArtificerError):
    """There is such an object already, or somebody changed it."""


class Busy(Transient):
    """The cluster cannot answer just now."""


class Full(Busy):
    """A quota of the namespace leaves no room until others are done."""


class Killed(Busy):
    """Somebody ended what we listened to: a person, or a machine without memory."""


GONE = 600
"""Seconds that pods have to end in when their Job is deleted: a node may never answer again."""


def not_gone(name: str) -> Busy:
    """The error for an object that is still there."""
    return Busy(
        f"{name} is being deleted, but its pods are still there",
        hint="`kubectl get pods -o wide` shows on which node: it may not answer any more",
    )


class Selector(NamedTuple):
    """Which objects are meant: those with a name, with labels, and with fields."""

    labels: str = ""
    fields: str = ""


class Change(NamedTuple):
    """Something happened to one object."""

    kind: Kind
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Document


class Listed(NamedTuple):
    """All objects that there are now: whatever is not among them is gone."""

    kind: Kind
    objects: tuple[Document, ...]


class LogLine(NamedTuple):
    """A line of a container's log, and when it was written by the clock of its node."""

    time: str
    text: str


def log_lines(parts: Iterable[bytes]) -> Iterator[LogLine]:
    """A log with times as lines: *parts* are these with their ends, a long one in several."""
    stamp, begins = "", True
    for part in parts:
        text = part.decode("utf-8", "replace")
        if begins:
            stamp, _, text = text.partition(" ")
        begins = part.endswith(b"\n")
        yield LogLine(stamp.rstrip(), text.rstrip("\r\n"))


class Cluster(Protocol):
    """One namespace of a cluster. Every method may be called from any thread."""

    def create(self, document: Document, *, dry_run: bool = False) -> Document:
        """Create an object and return it as the server keeps it."""
        ...

    def find(self, kind: Kind, name: str) -> Document | None:
        """The object of that name, if there is one."""
        ...

    def listed(self, kind: Kind, selector: Selector) -> tuple[Document, ...]:
        """The objects that there are."""
        ...

    def watch(self, kind: Kind, selector: Selector) -> Generator[Change | Listed, None, None]:
        """What there is and then what changes, for ever: a stream that breaks is resumed.

        It ends when the cluster is closed; what cannot be mended is raised.
        """
        ...

    def logs(self, pod: str, container: str, since: str) -> Iterator[LogLine]:
        """The lines of a log from the time *since* on, until the container or the stream ends."""
        ...

    def delete(self, kind: Kind, name: str) -> None:
        """Delete an object when all that it owns is gone; nothing happens if there is none."""
        ...

    def may(self, verb: str, resource: str) -> bool:
        """Whether we may do that."""
        ...

    def version(self) -> str:
        """The server's version, as ``v1.36.2``."""
        ...

    def namespace(self) -> str:
        """The namespace that all of this is about."""
        ...

    def close(self) -> None:
        """End every stream, from any thread."""
        ...
