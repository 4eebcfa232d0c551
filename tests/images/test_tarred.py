"""Tars of blobs, also for those who make no directory that the tar does not name."""

import io
import os
import tarfile
from pathlib import Path

from artificer.images.tarred import part_of, tarred
from tests.images.made import reach_of


def test_each_directory_stands_once_before_what_is_in_it(tmp_path: Path) -> None:
    reach, _ = reach_of(f"{tmp_path}/store")
    names = ("oci-layout", "blobs/sha256/a", "blobs/sha256/b", "blobs/sha512/a")

    data = b"".join(tarred([part_of(name, b"x") for name in names], reach))

    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = [(one.name, one.isdir()) for one in tar]
    assert [name for name, is_directory in found if not is_directory] == list(names)
    directories = [name for name, is_directory in found if is_directory]
    assert directories == ["blobs", "blobs/sha256", "blobs/sha512"]
    seen = {""}
    for name, _ in found:
        assert os.path.dirname(name) in seen
        seen.add(name)
