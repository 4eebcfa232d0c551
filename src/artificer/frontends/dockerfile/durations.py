"""Durations as Go writes them: ``1h2m``, ``1.5s``, ``300ms``."""

import re

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"(?=\.?\d)(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_MOST = (1 << 63) - 1
_LONGEST = 100


def nanoseconds(text: str) -> int | None:
    """Return *text* in nanoseconds, None where it is no duration or one of over 290 years."""
    digits = text[1:] if text.startswith(("+", "-")) else text
    if digits == "0":
        return 0
    total = 0
    at = 0
    while at < len(digits) <= _LONGEST:
        match = _PART.match(digits, at)
        if not match:
            return None
        whole, fraction, unit = match[1], match[2], _UNITS[match[3]]
        total += int(whole or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        at = match.end()
    if not at or total > _MOST:
        return None
    return -total if text.startswith("-") else total
