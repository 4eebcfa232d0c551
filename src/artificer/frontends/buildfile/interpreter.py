"""Starlark, evaluated within limits; its errors told as ours. The only user of `starlark`."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import starlark

from artificer import limits
from artificer.builder.place import Place
from artificer.errors import ArtificerError
from artificer.frontends.buildfile.place import BuildFileError, failure
from artificer.frontends.buildfile.text import checked_text

# Our own files have such names; no frame in them is ever shown.
HIDDEN = "@artificer"

_FRAME = re.compile(r"^  \* (.+):(\d+)(?:, in (.+))?$", re.MULTILINE)
_WHERE = re.compile(r"^ +--> (.+):(\d+):(\d+)$", re.MULTILINE)
_ERROR = re.compile(r"^error: (.*?)(?=\n +--> |\Z)", re.MULTILINE | re.DOTALL)
_UNKNOWN = re.compile(r"Variable `(\w+)` not found.*", re.DOTALL)
_NO_KEY = re.compile(r'Key `"(.+)"` was not found')
_KEY = re.compile(r"""["']([^"'\n]+)["'] *:""")
_LONG = 300
_SEARCHED = 100


class Frame(NamedTuple):
    """A call that is going on: where it stands, in which function."""

    path: str
    line: int
    function: str


class Source(NamedTuple):
    """A text to evaluate. *path* is what errors call it; *given* come from our own files.

    *given* are names by the name of the file (`HIDDEN` …) that they are loaded from.
    """

    path: str
    text: str
    given: Sequence[tuple[str, str, str]] = ()


class Interpreter:
    """Evaluates texts. *load* answers ``load("…")``; what it raises is raised again.

    *elsewhere* is asked for the way to a name that a text uses and has not.

    A handle: it remembers the texts for errors and how much has been done.
    """

    def __init__(self, elsewhere: Callable[[str], str | None] = lambda _: None) -> None:
        self._elsewhere = elsewhere
        self._lines: dict[str, list[str]] = {}
        self._pending: BaseException | None = None
        self._checks = 0
        self._depth = 0
        self._resident = 0
        self._full = False

    def line(self, path: str, line: int) -> str:
        """The *line* of the file *path*, as it was evaluated."""
        lines = self._lines.get(path, ())
        return lines[line - 1] if 0 < line <= len(lines) else ""

    def text(self, path: str) -> str:
        """The text of the file *path*, "" if it was never evaluated."""
        return "\n".join(self._lines.get(path, ()))

    def place(self, path: str, line: int) -> Place:
        """Where the first word of *line* stands."""
        text = self.line(path, line)
        return Place(path, line, len(text) - len(text.lstrip()) + 1)

    def find(self, place: Place, word: str) -> Place | None:
        """Where the string *word* stands at or soon after *place*."""
        lines = self._lines.get(place.path, ())
        for number in range(place.line, min(place.line + _SEARCHED, len(lines) + 1)):
            for quoted in (f'"{word}"', f"'{word}'"):
                at = lines[number - 1].find(quoted)
                if at >= 0:
                    return Place(place.path, number, at + 1)
        return None

    def failure(self, place: Place, message: str, hint: str | None = None) -> BuildFileError:
        """The error *message* at *place*, with its line."""
        line = self.line(place.path, place.line)
        return failure(place, message, line=line, hint=hint)

    def parsed(self, source: Source) -> "starlark.AstModule":
        """The syntax of *source*, with the lines that load what is *given* before it."""
        text = checked_text(source.text, source.path)
        self._lines[source.path] = text.split("\n")
        head = _loads(source.given)
        try:
            return starlark.parse(source.path, f"{head}\n{text}", _DIALECT)
        except starlark.StarlarkError as error:
            if "tabs are not allowed" in str(error):
                raise self._tab(source.path) from None
            raise self._translated(str(error), source.path) from None

    def _tab(self, path: str) -> BuildFileError:
        """The error at the tab itself: the parser names the word before."""
        lines = self._lines[path]
        number = next((n for n, line in enumerate(lines, 1) if "\t" in line), 1)
        place = Place(path, number, lines[number - 1].find("\t") + 1)
        return self.failure(place, "a statement is indented by spaces, not by tabs")

    def evaluate(
        self,
        source: Source,
        ast: "starlark.AstModule",
        load: Callable[[str], "starlark.FrozenModule"],
        callables: Mapping[str, Callable[..., Any]] | None = None,
    ) -> "starlark.FrozenModule":
        """What *source* defines."""
        module = starlark.Module()
        for name, function in (callables or {}).items():
            module.add_callable(name, self._guarded(function))
        loader = starlark.FileLoader(self._guarded(load))
        if not self._depth:
            self._checks = 0
            self._resident = _resident_bytes()
            self._full = False
        self._depth += 1
        try:
            starlark.eval_with(self._options(), module, ast, _GLOBALS, file_loader=loader)
        except starlark.StarlarkError as error:
            raise self._cause(str(error), source.path) from None
        except BaseException as error:
            # pyo3 raises a Rust panic as an exception beyond Exception.
            if type(error).__name__ != "PanicException":
                raise
            raise BuildFileError(f"{source.path}: evaluation failed: {error}") from None
        finally:
            self._depth -= 1
        return module.freeze()

    def _options(self) -> "starlark.EvalOptions":
        return starlark.EvalOptions(
            check_cancelled=self._is_enough, max_callstack_size=limits.BUILD_FILE_CALLS
        )

    def _is_enough(self) -> bool:
        self._checks += 1
        if self._checks % _WEIGHED == 0:
            grown = _resident_bytes() - self._resident
            self._full = grown > limits.BUILD_FILE_MEMORY
        return self._full or self._checks > limits.BUILD_FILE_CHECKS

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """*function*, whose exception is kept: Starlark would keep only its words."""

        def call(*args: Any, **named: Any) -> Any:
            try:
                return function(*args, **named)
            except BaseException as error:
                if self._pending is None:
                    self._pending = error
                raise

        return call

    def _cause(self, told: str, path: str) -> BaseException:
        pending, self._pending = self._pending, None
        if pending is None:
            return self._translated(told, path)
        if isinstance(pending, BuildFileError) or not isinstance(pending, ArtificerError):
            return pending
        return self._placed(pending.message, pending.hint, told, path)

    def _translated(self, told: str, path: str) -> BuildFileError:
        found = _ERROR.search(told)
        message = found[1].strip() if found else told.strip().split("\n", 1)[0]
        if self._full:
            most = limits.BUILD_FILE_MEMORY // limits.MIB
            message = f"evaluation takes more than {most} MiB of memory: it was stopped"
        unknown, no_key = _UNKNOWN.fullmatch(message), _NO_KEY.fullmatch(message)
        message, hint = _reworded(message)
        if unknown:
            hint = self._elsewhere(unknown[1])
        if no_key:
            hint = self._near(no_key[1])
        return self._placed(message, hint, told, path)

    def _near(self, key: str) -> str | None:
        """The key of a dictionary, of those in all texts, that *key* may have been meant for."""
        texts = ("\n".join(lines) for lines in self._lines.values())
        keys = {one for text in texts for one in _KEY.findall(text)}
        found = get_close_matches(key, sorted(keys), 3)
        return f"do you mean {' or '.join(found)}?" if found else None

    def _placed(self, message: str, hint: str | None, told: str, path: str) -> BuildFileError:
        """The error at the innermost place of a person's file, and the calls that led there."""
        frames = frames_of(told)
        where = _WHERE.search(told)
        if where and not where[1].startswith(HIDDEN):
            place = Place(where[1], max(int(where[2]) - 1, 1), int(where[3]))
        elif frames:
            place = self.place(frames[-1].path, frames[-1].line)
        else:
            place = Place(path, 1)
        error = self.failure(place, message, hint)
        callers = [f for f in frames if (f.path, f.line) != (place.path, place.line)]
        # An endless recursion has as many frames as were allowed.
        told_callers = callers if len(callers) <= _SHOWN_FRAMES else callers[:_SHOWN_FRAMES]
        lines = [f"  called at {f.path}:{f.line}" for f in reversed(told_callers)]
        return BuildFileError("\n".join([error.message, *lines]), hint=hint)


_SHOWN_FRAMES = 8
# To ask for the memory costs as much as a thousand instructions.
_WEIGHED = 32


def _resident_bytes() -> int:
    """The memory that the process has; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def frames_of(stack: str) -> list[Frame]:
    """The calls of a stack as Starlark tells it, outermost first, without those of our files."""
    return [
        # The first line of every text is ours.
        Frame(path, int(line) - 1, function or "")
        for path, line, function in _FRAME.findall(stack)
        if not path.startswith(HIDDEN)
    ]


def _loads(given: Sequence[tuple[str, str, str]]) -> str:
    files: dict[str, list[str]] = {}
    for file, name, original in given:
        files.setdefault(file, []).append(f'{name}="{original}"')
    return ";".join(f'load("{file}",{",".join(names)})' for file, names in files.items())


def _reworded(message: str) -> tuple[str, str | None]:
    message = message.removeprefix("fail: ").removeprefix("Parse error: ")
    if "serde::serialize" in message:
        kind = message.rsplit("`", 2)[-2]
        return f"a {kind} is no value for an attribute", None
    if message == "Evaluation cancelled":
        return "evaluation takes too long: it was stopped", "is there a loop over too much?"
    if "call stack overflow" in message:
        return f"more than {limits.BUILD_FILE_CALLS} calls within each other", (
            "a function that calls itself is not allowed in a BUILD file"
        )
    if ", expected one of " in message:
        message = message.split(", expected one of ", 1)[0]
    message = message if len(message) <= _LONG else f"{message[:_LONG]}…"
    return message[:1].lower() + message[1:], None


def _dialect() -> "starlark.Dialect":
    dialect = starlark.Dialect.standard()
    dialect.enable_def = True
    dialect.enable_lambda = True
    dialect.enable_load = True
    dialect.enable_keyword_only_arguments = True
    # Bazel 8 reads annotations and ignores them.
    dialect.enable_types = starlark.DialectTypes.PARSE_ONLY
    dialect.enable_top_level_stmt = True
    return dialect


_DIALECT = _dialect()
_GLOBALS = starlark.Globals.extended_by(
    [
        starlark.LibraryExtension.StructType,
        starlark.LibraryExtension.Json,
        starlark.LibraryExtension.CallStack,
    ]
)
