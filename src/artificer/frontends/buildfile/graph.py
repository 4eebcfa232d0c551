"""A workspace's files to the graph of what was asked for: the one door of this package."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from artificer.builder.dependencies import dependencies
from artificer.builder.place import Place
from artificer.builder.targets import (
    Declared,
    Graph,
    Group,
    Output,
    Refused,
    SourceFile,
    Target,
    TargetId,
)
from artificer.errors import ArtificerError
from artificer.events import Event, Report
from artificer.frontends.buildfile.check import nearest
from artificer.frontends.buildfile.files import Files
from artificer.frontends.buildfile.grouping import CORE, SKYLIB_RULES
from artificer.frontends.buildfile.labels import (
    Label,
    PackageId,
    Pattern,
    parse_label,
    parse_pattern,
)
from artificer.frontends.buildfile.loader import Loader
from artificer.frontends.buildfile.repositories import Trees
from artificer.frontends.buildfile.resolve import CallContext, Made, Named, NoTarget, Resolver
from artificer.frontends.buildfile.schema import Call, Rulebook, Synthetic, Tree
from artificer.frontends.buildfile.settings import Configuration
from artificer.oci.platform import Platform


def _silent(event: Event) -> None:
    """Tell nobody."""


class LoadOptions(NamedTuple):
    """What decides how files are read.

    A target is made for each of *platforms*; without any, for what its rules say, and `select`
    goes by *host*. *directory* is where in the workspace the patterns were given. *trees* makes
    repositories that have to be fetched before their BUILD files can be read. With *keep_going* a
    target that is wrong is `Refused` and its error in `Loaded.failures`.
    """

    platforms: tuple[Platform, ...] = ()
    host: Platform = Platform("linux", "amd64")
    defines: Mapping[str, str] = {}
    compilation_mode: str = "fastbuild"
    stamp: bool = False
    flags: Mapping[str, str] = {}
    directory: str = ""
    keep_going: bool = False
    trees: Trees | None = None
    report: Report = _silent


class Loaded(NamedTuple):
    """What was asked for, and all that it needs."""

    graph: Graph
    roots: tuple[TargetId, ...]
    root: str
    workspace: str
    failures: tuple[ArtificerError, ...] = ()


class CyclicTargets(ArtificerError):
    """Targets that need each other."""


def load_graph(
    root: str, patterns: Sequence[str], options: LoadOptions, rulebook: Rulebook
) -> Loaded:
    """The targets that *patterns* name in the workspace at *root*, and all that they need.

    Only packages that are needed are read.
    """
    workspace = _Workspace(root, options, rulebook)
    roots = workspace.roots(patterns)
    for each in roots:
        workspace.add(each)
    name = workspace.resolver.loader.workspace.name
    return Loaded(workspace.graph, roots, root, name or "__main__", tuple(workspace.failures))


def load_repositories(root: str, options: LoadOptions, rulebook: Rulebook) -> Loaded:
    """Every target that the WORKSPACE and MODULE.bazel declare: what a lock file pins.

    Those of rule sets that we stand in for are left out: nothing is fetched for them.
    """
    workspace = _Workspace(root, options, rulebook)
    loader = workspace.resolver.loader
    roots = tuple(
        TargetId(f"@{name}//{key}", platform)
        for call in loader.workspace.calls.values()
        for platform in options.platforms or (None,)
        for name, repository in workspace.resolver.repositories.of(call, platform).items()
        if isinstance(repository, Synthetic | Tree) and not loader.is_known(name)
        for key in repository.targets
    )
    for each in roots:
        workspace.add(each)
    name = loader.workspace.name or "__main__"
    return Loaded(workspace.graph, roots, root, name, tuple(workspace.failures))


def complete(rulebook: Rulebook) -> Rulebook:
    """*rulebook*, with the rules that need no rule set."""
    module = "@bazel_skylib//rules:common_settings.bzl"
    ours = {module: SKYLIB_RULES, "@platforms": {}, "@bazel_skylib": {}, "@bazel_tools": {}}
    return rulebook._replace(
        rules={**CORE, **rulebook.rules},
        native=rulebook.native | CORE.keys(),
        modules={**ours, **rulebook.modules},
    )


class _Workspace:
    """The graph, while it grows."""

    def __init__(self, root: str, options: LoadOptions, rulebook: Rulebook) -> None:
        self.options = options
        self.graph: dict[TargetId, Declared] = {}
        self.failures: list[ArtificerError] = []
        configuration = Configuration(
            options.host,
            options.defines,
            options.compilation_mode,
            options.stamp,
            options.flags,
        )
        files = Files(root)
        loader = Loader(files, configuration, complete(rulebook), options.report)
        self.resolver = Resolver(files, configuration, loader, options.trees)

    def roots(self, patterns: Sequence[str]) -> tuple[TargetId, ...]:
        """What *patterns* name, each once, in their order; ``-//x`` takes away."""
        here = PackageId("", self.options.directory)
        found: dict[TargetId, None] = {}
        for text in patterns:
            pattern = parse_pattern(text.removeprefix("-"), here)
            for platform in self.options.platforms or (None,):
                for label in self._labels(pattern, platform):
                    if text.startswith("-"):
                        found.pop(TargetId(str(label), platform), None)
                    else:
                        found[TargetId(str(label), platform)] = None
        return tuple(found)

    def _labels(self, pattern: Pattern | Label, platform: Platform | None) -> Iterator[Label]:
        loader = self.resolver.loader
        if isinstance(pattern, Label):
            yield loader.canonical(pattern)
            return
        home = loader.canonical(Label(*pattern.package, "all")).home
        if not pattern.below:
            yield from self._package(home, pattern, platform)
            return
        files = loader.files_of(home.repository)
        paths = files.packages(home.path) if files else []
        if not paths:
            raise NoTarget(f"no packages below {home}", hint=self._near(home, files))
        for path in paths:
            yield from self._package(home._replace(path=path), pattern, platform)

    def _near(self, home: PackageId, files: Files | None) -> str | None:
        return nearest(home.path, files.packages("")) if files else None

    def _package(
        self, home: PackageId, pattern: Pattern, platform: Platform | None
    ) -> Iterator[Label]:
        package = self.resolver.package(home, platform)
        for name, call in package.calls.items():
            # As in Bazel: `manual` targets have to be named.
            if "manual" not in call.strings("tags"):
                yield Label(*home, name)
        if pattern.files:
            for name in package.outputs:
                yield Label(*home, name)

    def add(self, root: TargetId) -> None:
        """Add *root* and all that it needs."""
        if root in self.graph:
            return
        path = {root: iter(self._needs(root))}
        while path:
            last = next(reversed(path))
            for each in path[last]:
                if each in path:
                    raise self._cycle([*path, each])
                if each not in self.graph:
                    path[each] = iter(self._needs(each))
                    break
            else:
                del path[last]

    def _needs(self, id_: TargetId) -> tuple[TargetId, ...]:
        declared = self.graph[id_] = self._declared(id_)
        return dependencies(declared.target)

    def _declared(self, id_: TargetId) -> Declared:
        label = parse_label(id_.label, PackageId("", ""))
        found = self.resolver.find(label, id_.platform)
        match found:
            case SourceFile(short=short):
                return Declared(id_, Group((found,)), "source file", Place(short, 1))
            case Made(maker, name):
                output = Output(maker.id, name)
                return Declared(id_, Group((output,)), "generated file", maker.call.place)
            case Named(target=None, call=call):
                target = self._target(call, id_)
            case Named(target=target, call=call):
                pass
        return Declared(
            id_, target, call.rule.name, call.place, call.attributes, call.strings("tags")
        )

    def _target(self, call: Call, id_: TargetId) -> Target:
        if call.rule.convert is None:
            return _refused(call)
        try:
            return call.rule.convert(call, CallContext(self.resolver, call, id_.platform))
        except ArtificerError as error:
            failed = self.resolver.loader.placed(call, error)
            if not self.options.keep_going:
                raise failed from None
            self.failures.append(failed)
            return Refused(call.rule.name, failed.message, failed.hint or "")

    def _cycle(self, path: list[TargetId]) -> ArtificerError:
        cycle = path[path.index(path[-1]) :]
        shown = " → ".join(map(str, cycle))
        declared = self.graph[cycle[0]]
        error = CyclicTargets(f"targets that need each other: {shown}")
        return self.resolver.loader.failure(declared.place, error)


def _refused(call: Call) -> Refused:
    name = call.rule.name
    module, _, short = name.rpartition("%")
    where = f" of {module}" if module else ""
    return Refused(
        name,
        f"artificer does not have the rule {short or name}{where}",
        "declare what it makes by a `genrule` or `command`, or fetch it with http_file",
    )
