"""Locked packages to files in the store: several are fetched at once, each is verified."""

from collections.abc import Callable, Sequence

from artificer.images.parallel import Work, run_all
from artificer.sources.debian.values import Locked
from artificer.sources.url import Web, fetch, wanted

_AT_ONCE = 8


def acquired(packages: Sequence[Locked], web: Web) -> dict[Locked, str]:
    """Have the files of *packages* in the store; give where each is."""
    paths: dict[Locked, str] = {}

    def fetching(package: Locked) -> Work:
        def work(check: Callable[[], None]) -> None:
            check()
            paths[package] = fetch(wanted(package.urls, sha256=package.sha256), web).path

        return work

    run_all([fetching(one) for one in packages], threads=_AT_ONCE, stop=web.stop)
    return paths
