"""The store's size limit: after a build that wrote something, the least recently used goes."""

import time

from artificer.cli.session import Session
from artificer.cli.words import Limit
from artificer.errors import ArtificerError
from artificer.events import Note, Warned
from artificer.store.blobs import Store
from artificer.store.files import HOUR

_KIND, _KEY = "upkeep", "pruned"


def keep_within(limit: Limit, store: Store, session: Session) -> None:
    """Prune *store* down to its limit. What goes wrong here is told, and fails no build.

    The limit that nobody chose is looked at once an hour: a prune spares what was used within
    the last one anyway, and to add up a large store costs more than an unchanged build.
    """
    if limit.bytes is None:
        return
    try:
        if limit.chosen or _due(store):
            _keep_below(limit.bytes, store, session)
    except ArtificerError as error:
        session.report(Warned(f"the store was not pruned: {error.message}", error.hint or ""))


def _due(store: Store) -> bool:
    last = store.record(_KIND, _KEY) or b""
    # Not by a difference alone: a clock that was set back must not stop this for years.
    return not last.isdigit() or abs(time.time() - int(last)) > HOUR


def _keep_below(size: int, store: Store, session: Session) -> None:
    from artificer.cli.cache.main import told
    from artificer.cli.cache.roots import prune_roots
    from artificer.store.census import du
    from artificer.store.prune import prune

    if sum(usage.bytes for usage in du(store)) > size:
        prune_roots(store, session, HOUR)
    pruned = prune(store, max_bytes=size)
    store.set_record(_KIND, _KEY, str(int(time.time())).encode())
    if pruned.freed:
        session.report(Note(f"the store is kept within its limit: {told(pruned)}"))
