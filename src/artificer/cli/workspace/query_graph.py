"""Queries answered: sets of targets of a graph, in its order."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, assert_never

from artificer.builder.dependencies import references
from artificer.builder.targets import Declared, Graph, Output, SourceFile, TargetId
from artificer.cli.workspace.query_words import (
    Apply,
    Combine,
    Expression,
    InvalidQuery,
    Let,
    Pattern,
    Several,
    is_word,
    word_of,
)
from artificer.cli.workspace.test import tests_of
from artificer.frontends.buildfile.files import Files
from artificer.frontends.buildfile.labels import Label, PackageId, parse_label, parse_pattern

Nodes = dict[str, None]
"""Labels, each once, in their order."""


class Web:
    """What hangs together: labels of targets and source files, and what each needs."""

    def __init__(self, graph: Graph, files: Files, directory: str) -> None:
        self._files = files
        self._here = PackageId("", directory)
        self.declared: dict[str, Declared] = {}
        self.needs: dict[str, Nodes] = {}
        self._graph = graph
        for one, declared in graph.items():
            self.declared.setdefault(one.label, declared)
            self.needs.setdefault(one.label, {}).update(self._needed(declared))
        for needed in tuple(self.needs.values()):
            for label in needed:
                self.needs.setdefault(label, {})

    def answer(self, expression: Expression, names: Mapping[str, Nodes]) -> Nodes:
        """The targets that *expression* stands for; *names* are what `let` gave."""
        match expression:
            case Pattern(text):
                return self._variable(text, names) if text.startswith("$") else self.named(text)
            case Several(patterns):
                return dict.fromkeys(label for one in patterns for label in self.named(one.text))
            case Let(name, value, body):
                return self.answer(body, {**names, name: self.answer(value, names)})
            case Combine(operator, left, right):
                return _combined(operator, self.answer(left, names), self.answer(right, names))
            case Apply(name, arguments):
                given = [
                    word_of(one) if is_word(name, number) else self.answer(one, names)
                    for number, one in enumerate(arguments)
                ]
                found: Nodes = getattr(self, f"_{name}")(*given)
                return found
            case _:
                assert_never(expression)

    def named(self, text: str) -> Nodes:
        """The targets that a label or a pattern names."""
        pattern = parse_pattern(text, self._here)
        if isinstance(pattern, Label):
            label = str(pattern)
            if label not in self.needs:
                raise InvalidQuery(f"no target {label} in what was loaded")
            return {label: None}
        home = pattern.package
        head = f"{home}/" if home.path else str(home)
        return {
            label: None
            for label, declared in self.declared.items()
            if declared.rule not in {"source file"}
            and _is_in(label, str(home), head if pattern.below else None)
            and (pattern.files or declared.rule != "generated file")
        }

    def kind(self, label: str) -> str:
        """``container_image rule``, ``source file``, ``generated file``."""
        declared = self.declared.get(label)
        if declared is None or declared.rule == "source file":
            return "source file"
        return declared.rule if declared.rule == "generated file" else f"{declared.rule} rule"

    def _needed(self, declared: Declared) -> Iterator[tuple[str, None]]:
        for one in references(declared.target):
            match one:
                case SourceFile(short=short):
                    yield self._file_label(short), None
                case Output(target):
                    yield target.label, None
                case TargetId(label):
                    yield label, None
                case _:
                    continue

    def _file_label(self, short: str) -> str:
        if short.startswith("external/"):
            repository, _, rest = short.removeprefix("external/").partition("/")
            folder, _, name = rest.rpartition("/")
            return f"@{repository}//{folder}:{name}"
        package = self._files.package_of(short) or ""
        return f"//{package}:{short.removeprefix(package).lstrip('/')}"

    def _variable(self, text: str, names: Mapping[str, Nodes]) -> Nodes:
        if text[1:] not in names:
            raise InvalidQuery(f"no such variable: {text}")
        return names[text[1:]]

    # The functions, by their names.

    def _deps(self, roots: Nodes, depth: str = "") -> Nodes:
        return _reached(roots, self.needs, _number(depth, "deps"))

    def _rdeps(self, universe: Nodes, roots: Nodes, depth: str = "") -> Nodes:
        within = _reached(universe, self.needs, None)
        users = self._users(within)
        start = {one: None for one in roots if one in within}
        return _reached(start, users, _number(depth, "rdeps"))

    def _allrdeps(self, roots: Nodes, depth: str = "") -> Nodes:
        return self._rdeps(dict.fromkeys(self.needs), roots, depth)

    def _kind(self, pattern: str, nodes: Nodes) -> Nodes:
        matches = _regex(pattern)
        return {one: None for one in nodes if matches.search(self.kind(one))}

    def _filter(self, pattern: str, nodes: Nodes) -> Nodes:
        matches = _regex(pattern)
        return {one: None for one in nodes if matches.search(one)}

    def _attr(self, name: str, pattern: str, nodes: Nodes) -> Nodes:
        matches = _regex(pattern)
        return {
            one: None
            for one in nodes
            if (declared := self.declared.get(one)) is not None
            and name in declared.attributes
            and matches.search(attribute_text(declared.attributes[name]))
        }

    def _labels(self, name: str, nodes: Nodes) -> Nodes:
        found: Nodes = {}
        for one in nodes:
            declared = self.declared.get(one)
            if declared is None or name not in declared.attributes:
                continue
            home = parse_label(one, self._here).home
            for text in _texts(declared.attributes[name]):
                label = str(parse_label(text, home))
                if label in self.needs:
                    found[label] = None
        return found

    def _tests(self, nodes: Nodes) -> Nodes:
        ids = [declared.id for one in nodes if (declared := self.declared.get(one))]
        return dict.fromkeys(one.label for one in tests_of(ids, self._graph))

    def _some(self, nodes: Nodes, count: str = "1") -> Nodes:
        if not nodes:
            raise InvalidQuery("some() of nothing")
        return dict.fromkeys(list(nodes)[: _number(count, "some")])

    def _buildfiles(self, nodes: Nodes) -> Nodes:
        places = (self.declared[one].place.path for one in nodes if one in self.declared)
        return dict.fromkeys(self._file_label(path) for path in places)

    def _somepath(self, starts: Nodes, ends: Nodes) -> Nodes:
        came: dict[str, str | None] = dict.fromkeys(starts)
        waiting = list(starts)
        for one in waiting:
            if one in ends:
                path = [one]
                while (before := came[path[-1]]) is not None:
                    path.append(before)
                return dict.fromkeys(reversed(path))
            for needed in self.needs[one]:
                if needed not in came:
                    came[needed] = one
                    waiting.append(needed)
        return {}

    def _allpaths(self, starts: Nodes, ends: Nodes) -> Nodes:
        below = _reached(starts, self.needs, None)
        above = _reached({one: None for one in ends if one in below}, self._users(below), None)
        return {one: None for one in below if one in above}

    def _users(self, within: Nodes) -> dict[str, Nodes]:
        users: dict[str, Nodes] = {one: {} for one in within}
        for one in within:
            for needed in self.needs[one]:
                users[needed][one] = None
        return users


def attribute_text(value: Any) -> str:
    """An attribute as `attr` matches it: ``1`` for true, ``[a, b]`` for a list."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(attribute_text, value))}]"
    if isinstance(value, Mapping):
        pairs = (f"{key}={attribute_text(one)}" for key, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    return "" if value is None else str(value)


def _combined(operator: str, left: Nodes, right: Nodes) -> Nodes:
    if operator == "union":
        return {**left, **right}
    wanted = operator == "intersect"
    return {one: None for one in left if (one in right) is wanted}


def _reached(roots: Iterable[str], needs: Mapping[str, Nodes], depth: int | None) -> Nodes:
    found = dict.fromkeys(roots)
    edge = list(found)
    while edge and depth != 0:
        following = [one for each in edge for one in needs.get(each, ()) if one not in found]
        edge = list(dict.fromkeys(following))
        found.update(dict.fromkeys(edge))
        depth = None if depth is None else depth - 1
    return found


def _is_in(label: str, home: str, head: str | None) -> bool:
    package = label.rpartition(":")[0]
    return package == home or (head is not None and package.startswith(head))


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise InvalidQuery(f"not a regular expression: {text!r}: {error}") from error


def _number(text: str, function: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise InvalidQuery(f"{function} takes a number, not {text!r}")
    return int(text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(key if not isinstance(one, str) else one)
