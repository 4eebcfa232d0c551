"""Where a Dockerfile's build reads from: images, contexts, the web and git."""

import os
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from artificer.builder.build import Base, Sources
from artificer.builder.known import Known
from artificer.builder.lock import read_lock
from artificer.cli.connect import open_wire
from artificer.cli.dockerfile.contexts import Opener
from artificer.cli.dockerfile.request import Request
from artificer.cli.oneline.main import pull_of
from artificer.cli.session import Session
from artificer.errors import Unauthorized
from artificer.events import Note
from artificer.images.named import find_in_store
from artificer.images.place import NotFound
from artificer.images.reach import Reach
from artificer.oci.reference import Named, Reference, StoreName, parse_reference
from artificer.sources.git_reference import is_git_reference, parse_git_reference

if TYPE_CHECKING:
    from artificer.sources.git import Git
    from artificer.sources.url import Web


def sources_of(args: Namespace, request: Request, reach: Reach, session: Session) -> Sources:
    """Where stages look for images, and who may know layers."""
    named = tuple(one for one in request.outputs.references if isinstance(one, Named))
    return Sources(
        reach,
        Known(reach, () if args.offline else named, None, afresh=request.afresh.all),
        pull=pull_of(args),
        docker_host=session.environ.get("DOCKER_HOST"),
        lock=read_lock(".", only=args.locked),
    )


def base_of(sources: Sources) -> Callable[[Reference], Base]:
    """How bases are found: in registries, and under names that only the store has.

    Unless tags are looked up anew, the store's names come first, as with docker.
    """

    def base(reference: Reference) -> Base:
        # What artificer.lock pins is not a matter of names.
        if not isinstance(reference, Named) or sources.lock.pinned(reference).digest is not None:
            return sources.base(reference)
        if sources.pull != "always" and (known := _stored(reference, sources.reach)):
            return known
        try:
            return sources.base(reference)
        except (NotFound, Unauthorized):
            known = _stored(reference, sources.reach)
            if known is None:
                raise
            return known

    return base


def _stored(name: Named, reach: Reach) -> Base | None:
    """What the store calls *name*, by ``build -t`` or ``pull``."""
    reference = parse_reference(f"store:{name}")
    if not isinstance(reference, StoreName):
        return None
    try:
        found = find_in_store(reference, reach.store)
    except NotFound:
        return None
    reach.report(Note(f"{name.familiar} is taken from the store"))
    return Base(reference, found)


def opener_of(args: Namespace, request: Request, reach: Reach, session: Session) -> Opener:
    """What opens contexts; it is closed with *session*."""
    opener = Opener(
        os.path.join(reach.store.root, "tmp"),
        session.stdin.buffer,
        lambda: web_of(args, reach, session),
        lambda: git_of(args, request, reach, session),
    )
    session.closing(opener)
    return opener


def web_of(args: Namespace, reach: Reach, session: Session) -> "Web":
    """How files are fetched."""
    from artificer.sources.url import Web

    wire = open_wire(args, session)
    return Web(wire.send, reach.store, session.report, session.stop, offline=args.offline)


def git_of(args: Namespace, request: Request, reach: Reach, session: Session) -> "Git":
    """How repositories are checked out, with the secrets that are for git, as BuildKit has them.

    What kaniko's variables say is for the host of the context, and for no other.
    """
    from artificer.sources.git import Git, authorization_of

    secrets = {
        name: secret.data.decode("utf-8", "replace") for name, secret in request.secrets.items()
    }
    place = request.words.context
    host = parse_git_reference(place).host if is_git_reference(place) else ""

    def authorization(asked: str) -> str:
        known = authorization_of(secrets, asked)
        return known or (args.git_authorization or "" if asked == host else "")

    return Git(
        reach.store,
        session.report,
        session.stop,
        session.environ,
        authorization,
        args.offline,
    )
