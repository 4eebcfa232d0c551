"""``artificer lock`` of Debian packages: what the request of a one-line build comes to now."""

import os
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from artificer.builder.build import Sources
from artificer.builder.debian.locking import Earlier, locked_now
from artificer.builder.debian.tools import opened
from artificer.builder.debian.upon import base_words, lock_name
from artificer.builder.lock import Lock
from artificer.builder.package_base import images_by_architecture
from artificer.builder.package_lock import (
    LockedSet,
    differences,
    document_of,
    parsed_locks,
    request_of,
)
from artificer.builder.recipe import AddDebs, Target
from artificer.sources.debian.values import Wanted

_NOTHING = LockedSet("", {})


def with_packages(
    before: Lock, target: Target, sources: Sources, update: Sequence[str] | None
) -> Lock:
    """*before* with the packages of *target* as they are now, on its base as the lock has it."""
    old = parsed_locks(before.packages, "artificer.lock")
    new = dict(before.packages)
    bases = images_by_architecture(target, sources.base(target.base))
    for step in target.steps:
        if not isinstance(step, AddDebs):
            continue
        wanted = step.wanted or Wanted()
        name = lock_name(wanted, target.base)
        earlier = Earlier(old.get(name, _NOTHING).packages, update or ())
        tools = opened(sources.debs)
        found = locked_now(step, target.base, bases, sources.reach, tools, earlier)
        request = request_of(wanted, step.archives, base_words(target.base))
        new[name] = document_of(_portable(found, wanted)._replace(request=request))
    return before._replace(packages=new)


def _portable(found: LockedSet, wanted: Wanted) -> LockedSet:
    """*found* with files that were named relative to this directory named so."""
    names: dict[tuple[str, ...], tuple[str, ...]] = {
        (f"file://{quote(os.path.abspath(path))}",): (f"./{os.path.normpath(path)}",)
        for path in wanted.files
        if not path.startswith("/")
    }
    packages = {
        architecture: tuple(one._replace(urls=names.get(one.urls, one.urls)) for one in each)
        for architecture, each in found.packages.items()
    }
    return found._replace(packages=packages)


def package_differences(before: Lock, after: Lock) -> Iterator[str]:
    """What changes in the packages of a lock, a line each."""
    was = parsed_locks(before.packages, "artificer.lock")
    return differences(was, parsed_locks(after.packages, "artificer.lock"))
