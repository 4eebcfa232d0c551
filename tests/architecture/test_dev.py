"""The chores on a machine that lacks something: the words say what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Just enough of the project for `./dev setup` to begin."""
    for name in ("dev", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def _dev(folder: Path, *words: str, python: str = "") -> subprocess.CompletedProcess[str]:
    # No package index answers on this port.
    pip = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_RETRIES": "0",
    }
    environ = {"PATH": os.defpath, "PYTHON": python, "HOME": str(folder), **pip}
    command = [str(folder / "dev"), *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def _python(folder: Path, *, fails_at: str) -> str:
    """A Python that cannot run programs which name *fails_at*."""
    path = folder / "some-python"
    path.write_text(
        f'#!/bin/sh\ncase "$*" in *{fails_at}*) exit 1;; esac\nexec {sys.executable} "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


def test_no_word_is_misuse_and_lists_the_chores() -> None:
    done = _dev(ROOT)

    assert done.returncode == 2
    for word in ("setup", "demo", "test", "check", "bench", "docs"):
        assert f"\n  {word} " in done.stdout


def test_an_unknown_word_is_misuse() -> None:
    assert _dev(ROOT, "tset").returncode == 2


def test_a_python_without_venv_gets_the_package_to_install(clone: Path) -> None:
    done = _dev(clone, "setup", python=_python(clone, fails_at="ensurepip"))

    assert done.returncode == 1
    assert f"apt-get install python3.{sys.version_info[1]}-venv" in done.stderr


def test_a_missing_index_says_that_it_is_needed(clone: Path) -> None:
    done = _dev(clone, "setup", python=_python(clone, fails_at="no such words"))

    assert done.returncode == 1
    assert "error: pip could not install the project" in done.stderr
