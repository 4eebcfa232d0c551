"""Gzip members for one piece of a tar, and no time lost on what does not get smaller.

libdeflate takes longest over data that are compressed already (137 MB/s against 210 for programs
and 250 for text, measured), and a quarter of a large tree may be. So they are found by samples
and stored (docs/concepts/layer-format.md).
"""

import deflate

PART = 32 * 1024
"""A piece is judged in parts of this size."""

_STORED = 0
_TASTE, _VALUES_OF_TASTE = 64, 48
_SAMPLE, _VALUES_OF_SAMPLE = 256, 130
_TRIAL = 4 * 1024
_GAIN = _TRIAL // 32


def gzip_members(piece: memoryview, level: int) -> bytes | bytearray:
    """Compress *piece* (not empty): neighbouring parts of a kind are one member."""
    runs: list[tuple[int, int]] = []  # where each begins, and its level
    for start in range(0, len(piece), PART):
        part = piece[start : start + PART]
        kind = _STORED if _is_dense(part, level) else level
        if not runs or runs[-1][1] != kind:
            runs.append((start, kind))
    if len(runs) == 1:
        return deflate.gzip_compress(piece, runs[0][1])
    ends = [start for start, _ in runs[1:]] + [len(piece)]
    return b"".join(
        deflate.gzip_compress(piece[start:end], kind)
        for (start, kind), end in zip(runs, ends, strict=True)
    )


def _is_dense(part: memoryview, level: int) -> bool:
    """Whether *part* looks random at its middle, beginning and end, and a trial gains nothing."""
    middle = len(part) // 2
    # What is easy to tell goes first: this line alone sees most of the parts.
    if len(set(part[middle : middle + _TASTE])) < _VALUES_OF_TASTE or len(part) < _TRIAL:
        return False
    for start in (0, middle, len(part) - _SAMPLE):
        if len(set(part[start : start + _SAMPLE])) < _VALUES_OF_SAMPLE:
            return False
    trial = part[middle - _TRIAL // 2 : middle + _TRIAL // 2]
    return len(deflate.deflate_compress(trial, level)) > _TRIAL - _GAIN
