"""Users with and without subordinate ids, a base, and a sandbox on each rung."""

import os
import pwd
import re
import subprocess
import time
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
    if os.geteuid():
        pytest.skip("only root can be others")
    for name in (roots.WITH_IDS, roots.WITHOUT_IDS):
        _add_user(name)
    for path in ("/etc/subuid", "/etc/subgid"):
        text = Path(path).read_text()
        assert re.search(f"^{roots.WITH_IDS}:", text, re.MULTILINE)
        if re.search(f"^{roots.WITHOUT_IDS}:", text, re.MULTILINE):
            subprocess.run(["sed", "-i", f"/^{roots.WITHOUT_IDS}:/d", path], check=True)


def _add_user(name: str) -> None:
    for _ in range(50):
        try:
            pwd.getpwnam(name)
        except KeyError:
            # Somebody else may be adding users at the same time.
            subprocess.run(["useradd", "--no-create-home", name], check=False, capture_output=True)
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"user {name} cannot be made")


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
