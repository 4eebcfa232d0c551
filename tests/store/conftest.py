"""A store in a folder of its own, and ways to make it look old."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from artificer.oci.digest import Digest
from artificer.store.blobs import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def aged(store: Store) -> Callable[..., None]:
    """Make every blob and record (or only *digests*) look unused for *hours*."""

    def age(*digests: Digest, hours: float = 2) -> None:
        then = time.time() - hours * 3600
        paths = [store.blob_path(digest) for digest in digests]
        if not digests:
            paths = [
                os.path.join(folder, name)
                for part in ("blobs", "records", "repositories")
                for folder, _, names in os.walk(f"{store.root}/{part}")
                for name in names
            ]
        for path in paths:
            os.utime(path, (then, then))

    return age
