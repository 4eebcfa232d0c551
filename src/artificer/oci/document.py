"""JSON documents from outside: bounded when read, and written back as they were."""

import json
import re
from typing import Any

from artificer import limits
from artificer.errors import ArtificerError

_VERBATIM = "\x00number:"
_QUOTED_VERBATIM = re.compile(r'"\\u0000number:([-+0-9.eE]+)"')
_SURROGATE = re.compile("[\ud800-\udfff]")
# All that is before a separator which is in no text, and itself.
_SEPARATED = re.compile(rb'(?:[^",\[{]++|"(?:[^"\\]++|\\.)*+")*+[,\[{]', re.DOTALL)


class InvalidDocument(ArtificerError):
    """Bytes that should be a JSON object of some size are not."""


def parse(data: bytes, *, limit: int, what: str) -> dict[str, Any]:
    """Read the JSON object in *data*; *what* names it in errors.

    Key order and integers are kept exactly, numbers with a fraction keep their very text (see
    `dump`). Raise `InvalidDocument` for more than *limit* bytes, for nesting beyond
    `limits.DEPTH`, for more than `limits.VALUES` values, and for anything that is not one object.
    """
    if len(data) > limit:
        raise InvalidDocument(f"{what} is larger than {limit} bytes")
    if _has_too_many_values(data):
        raise InvalidDocument(f"{what} has more than {limits.VALUES} values")
    try:
        document = json.loads(data, parse_float=_verbatim, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidDocument(f"{what} is not valid JSON: {reason}") from error
    if not isinstance(document, dict):
        raise InvalidDocument(f"{what} is not a JSON object")
    if _opened(data) > limits.DEPTH and _depth(document) > limits.DEPTH:
        raise InvalidDocument(f"{what} is nested deeper than {limits.DEPTH}")
    return document


def dump(document: Any) -> bytes:
    """*document* as compact JSON: key order as it stands, numbers as they were read."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    if _VERBATIM[1:] in text:
        text = _QUOTED_VERBATIM.sub(r"\1", text)
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair, which JSON may have and UTF-8 may not: as it was written there.
        return _SURROGATE.sub(lambda one: f"\\u{ord(one[0]):04x}", text).encode()


def _opened(data: bytes) -> int:
    return data.count(b"[") + data.count(b"{")


def _has_too_many_values(data: bytes) -> bool:
    # What stands in texts is told apart only where all of it is too much.
    if _opened(data) + data.count(b",") <= limits.VALUES:
        return False
    count = at = 0
    while count <= limits.VALUES and (found := _SEPARATED.match(data, at)):
        count, at = count + 1, found.end()
    return count > limits.VALUES


def _verbatim(text: str) -> str:
    return _VERBATIM + text


def _refuse(text: str) -> str:
    raise ValueError(f"{text} is no JSON number")


def _depth(document: Any) -> int:
    deepest, waiting = 0, [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(value, dict):
            waiting.extend((child, depth + 1) for child in value.values())
        elif isinstance(value, list):
            waiting.extend((child, depth + 1) for child in value)
    return deepest
