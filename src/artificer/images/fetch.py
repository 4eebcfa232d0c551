"""Images of a registry: a tag is resolved by HEAD, and what the store knows is never fetched."""

from typing import Literal

from artificer import limits
from artificer.errors import ArtificerError
from artificer.images.place import Found, NotFound, Place, verified
from artificer.images.reach import Reach
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.document import InvalidDocument, parse
from artificer.oci.image import (
    Origin,
    Remote,
    manifest_document,
    media_type_of,
)
from artificer.oci.reference import Named, Repository

Pull = Literal["always", "missing", "never"]
"""Whether the registry is asked what a tag names: each time, if the store has no answer, never."""

_KIND = "tag"


class Offline(ArtificerError):
    """Something is not in the store, and may not be fetched."""


def find_in_registry(name: Named, reach: Reach, *, pull: Pull = "always") -> Found:
    """Return what *name* stands for; a digest that the store knows costs no request at all.

    An image that the policy of this machine forbids is not even asked for.
    """
    reach.guard.read(name)
    descriptor = _pinned(name, reach, pull) if name.digest else _tagged(name, reach, pull)
    return Found(str(name), descriptor, place_of(name.repository, reach, pull=pull))


def place_of(repository: Repository, reach: Reach, *, pull: Pull = "always") -> Place:
    """Return *repository* as a place; the documents that are read are kept in the store."""

    def read(descriptor: Descriptor, limit: int) -> bytes:
        if reach.store.has(descriptor.digest) is None:
            _fetch(descriptor, repository, reach, pull)
        return reach.store.read(descriptor.digest, limit)

    def origin(descriptor: Descriptor) -> Origin | None:
        foreign = media.is_foreign(descriptor.media_type) and descriptor.urls
        return None if foreign else Remote(repository)

    return Place(str(repository), read, origin)


def _tagged(name: Named, reach: Reach, pull: Pull) -> Descriptor:
    known = _known(name, reach) if pull != "always" else None
    if known is not None:
        return known
    if pull == "never":
        raise Offline(
            f"the store does not know {name}, and nothing is fetched",
            hint=f"run `artificer pull {name}` where the registry can be reached",
        )
    found = reach.registry.head_manifest(name)
    if found is None:
        raise _no_such(name)
    data = found.raw.encode()
    if reach.store.record(_KIND, _key(name)) != data:
        reach.store.set_record(_KIND, _key(name), data)
    return found if found.media_type in media.MANIFEST_TYPES else _unlabelled(name, found, reach)


def _unlabelled(name: Named, found: Descriptor, reach: Reach) -> Descriptor:
    """Return what a registry calls ``application/json`` or the like under its own media type."""
    return _pinned(name.pinned(found.digest), reach, "always")


def _key(name: Named) -> str:
    return f"{name.repository}:{name.tag or 'latest'}"


def _known(name: Named, reach: Reach) -> Descriptor | None:
    data = reach.store.record(_KIND, _key(name))
    if data is not None:
        try:
            return Descriptor.of(parse(data, limit=limits.MANIFEST_BYTES, what="a record"))
        except InvalidDocument:
            return None
    return reach.store.name(str(name)) or reach.store.name(_key(name))


def _pinned(name: Named, reach: Reach, pull: Pull) -> Descriptor:
    digest = name.digest
    assert digest is not None  # noqa: S101 - the caller asked
    if reach.store.has(digest) is None:
        _fetch_manifest(name, digest, reach, pull)
    data = reach.store.read(digest, limits.MANIFEST_BYTES)
    return Descriptor.make(media_type_of(manifest_document(data)), digest, len(data))


def _fetch(descriptor: Descriptor, repository: Repository, reach: Reach, pull: Pull) -> None:
    if media.is_index(descriptor.media_type) or media.is_manifest(descriptor.media_type):
        _fetch_manifest(Named(repository), descriptor.digest, reach, pull)
        return
    _refuse_offline(descriptor.digest, repository, pull)
    chunks = reach.registry.blob_chunks(repository, descriptor)
    reach.store.put_chunks(chunks, descriptor.digest, descriptor.size)


def _fetch_manifest(name: Named, digest: Digest, reach: Reach, pull: Pull) -> None:
    _refuse_offline(digest, name.repository, pull)
    media_type, data = reach.registry.manifest(name.repository, digest)
    wanted = Descriptor.make(media_type, digest, len(data))
    manifest_document(data)
    reach.store.put_chunks([verified(data, wanted, str(name.repository))], digest, len(data))


def _refuse_offline(digest: Digest, repository: Repository, pull: Pull) -> None:
    if pull == "never":
        raise Offline(
            f"the store lacks {digest} of {repository}, and nothing is fetched",
            hint=f"run `artificer pull {repository}@{digest}` where the registry can be reached",
        )


def _no_such(name: Named) -> NotFound:
    return NotFound(
        f"{name}: there is no such image in the registry",
        hint=f"`artificer ls {name.repository}` lists its tags; a private image may need a login",
    )
