"""What the functions of a file do: in a .bzl file here, in others by what overrides it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from artificer.builder.place import Place
from artificer.errors import ArtificerError
from artificer.events import Note, Report
from artificer.frontends.buildfile.check import UNMATCHED
from artificer.frontends.buildfile.interpreter import Interpreter, frames_of
from artificer.frontends.buildfile.labels import Label, PackageId, parse_label
from artificer.frontends.buildfile.schema import Rule
from artificer.frontends.buildfile.settings import Configuration, InvalidSelect

NATIVES = (
    *("bazel_dep", "bind", "choose", "declare", "defined", "existing_rules", "exports_files"),
    *("foreign", "glob", "include", "label", "local_path_override", "module", "module_name"),
    *(
        "module_version",
        "override_module",
        "package",
        "package_group",
        "package_name",
        "print",
        "repository_name",
    ),
    *("repository_rule", "subpackages", "tag_names", "tagged", "use_repo", "workspace"),
)
"""What `library/prelude.bzl` calls, with an underscore before it."""


class NotHere(ArtificerError):
    """A function that this kind of file may not call."""


class Workshop(Protocol):
    """What a scope needs of the loader."""

    interpreter: Interpreter
    report: Report

    def rule(self, key: str) -> Rule:
        """The rule that is called *key*."""

    def choose(self, labels: Sequence[Label], message: str, configuration: Configuration) -> int:
        """Which of *labels*, the conditions of a select, holds."""

    def canonical(self, label: Label) -> Label:
        """*label*, its repository called as everywhere else."""

    def home_of(self, path: str) -> PackageId:
        """The package whose file is called *path* in errors."""

    def included(self, label: Label, scope: "Scope") -> None:
        """Evaluate a part of a file as if it stood there."""


class Spot(NamedTuple):
    """Where a call came from: the place in the outermost file, and in the macros below it."""

    place: Place
    stack: tuple[Place, ...]


class Scope:
    """The file of *home* that is being evaluated, and what its calls mean.

    A method is what the function of that name in `library/prelude.bzl` does.
    """

    kind = "a .bzl file, outside of a function"

    def __init__(
        self, workshop: Workshop, home: PackageId, path: str, configuration: Configuration
    ) -> None:
        self.workshop = workshop
        self.home = home
        self.path = path
        self.configuration = configuration
        self.selected = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A function that exists, and not here."""
        if name not in NATIVES:
            raise AttributeError(name)

        def refuse(*_: Any) -> None:
            raise NotHere(f"`{_SHOWN.get(name, name)}` cannot be called in {self.kind}")

        return refuse

    def spot(self, stack: str) -> Spot:
        """Where the call with this *stack* is."""
        frames = frames_of(stack)
        places = [self.workshop.interpreter.place(f.path, f.line) for f in frames]
        return Spot(places[0], tuple(places[1:])) if places else Spot(Place(self.path, 1), ())

    def print(self, text: str) -> None:
        """Tell *text* to whoever builds."""
        if not self.configuration.first_pass:
            self.workshop.report(Note(text))

    def choose(self, keys: Sequence[str], message: str) -> int | str:
        """Which branch of a select is taken; or why none is, for a target that has the value."""
        self.selected = True
        labels = [self.workshop.canonical(parse_label(key, self.home)) for key in keys]
        try:
            return self.workshop.choose(labels, message, self.configuration)
        except InvalidSelect as error:
            return "\0".join((f"{UNMATCHED}{error.message}", error.hint or ""))

    def label(self, text: str, stack: str) -> dict[str, str]:
        """The fields of a `Label`; with a *stack*, relative to the file that calls."""
        home = self.home
        if stack:
            frames = frames_of(stack)
            if frames and frames[-1].path != self.path:
                home = self.workshop.home_of(frames[-1].path)
        found = self.workshop.canonical(parse_label(text, home))
        root = f"external/{found.repository}" if found.repository else ""
        return {
            "canonical_": str(found),
            "name": found.name,
            "package": found.package,
            "repo_name": found.repository,
            "workspace_name": found.repository,
            "workspace_root": root,
        }

    def defined(self, stack: str) -> str:
        """What a rule of the project is called in errors: the name it is given, and where."""
        frames = frames_of(stack)
        if not frames:
            return "a rule"
        line = self.workshop.interpreter.line(frames[-1].path, frames[-1].line)
        name = line.partition("=")[0].strip()
        shown = name if name.isidentifier() else "a rule"
        return f"{shown} ({frames[-1].path}:{frames[-1].line})"

    def foreign(
        self, what: str, stack: str, words: Sequence[str], named: Mapping[str, Any]
    ) -> str | None:
        """A function of another's file that computes something: a label that nothing has."""
        if not what.startswith("@"):
            return None
        module, _, name = what.partition("%")
        return f"{module.partition('//')[0]}//:{name}({','.join(words)})".replace(":(", ":")


_SHOWN = {
    "existing_rules": "existing_rule",
    "choose": "select",
    "declare": "a rule",
    "tagged": "a tag",
    "tag_names": "use_extension",
}
