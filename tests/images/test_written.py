"""What a file that is written may be already."""

import os
import threading
from pathlib import Path

import pytest

from artificer.images.unwritable import Unwritable
from artificer.images.written import write_file
from tests.parts.waiting import PATIENCE


def test_what_is_written_takes_no_pipes_place(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()

    write_file(str(pipe), [b"a", b"b"])

    reader.join(PATIENCE)
    assert read == [b"ab"]
    assert pipe.is_fifo()


def test_an_open_file_is_not_written_by_its_other_name(tmp_path: Path) -> None:
    with (
        (tmp_path / "out").open("w+b") as out,
        pytest.raises(Unwritable, match="while it is open"),
    ):
        write_file(f"/proc/self/fd/{out.fileno()}", [b"a"])

    assert (tmp_path / "out").read_bytes() == b""
