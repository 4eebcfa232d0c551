"""Which manuals of PostgreSQL's versions are found by their usual names."""

import re
from collections.abc import Sequence

from artificer.sources.debian.equivalents.alternatives import alternative
from artificer.sources.debian.equivalents.files import Files

_INFO = "var/lib/dpkg/info"
_MANUAL = re.compile(r".*/man/.*\.[1-9](?:\.gz)?")


def postgresql_manuals(files: Files, words: Sequence[str]) -> None:
    """Choose among versions: the manual that leads, and the packages that have some, by prefix."""
    leading, prefix = words
    lists = re.compile(rf"{re.escape(prefix)}([0-9]{{1,4}})(?::[a-z0-9-]+)?\.list")
    for match in filter(None, map(lists.fullmatch, files.listdir(_INFO))):
        lines = (files.text(f"{_INFO}/{match[0]}") or "").split("\n")
        _choose(files, match[1], leading, lines)


def _choose(files: Files, version: str, leading: str, lines: Sequence[str]) -> None:
    found = [line for line in lines if _MANUAL.fullmatch(line) and leading not in line]
    if not found:
        return
    folder = "man" + leading.split(".")[-2]
    slaves = [
        word
        for path in found
        for word in (
            path.replace(f"postgresql/{version}/", "", 1),
            path.rpartition("/")[2],
            path,
        )
    ]
    link = f"/usr/share/man/{folder}/{leading}"
    path = f"/usr/share/postgresql/{version}/man/{folder}/{leading}"
    alternative(files, (link, leading, path, f"{version}0", *slaves))
