"""Users with and without subordinate ids, a base, and a sandbox on each rung."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

import pytest

from artificer.sandbox.client import Sandbox
from artificer.sandbox.command import TreeLayer
from tests.sandbox import roots


@pytest.fixture(scope="session")
def sandbox_folder() -> Iterator[Path]:
    """A folder that every user can get to, gone with all that namespaces made in it."""
    folder = Path(mkdtemp(prefix="artificer-sandbox-"))
    folder.chmod(0o755)
    yield folder
    subprocess.run(["rm", "-rf", folder], check=False, capture_output=True)


@pytest.fixture(scope="session")
def users() -> None:
    """`u1`, who has subordinate ids, and `u2`, who has none."""
    roots.add_users()


@pytest.fixture(scope="session")
def base(sandbox_folder: Path) -> TreeLayer:
    """The base that most roots are made of."""
    return roots.base(sandbox_folder)


@pytest.fixture(scope="session")
def _boxes(sandbox_folder: Path, users: None) -> Iterator[dict[str, Sandbox]]:
    with ExitStack() as stack:
        yield {
            rung: stack.enter_context(roots.sandbox(rung, sandbox_folder))
            for rung in roots.EVERYWHERE
        }


@pytest.fixture(params=roots.RUNGS)
def rung(request: pytest.FixtureRequest) -> str:
    """Each rung of overlays."""
    return str(request.param)


@pytest.fixture
def box(rung: str, _boxes: dict[str, Sandbox]) -> Sandbox:
    """A sandbox on each rung, one for all tests."""
    return _boxes[rung]
