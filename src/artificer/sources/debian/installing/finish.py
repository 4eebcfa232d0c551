"""What of a configured installation does not belong into an image, or is another each time."""

import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, Entry
from artificer.layers.whiteout import is_whiteout
from artificer.sources.debian.equivalents.keystore import without_times

# Logs, caches that are made anew, locks, copies of what a file was before, seeds of randomness.
_DROPPED = re.compile(
    r"(?:tmp|var/tmp|run|var/lib/apt/lists|var/cache/(?:apt|man|fontconfig|ldconfig))/.*"
    r"|var/cache/debconf/.*-old"
    r"|var/lib/dpkg/(?:[^/]*-old|lock|lock-frontend|triggers/Lock|updates/.*|tmp\.ci(?:/.*)?)"
    r"|etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-|etc/\.pwd\.lock"
    r"|var/lib/(?:systemd|urandom)/random-seed|var/lib/dbus/machine-id"
    r"|var/lib/ucf/[^/]*\.[0-9]"
)
_LOGS = "var/log/"
# Keys that each build would have others of: whoever needs some makes them where they are used.
_KEYS = re.compile(
    r"etc/ssh/ssh_host_[^/]*|etc/ssl/private/ssl-cert-snakeoil\.key"
    r"|etc/ssl/certs/ssl-cert-snakeoil\.pem"
)
_SNAKEOIL = "ssl-cert-snakeoil.pem"
_MACHINE_ID = "etc/machine-id"
_KEYSTORE = "etc/ssl/certs/java/cacerts"


class Finished(NamedTuple):
    """What is left, and the paths of keys that were left out."""

    entries: list[Entry]
    keys: tuple[str, ...]


def finish(
    entries: Sequence[Entry],
    read: Callable[[Entry], bytes],
    *,
    temporary: Collection[str] = (),
    epoch: int = 0,
) -> Finished:
    """*entries*, the whole change that an installation is, without what has no place in an image.

    *read* gives a file's bytes; it is asked for few. *temporary* are paths that were there for the
    commands only. Directories stay, as packages have them; so do empty logs, whose owners matter.
    """
    keys = tuple(entry.path for entry in entries if _KEYS.fullmatch(entry.path))
    dropped = {entry.path for entry in entries if _is_dropped(entry, temporary)}
    dropped.update(keys)
    left = [_normal(entry, read, epoch) for entry in without(entries, dropped)]
    return Finished(left, keys)


def without(entries: Sequence[Entry], dropped: Collection[str]) -> list[Entry]:
    """*entries* but for those at *dropped*; what links to one of these becomes the file."""
    files = {entry.path: entry for entry in entries if entry.kind == FILE}
    instead: dict[str, str] = {}
    out: list[Entry] = []
    for entry in entries:
        if entry.path in dropped:
            continue
        if entry.kind == HARDLINK and entry.link in dropped:
            first = instead.setdefault(entry.link, entry.path)
            entry = (
                files[entry.link]._replace(path=entry.path)
                if first == entry.path
                else entry._replace(link=first)
            )
        out.append(entry)
    return out


def _is_dropped(entry: Entry, temporary: Collection[str]) -> bool:
    path = entry.path
    if path in temporary:
        return True
    if entry.kind == DIRECTORY or is_whiteout(path):
        left = ("tmp/", "var/tmp/") if entry.kind == DIRECTORY else ()
        return path.startswith(("var/lib/dpkg/tmp.ci", *left))
    if path.startswith(_LOGS):
        return entry.kind == HARDLINK or entry.size > 0
    if path.startswith("etc/ssl/certs/") and entry.link == _SNAKEOIL:
        return True
    return _DROPPED.fullmatch(path) is not None


def _normal(entry: Entry, read: Callable[[Entry], bytes], epoch: int) -> Entry:
    if entry.kind == FILE and entry.path == _MACHINE_ID:
        # systemd fills an empty one where the image is booted.
        return entry._replace(size=0, source=b"", stat=None)
    if entry.kind == FILE and entry.path == _KEYSTORE:
        data = without_times(read(entry), epoch * 1000)
        return entry._replace(size=len(data), source=data, stat=None)
    return entry
