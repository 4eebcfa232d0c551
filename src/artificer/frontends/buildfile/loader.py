"""Evaluates the files of a workspace, each when something needs it and once for a platform."""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from artificer.builder.place import Place
from artificer.errors import ArtificerError, Cancelled
from artificer.events import Report, Warned
from artificer.frontends.buildfile import bundled
from artificer.frontends.buildfile.check import InvalidCall, nearest
from artificer.frontends.buildfile.conditions import Conditions
from artificer.frontends.buildfile.files import MODULE, WORKSPACES, Files, first_file
from artificer.frontends.buildfile.interpreter import HIDDEN, Interpreter, Source
from artificer.frontends.buildfile.labels import Label, PackageId, parse_label
from artificer.frontends.buildfile.package import Package, PackageScope, call_failure
from artificer.frontends.buildfile.place import BuildFileError
from artificer.frontends.buildfile.schema import Call, Rule, Rulebook
from artificer.frontends.buildfile.scope import NATIVES, Scope, Spot
from artificer.frontends.buildfile.settings import Configuration, Setting
from artificer.frontends.buildfile.text import read_text
from artificer.frontends.buildfile.workspace import (
    ModuleScope,
    Workspace,
    WorkspaceScope,
    is_rule_set,
    known_repositories,
    load_hint,
    rule_key,
)

if TYPE_CHECKING:
    import starlark

# Files that load each other in a row: each is several frames of the process's own stack.
_LOADS = 40
_STRING = re.compile(r"""["']([\w.+-]+)["']""")
_Key = tuple[Any, bool]


class InvalidLoad(ArtificerError):
    """A load of what is not there, or of a file that is being loaded."""


class Loader:
    """A handle on the files of a workspace: packages, .bzl files, the WORKSPACE.

    *repository_files* answers where a repository's files are; it is to be set before
    `read_workspace`, after which *workspace* says what the files at the root declare.
    """

    def __init__(
        self,
        files: Files,
        configuration: Configuration,
        rulebook: Rulebook,
        report: Report,
    ) -> None:
        self.interpreter = Interpreter(lambda name: load_hint(rulebook, name))
        self.report = report
        self.files = files
        self._configuration = configuration
        self._rulebook = rulebook
        self.repository_files: Callable[[str], Files | None] = lambda _: None
        self._conditions = Conditions(self._settings, self.canonical)
        self._known = known_repositories(rulebook)
        self._scopes: list[Scope] = []
        self._loading: list[str] = []
        self._names: dict[str, str] = {}
        self._homes: dict[str, PackageId] = {}
        self._modules: dict[tuple[str, _Key], tuple[starlark.FrozenModule, bool]] = {}
        self._packages: dict[tuple[PackageId, _Key], Package] = {}
        self._shared: dict[PackageId, Package] = {}
        natives = rulebook.native | rulebook.workspace
        self._natives = bundled.given_rules(rulebook.native, bundled.NATIVE_ELSEWHERE)
        self._prelude = self._library(bundled.PRELUDE, bundled.prelude_text(natives))
        self._skylib: starlark.FrozenModule | None = None
        self.workspace = Workspace("", {}, {}, ())
        self._roots: list[WorkspaceScope] = []

    # What scopes ask.

    def rule(self, key: str) -> Rule:
        """The rule that is called *key*."""
        return self._rulebook.rules[key]

    def choose(self, labels: Sequence[Label], message: str, configuration: Configuration) -> int:
        """Which of *labels*, the conditions of a select, holds."""
        return self._conditions.choose(labels, message, configuration)

    def canonical(self, label: Label) -> Label:
        """*label*, its repository called as everywhere else."""
        known = self._names.get(label.repository)
        return label if known is None else label._replace(repository=known)

    def home_of(self, path: str) -> PackageId:
        """The package whose file is called *path* in errors."""
        return self._homes.get(path, PackageId("", path.rpartition("/")[0]))

    # What the graph asks.

    def package(self, home: PackageId, configuration: Configuration) -> Package | None:
        """The package *home*, None if there is none."""
        shared = self._shared.get(home)
        if shared is not None and not configuration.first_pass:
            return shared
        key = (home, _key(configuration))
        if key not in self._packages:
            made = self._evaluated(home, configuration)
            if made is None:
                return None
            self._packages[key] = made
            if not made.selected and not configuration.first_pass:
                self._shared[home] = made
        return self._packages[key]

    def files_of(self, repository: str) -> Files | None:
        """The files of *repository*, None if it has none."""
        return self.repository_files(repository) if repository else self.files

    def calls(self) -> Mapping[str, Call]:
        """What declares each repository, as far as the files at the root are read."""
        if not self._roots:
            return self.workspace.calls
        # Of two declarations, that of MODULE.bazel counts.
        return {
            name: call for scope in reversed(self._roots) for name, call in scope.calls.items()
        }

    def is_known(self, repository: str) -> bool:
        """Whether *repository* is a rule set that we stand in for."""
        return repository in self._known

    def call_failure(
        self, call: Call, attribute: str, message: str, hint: str | None
    ) -> ArtificerError:
        """The error that *attribute* of *call* is wrong, with its line."""
        error = InvalidCall(message, attribute=attribute, hint=hint)
        return call_failure(self, Spot(call.place, call.stack), error)

    def label_failure(self, call: Call, label: str, error: ArtificerError) -> ArtificerError:
        """*error* at the line of *call* that has the text *label*."""
        if isinstance(error, BuildFileError):
            return error
        for place in (call.place, *call.stack):
            line = self.interpreter.find(place, label)
            if line is not None:
                return self.interpreter.failure(line, error.message, error.hint)
        return self.call_failure(call, "", error.message, error.hint)

    def placed(self, call: Call, error: ArtificerError) -> ArtificerError:
        """*error*, at the line of *call* if it says no line itself."""
        if isinstance(error, BuildFileError):
            return error
        return self.call_failure(call, "", error.message, error.hint)

    def failure(self, place: Place, error: ArtificerError) -> ArtificerError:
        """*error* at *place*, with its line."""
        return self.interpreter.failure(place, error.message, error.hint)

    # How files are evaluated.

    def read_workspace(self) -> None:
        """Evaluate the files at the root: of two declarations, that of MODULE.bazel counts."""
        module = ModuleScope(self, MODULE, self._configuration, self._rulebook)
        self._root_file(module, first_file(self.files.root, (MODULE,)), bundled.MODULE)
        name = first_file(self.files.root, WORKSPACES)
        natives = bundled.given_rules(self._rulebook.workspace, bundled.WORKSPACE_ELSEWHERE)
        scope = WorkspaceScope(self, name or "", self._configuration, self._rulebook)
        self._root_file(scope, name, (*bundled.WORKSPACE, *natives))
        first, second = module.made(), scope.made()
        self._roots = []
        self.workspace = Workspace(
            second.name or first.name,
            {**second.calls, **first.calls},
            second.binds,
            (*first.silent, *second.silent),
        )

    def _root_file(
        self, scope: WorkspaceScope, name: str | None, given: Iterable[bundled.Given]
    ) -> None:
        self._roots.append(scope)
        if name is not None:
            scope.renamed = self._rename
            text = read_text(self.files.path(name), name)
            self._run(scope, text, given)

    def _rename(self, names: Mapping[str, str]) -> None:
        self._names.update({mine: theirs for mine, theirs in names.items() if mine})

    def included(self, label: Label, scope: Scope) -> None:
        """Evaluate a part of MODULE.bazel as if it stood there."""
        path = f"{label.package}/{label.name}".strip("/")
        before, scope.path = scope.path, path
        try:
            self._run(scope, read_text(self.files.path(path), path), bundled.MODULE)
        finally:
            scope.path = before

    def _evaluated(self, home: PackageId, configuration: Configuration) -> Package | None:
        files = self.files_of(home.repository)
        name = files.build_file(home.path) if files else None
        if files is None or name is None:
            return None
        if files.instead and not home.path:
            path, text = files.instead
        else:
            below = f"external/{home.repository}" if home.repository else ""
            path = "/".join(filter(None, (below, home.path, name)))
            text = read_text(files.path(home.path, name), path)
        scope = PackageScope(self, home, path, configuration)
        scope.files = files
        self._run(scope, text, self._natives)
        return scope.made()

    def _settings(self, home: PackageId) -> Mapping[str, Setting]:
        """The conditions of a package: evaluated once without deciding any."""
        try:
            package = self.package(home, self._configuration._replace(first_pass=True))
        except BuildFileError:
            # What is wrong shows when the package itself is evaluated, with its true branches.
            return {}
        return package.settings if package else {}

    def _run(
        self, scope: Scope, text: str, given: Iterable[bundled.Given]
    ) -> "starlark.FrozenModule":
        names = tuple(each for each in (*bundled.EVERYWHERE, *given) if each[1] in text)
        source = Source(scope.path, text, names)
        ast = self.interpreter.parsed(source)
        wanted: dict[str, dict[str, str]] = {}
        for load in ast.loads():
            wanted.setdefault(load.module_id, {}).update(load.symbols)
        self._scopes.append(scope)
        try:
            return self.interpreter.evaluate(
                source, ast, lambda module: self._load(module, wanted.get(module, {}), text)
            )
        finally:
            self._scopes.pop()

    def _load(self, module: str, names: Mapping[str, str], text: str) -> "starlark.FrozenModule":
        """What ``load(module, …)`` of the file with *text* gives: *names*, its own → theirs."""
        if module == bundled.PRELUDE:
            return self._prelude
        scope = self._scopes[-1]
        if not module.endswith((".bzl", ".scl")):
            raise InvalidLoad(f"a load is of a .bzl file, not of {module!r}")
        label = self.canonical(parse_label(module, scope.home))
        if str(label) in bundled.REPLACED:
            return self._helpers()
        files = self._files_to_load(label.repository)
        if files is None:
            written = self._written(label)
            if written is not None:
                return self._library(f"{HIDDEN}/{label.repository}.bzl", written, ("native",))
            return self._stand_ins(str(label), names, text)
        frozen = self._of_file(label, files)
        return self._stand_ins(str(label), names, text) if frozen is None else frozen

    def _of_file(self, label: Label, files: Files) -> "starlark.FrozenModule | None":
        """What the file *label* defines; None, with a warning, if another's is wrong."""
        scope = self._scopes[-1]
        try:
            frozen, selected = self._project_file(label, files, scope)
        except Cancelled:
            raise
        except ArtificerError as error:
            if not files.fetched or label.repository == scope.home.repository:
                raise
            # A rule set that wants more of Bazel than there is here: what needs it is refused.
            self.report(
                Warned(f"{label} cannot be evaluated: what it defines is not known", error.message)
            )
            return None
        scope.selected = scope.selected or selected
        return frozen

    def _files_to_load(self, repository: str) -> Files | None:
        """The files of *repository*; None if rules of ours stand in for what it has."""
        if self.is_known(repository):
            return None
        call = self.calls().get(repository)
        return None if call is not None and is_rule_set(call) else self.files_of(repository)

    def _helpers(self) -> "starlark.FrozenModule":
        """Helpers of others, written anew."""
        if self._skylib is None:
            library = bundled.read_library(bundled.SKYLIB)
            self._skylib = self._library(bundled.SKYLIB, library, ("native", "select"))
        return self._skylib

    def _written(self, label: Label) -> str | None:
        """The text of *label*, if the rule that makes its repository writes such a file."""
        call = self.calls().get(label.repository)
        if call is None or call.rule.starlark is None:
            return None
        return call.rule.starlark(call).get(f"{label.package}:{label.name}")

    def _project_file(
        self, label: Label, files: Files, scope: Scope
    ) -> tuple["starlark.FrozenModule", bool]:
        name = str(label)
        if name in self._loading or len(self._loading) > _LOADS:
            path = " → ".join((*self._loading[-_LOADS:], name))
            what = "files that load each other" if name in self._loading else "too many loads"
            raise InvalidLoad(f"{what}: {path}")
        key = (name, _key(scope.configuration))
        if key not in self._modules:
            short = f"{label.package}/{label.name}".strip("/")
            shown = f"external/{label.repository}/{short}" if label.repository else short
            path = files.path(short)
            if not os.path.isfile(path):
                raise InvalidLoad(f"load({name!r}): no file {shown}", hint=_like(path))
            inner = Scope(self, label.home, shown, scope.configuration)
            self._homes[shown] = label.home
            self._loading.append(name)
            try:
                frozen = self._run(inner, read_text(path, shown), ())
            finally:
                self._loading.pop()
            self._modules[key] = (frozen, inner.selected)
        return self._modules[key]

    def _stand_ins(
        self, module: str, names: Mapping[str, str], text: str
    ) -> "starlark.FrozenModule":
        """Rules of ours for *names* of another's file, and what is refused for all others."""
        lines = [f'load("{bundled.PRELUDE}", "declare", "foreign", "foreign_struct", "nothing")']
        helpers = bundled.HELPERS.get(module.partition("//")[0], ())
        for own, name in names.items():
            if name in helpers:
                lines += [f'load("{bundled.SKYLIB}", _{name} = "{name}")', f"{name} = _{name}"]
                continue
            key = rule_key(self._rulebook, module, name)
            field, equals, inner = (key or "").partition("=")
            if equals:
                lines.append(bundled.rule_text(f"_{field}", inner, "declare"))
                lines.append(f"{name} = struct({field} = _{field})")
            elif key:
                lines.append(bundled.rule_text(name, key, "declare"))
            elif key == "":
                lines.append(f"def {name}(*args, **attributes):\n    pass\n")
            else:
                lines.append(_foreign(module, name, own, text))
        source = Source(f"{HIDDEN}/stand_ins.bzl", "\n".join(lines))
        ast = self.interpreter.parsed(source)
        return self.interpreter.evaluate(
            source, ast, lambda path: self._helpers() if path == bundled.SKYLIB else self._prelude
        )

    def _library(self, path: str, text: str, given: Sequence[str] = ()) -> "starlark.FrozenModule":
        source = Source(path, text, tuple((bundled.PRELUDE, name, name) for name in given))
        ast = self.interpreter.parsed(source)
        callables = {} if given else {f"_{name}": self._native(name) for name in NATIVES}
        return self.interpreter.evaluate(source, ast, lambda _: self._prelude, callables)

    def _native(self, name: str) -> Callable[..., Any]:
        """The function *name* of the file that is being evaluated."""
        if name in {"declare", "override_module", "tagged"}:
            return lambda *args: getattr(self._scopes[-1], name)(*args[:-1], json.loads(args[-1]))
        return lambda *args: getattr(self._scopes[-1], name)(*args)


def _key(configuration: Configuration) -> _Key:
    # All else is the same for a whole build.
    return (configuration.platform, configuration.first_pass)


def _foreign(module: str, name: str, own: str, text: str) -> str:
    """What stands for *name* of *module*, by what the file with *text* does with it as *own*."""
    word = re.escape(own)
    if re.search(rf"\b{word}\[", text):
        # A dictionary of labels, as in packages.bzl: each key that the file may use is a target.
        home = module.rpartition(":")[0]
        labels = {key: f"{home}:{key}" for key in _STRING.findall(text)}
        return f"{name} = {labels}"
    # Not the name of a file in a label: "//x:deps.bzl".
    fields = sorted(set(re.findall(rf"(?<![\w.:/\"'@-]){word}\.(\w+)", text)))
    if fields:
        return f'{name} = foreign_struct("{module}%{name}", {fields})'
    if name.isupper() and not re.search(rf"\b{re.escape(own)}\s*[(\[]", text):
        # A constant, as LATEST_CRANE_VERSION: what it is passed to does without it.
        return f'{name} = "{module}%{name}"'
    return f'{name} = foreign("{module}%{name}")'


def _like(path: str) -> str | None:
    try:
        return nearest(os.path.basename(path), os.listdir(os.path.dirname(path)))
    except FileNotFoundError:
        return None
