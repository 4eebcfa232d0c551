"""The command as a person types it, in a home and a store of its own."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from artificer.cli.main import main
from tests.cli.outside import cli, hub, layout, seen, server_binary, work

__all__ = ["cli", "hub", "layout", "seen", "server_binary", "work"]


class Done(NamedTuple):
    """What one run of the command left."""

    code: int
    out: str
    err: str
    raw: bytes

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Run = Callable[..., Done]
"""Runs a command line and wants it to end well, unless another code is expected."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home with a store in it, and nobody's settings."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("DOCKER_CONFIG", "DOCKER_HOST", "REGISTRY_AUTH_FILE", "DOCKER_AUTH_CONFIG", "CI"):
        monkeypatch.delenv(name, raising=False)
    for name in ("DOCKER_DEFAULT_PLATFORM", "SOURCE_DATE_EPOCH", "CONTAINERS_REGISTRIES_CONF"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / ".config"))
    monkeypatch.setenv("ARTIFICER_STORE", str(folder / "store"))
    return folder


@pytest.fixture
def artificer(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Run:
    """`artificer("pull", NAME)`: `.out`, `.err`, `.lines`; `code=1` when it has to fail."""
    assert home.is_dir()

    def run(*words: str | Path, code: int = 0, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        found = main([str(word) for word in words])
        raw, err = capsysbinary.readouterr()
        done = Done(found, raw.decode("utf-8", "replace"), err.decode(), raw)
        assert done.code == code, (words, done)
        return done

    return run
