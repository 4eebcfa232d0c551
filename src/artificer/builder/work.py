"""What making layers needs."""

from typing import BinaryIO, NamedTuple

from artificer.builder.kind import Kind
from artificer.builder.known import Known
from artificer.images.reach import Reach
from artificer.oci.image import Layer


class Work(NamedTuple):
    """What making layers needs: their kind, who may know them, and where to put them.

    *stdin* is what the archive ``-`` is read from; *fresh* collects what was really made, each
    with its key 2.
    """

    kind: Kind
    reach: Reach
    known: Known
    stdin: BinaryIO | None
    fresh: list[tuple[str, Layer]]
