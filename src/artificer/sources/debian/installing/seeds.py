"""What an image from nothing needs before the first script can run in it."""

from collections.abc import Iterable, Sequence

from artificer.layers.entry import DIRECTORY, FILE, SYMLINK, Entry
from artificer.sources.debian.installing.database import FOLDER, file_entry
from artificer.sources.debian.installing.unpack import bytes_of

_SETTINGS = "etc/dpkg/dpkg.cfg.d/path-filters"
_MASTERS = {
    "usr/share/base-passwd/passwd.master": "etc/passwd",
    "usr/share/base-passwd/group.master": "etc/group",
}
# Scripts of the essential set use awk before its alternative is set.
_AWKS = ("mawk", "original-awk", "gawk")


def merged_links(links: dict[str, str], shipped: set[str], mtime: int) -> list[Entry]:
    """The links of merged ``/usr`` that no package ships itself, and where they lead."""
    if "bin" in shipped:
        return []  # Newer base-files knows better which there are.
    out = []
    for name, target in links.items():
        if target not in shipped:
            out.append(Entry(target, DIRECTORY, 0o755, 0, 0, 0, mtime, "", None))
        out.append(Entry(name, SYMLINK, 0o777, 0, 0, 0, mtime, target, None))
    return out


def account_files(entries: Iterable[Entry], mtime: int) -> list[Entry]:
    """``/etc/passwd`` and ``/etc/group`` as base-passwd has them, for who changes owners."""
    masters = {entry.path: entry for entry in entries if entry.path in _MASTERS}
    return [
        file_entry(_MASTERS[path], b"".join(bytes_of(entry)), mtime)
        for path, entry in masters.items()
        if entry.kind == FILE
    ]


def awk_link(paths: set[str], mtime: int) -> list[Entry]:
    """A link to the awk that is there, if nobody ships one by that name."""
    if "usr/bin/awk" in paths:
        return []
    found = next((name for name in _AWKS if f"usr/bin/{name}" in paths), None)
    return [Entry("usr/bin/awk", SYMLINK, 0o777, 0, 0, 0, mtime, found, None)] if found else []


def filter_settings(
    filters: Sequence[tuple[str, str]], paths: set[str], mtime: int
) -> list[Entry]:
    """What tells dpkg, where it is in the image, to go on leaving these files out."""
    if not filters or "usr/bin/dpkg" not in paths:
        return []
    text = "".join(f"path-{kind} {pattern}\n" for kind, pattern in filters)
    return [file_entry(_SETTINGS, text.encode("utf-8", "surrogateescape"), mtime)]


def empty_database(architecture: str, foreign: Sequence[str], mtime: int) -> list[Entry]:
    """The files of a new database that are there whatever is installed."""
    known = "".join(f"{name}\n" for name in (architecture, *foreign))
    files = {"info/format": b"1\n", "available": b"", "arch": known.encode()}
    return [file_entry(f"{FOLDER}/{name}", data, mtime) for name, data in files.items()]
