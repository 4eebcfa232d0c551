"""Documents as YAML that people keep in Git: in block style, and read alike by every parser."""

import re
from collections.abc import Sequence
from typing import Any

import yaml

# Whatever is not plainly a word is quoted: what YAML 1.1, YAML 1.2 and Go's parsers take for a
# number or a truth value differs (`1e3`, `y`, `0o17`, `1:20`).
_WORD = re.compile(r"(?:--|\.)?[A-Za-z_/][\w./@-]*(?:[:=][\w./@-]+)*", re.ASCII)
_AMOUNT = re.compile(r"\d+(?:m|[KMGT]i)")
_CONSTANTS = frozenset(
    {"y", "n", "yes", "no", "on", "off", "true", "false", "null", ".inf", ".nan"}
)


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML has no types
    """PyYAML's, with strings as we want them, and without anchors."""

    def ignore_aliases(self, data: object) -> bool:
        """Write what stands twice twice."""
        return True


def yaml_of(documents: Sequence[dict[str, Any]]) -> str:
    """*documents*, one after the other; the same for the same, on every machine."""
    return "---\n".join(
        yaml.dump(
            one,
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=True,
            default_flow_style=False,
            width=1_000_000,
        )
        for one in documents
    )


def _string(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    if "\n" in text:
        return "|"
    plain = _WORD.fullmatch(text) or _AMOUNT.fullmatch(text)
    return None if plain and text.lower() not in _CONSTANTS else '"'


_Dumper.add_representer(str, _string)
