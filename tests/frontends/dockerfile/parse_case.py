"""Case files of the parser: a Dockerfile, and the instructions in it or what is wrong with it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from artificer.errors import ArtificerError
from artificer.frontends.dockerfile.instructions import Directives, Dockerfile
from artificer.frontends.dockerfile.parse import dockerfile

LINE = "----"


class Case(NamedTuple):
    """One case: the rule that it holds, how the file is written down, and both texts."""

    rule: str
    how: tuple[str, ...]
    dockerfile: str
    expected: str

    @classmethod
    def read(cls, text: str) -> "Case":
        head, source, expected = text.split(f"{LINE}\n")
        rule, *how = head.splitlines()
        assert rule.startswith("rule ")
        return cls(rule, tuple(how), source, expected)

    def data(self) -> bytes:
        text = self.dockerfile
        if "without a last newline" in self.how:
            text = text.removesuffix("\n")
        if "with CRLF" in self.how:
            text = text.replace("\n", "\r\n")
        if "with a byte order mark" in self.how:
            text = "\ufeff" + text
        return text.encode("latin-1" if "in latin-1" in self.how else "utf-8")

    def result(self) -> str:
        try:
            read = dockerfile(self.data(), "Dockerfile")
        except ArtificerError as error:
            return told(error)
        return "".join(f"{line}\n" for line in _lines(read))


def told(error: ArtificerError) -> str:
    hint = f"hint: {error.hint}\n" if error.hint else ""
    return f"error: {error.message}\n{hint}"


def _lines(read: Dockerfile) -> Iterator[str]:
    if read.directives != Directives():
        yield shown(read.directives)
    for arg in read.arguments:
        yield from _instruction(arg)
    for stage in read.stages:
        yield from _instruction(stage.start)
        for instruction in stage.body:
            yield from (f"  {line}" for line in _instruction(instruction))
    for at in read.empty_continuations:
        yield f"empty continuation in line {at.place.line}"


def _instruction(instruction: Any) -> Iterator[str]:
    at = instruction.at
    for comment in at.comments:
        yield f"# {comment.encode('utf-8', 'backslashreplace').decode()}"
    lines = str(at.place.line) + (f"-{at.last}" if at.last > at.place.line else "")
    yield f"{lines}: {shown(instruction)}"


def shown(value: Any) -> str:
    """A value without the fields that have their defaults, and without where it stands."""
    if hasattr(value, "_field_defaults"):
        defaults = value._field_defaults
        parts = (
            f"{name}={shown(field)}"
            for name, field in zip(value._fields, value, strict=True)
            if name != "at" and (name not in defaults or defaults[name] != field)
        )
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, tuple):
        return f"({', '.join(shown(member) for member in value)})"
    return repr(value)
