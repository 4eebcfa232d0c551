"""Where blobs are known to be: records of the store, so that a later push can mount them."""

from collections.abc import Sequence

from artificer.oci.digest import Digest
from artificer.oci.reference import InvalidReference, Repository, parse_repository
from artificer.store.blobs import Store

_KIND = "where"
_MOST = 8


def known_repositories(digest: Digest, store: Store) -> tuple[Repository, ...]:
    """Return the repositories that were seen to have *digest*, the last seen first.

    It is a hint: a registry may have removed the blob since.
    """
    data = store.record(_KIND, digest)
    found = []
    for line in (data or b"").decode("ascii", "replace").splitlines():
        try:
            found.append(parse_repository(line))
        except InvalidReference:
            continue
    return tuple(found)


def remember(digest: Digest, repositories: Sequence[Repository], store: Store) -> None:
    """Note that *repositories* have *digest*; written only when it says something new."""
    known = known_repositories(digest, store)
    if all(repository in known for repository in repositories):
        return
    merged = tuple(dict.fromkeys((*repositories, *known)))[:_MOST]
    store.set_record(_KIND, digest, "".join(f"{one}\n" for one in merged).encode())
