"""Small files that are asked for again and again, kept beside the index of their layer."""

import hashlib

from artificer.oci.digest import Digest
from artificer.store.blobs import Store

_KIND = "small-files-1"
_FOLDERS = ("var/lib/dpkg/", "etc/apt/", "usr/share/keyrings/")
_FILES = frozenset(("var/lib/apt/extended_states",))
_UNREAD = (".md5sums", ".templates", ".shlibs", ".symbols")
_DIGEST = 32
_HEAD = _DIGEST + 8


def asked_again(path: str) -> bool:
    """Whether the file at *path* is of what is kept: of dpkg's database, or apt's settings.

    Other files of an image are asked for once, or not at all.
    """
    return path in _FILES or (path.startswith(_FOLDERS) and not path.endswith(_UNREAD))


def has_small(diff_id: Digest, store: Store) -> bool:
    """Whether it is known what is kept of a layer, even if that is nothing."""
    return store.record(_KIND, diff_id) is not None


def keep_small(diff_id: Digest, files: dict[bytes, bytes], store: Store) -> None:
    """Keep *files*, by their sha256, as those of a layer."""
    rows = (content + len(data).to_bytes(8, "little") + data for content, data in files.items())
    store.set_record(_KIND, diff_id, b"".join(rows))


def small_files(diff_id: Digest, store: Store) -> dict[bytes, bytes]:
    """The files that are kept of a layer, by their sha256; what was damaged is none."""
    data = store.record(_KIND, diff_id) or b""
    found: dict[bytes, bytes] = {}
    at = 0
    while at + _HEAD <= len(data):
        content = data[at : at + _DIGEST]
        size = int.from_bytes(data[at + _DIGEST : at + _HEAD], "little")
        at += _HEAD + size
        found[content] = data[at - size : at]
    return found


def taken(files: dict[bytes, bytes], content: bytes) -> bytes | None:
    """The file of *files* with the sha256 *content*, if it is there, and whole."""
    data = files.get(content)
    whole = data is not None and hashlib.sha256(data).digest() == content
    return data if whole else None
