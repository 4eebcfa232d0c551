"""Entries that come by and by, once, and the layer that they become."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from artificer.layers import write
from artificer.layers.encode import encoder
from artificer.layers.entry import FILE, Entry
from artificer.layers.write import Known, write_layer, write_stream
from artificer.oci.digest import Digest
from artificer.stop import Stop
from artificer.store.blobs import Store

GZIP = encoder("gzip")
ENTRIES = [
    Entry(f"f{number}", FILE, 0o644, 0, 0, 3000, 0, "", b"x" * 3000) for number in range(900)
]


def once() -> Iterator[Entry]:
    yield from ENTRIES


def nobody(_: Digest) -> Known | None:
    return None


@pytest.mark.parametrize("size", [0, write.HELD + 1])
def test_a_stream_becomes_the_layer_that_its_entries_would(store: Store, size: int) -> None:
    whole = write_layer(ENTRIES, GZIP, store, stop=Stop())

    assert write_stream(once(), size, GZIP, store, known=nobody, stop=Stop()) == whole


@pytest.mark.parametrize("size", [0, write.HELD + 1])
def test_a_stream_that_somebody_knows_is_that_blob(store: Store, size: int) -> None:
    digest = Digest.of(b"elsewhere")

    written = write_stream(
        once(), size, GZIP, store, known=lambda _: Known(digest, 9), stop=Stop()
    )

    assert (written.digest, written.size, written.reused) == (digest, 9, True)
    assert written.entries == len(ENTRIES)


def test_a_stream_that_breaks_leaves_nothing(store: Store) -> None:
    def broken() -> Iterator[Entry]:
        yield ENTRIES[0]
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write_stream(broken(), write.HELD + 1, GZIP, store, known=nobody, stop=Stop())

    blobs = Path(store.root) / "blobs" / "sha256"
    assert not blobs.exists() or not list(blobs.iterdir())
