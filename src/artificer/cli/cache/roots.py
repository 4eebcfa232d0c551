"""What commands of Dockerfiles leave unpacked in the store's state, removed by whoever can."""

import os

from artificer.cli.session import Session
from artificer.errors import ArtificerError
from artificer.events import Warned
from artificer.store.blobs import Store
from artificer.store.trees import STATE

_KINDS = ("trees", "roots", "caches", "work")


def prune_roots(
    store: Store, session: Session, older_than: float, *, with_caches: bool = False
) -> int:
    """Remove what nobody used for *older_than* seconds; give the bytes of unpacked layers.

    Files of ids that only a user namespace has can be removed only from inside one. Where none
    can be had, whatever is ours is left to the store's own prune.
    """
    state = os.path.join(store.root, STATE)
    if not any(os.path.isdir(os.path.join(state, kind)) for kind in _KINDS):
        return 0
    from artificer.sandbox.client import Sandbox, SandboxOptions

    try:
        with Sandbox(state, SandboxOptions(), session.stop) as sandbox:
            return sandbox.prune(older_than, with_caches=with_caches).freed
    except ArtificerError as error:
        session.report(Warned(f"unpacked layers are not pruned: {error.message}"))
        return 0
