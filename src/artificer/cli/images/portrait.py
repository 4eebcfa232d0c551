"""What an image says about itself as a page for people."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from artificer.cli.terminal.console import amount
from artificer.cli.terminal.table import printable, table

_WORDS = {
    "mediaType": "type",
    "Entrypoint": "entrypoint",
    "Cmd": "command",
    "Env": "environment",
    "User": "user",
    "WorkingDir": "workdir",
    "ExposedPorts": "ports",
    "Volumes": "volumes",
    "Labels": "labels",
    "StopSignal": "stop signal",
    "Healthcheck": "healthcheck",
}
_LABEL = max(map(len, _WORDS.values())) + 1
_SHORT_DIGEST = 12


def index_page(document: Mapping[str, Any]) -> str:
    """An index: what it is, and a row for each of its members."""
    lines = _facts(document, ("reference", "digest", "mediaType", "annotations"))
    return "\n".join([*lines, "", *_rows(document["manifests"])])


def image_page(document: Mapping[str, Any]) -> str:
    """An image: what it is, how a container is started, and a row for each layer."""
    layers = document["layers"]
    many = f"{len(layers)} layer" + ("" if len(layers) == 1 else "s")
    lines = [
        *_facts(document, ("reference", "digest", "id", "mediaType", "platform", "created")),
        _line("size", f"{amount(document['size'])} in {many}"),
        *_facts(document, ("author", "annotations")),
        *_facts(document["config"], sorted(document["config"], key=_place)),
    ]
    return "\n".join([*lines, "", *_rows(layers)] if layers else lines)


def _place(name: str) -> tuple[int, str]:
    known = list(_WORDS)
    return (known.index(name) if name in _WORDS else len(known), name)


def _facts(document: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    """A line for each fact that there is; one for each variable, label or port of a setting."""
    for name in names:
        for number, text in enumerate(_texts(name, document.get(name))):
            yield _line(_WORDS.get(name, name) if number == 0 else "", text)


def _texts(name: str, value: Any) -> list[str]:
    if value is None or value == "" or value == [] or value == {}:
        return []
    if isinstance(value, dict) and name != "Healthcheck":
        return [f"{key}={_text(one)}" if one else str(key) for key, one in value.items()]
    if isinstance(value, list) and name == "Env":
        return [_text(one) for one in value]
    return [_text(value)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line(name: str, text: str) -> str:
    return printable(f"{name:{_LABEL}} {text}")


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    platforms = ("platform",) if rows and "platform" in rows[0] else ()
    cells = [
        (
            *(str(row[name] or "-") for name in platforms),
            row["digest"].partition(":")[2][:_SHORT_DIGEST],
            amount(row["size"]),
            row["mediaType"].removeprefix("application/vnd."),
        )
        for row in rows
    ]
    head = (*(name.upper() for name in platforms), "DIGEST", "SIZE", "TYPE")
    return table(head, cells, right=frozenset({len(platforms) + 1})).splitlines()
