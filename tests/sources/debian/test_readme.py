"""The map of the modules has all of them."""

import re
from collections import Counter
from pathlib import Path

import artificer.sources.debian

FOLDER = Path(artificer.sources.debian.__file__).parent


def test_every_module_is_on_the_map_once() -> None:
    modules = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    named = Counter(re.findall(r"`([a-z_0-9]+)`", (FOLDER / "README.md").read_text()))

    assert {name: named[name] for name in modules} == dict.fromkeys(modules, 1)
