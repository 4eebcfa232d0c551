"""Bytes of blobs, on their way."""

from pathlib import Path

import pytest

from artificer.events import BlobProgress
from artificer.images import bytes_of
from artificer.images.bytes_of import chunks_of
from tests.images.made import image_of, reach_of, tar_of


@pytest.mark.parametrize("whole", [True, False])
def test_who_watches_hears_when_no_more_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, whole: bool
) -> None:
    monkeypatch.setattr(bytes_of, "_PROGRESS", 10)
    reach, events = reach_of(f"{tmp_path}/store")
    blob = image_of(reach.store, tar_of(("a", bytes(1000)))).layers[0].blob

    chunks = chunks_of(blob, reach)
    next(chunks)
    if whole:
        list(chunks)
    chunks.close()  # type: ignore[attr-defined]

    last = [event for event in events if isinstance(event, BlobProgress)][-1]
    assert last.done == last.total
