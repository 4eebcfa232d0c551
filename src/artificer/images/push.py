"""Pushing to registries: blobs to all targets, then manifests to all, then tags."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import NamedTuple

from artificer.errors import Misused
from artificer.events import ManifestSent, Note, Tagged, UpToDate
from artificer.http.request import Body
from artificer.images.bytes_of import body_of_blob, into_store
from artificer.images.parallel import Work, run_all
from artificer.images.parts import Document, parts_of
from artificer.images.reach import Reach
from artificer.images.whereabouts import known_repositories, remember
from artificer.oci.digest import Digest
from artificer.oci.image import Blob, Content, Remote, Stored
from artificer.oci.reference import Named, Repository

THREADS = 4
"""Blobs that are under way at once. Registries throttle more; fewer leave a fast link idle."""


class Delivery(NamedTuple):
    """Content, and the name that it is to have in a registry."""

    content: Content
    target: Named


class Delivered(NamedTuple):
    """A name of a registry, and what it now stands for; *changed* if it did not before."""

    target: Named
    digest: Digest
    changed: bool


def push(
    deliveries: Sequence[Delivery],
    reach: Reach,
    *,
    carried: Container[Digest] = (),
    threads: int = THREADS,
) -> tuple[Delivered, ...]:
    """Make every target name its content; one that does already costs one request.

    No tag is written before every blob and every manifest is where it belongs, at all targets:
    a failure on the way leaves all names as they were. Blobs that were *carried* to all targets
    before are not asked for again.
    """
    for delivery in deliveries:
        _check_target(delivery)
        reach.guard.write(delivery.target)
    due = [delivery for delivery in deliveries if not _is_there(delivery, reach)]
    _send_blobs(due, reach, carried, threads)
    _send_manifests(due, reach)
    for delivery in due:
        _tag(delivery, reach)
    changed = set(map(id, due))
    return tuple(
        Delivered(one.target, one.content.digest, id(one) in changed) for one in deliveries
    )


def mount_candidates(blob: Blob, repository: Repository, reach: Reach) -> list[Repository]:
    """Return the other repositories of *repository*'s registry that ought to have *blob*."""
    known: list[Repository] = []
    if isinstance(blob.origin, Remote):
        known.append(blob.origin.repository)
    known.extend(known_repositories(blob.digest, reach.store))
    return [
        one
        for one in dict.fromkeys(known)
        if one.registry == repository.registry and one != repository
    ]


def _check_target(delivery: Delivery) -> None:
    pin = delivery.target.digest
    if pin is not None and pin != delivery.content.digest:
        raise Misused(
            f"{delivery.target}: what would be pushed is {delivery.content.digest}",
            hint="name a tag; a digest cannot be chosen",
        )


def _is_there(delivery: Delivery, reach: Reach) -> bool:
    target = delivery.target
    found = reach.registry.head_target(target._replace(digest=None) if target.tag else target)
    if found is None or found.digest != delivery.content.digest:
        return False
    reach.report(UpToDate(str(delivery.target), found.digest))
    return True


class _Cargo(NamedTuple):
    """One blob, and the repositories that are to have it."""

    blob: Blob
    targets: tuple[Repository, ...]


def _send_blobs(
    due: Sequence[Delivery], reach: Reach, carried: Container[Digest], threads: int
) -> None:
    layers: dict[Digest, _Cargo] = {}
    configs: dict[tuple[Repository, Digest], Document] = {}
    for content, target in due:
        parts = parts_of(content)
        for blob in parts.foreign:
            reach.report(Note(f"{blob.digest} is a foreign layer: it keeps its urls"))
        for blob in parts.blobs:
            known = layers.get(blob.digest, _Cargo(blob, ()))
            targets = tuple(dict.fromkeys((*known.targets, target.repository)))
            layers[blob.digest] = _Cargo(_nearest(known.blob, blob), targets)
        configs.update({(target.repository, one.descriptor.digest): one for one in parts.configs})
    work: list[Work] = [
        _layer_work(cargo, reach) for cargo in layers.values() if cargo.blob.digest not in carried
    ]
    work.extend(
        _config_work(repository, document, reach) for (repository, _), document in configs.items()
    )
    run_all(work, threads=threads, stop=reach.stop)


def _nearest(one: Blob, other: Blob) -> Blob:
    return other if isinstance(other.origin, Stored) else one


def _config_work(repository: Repository, document: Document, reach: Reach) -> Work:
    def work(check: Callable[[], None]) -> None:
        check()
        reach.registry.push_blob(repository, document.descriptor, document.body, ())

    return work


def _layer_work(cargo: _Cargo, reach: Reach) -> Work:
    return lambda check: carry(cargo.blob, cargo.targets, reach, check)


def carry(
    blob: Blob, targets: Sequence[Repository], reach: Reach, check: Callable[[], None]
) -> None:
    """Bring *blob* to all *targets*: found there, mounted, or sent. *check* may end it."""
    check()
    cargo = _Cargo(blob, tuple(targets))
    taking = _taking(cargo, reach) if _must_move(cargo, reach) else cargo.targets
    for target in taking:
        body = _body(blob, reach, check, kept=len(taking) > 1)
        candidates = mount_candidates(blob, target, reach)
        reach.registry.push_blob(target, blob.descriptor, body, candidates)
    remember(blob.digest, cargo.targets, reach.store)


def _must_move(cargo: _Cargo, reach: Reach) -> bool:
    """Say whether several targets may want a blob that only another registry has."""
    blob = cargo.blob
    return (
        len(cargo.targets) > 1
        and isinstance(blob.origin, Remote)
        and reach.store.has(blob.digest) is None
    )


def _taking(cargo: _Cargo, reach: Reach) -> tuple[Repository, ...]:
    """Return the targets that lack the blob: with one of them it need not touch the disk."""
    descriptor = cargo.blob.descriptor
    return tuple(
        target
        for target in cargo.targets
        if reach.registry.head_blob(target, descriptor.digest) is None
    )


def _body(blob: Blob, reach: Reach, check: Callable[[], None], *, kept: bool) -> Body:
    """Return *blob*'s bytes; *kept* brings them into the store once a target wants them."""
    body = body_of_blob(blob, reach)
    if body.file is not None:
        return body

    def opened(offset: int) -> Iterable[bytes]:
        if kept:
            into_store(blob, reach)
        return _checking(body_of_blob(blob, reach).open(offset), check)

    return Body(body.size, opened)


def _checking(chunks: Iterable[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    for chunk in chunks:
        check()
        yield chunk


def _send_manifests(due: Sequence[Delivery], reach: Reach) -> None:
    """Write by digest all that tags will name (a lone target's own comes with its tag)."""
    alone = len(due) == 1
    sent: set[tuple[Repository, Digest]] = set()
    for content, target in due:
        documents = parts_of(content).manifests
        for document in documents[:-1] if alone and target.digest is None else documents:
            key = (target.repository, document.descriptor.digest)
            if key not in sent:
                sent.add(key)
                _put(target.repository, document.descriptor.digest, document, reach)
                reach.report(ManifestSent(*key))


def _tag(delivery: Delivery, reach: Reach) -> None:
    content, target = delivery
    if target.tag is None and target.digest is not None:
        return
    document = Document(content.descriptor, content.manifest)
    _put(target.repository, target.tag or "latest", document, reach)
    reach.report(Tagged(str(target), content.digest))


def _put(repository: Repository, name: str, document: Document, reach: Reach) -> None:
    reach.stop.check()
    media_type = document.descriptor.media_type
    reach.registry.put_manifest(repository, name, media_type, document.data)
