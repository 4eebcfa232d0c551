"""Parser directives: ``# syntax=``, ``# escape=`` and ``# check=`` at the top of a Dockerfile."""

import json
import re
from collections.abc import Iterator

from artificer.builder.place import Place
from artificer.frontends.dockerfile.errors import invalid
from artificer.frontends.dockerfile.instructions import Check, Directives, Lines

_KNOWN = frozenset({"syntax", "escape", "check"})
_DIRECTIVE = r"[ \t]*{comment}[ \t]*([a-zA-Z][a-zA-Z0-9]*)[ \t]*=[ \t]*(\S.*)"
_LINE = re.compile(_DIRECTIVE.format(comment="#"))
_SLASHES = re.compile(_DIRECTIVE.format(comment="//"))
_SYNTAX = re.compile(
    r"(docker\.io/)?docker/dockerfile"
    r"(-upstream:[\w.-]+|:(1(\.\d+){0,2}(-labs|-experimental)?|latest|labs|experimental))?"
    r"(@sha256:[0-9a-f]{64})?"
)
_TRUE = frozenset({"1", "t", "true"})
_FALSE = frozenset({"0", "f", "false"})


def directives(text: str, path: str) -> Directives:
    """Return the directives at the top of *text*; one that cannot be honoured is an error."""
    found: dict[str, tuple[str, Lines]] = {}
    for key, value, at in _written(text, path):
        if key in found:
            raise invalid(at, f"the directive {key} stands twice", word=value)
        found[key] = value, at
    if "syntax" not in found:
        found |= _foreign_syntax(text, path)
    result = Directives()
    if "syntax" in found:
        result = result._replace(syntax=_syntax(*found["syntax"]))
    if "escape" in found:
        result = result._replace(escape=_escape(*found["escape"]))
    if "check" in found:
        result = result._replace(check=check_of(*found["check"]))
    return result


def is_own_syntax(name: str) -> bool:
    """Whether *name* is a front end that this one stands for."""
    return _SYNTAX.fullmatch(name) is not None


def check_of(value: str, at: Lines) -> Check:
    """Read the value of ``# check=``: ``skip=A,B;error=true;experimental=C``."""
    check = Check()
    for part in value.split(";"):
        key, found, setting = (text.strip() for text in part.partition("="))
        if not found:
            raise invalid(at, f"not a setting of check: {part.strip()!r}", word=part.strip())
        match key:
            case "skip":
                check = check._replace(skip=_rules(setting))
            case "experimental":
                check = check._replace(experimental=_rules(setting))
            case "error":
                check = check._replace(error=_truth(setting, at))
            case _:
                raise invalid(
                    at,
                    f"check has no setting {key!r}",
                    word=part.strip(),
                    hint="it has skip, error and experimental",
                )
    return check


def _written(
    text: str, path: str, form: re.Pattern[str] = _LINE
) -> Iterator[tuple[str, str, Lines]]:
    """Yield key, value and place; behind a first line ``#!`` BuildKit reads all but escape."""
    script = text.removeprefix("\ufeff").startswith("#!")
    for number, line in enumerate(_lines(text), 1):
        if script and number == 1:
            continue
        match = form.fullmatch(line)
        key = match[1].lower() if match else ""
        if not match or key not in _KNOWN:
            return
        if not (script and key == "escape"):
            yield key, match[2].rstrip(), _at(line, number, path)


def _foreign_syntax(text: str, path: str) -> dict[str, tuple[str, Lines]]:
    """Return a syntax after ``//``, or in JSON: what BuildKit reads as well."""
    for key, value, at in _written(text, path, _SLASHES):
        if key == "syntax":
            return {key: (value, at)}
    return _json_syntax(text, path)


def _json_syntax(text: str, path: str) -> dict[str, tuple[str, Lines]]:
    if not text.removeprefix("\ufeff").lstrip().startswith("{"):
        return {}
    try:
        document = json.loads(text.removeprefix("\ufeff"), parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return {}
    value = document.get("syntax")
    first = next(_lines(text))
    return {"syntax": (value, _at(first, 1, path))} if isinstance(value, str) else {}


def _lines(text: str) -> Iterator[str]:
    at = len(text) - len(text.removeprefix("\ufeff"))
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        yield text[at:end].rstrip("\r")
        at = end + 1


def _syntax(value: str, at: Lines) -> str:
    if not is_own_syntax(value):
        raise invalid(
            at,
            f"the syntax {value} is not built in",
            word=value,
            hint="docker/dockerfile:1 and its -labs are; another front end needs BuildKit",
        )
    return value


def _escape(value: str, at: Lines) -> str:
    if value not in ("\\", "`"):
        raise invalid(at, f"not an escape: {value!r}", word=value, hint="it is \\ or `")
    return value


def _rules(setting: str) -> tuple[str, ...]:
    return tuple(rule for rule in (part.strip() for part in setting.split(",")) if rule)


def _truth(setting: str, at: Lines) -> bool:
    if setting.lower() not in _TRUE | _FALSE:
        raise invalid(at, f"error is true or false, not {setting!r}", word=setting)
    return setting.lower() in _TRUE


def _at(line: str, number: int, path: str) -> Lines:
    return Lines(Place(path, number), number, line, line)
