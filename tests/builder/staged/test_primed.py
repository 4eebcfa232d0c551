"""Real commands give one digest, whatever was cached: nothing shows them how they came to run."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from artificer.layers.write import Tar
from artificer.oci.image import Image
from artificer.sandbox import client
from tests.builder.staged.kit import Workshop
from tests.images.made import image_of
from tests.sandbox import roots

LINES = [
    "COPY source /src/",
    "RUN cp /src/a /src/made && touch /stamp && mkdir -p /root/.cache/x",
    "RUN find /src /stamp /root -newer /stamp > /newer; ls -ln --full-time /src > /times; true",
    "WORKDIR /src/w",
    "RUN rm -r /srv/dir && mkdir /srv/dir && echo x > /srv/dir/new && date > /dev/null",
    "COPY --chown=web source/a /srv/dir/b",
    "RUN ls -ln /srv/dir /src > /list && rm /src/a && echo done > w",
]


class Root:
    def __init__(self, root: client.Root) -> None:
        self._root = root
        self.run, self.adopt, self.cached = root.run, root.adopt, root.cached

    def changes(self) -> Tar:
        found = self._root.changes()
        return Tar(found.tar_size, found.chunks, found.entries)


class Box:
    """The real sandbox, as the builder wants it."""

    def __init__(self, box: client.Sandbox) -> None:
        self._box = box
        self.rung = box.rung

    @contextmanager
    def at(self, chain: Any) -> Iterator[Root]:
        with self._box.at(chain) as root:
            yield Root(root)


@pytest.fixture
def folder() -> Iterator[Path]:
    found = Path(mkdtemp(prefix="artificer-primed-"))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found, ignore_errors=True)


class Machine:
    """A store, and a sandbox with trees of its own."""

    def __init__(self, folder: Path, name: str, rung: str, stack: ExitStack) -> None:
        self.shop = Workshop(folder, f"store-{name}")
        (folder / f"state-{name}").mkdir()
        box = roots.sandbox(rung, folder / f"state-{name}")
        real: Any = Box(stack.enter_context(box))
        self.shop.sandbox = real
        tree = roots.base(folder)
        self.shop.images["base"] = image_of(self.shop.reach.store, Path(tree.path).read_bytes())
        self.shop.write("source/a", "1")
        self.shop.write("source/b", "2")

    def build(self, count: int = len(LINES)) -> Image:
        return self.shop.image("\n".join(["FROM base", *LINES[:count]]))


@pytest.mark.slow
@pytest.mark.parametrize("rung", ["root", "full-map", "chroot"])
def test_the_digest_is_the_same_whatever_was_cached(folder: Path, rung: str) -> None:
    with ExitStack() as stack:
        whole = Machine(folder, "whole", "root", stack).build()
        for count in range(1, len(LINES)):
            machine = Machine(folder, f"{rung}-{count}", rung, stack)
            machine.build(count)

            assert machine.build() == whole, f"primed to {LINES[count - 1]}"


def test_unpacked_trees_that_are_gone_change_nothing(folder: Path) -> None:
    with ExitStack() as stack:
        machine = Machine(folder, "one", "root", stack)
        machine.build(5)
        shutil.rmtree(next((folder / "state-one").iterdir()) / "trees")

        again = machine.build()
        other = Machine(folder, "other", "root", stack).build()

        assert again == other
