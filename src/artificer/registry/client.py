"""The registries that a command speaks to, as one handle: routes, mirrors, reading, writing."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from artificer.errors import ArtificerError, Cancelled
from artificer.events import Event, Note, Report, Retrying, Warned
from artificer.http.request import Body
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.reference import Named, Repository
from artificer.registry import blobs, listing
from artificer.registry.auth import Authorized, Explanation, pulling, pushing
from artificer.registry.download import blob_chunks
from artificer.registry.link import Link
from artificer.registry.manifests import (
    Manifest,
    delete_manifest,
    digest_of,
    head_manifest,
    read_manifest,
    write_manifest,
)
from artificer.registry.problems import BlobMissing
from artificer.registry.referring import list_referrer, subject_of
from artificer.registry.routes import Endpoint, Routes
from artificer.registry.upload import UNTOLD, Uploads, has_blob

_T = TypeVar("_T")


class Registry:
    """Every registry, each by its route. A handle; its methods may be called from any thread.

    Reads ask the mirrors first, where there are some; what writes, or asks about what was
    written, never does.
    """

    __slots__ = ("_auth", "_report", "_routes", "_uploads", "_warned")

    def __init__(
        self, auth: Authorized, routes: Routes, uploads: Uploads, *, report: Report
    ) -> None:
        self._auth = auth
        self._routes = routes
        self._uploads = uploads
        self._report = report
        self._warned: set[Event] = set()

    def head_manifest(self, name: Named) -> Descriptor | None:
        """What *name* stands for, without reading it; None when there is none."""
        reference = name.identifier
        return self._read(name.repository, reference, lambda link: head_manifest(link, reference))

    def head_target(self, name: Named) -> Descriptor | None:
        """What *name* stands for where it would be written: no mirror is asked."""
        return head_manifest(self._writer(name.repository), name.identifier)

    def manifest(self, repository: Repository, reference: str) -> Manifest:
        """The verified manifest or index that a tag or a digest names: media type and bytes."""
        return self._read(repository, reference, lambda link: read_manifest(link, reference))

    def put_manifest(
        self, repository: Repository, reference: str, media_type: str, data: bytes
    ) -> Digest:
        """Write a manifest or index under a tag or its digest. Its blobs must be there."""
        link, manifest = self._writer(repository), Manifest(media_type, data)
        digest = digest_of(data, reference)
        lists = self._write(link, reference, manifest, digest)
        subject = None if lists else subject_of(manifest)
        if subject is not None:
            list_referrer(link, subject, manifest, digest)
        return digest

    def delete(self, repository: Repository, reference: str) -> None:
        """Delete a tag, or by digest a manifest with every tag that names it."""
        delete_manifest(self._writer(repository), reference)

    def head_blob(self, repository: Repository, digest: Digest) -> int | None:
        """The size of a blob of the repository (0 if it does not tell); None when it has none.

        No mirror is asked: this is for whoever writes.
        """
        link = self._writer(repository)
        size = has_blob(link, digest, pushing(link.endpoint))
        return 0 if size == UNTOLD else size

    def blob_chunks(
        self, repository: Repository, descriptor: Descriptor, *, offset: int = 0
    ) -> Iterator[bytes]:
        """The blob's bytes, verified when read from the start; taken up again where it breaks."""
        links = self._readers(repository, descriptor.digest)
        return blob_chunks(links, descriptor, self._uploads.patience, offset=offset)

    def push_blob(
        self,
        repository: Repository,
        descriptor: Descriptor,
        body: Body,
        mount_from: Sequence[Repository] = (),
    ) -> str:
        """Bring a blob into the repository: ``exists``, ``mounted:REPOSITORY`` or ``sent``.

        Of *mount_from* those of the same registry count. *body* is opened only to be sent.
        """
        link = self._writer(repository)
        sources = [source for source in mount_from if source.registry == repository.registry]
        return blobs.push_blob(link, descriptor, body, sources, self._uploads)

    def tags(self, repository: Repository) -> Iterator[str]:
        """The repository's tags, as the registry orders them."""
        return listing.tags(self._owner(repository))

    def catalog(self, registry: str) -> Iterator[Repository]:
        """The registry's repositories, as far as it shows them."""
        for path in listing.repositories(self._owner(Repository(registry, ""))):
            yield Repository(registry, path)

    def referrers(
        self, repository: Repository, digest: Digest, artifact_type: str = ""
    ) -> list[Descriptor]:
        """What refers to the manifest *digest*; all of it, or that of one *artifact_type*."""
        return listing.referrers(self._owner(repository), digest, artifact_type)

    def check_push(self, repository: Repository) -> None:
        """Raise what a push would raise, without pushing."""
        blobs.check_push(self._writer(repository))

    def explain(self, repository: Repository, *, push: bool = False) -> Explanation:
        """How we come in there: for `artificer doctor auth`."""
        endpoint = self._routes.write(repository)
        return self._auth.explain(pushing(endpoint) if push else pulling(endpoint))

    def _writer(self, repository: Repository) -> Link:
        return self._link(self._routes.write(repository))

    def _owner(self, repository: Repository) -> Link:
        """The registry itself, where it is read: lists are not asked of mirrors."""
        return self._link(self._routes.read(repository, by_digest=False)[-1])

    def _readers(self, repository: Repository, reference: str) -> list[Link]:
        by_digest = ":" in reference
        return [self._link(one) for one in self._routes.read(repository, by_digest=by_digest)]

    def _link(self, endpoint: Endpoint) -> Link:
        return Link(self._auth, endpoint, self._heard)

    def _heard(self, event: Event) -> None:
        """Report what a registry warns of once, not with every answer."""
        if isinstance(event, Warned):
            if event in self._warned:
                return
            self._warned.add(event)
        self._report(event)

    def _read(self, repository: Repository, reference: str, act: Callable[[Link], _T]) -> _T:
        *mirrors, own = self._readers(repository, reference)
        for link in mirrors:
            try:
                found = act(link)
            except Cancelled:
                raise
            except ArtificerError as error:
                self._report(Note(f"mirror {link.endpoint.base}: {error.message}"))
                continue
            if found is not None:
                return found
        return act(own)

    def _write(self, link: Link, reference: str, manifest: Manifest, digest: Digest) -> bool:
        """Write it, and say whether the registry keeps the list of referrers itself."""
        patience = self._uploads.patience
        for pause in patience.pauses:
            try:
                return write_manifest(link, reference, manifest, digest)
            except BlobMissing as error:
                # Some registries (ECR, Quay) know a blob only some time after it was pushed.
                self._report(Retrying(f"pushing manifest {reference}", error.message, pause))
                if patience.sleep(pause * (1 + patience.jitter())):
                    raise Cancelled from None
        return write_manifest(link, reference, manifest, digest)
