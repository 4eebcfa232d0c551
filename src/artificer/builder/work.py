"""What making layers needs."""

from collections.abc import Callable, Sequence
from typing import BinaryIO, NamedTuple

from artificer.builder.kind import Kind
from artificer.builder.known import Known
from artificer.images.reach import Reach
from artificer.oci.image import Layer


def nowhere(layers: Sequence[Layer]) -> None:
    """Send nothing ahead."""


class Earlier(NamedTuple):
    """What is known of the last time: the layers' digests, the paths that have *changed* since."""

    digests: frozenset[str]
    changed: frozenset[str]


class Work(NamedTuple):
    """What making layers needs: their kind, who may know them, and where to put them.

    *stdin* is what the archive ``-`` is read from. *fresh* collects what was really made, each
    with its key 2; *ahead* is given it too, with the layers below, to be sent meanwhile. Of the
    files because of which a layer is made again, *explained* many are told. A layer that is
    *expected* was made before of the same words, so the store may know its content; *earlier*
    says more of that.
    """

    kind: Kind
    reach: Reach
    known: Known
    stdin: BinaryIO | None
    fresh: list[tuple[str, Layer]]
    ahead: Callable[[Sequence[Layer]], None] = nowhere
    explained: int = 5
    expected: bool = False
    earlier: Earlier | None = None
