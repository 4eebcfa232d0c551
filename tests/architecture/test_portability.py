import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import artificer

ABSENT = Path(__file__).with_name("absent.py")
NAMES = [found.name for found in pkgutil.walk_packages(artificer.__path__, "artificer.")]


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("__main__")])
def test_every_module_imports(name: str) -> None:
    assert import_module(name).__doc__


@pytest.mark.parametrize("system", ["macos", "windows"])
def test_every_module_imports_without_the_calls_of_linux(system: str) -> None:
    words = [sys.executable, "-X", "dev", str(ABSENT), system]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.stdout == ""
    assert done.returncode == 0, done.stderr
    assert "modules" in done.stderr


def test_a_missing_call_would_be_noticed() -> None:
    program = "import absent; absent.become('windows'); import os; os.posix_fallocate"
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, cwd=ABSENT.parent, capture_output=True, text=True, check=False)

    assert "AttributeError" in done.stderr
