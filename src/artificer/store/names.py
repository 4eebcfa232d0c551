"""Names of images in the store: the index of an OCI layout, changed under a lock."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from artificer import limits
from artificer.oci import media
from artificer.oci.descriptor import Descriptor
from artificer.oci.document import dump, parse
from artificer.store.files import PUBLIC, Folder, usable
from artificer.store.lock import lock

REF_NAME = "org.opencontainers.image.ref.name"

ENTRY = "an entry of the store's index"

Index = dict[str, Any]


class Names(Folder):
    """What images of the store are called."""

    __slots__ = ()

    def name(self, text: str) -> Descriptor | None:
        """What *text* names, without the annotation that says so."""
        # Only the one that is asked for becomes a value: an index may list thousands.
        for document in _documents(read_index(self)):
            annotations = document.get("annotations") if isinstance(document, dict) else None
            if isinstance(annotations, dict) and annotations.get(REF_NAME) == text:
                return _plain(Descriptor.of(document, ENTRY))
        return None

    def names(self) -> dict[str, Descriptor]:
        """All names, sorted."""
        found: dict[str, Descriptor] = {}
        for entry in entries(read_index(self)):
            text = named(entry)
            if text is not None:
                found.setdefault(text, _plain(entry))
        return dict(sorted(found.items()))

    def set_name(self, text: str, descriptor: Descriptor) -> None:
        """Let *text* name *descriptor*, and nothing else. Writes nothing when it does already."""
        if self.name(text) == descriptor:
            return
        with _changing(self) as index:
            index["manifests"] = [
                *(entry.document for entry in entries(index) if named(entry) != text),
                descriptor.annotated({REF_NAME: text}).document,
            ]

    def remove_name(self, text: str) -> bool:
        """Forget *text*, and say whether it was known. The blobs stay until a prune."""
        if self.name(text) is None:
            return False
        with _changing(self) as index:
            index["manifests"] = [
                entry.document for entry in entries(index) if named(entry) != text
            ]
        return True

    def remove_names(self) -> None:
        """Forget every name, and what others left in the index without one."""
        with _changing(self) as index:
            index["manifests"] = []


def read_index(folder: Folder) -> Index:
    """The layout's index as it is now."""
    with usable(folder.root):
        try:
            with open(_path(folder), "rb", buffering=0) as file:
                data = file.read(limits.STORE_INDEX_BYTES + 1)
        except FileNotFoundError:
            return {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": []}
    return parse(data, limit=limits.STORE_INDEX_BYTES, what=_path(folder))


def entries(index: Index) -> list[Descriptor]:
    """What *index* lists."""
    return [Descriptor.of(document, ENTRY) for document in _documents(index)]


def named(entry: Descriptor) -> str | None:
    """What an entry of the index is called."""
    return entry.annotations.get(REF_NAME)


def _documents(index: Index) -> list[Any]:
    found = index.get("manifests")
    return found if isinstance(found, list) else []


@contextmanager
def _changing(folder: Folder) -> Iterator[Index]:
    """The index, to be changed while nobody else does, and then written."""
    with usable(folder.root):
        fd = os.open(f"{folder.root}/index.lock", os.O_RDWR | os.O_CREAT, PUBLIC)
    try:
        lock(fd)
        index = read_index(folder)
        yield index
        # Blobs can be had again, names cannot: the one file that is worth a sync.
        folder.replace(_path(folder), dump(index), mode=PUBLIC, sync=True)
    finally:
        os.close(fd)


def _path(folder: Folder) -> str:
    return f"{folder.root}/index.json"


def _plain(entry: Descriptor) -> Descriptor:
    annotations = {key: text for key, text in entry.annotations.items() if key != REF_NAME}
    return entry.changed(annotations=annotations or None)
