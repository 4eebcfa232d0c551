"""Words of the command line to values: commands, times, durations, sizes, key=value pairs."""

import json
import re
import time
from collections.abc import Mapping
from typing import NamedTuple

from artificer.builder.recipe import Annotation, Scope
from artificer.errors import Misused, reason
from artificer.oci.settings import env_pair

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_LONG_SECONDS = {"d": 86_400, "w": 7 * 86_400}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_STORE_BYTES = 20 * 10**9
_SCOPES: tuple[Scope, ...] = ("manifest", "index", "manifest-descriptor", "index-descriptor")
_FILE_BYTES = 1024 * 1024


class Limit(NamedTuple):
    """How many bytes the store may take (None: as many as there are), and whether one said so."""

    bytes: int | None
    chosen: bool


def command(text: str, option: str) -> tuple[str, ...]:
    """Read ``/srv --port 1`` (split into words, no shell) or ``["a", "b"]`` (JSON, as it is)."""
    if text.lstrip().startswith("["):
        try:
            words = json.loads(text)
        except ValueError as error:
            raise Misused(
                f"{option} begins like a JSON list, but is none: {error}",
                hint=f"""write {option} '["/bin/srv", "--port", "1"]'""",
            ) from error
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise Misused(f"{option} is not a list of words: {text}")
        return tuple(words)
    import shlex

    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise Misused(f"{option}: {error} in {text!r}", hint="close the quotation") from error


def shell(line: str) -> tuple[str, ...]:
    """The command that a shell line stands for."""
    return ("/bin/sh", "-c", line)


def chosen_command(words: str | None, line: str | None, option: str) -> tuple[str, ...] | None:
    """What ``--cmd`` or ``--cmd-shell`` (of which at most one is given) asks for."""
    if words is not None and line is not None:
        raise Misused(f"{option} and {option}-shell exclude each other")
    if line is not None:
        return shell(line)
    return None if words is None else command(words, option)


def rfc3339(text: str, what: str) -> str:
    """Read seconds since 1970 or an RFC 3339 time; give the RFC 3339 time in UTC."""
    from artificer.layers.rules import parse_mtime

    seconds = parse_mtime(text)
    if seconds is None:
        raise Misused(f"{what}: not a time: {text!r}")
    days, rest = divmod(seconds, 86400)
    year, month, day = _civil(days)
    return f"{year:04}-{month:02}-{day:02}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z"


def duration(text: str, option: str) -> int:
    """Read ``30s``, ``1m30s`` or ``500ms``; give nanoseconds."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Misused(f"{option}: not a duration: {text!r}", hint="write 30s, 1m30s or 500ms")
    return sum(int(float(number) * _NANOSECONDS[unit]) for number, unit in parts)


def jobs(text: str, processors: int) -> int:
    """How many targets are made at once: a number, or ``auto`` and Bazel's ``HOST_CPUS``."""
    if text in {"auto", "HOST_CPUS"}:
        return processors
    if not text.isdecimal() or not 0 < int(text) <= 5000:
        raise Misused(f"--jobs {text}: not a number of jobs", hint="a number, or `auto`")
    return int(text)


def age(text: str, option: str) -> float:
    """Read ``7d``, ``2w`` or a duration; give seconds."""
    number, unit = text[:-1], text[-1:]
    if unit in _LONG_SECONDS and number.isdecimal():
        return float(int(number) * _LONG_SECONDS[unit])
    try:
        return duration(text, option) / 10**9
    except Misused as error:
        raise Misused(error.message, hint="write 30m, 12h, 7d or 2w") from error


def today() -> str:
    """The day, as it is all over the world: ``2026-01-31``."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def size(text: str, option: str) -> int:
    """Read ``50MB``, ``1GiB`` or a number of bytes."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise Misused(f"{option}: not a size: {text!r}", hint="write 50MB, 1GiB or 1000000")
    power = " kmgt".index(match[2].lower() or " ")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** power)


def store_limit(text: str | None, environ: Mapping[str, str]) -> Limit:
    """How large the store may grow: ``--store-limit``, else ARTIFICER_STORE_LIMIT, else 20 GB."""
    option = "--store-limit"
    if text is None:
        option, text = "ARTIFICER_STORE_LIMIT", environ.get("ARTIFICER_STORE_LIMIT") or None
    if text is None:
        return Limit(_STORE_BYTES, chosen=False)
    return Limit(None if text == "none" else size(text, option), chosen=True)


def pair(text: str, option: str) -> tuple[str, str]:
    """Read ``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Misused(f"{option}: not KEY=VALUE: {text!r}")
    return key, value


def annotation(text: str) -> list[Annotation]:
    """Read ``[SCOPE[,SCOPE]:]KEY=VALUE``; without a scope, it is the manifest's."""
    head, colon, rest = text.partition(":")
    scopes = head.split(",")
    if colon and all(scope in _SCOPES for scope in scopes) and "=" not in head:
        key, value = pair(rest, "--annotation")
        return [Annotation(scope, key, value) for scope in _SCOPES if scope in scopes]
    key, value = pair(text, "--annotation")
    return [Annotation("manifest", key, value)]


def env_file(path: str, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Read NAME=VALUE lines as docker does: ``#`` is a comment, a lone NAME takes our value."""
    pairs = []
    for number, line in enumerate(text_file(path, "--env-file").split("\n"), 1):
        line = line.lstrip()
        if not line or line.startswith("#"):
            continue
        if "=" in line:
            try:
                name, value = env_pair(line)
            except Misused as error:
                raise Misused(f"{path}:{number}: {error.message}", hint=error.hint) from error
            # The lines of a file are values as they are: nothing is expanded in them.
            pairs.append((name, value.replace("$", "$$")))
        elif line.strip() in environ:
            pairs.append((line.strip(), environ[line.strip()].replace("$", "$$")))
    return pairs


def text_file(path: str, option: str) -> str:
    """The text of a small file named by *option*."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(_FILE_BYTES + 1)
    except OSError as error:
        raise Misused(f"{option}: cannot read {path}: {reason(error)}") from error
    except UnicodeDecodeError as error:
        raise Misused(f"{option}: {path} is not UTF-8: {error.reason}") from error
    if len(text) > _FILE_BYTES:
        raise Misused(f"{option}: {path} is larger than {_FILE_BYTES} bytes")
    return text


def _civil(days: int) -> tuple[int, int, int]:
    """The date *days* after 1970-01-01 (Hinnant's algorithm; datetime would cost 3 ms)."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year_of_era + era * 400 + (1 if month <= 2 else 0), month, day
