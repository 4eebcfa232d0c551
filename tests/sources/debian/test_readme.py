"""The map of the modules has all of them."""

import re
from collections import Counter
from pathlib import Path

import artificer.sources.debian

FOLDER = Path(artificer.sources.debian.__file__).parent


def test_every_module_is_on_the_map_where_it_is() -> None:
    head, *parts = re.split(r"^## `(\w+)/`", (FOLDER / "README.md").read_text(), flags=re.M)
    named = {"": head, **dict(zip(parts[::2], parts[1::2], strict=True))}

    for folder, text in named.items():
        modules = {path.stem for path in (FOLDER / folder).glob("*.py")} - {"__init__"}
        told = Counter(re.findall(r"`([a-z_0-9]+)`", text))
        assert {name: told[name] for name in modules} == dict.fromkeys(modules, 1), folder
