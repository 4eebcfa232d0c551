"""WORKSPACE and MODULE.bazel files as they are evaluated: the repositories that they declare."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from artificer.frontends.buildfile.labels import PackageId, parse_label
from artificer.frontends.buildfile.package import calls_of, checked_call
from artificer.frontends.buildfile.schema import Call, Rule, Rulebook
from artificer.frontends.buildfile.scope import Scope, Spot, Workshop
from artificer.frontends.buildfile.settings import Configuration

_ROOT = PackageId("", "")
# Rule sets by the name of their source, for those who call them something else.
_RULE_SETS = {
    "bazel-skylib": "bazel_skylib",
    "distroless": "distroless_rules",
    "rules_docker": "io_bazel_rules_docker",
    "rules_go": "io_bazel_rules_go",
    "rules_oci": "rules_oci",
    "rules_pkg": "rules_pkg",
    "rules_python": "rules_python",
}
_RULE_SET = re.compile(rf"/({'|'.join(_RULE_SETS)})(?:\.git|/|$| )")
# Rules of these are for compilers and tools that are not here: to fetch them helps nobody.
_ELSEWHERE = re.compile(
    r"[/.](?:bazelbuild|bazel-contrib|aspect-build|protocolbuffers)/|mirror\.bazel\.build/"
)
# Which file of a rule set gives them, by how they begin.
_FILES = {
    "@io_bazel_rules_docker container_": "//container:container.bzl",
    "@rules_oci oci_": "//oci:defs.bzl",
}
_TAG = re.compile(r"\.([A-Za-z_]\w*)\s*\(")


class Workspace(NamedTuple):
    """What the files at the root declare.

    *calls* are repositories by name. *silent* are calls of functions that we do not have, which
    may have declared anything.
    """

    name: str
    calls: Mapping[str, Call]
    binds: Mapping[str, str]
    silent: Sequence[tuple[str, Spot]]


class WorkspaceScope(Scope):
    """A WORKSPACE file, while it is evaluated; later files add to what earlier ones declared."""

    kind = "a WORKSPACE file"

    def __init__(
        self, workshop: Workshop, path: str, configuration: Configuration, rulebook: Rulebook
    ) -> None:
        super().__init__(workshop, _ROOT, path, configuration)
        self.rulebook = rulebook
        self.own_name = ""
        self.calls: dict[str, Call] = {}
        self.binds: dict[str, str] = {}
        self.silent: list[tuple[str, Spot]] = []
        self.renamed: Callable[[Mapping[str, str]], None] = _unheard

    def made(self) -> Workspace:
        """What was declared until now."""
        return Workspace(self.own_name, self.calls, self.binds, self.silent)

    def workspace(self, name: str) -> None:
        """The workspace's own name."""
        self.own_name = name
        self.renamed({name: ""})

    def declare(self, key: str, stack: str, attributes: Mapping[str, Any]) -> None:
        """A repository rule is called. Bazel lets a later call of the same name win."""
        rule = self.workshop.rule(key)
        call = checked_call(self.workshop, rule, attributes, self.spot(stack), self.home)
        self.calls.update((each.name, each) for each in calls_of(call) if each.name)
        if not rule.replaces and call.name:
            known = self._rule_set(call)
            if known:
                self.renamed({call.name: known})

    def override_module(self, key: str, stack: str, attributes: Mapping[str, Any]) -> None:
        """Another module, from elsewhere; of a rule set that we stand in for, nothing is."""
        name = attributes.get("name")
        if name not in known_repositories(self.rulebook):
            given = {key: value for key, value in attributes.items() if key != "patch_strip"}
            self.declare(key, stack, given)

    def _rule_set(self, call: Call) -> str | None:
        """The rule set that *call* fetches, where it is called other than usual."""
        if call.name in known_repositories(self.rulebook):
            return None
        found = _RULE_SET.search(_places(call))
        known = _RULE_SETS[found[1]] if found else ""
        return known if known in known_repositories(self.rulebook) else None

    def foreign(
        self, what: str, stack: str, words: Sequence[str], named: Mapping[str, Any]
    ) -> str | None:
        """A function that we do not have: a repository with a name, else who knows."""
        name = named.get("name")
        spot = self.spot(stack)
        if isinstance(name, str):
            rule = Rule(what, {}, open=True)
            self.calls[name] = checked_call(self.workshop, rule, named, spot, self.home)
            return None
        self.silent.append((what, spot))
        return super().foreign(what, stack, words, named)

    def bind(self, name: str, actual: Any) -> None:
        """``//external:name`` is *actual*."""
        if isinstance(actual, str):
            self.binds[name] = actual

    def existing_rules(self) -> dict[str, dict[str, Any]]:
        """What was declared until now."""
        return {
            name: {**call.attributes, "kind": call.rule.name, "name": name}
            for name, call in self.calls.items()
        }

    def package_name(self) -> str:
        """A WORKSPACE file is in no package."""
        return ""

    def repository_name(self) -> str:
        """The main repository."""
        return "@"


class ModuleScope(WorkspaceScope):
    """A MODULE.bazel file, while it is evaluated."""

    kind = "a MODULE.bazel file"

    def module(self, name: str, repo_name: str) -> None:
        """The module's own name."""
        self.own_name = repo_name or name
        self.renamed({self.own_name: ""})

    def bazel_dep(self, name: str, repo_name: str | None) -> None:
        """Another module: a rule set, under the name that this file gives to it."""
        if repo_name:
            self.renamed({repo_name: name})

    def local_path_override(self, name: str, path: str, stack: str) -> None:
        """A module in a directory."""
        self.declare("local_repository", stack, {"name": name, "path": path})

    def tag_names(self) -> list[str]:
        """The tags of any extension that this file may call."""
        known = {tag for tags in self.rulebook.extensions.values() for tag in tags}
        text = self.workshop.interpreter.text(self.path)
        return sorted(known | _called(text))

    def tagged(self, extension: str, tag: str, stack: str, attributes: Mapping[str, Any]) -> None:
        """A tag of an extension is called: a repository, if we know the extension."""
        known = self._extension(extension)
        tags = self.rulebook.extensions.get(known, {})
        if tag in tags:
            if tags[tag]:
                self.declare(tags[tag], stack, attributes)
        else:
            self.foreign(f"{known}.{tag}", stack, (), attributes)

    def use_repo(
        self, extension: str, names: Sequence[str], renamed: Mapping[str, str], stack: str
    ) -> None:
        """Repositories of an extension, under the names that this file gives to them."""
        self.renamed({mine: theirs for mine, theirs in renamed.items() if mine != theirs})
        if self._extension(extension) not in self.rulebook.extensions:
            rule = Rule(self._extension(extension), {}, open=True)
            for name in (*names, *renamed.values()):
                call = checked_call(
                    self.workshop, rule, {"name": name}, self.spot(stack), self.home
                )
                self.calls.setdefault(name, call)

    def _extension(self, text: str) -> str:
        file, _, name = text.partition("%")
        return f"{self.workshop.canonical(parse_label(file, self.home))}%{name}"

    def include(self, label: str) -> None:
        """A part of this file in another one."""
        self.workshop.included(self.workshop.canonical(parse_label(label, self.home)), self)

    def repository_rule(self, file: str, name: str) -> str:
        """The key of the rule *name* of *file*, "" if we do not have it."""
        label = self.workshop.canonical(parse_label(file, self.home))
        return rule_key(self.rulebook, str(label), name) or ""

    def module_name(self) -> str:
        """The module's own name."""
        return self.own_name


def is_rule_set(call: Call) -> bool:
    """Whether *call* fetches rules of those who make Bazel's: refused where they are needed."""
    return bool(_ELSEWHERE.search(_places(call)))


def _places(call: Call) -> str:
    given = (call.attributes.get(name) for name in ("url", "urls", "remote"))
    return " ".join(str(each) for each in given if each)


def rule_key(rulebook: Rulebook, module: str, name: str) -> str | None:
    """Which rule ``load(module, name)`` gives, None if that is not one of ours."""
    repository = module.partition("//")[0]
    for table in (rulebook.modules.get(module), rulebook.modules.get(repository)):
        if table is not None and name in table:
            return table[name]
    if repository.removeprefix("@") in known_repositories(rulebook) and name in rulebook.rules:
        return name
    return None


def load_hint(rulebook: Rulebook, name: str) -> str | None:
    """How a file gets at *name*, if that is a rule which it has to load."""
    known = sorted(rulebook.modules, key=lambda one: "//" in one)
    module = next((one for one in known if name in rulebook.modules[one]), None)
    if module is None:
        return None
    starts = f"{module} {name}"
    file = next((file for start, file in _FILES.items() if starts.startswith(start)), "")
    if not file and "//" not in module:
        return f"load it first, from a file of {module}"
    return f'load it first: `load("{module}{file}", "{name}")`'


def known_repositories(rulebook: Rulebook) -> frozenset[str]:
    """The rule sets that we stand in for."""
    return frozenset(key.partition("//")[0].removeprefix("@") for key in rulebook.modules)


def _called(text: str) -> set[str]:
    return set(_TAG.findall(text))


def _unheard(names: Mapping[str, str]) -> None:
    """Nobody asked yet for the names that a file gives to repositories."""
