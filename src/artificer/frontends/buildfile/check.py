"""What a call gives is compared with what its rule takes."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, assert_never

from artificer.errors import ArtificerError
from artificer.frontends.buildfile.schema import COMMON, TEST, Attribute, Kind, Rule

# How a label that `Label()` made arrives here: a struct is a dictionary.
CANONICAL = "canonical_"

UNMATCHED = "\0select:"
"""How a value begins that a select without a branch has; the error follows, then its hint."""


class InvalidCall(ArtificerError):
    """A call that its rule does not take; *attribute* is the one that is wrong, if one is."""

    def __init__(self, message: str, *, attribute: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.attribute = attribute


def nearest(word: str, words: Iterable[str]) -> str | None:
    """``did you mean `…`?``, if one of *words* is like *word*."""
    found = difflib.get_close_matches(word, list(words), 1, 0.6)
    return f"did you mean `{found[0]}`?" if found else None


def checked_attributes(rule: Rule, given: Mapping[str, Any]) -> dict[str, Any]:
    """*given*, with labels as text and booleans as such."""
    checked = {name: _checked(rule, name, value) for name, value in given.items()}
    if rule.open:
        return checked
    for name, attribute in rule.attributes.items():
        if attribute.mandatory and checked.get(name) is None:
            raise InvalidCall(f"{rule.name} needs `{name}`, a {_described(attribute)}")
    if not rule.nameless and not checked.get("name"):
        raise InvalidCall(f"{rule.name} needs `name`, a string")
    return checked


def _checked(rule: Rule, name: str, value: Any) -> Any:
    attribute = _attribute(rule, name)
    plain = _plain(value)
    if plain is None or _marked(plain):
        return plain
    for kind in attribute.kinds:
        fits, made = _fit(kind, plain)
        if fits:
            break
    else:
        if rule.open:
            return plain  # Of another's rule we know nothing: cc_toolchain_suite has its own.
        raise InvalidCall(
            f"{rule.name}.{name} is a {_described(attribute)}, not {_kind_of(plain)}",
            attribute=name,
        )
    if attribute.values and made not in attribute.values:
        raise InvalidCall(
            f"{rule.name}.{name} is one of {', '.join(attribute.values)}, not {made!r}",
            attribute=name,
        )
    return made


class Refusal(NamedTuple):
    """Why a call cannot become a target, though it may stand in its file."""

    attribute: str
    message: str
    hint: str | None = None


def refusal(rule: Rule, given: Mapping[str, Any]) -> Refusal | None:
    """The first attribute of what is *given* that has no meaning here."""
    for name, value in given.items():
        found = _marked(value)
        if found:
            message, _, hint = found.removeprefix(UNMATCHED).partition("\0")
            return Refusal(name, message, hint or None)
        attribute = rule.attributes.get(name)
        if attribute and attribute.refused and value and value != attribute.default:
            return Refusal(name, f"{rule.name}.{name} is not supported: {attribute.refused}")
    return None


def _marked(value: Any) -> str:
    """What a select without a branch left in *value*, "" if nothing did."""
    if isinstance(value, str):
        at = value.find(UNMATCHED)
        return value[at:] if at >= 0 else ""
    if isinstance(value, (list, tuple, dict)):
        return next(filter(None, map(_marked, value)), "")
    return ""


def _attribute(rule: Rule, name: str) -> Attribute:
    found = (
        rule.attributes.get(name) or COMMON.get(name) or (TEST.get(name) if rule.test else None)
    )
    if found is not None or rule.open:
        return found or rule.attribute(name)
    known = {*rule.attributes, *COMMON, *(TEST if rule.test else ())}
    hint = nearest(name, known) or f"it has {', '.join(sorted(rule.attributes))}"
    raise InvalidCall(f"{rule.name} has no attribute `{name}`", attribute=name, hint=hint)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if CANONICAL in value:
            return value[CANONICAL]
        return {_plain(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _dictionary(value: Any, of: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(map(_text, value)) and all(map(of, value.values()))


def _fit(kind: Kind, value: Any) -> tuple[bool, Any]:  # noqa: C901, PLR0911
    """Whether *value* is of *kind*, and what it then is."""
    match kind:
        case "string" | "label" | "output":
            return _text(value), value
        case "strings" | "labels" | "outputs":
            return _texts(value), value
        case "string_dict" | "label_dict" | "label_keys":
            return _dictionary(value, _text), value
        case "string_lists":
            return _dictionary(value, _texts), value
        case "bool":
            return value in (0, 1) and isinstance(value, int), bool(value)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool), value
        case "float":
            return isinstance(value, (int, float)) and not isinstance(value, bool), value
        case "any":
            return True, value
        case _:
            assert_never(kind)


_DESCRIBED: Mapping[Kind, str] = {
    "string": "string",
    "strings": "list of strings",
    "string_dict": "dictionary of strings",
    "string_lists": "dictionary of lists of strings",
    "label": "label",
    "labels": "list of labels",
    "label_dict": "dictionary of labels",
    "label_keys": "dictionary with labels as keys",
    "bool": "boolean",
    "int": "whole number",
    "float": "number",
    "output": "file name",
    "outputs": "list of file names",
    "any": "value",
}


def _described(attribute: Attribute) -> str:
    return " or a ".join(_DESCRIBED[kind] for kind in attribute.kinds)


def _kind_of(value: Any) -> str:  # noqa: PLR0911
    match value:
        case bool():
            return "a boolean"
        case str():
            return f"the string {value if len(value) < _LONG else value[:_LONG] + '…'!r}"
        case int() | float():
            return f"the number {value}"
        case list():
            odd = next((each for each in value if not isinstance(each, str)), None)
            return "a list" if odd is None else f"a list with {_kind_of(odd)} in it"
        case dict():
            odd = next((each for each in value.values() if not isinstance(each, str)), None)
            return "a dictionary" if odd is None else f"a dictionary with {_kind_of(odd)} in it"
        case None:
            return "None"
        case _:
            return f"a {type(value).__name__}"


_LONG = 60


def line_of(attribute: str, text: str, line: int) -> int:
    """The line in *text*, at or soon after *line*, where *attribute* is given; else *line*."""
    pattern = re.compile(rf"(?:^|[\s(,]){re.escape(attribute)}\s*=(?!=)")
    lines = text.split("\n")
    for number in range(line, min(line + _SEARCHED, len(lines) + 1)):
        if pattern.search(lines[number - 1]):
            return number
    return line


_SEARCHED = 100
