"""Entries for layers, and what came of them."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

from artificer.layers.entry import FILE, Entry, stat_of
from artificer.layers.write import Written
from artificer.store.blobs import Store


def made(path: str, data: bytes) -> Entry:
    return Entry(path, FILE, 0o644, 0, 0, len(data), 0, "", data)


def on_disk(folder: Path, path: str, data: bytes) -> Entry:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    seen = stat_of(file.lstat())
    return made(path, data)._replace(source=str(file), stat=seen)


def blob(store: Store, layer: Written) -> bytes:
    return Path(store.blob_path(layer.digest)).read_bytes()


def contents(tar: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        return {
            member.name: file.read() if (file := archive.extractfile(member)) else b""
            for member in archive.getmembers()
            if not member.issym()
        }


def left_over(store: Store) -> list[str]:
    folders = (os.path.join(store.root, folder) for folder in ("blobs", "tmp"))
    return [name for folder in folders for _, _, names in os.walk(folder) for name in names]


def random_bytes(size: int) -> bytes:
    return hashlib.shake_128(b"%d" % size).digest(size)
