"""Why a target is made again: what its key consisted of the last time, and what it does now."""

import json
from collections.abc import Mapping

_MOST = 20


def explanation(parts: Mapping[str, str]) -> bytes:
    """*parts* of a key, as a record has them."""
    return json.dumps(parts, separators=(",", ":")).encode()


def changes(before: bytes | None, now: Mapping[str, str]) -> tuple[str, ...]:
    """What differs between the key of the last time and this one, for a person."""
    if before is None:
        return ("it was never made before",)
    try:
        known: dict[str, str] = dict(json.loads(before))
    except (ValueError, TypeError):
        return ("it was made by another version",)
    found = [f"{name}: changed" for name in now if name in known and known[name] != now[name]]
    found += [f"{name}: added" for name in now if name not in known]
    found += [f"{name}: removed" for name in known if name not in now]
    if not found:
        return ("what was made before is gone",)
    more = len(found) - _MOST
    return (*found[:_MOST], f"and {more} more") if more > 0 else tuple(found)
