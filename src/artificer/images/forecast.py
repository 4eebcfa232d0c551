"""What a push would do, told by HEADs alone: nothing is written anywhere."""

from typing import NamedTuple

from artificer.images.parts import Parts, parts_of
from artificer.images.push import mount_candidates
from artificer.images.reach import Reach
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.image import Blob, Content
from artificer.oci.reference import Named, Repository


class Exists(NamedTuple):
    """The target's repository has the blob."""

    descriptor: Descriptor


class Mounts(NamedTuple):
    """The target's registry has the blob in *source*, and is likely to take it over."""

    descriptor: Descriptor
    source: Repository


class Uploads(NamedTuple):
    """The blob's bytes have to be sent."""

    descriptor: Descriptor


Step = Exists | Mounts | Uploads


class Forecast(NamedTuple):
    """What pushing to *target* would do; *up_to_date* says that it is there already."""

    target: Named
    digest: Digest
    up_to_date: bool
    steps: tuple[Step, ...]

    @property
    def upload_bytes(self) -> int:
        """How many bytes would be sent."""
        return sum(step.descriptor.size for step in self.steps if isinstance(step, Uploads))


def forecast(content: Content, target: Named, reach: Reach) -> Forecast:
    """Say what `push` would do with *content*; foreign layers are not mentioned."""
    name = target._replace(digest=None) if target.tag else target
    found = reach.registry.head_target(name)
    if found is not None and found.digest == content.digest:
        return Forecast(target, content.digest, up_to_date=True, steps=())
    parts = parts_of(content)
    steps = tuple(blob_step(blob, target.repository, reach) for blob in parts.blobs)
    configs = _configs(parts, target.repository, reach)
    return Forecast(target, content.digest, up_to_date=False, steps=(*steps, *configs))


def blob_step(blob: Blob, repository: Repository, reach: Reach) -> Step:
    """Say what would become of one blob."""
    if reach.registry.head_blob(repository, blob.digest) is not None:
        return Exists(blob.descriptor)
    for candidate in mount_candidates(blob, repository, reach):
        if reach.registry.head_blob(candidate, blob.digest) is not None:
            return Mounts(blob.descriptor, candidate)
    return Uploads(blob.descriptor)


def _configs(parts: Parts, repository: Repository, reach: Reach) -> tuple[Step, ...]:
    return tuple(
        Exists(one.descriptor)
        if reach.registry.head_blob(repository, one.descriptor.digest) is not None
        else Uploads(one.descriptor)
        for one in parts.configs
    )
