"""Locks as rules_distroless writes them: read here as all locks are, and written for both."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from artificer.builder.package_lock import BYTES, InvalidPackages, LockedSet, read_packages
from artificer.oci.document import InvalidDocument, parse
from artificer.sources.debian.values import Locked

Needs = Mapping[tuple[str, str], tuple[str, ...]]
"""By name and architecture of a package, the names of all that it needs."""


def lock_text(locked: LockedSet, needs: Needs) -> str:
    """*locked* as a lock of version 1, which every rules_distroless reads.

    What it was asked for by is in a field that they pass over.
    """
    rows = [row for name in sorted(locked.packages) for row in _rows(locked, name, needs)]
    document = {"packages": rows, "request": locked.request, "version": 1}
    return json.dumps(document, indent="\t") + "\n"


def _rows(locked: LockedSet, architecture: str, needs: Needs) -> Iterator[dict[str, Any]]:
    packages = {one.name: one for one in locked.packages[architecture]}
    for one in packages.values():
        names = needs.get((one.name, architecture), ())
        yield {
            "arch": architecture,
            "dependencies": [_named(packages[each], architecture) for each in sorted(names)],
            **_named(one, architecture),
            "sha256": one.sha256,
            "url": one.urls[0],
        }


def _named(one: Locked, architecture: str) -> dict[str, str]:
    key = f"{_plain(one.name)}_{_plain(one.version)}_{architecture}"
    return {"key": key, "name": one.name, "version": one.version}


def _plain(text: str) -> str:
    return text.replace("+", "-p-").replace(":", "-").replace("~", "_")


def read_lock(path: str) -> tuple[LockedSet, Needs]:
    """The lock at *path*, and what packages need: of one of ours nothing is told."""
    locked = read_packages(path)
    document = _document(path)
    found = document.get("packages", [])
    if isinstance(found, dict):
        found = [one for each in found.values() for one in each.values()]
    needs = {
        (str(one["name"]), str(one["arch"])): _names(one.get("dependencies"), path)
        for one in found
    }
    return locked._replace(request=locked.request or str(document.get("request", ""))), needs


def _document(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        data = file.read(BYTES + 1)
    try:
        return parse(data, limit=BYTES, what=path)
    except InvalidDocument as error:
        raise InvalidPackages(f"{path}: {error.message}") from error


def _names(found: Any, path: str) -> tuple[str, ...]:
    """Dependencies: objects with a name, or as version 2 has them."""
    rows = found if isinstance(found, list) else []
    if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in rows):
        raise InvalidPackages(f"{path}: dependencies are not packages")
    return tuple(one["name"] for one in rows)


def closure(name: str, architecture: str, needs: Needs) -> tuple[str, ...]:
    """*name* behind all that it needs, and that those need."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found[one] = None
            waiting += needs.get((one, architecture), ())
    return (*sorted(found.keys() - {name}), name)
