"""What a cache holds comes out on every rung as commands have left it."""

import io
import tarfile

import pytest

from artificer.sandbox.client import Sandbox
from artificer.sandbox.command import Cache, Command, TreeLayer
from tests.sandbox import roots


@pytest.mark.parametrize("rung", roots.EVERYWHERE, indirect=True)
def test_the_files_of_a_cache_are_told(rung: str, box: Sandbox, base: TreeLayer) -> None:
    script = "mkdir /c/d && echo x > /c/d/f && ln /c/d/f /c/g && ln -s d /c/l && chmod 600 /c/d/f"
    with box.at((base,)) as root:
        command = Command(("/bin/sh", "-c", script), mounts=(Cache("/c", f"shared-{rung}"),))
        assert root.run(command, lambda _: None) == 0
        found = root.cached(f"shared-{rung}")
        assert found is not None
        data = b"".join(found.chunks)

    assert len(data) == found.tar_size
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        told = {one.name: (oct(one.mode), one.uid, one.linkname) for one in tar}
    assert told == {
        "d": ("0o755", 0, ""),
        "d/f": ("0o600", 0, ""),
        "g": ("0o600", 0, "d/f"),
        "l": ("0o777", 0, "d"),
    }


def test_a_cache_that_nobody_has_is_none(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as root:
        assert root.cached("never") is None
