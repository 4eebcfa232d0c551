"""Which worker runs which tests, where several do: files, and folders that share what is dear."""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

_TOGETHER = ("tests/oracles/",)
"""Their fixtures are images that take half a minute; two workers would make each of them twice."""


def scheduling(config: pytest.Config, log: Any) -> Any:
    """What `--dist loadfile` shall mean here; None for other ways to distribute tests."""
    if config.getvalue("dist") != "loadfile":
        return None
    made = LoadFileScheduling(config, log)
    by_file = made._split_scope
    made._split_scope = lambda name: _folder(name) or by_file(name)
    return made


def _folder(name: str) -> str | None:
    return next((one for one in _TOGETHER if name.startswith(one)), None)
