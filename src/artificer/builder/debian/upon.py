"""What packages are taken from, and locked for, upon an image: its own archives, its layers."""

from collections.abc import Mapping, Sequence

from artificer import limits
from artificer.builder.debian.choice import foreign_of
from artificer.builder.debian.ground import ground
from artificer.builder.lock import Lock, NotLocked
from artificer.builder.package_lock import LockedSet, parsed_set, request_name
from artificer.builder.recipe import AddDebs
from artificer.images.files import read_files
from artificer.images.reach import Reach
from artificer.oci.digest import Digest
from artificer.oci.image import Image
from artificer.oci.reference import Named, Reference, Scratch
from artificer.sources.debian.archives.own import Own, key_text, own_of, usual_keyrings
from artificer.sources.debian.values import Archive, Wanted


def with_archives(
    step: AddDebs, reference: Reference | str, bases: Mapping[str, Image | None], reach: Reach
) -> AddDebs:
    """*step* with the archives, and pins, of the base where it names none itself."""
    wanted = step.wanted or Wanted()
    if step.archives or not (wanted.packages or wanted.files):
        return step
    archives = []
    pins = list(wanted.pins)
    for architecture, image in bases.items():
        if image is None:
            continue
        named = (architecture, *foreign_of(wanted.packages, architecture))
        own = own_archives(image, str(reference), reach)
        for one in own.archives:
            # Of several architectures each may have archives of its own, as Ubuntu's have.
            only = _only(one, named) if len(bases) > 1 else one.architectures
            if not one.architectures or architecture in one.architectures:
                archives.append(one._replace(architectures=only))
        pins.extend(pin for pin in own.pins if pin not in pins)
    return step._replace(archives=tuple(archives), wanted=wanted._replace(pins=tuple(pins)))


def _only(archive: Archive, named: Sequence[str]) -> tuple[str, ...]:
    return tuple(one for one in named if one in (archive.architectures or named))


def own_archives(image: Image, name: str, reach: Reach) -> Own:
    """What the apt of *image* is configured with; *name* is what people call the image."""
    tree = ground(image, reach)
    return own_of(
        tree,
        lambda paths: read_files(image, tree, paths, limits.KEYRING_BYTES, reach),
        name,
    )


def usual_keys(image: Image, reach: Reach) -> tuple[str, ...]:
    """The keys that *image* trusts for archives that name none, as text."""
    tree = ground(image, reach)
    found = read_files(image, tree, usual_keyrings(tree), limits.KEYRING_BYTES, reach)
    return tuple(key_text(data, path) for path, data in found.items())


def locked_set(name: str, lock: Lock) -> LockedSet | None:
    """What *lock* has for the request called *name*."""
    document = lock.packages.get(name)
    if document is None:
        if lock.only:
            raise NotLocked(
                f"{name}: these packages are not in artificer.lock",
                hint="`artificer lock` with the same words pins them",
            )
        return None
    return parsed_set(document, f"artificer.lock: {name}")


def lock_name(wanted: Wanted, base: Reference) -> str:
    """What a lock calls the packages *wanted* on *base*."""
    return request_name(wanted, base_words(base))


def base_words(base: Reference) -> str:
    """What people call *base*: by its name alone where the lock pins its digest."""
    if isinstance(base, Scratch):
        return ""
    return base._replace(digest=None).familiar if isinstance(base, Named) else str(base)


def chain_name(image: Image | None) -> str:
    """What tells the files of a base apart from others."""
    if image is None:
        return ""
    return _chain([layer.diff_id for layer in image.layers])


def _chain(diff_ids: Sequence[str]) -> str:
    chain = diff_ids[0] if diff_ids else ""
    for diff_id in diff_ids[1:]:
        chain = Digest.of(f"{chain} {diff_id}".encode())
    return chain
