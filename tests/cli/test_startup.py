"""Start-up is the product: what an unchanged build imports is pinned in `startup-modules.txt`.

A module that is really needed there is added on purpose, with its cost in mind
(`python -X importtime -m artificer …`). The file is written anew by
`UPDATE_STARTUP_MODULES=1 ./dev test tests/cli/test_startup.py`.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.images import BaseImage

PINNED = Path(__file__).with_name("startup-modules.txt")
TOO_DEAR = {
    *(
        "asyncio",
        "concurrent.futures",
        "configparser",
        "dataclasses",
        "email.mime",
        "importlib.metadata",
    ),
    *("inspect", "logging", "pathlib", "pickle", "platform", "rich", "shutil", "sqlite3"),
    *("subprocess", "tarfile", "tempfile", "tomllib", "traceback", "unittest", "urllib.request"),
    *("uuid", "xml", "zipfile"),
}
"""Never on the way of a build that finds nothing to do."""
LATE = {
    "artificer.builder.layering",
    "artificer.cli.overview",
    "artificer.cli.terminal.progress",
    "artificer.images.deliver",
    "artificer.images.find",
    "artificer.layers.pack",
    "artificer.layers.read",
    "artificer.registry.configured",
    "artificer.registry.helpers",
    "artificer.store.prune",
}
"""What only a build that makes something needs, or one that goes elsewhere."""
PROGRAM = """
import sys
before = set(sys.modules)
from artificer.cli.main import main
code = main(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write("\\n".join(sorted(set(sys.modules) - before)))
sys.exit(code)
"""


@pytest.fixture
def imported(cli: Cli, work: Path, alpine: BaseImage, fresh_repository: str) -> set[str]:
    """The modules of an unchanged build, besides those of any Python program."""
    (work / "app").write_text("app\n")
    time.sleep(0.03)
    words = (
        "-b",
        alpine.reference,
        "-f",
        "app",
        "-e",
        "A=1",
        "-c",
        "/app",
        "-t",
        fresh_repository,
    )
    cli.process(*words)
    listing = work.parent / "modules"
    program = [sys.executable, "-c", PROGRAM, str(listing), *words]
    done = subprocess.run(
        program, check=True, cwd=work, env=cli.environ, capture_output=True, text=True
    )
    assert "nothing to send" in done.stderr
    return set(listing.read_text().split())


def test_an_unchanged_build_imports_what_is_pinned_and_nothing_else(imported: set[str]) -> None:
    if os.environ.get("UPDATE_STARTUP_MODULES"):
        PINNED.write_text("".join(f"{name}\n" for name in sorted(imported)))
    pinned = set(PINNED.read_text().split())
    ours = {name for name in imported if not is_of_python(name)}

    assert ours == {name for name in pinned if not is_of_python(name)}
    if sys.version_info[:2] == (3, 11):  # Other versions of Python import others of their own.
        assert imported - pinned == set()


def is_of_python(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


def test_an_unchanged_build_imports_nothing_dear(imported: set[str]) -> None:
    families = {".".join(name.split(".")[:n]) for name in imported for n in (1, 2)}

    assert families & TOO_DEAR == set()
    assert imported & LATE == set()


def test_no_module_of_the_pinned_list_is_dear() -> None:
    pinned = set(PINNED.read_text().split())

    assert pinned & (TOO_DEAR | LATE) == set()


def test_the_late_modules_exist() -> None:
    for name in LATE:
        path = Path(__file__).parents[2] / "src" / f"{name.replace('.', '/')}.py"
        assert path.exists(), name


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_help_and_version_load_nothing_of_registries(word: str, cli: Cli, tmp_path: Path) -> None:
    program = [sys.executable, "-c", PROGRAM, str(tmp_path / "modules"), word]
    subprocess.run(program, check=True, env=cli.environ, capture_output=True)

    loaded = (tmp_path / "modules").read_text().split()
    assert not {name for name in loaded if name.startswith(("artificer.registry", "http"))}
