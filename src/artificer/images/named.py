"""Images that the store has a name for (``store:NAME``)."""

from artificer.images.place import Found, NotFound, Place
from artificer.images.pull import pull
from artificer.images.reach import Reach
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.image import Content, Origin, Stored
from artificer.oci.reference import InvalidReference, StoreName, parse_name
from artificer.store.blobs import Store


def find_in_store(reference: StoreName, store: Store) -> Found:
    """Return what the store calls by this name; without a tag also what it calls ``:latest``."""
    for name in _spellings(reference.name):
        descriptor = store.name(name)
        if descriptor is not None:
            return Found(str(reference), descriptor, store_place(store))
    names = ", ".join(f"store:{familiar(name)}" for name in list(store.names())[:10])
    raise NotFound(
        f"{reference}: the store has no such image",
        hint=f"it has {names}" if names else "it has none; `artificer pull NAME` brings one",
    )


def write_name(content: Content, reference: StoreName, reach: Reach) -> None:
    """Bring all of *content* into the store and let it be called by this name."""
    pull(content, reach)
    reach.store.set_name(_spellings(reference.name)[-1], content.descriptor)


def also_named(source: StoreName, target: StoreName, store: Store) -> Digest:
    """Let *target* name what *source* does; return its digest."""
    descriptor = find_in_store(source, store).descriptor
    store.set_name(_spellings(target.name)[-1], descriptor)
    return descriptor.digest


def forget(reference: StoreName, store: Store) -> None:
    """Remove a name from the store. What only it reached stays until a prune."""
    find_in_store(reference, store)
    for name in _spellings(reference.name):
        if store.remove_name(name):
            return


def store_place(store: Store) -> Place:
    """Return the store as a place."""

    def read(descriptor: Descriptor, limit: int) -> bytes:
        if store.has(descriptor.digest) is None:
            raise NotFound(
                f"the store lacks {descriptor.digest}",
                hint="it was pruned, or the image was pulled for one platform: pull it again",
            )
        return store.read(descriptor.digest, limit)

    def origin(descriptor: Descriptor) -> Origin | None:
        if store.has(descriptor.digest) is None:
            return None
        return Stored(store.blob_path(descriptor.digest))

    return Place("the store", read, origin)


def familiar(name: str) -> str:
    """Return *name*, which the store knows, as a person writes it after ``store:``."""
    try:
        return parse_name(name).familiar
    except InvalidReference:
        return name


def _spellings(text: str) -> tuple[str, ...]:
    """Return the names that *text* may stand for, the full one last."""
    try:
        name = parse_name(text)
    except InvalidReference:
        return (text,)
    if name.tag or name.digest:
        return tuple(dict.fromkeys((text, str(name))))
    return tuple(dict.fromkeys((text, str(name), f"{name}:latest")))
