"""Labels to what they name: a file, a target, or a file that a target makes."""

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple, NoReturn

from artificer.builder.targets import Output, Refused, Source, SourceFile, Target, TargetId
from artificer.errors import ArtificerError
from artificer.frontends.buildfile.check import nearest
from artificer.frontends.buildfile.files import Files, matcher
from artificer.frontends.buildfile.labels import Label, PackageId, parse_label
from artificer.frontends.buildfile.loader import Loader
from artificer.frontends.buildfile.package import Package
from artificer.frontends.buildfile.repositories import Repositories, Trees
from artificer.frontends.buildfile.schema import Call, Nothing, Renamed, Synthetic, Tree
from artificer.frontends.buildfile.settings import Configuration
from artificer.frontends.buildfile.visibility import is_visible
from artificer.oci.platform import Platform


class NoTarget(ArtificerError):
    """A label that names nothing, or what may not be used here."""


class Named(NamedTuple):
    """A target: its *call*, or for a repository's the *target* itself and the call behind it."""

    id: TargetId
    call: Call
    target: Target | None = None


class Made(NamedTuple):
    """A file that a target makes: all that it yields where *name* is empty."""

    maker: Named
    name: str


Found = Named | Made | SourceFile


class Resolver:
    """A handle: finds what labels name, loading packages and repositories as needed."""

    def __init__(
        self, files: Files, configuration: Configuration, loader: Loader, trees: Trees | None
    ) -> None:
        self.loader = loader
        self.configuration = configuration
        self.files = files
        self.repositories = Repositories(loader, self._context, trees)
        loader.repository_files = self.repositories.files
        loader.read_workspace()

    def configured(self, platform: Platform | None) -> Configuration:
        """The configuration for *platform*, the machine's own if that is None."""
        return self.configuration._replace(platform=platform) if platform else self.configuration

    def package(self, home: PackageId, platform: Platform | None) -> Package:
        """The package *home*; an error if there is none."""
        if home.repository:
            repository, call = self.repositories.find(home.repository, platform)
            if isinstance(repository, Tree):
                self.repositories.tree(home.repository, repository, call)
        found = self.loader.package(home, self.configured(platform))
        if found is not None:
            return found
        files = self.loader.files_of(home.repository)
        known = files.packages("") if files else []
        raise NoTarget(
            f"no package {home}: {home.path or 'its root'} has no BUILD file",
            hint=nearest(home.path, known) or "a package is a directory with a BUILD file",
        )

    def find(
        self, label: Label, platform: Platform | None, user: PackageId | None = None
    ) -> Found:
        """What *label* names, aliases followed. *user* is the package that wants to use it."""
        seen: list[Label] = []
        while True:
            label = self.loader.canonical(label)
            if label in seen:
                path = " → ".join(map(str, (*seen, label)))
                raise NoTarget(f"aliases that lead to each other: {path}")
            seen.append(label)
            found = self._find(label, platform, user)
            if not isinstance(found, Label):
                return found
            # What an alias names is the alias's business: its package has to see the target, or
            # the root's where the WORKSPACE gives the other name.
            user = label.home if self.loader.files_of(label.repository) else PackageId("", "")
            label = found

    def _find(
        self, label: Label, platform: Platform | None, user: PackageId | None
    ) -> Found | Label:
        if not label.repository and label.package == "external":
            actual = self.loader.workspace.binds.get(label.name)
            if actual is not None:
                return parse_label(actual, PackageId("", ""))
        if label.repository:
            known = self._in_repository(label, platform)
            if known is not None:
                return known
        package = self.package(label.home, platform)
        call = package.calls.get(label.name)
        maker = call or package.calls.get(package.outputs.get(label.name, ""))
        if maker is None:
            return self._file(label, package, user)
        self._check_visible(label, maker, package, user)
        if call is not None and call.rule.name == "alias" and user is not None:
            return parse_label(call.string("actual"), label.home)
        id_ = TargetId(str(label._replace(name=maker.name)), platform)
        return Named(id_, maker) if call is not None else Made(Named(id_, maker), label.name)

    def _in_repository(self, label: Label, platform: Platform | None) -> Found | Label | None:
        """What *label* names in a repository without files; None if it has files."""
        name = label.repository
        if self.loader.is_known(name) and name not in self.loader.workspace.calls:
            raise NoTarget(
                f"{label}: artificer has the rules of @{name}, and no targets of it",
                hint="what only @" + name + " itself has cannot be used",
            )
        repository, call = self.repositories.find(name, platform)
        match repository:
            case Synthetic() | Tree():
                return self._synthetic(label, platform, repository, call)
            case Renamed(labels):
                actual = labels.get(_key(label))
                if actual is None:
                    raise self._none_in(label, labels)
                return parse_label(actual, PackageId("", ""))
            case Nothing() | None:
                target = Refused(
                    call.rule.name,
                    f"artificer does not have the rule {call.rule.name} that makes @{name}",
                    f"replace what {call.place} declares: by http_file, http_archive or a pull",
                )
                return Named(TargetId(str(label), platform), call, target)

    def _synthetic(
        self, label: Label, platform: Platform | None, repository: Synthetic | Tree, call: Call
    ) -> Found | None:
        key = _key(label)
        targets = repository.targets
        if key in targets:
            return Named(TargetId(str(label), platform), call, targets[key])
        if isinstance(repository, Tree):
            return None
        if key not in repository.outputs:
            raise self._none_in(label, {**targets, **repository.outputs})
        maker, name = repository.outputs[key]
        id_ = TargetId(f"@{label.repository}//{maker}", platform)
        return Made(Named(id_, call, targets[maker]), name)

    def _none_in(self, label: Label, known: Mapping[str, object]) -> NoTarget:
        names = [f"@{label.repository}//{key}" for key in known]
        hint = nearest(str(label), names) or f"there is {', '.join(names)}"
        return NoTarget(f"no target {label}", hint=hint)

    def _file(self, label: Label, package: Package, user: PackageId | None) -> SourceFile:
        files = self.loader.files_of(label.repository) or self.files
        path = f"{label.package}/{label.name}".strip("/")
        inner = files.package_of(f"{path}/x") if label.name != "." else label.package
        if inner is not None and inner != label.package and inner.startswith(label.package):
            rest = path[len(inner) + 1 :]
            better = f"//{inner}:{rest}" if rest else f"//{inner}"
            raise NoTarget(
                f"{label}: {label.name} is not in the package {label.home}, for {inner} is a "
                "package of its own",
                hint=f"write {better}",
            )
        if not os.path.lexists(files.path(path)):
            raise NoTarget(
                f"no target or file {label}: {package.path} declares no {label.name}, "
                "and there is no such file",
                hint=nearest(label.name, self._names(label.home, package, files)),
            )
        self._check_exported(label, package, user)
        short = f"external/{label.repository}/{path}" if label.repository else path
        return SourceFile(files.path(path), short)

    def _names(self, home: PackageId, package: Package, files: Files) -> set[str]:
        return {*package.calls, *package.outputs, *files.glob(home.path, ["*"], directories=True)}

    def _check_visible(
        self, label: Label, call: Call, package: Package, user: PackageId | None
    ) -> None:
        if user is None or user == label.home:
            return
        rules = call.attributes.get("visibility")
        if rules is None:
            rules = package.visibility
        if not is_visible(rules or (), label.home, user, self._group):
            raise NoTarget(
                f"{label} is not visible to {user}",
                hint=f'add `visibility = ["//{user.path}:__pkg__"]` to it at {call.place}',
            )

    def _check_exported(self, label: Label, package: Package, user: PackageId | None) -> None:
        # As in Bazel, a file that nobody exported may be used all the same.
        rules = package.exported.get(label.name)
        if rules is None or user is None or user == label.home:
            return
        if not is_visible(rules, label.home, user, self._group):
            raise NoTarget(f"the file {label} is not visible to {user}")

    def _group(self, label: Label) -> tuple[tuple[str, ...], tuple[str, ...]]:
        label = self.loader.canonical(label)
        package = self.package(label.home, None)
        if label.name not in package.groups:
            raise NoTarget(f"no package_group {label}", hint=nearest(label.name, package.groups))
        return package.groups[label.name]

    def _context(self, call: Call, platform: Platform | None) -> "CallContext":
        return CallContext(self, call, platform)


class CallContext:
    """What a rule may ask while *call* becomes a target, for *platform*."""

    def __init__(self, resolver: Resolver, call: Call, platform: Platform | None) -> None:
        self._resolver = resolver
        self._call = call
        self._platform = platform
        self.home = home_of(call)

    @property
    def root(self) -> str:
        """The directory of the repository that the call is in."""
        return self._files.root

    @property
    def workspace(self) -> str:
        """The workspace's name."""
        return self._resolver.loader.workspace.name or "__main__"

    @property
    def platform(self) -> Platform | None:
        """What the target is made for."""
        return self._platform

    @property
    def defines(self) -> Mapping[str, str]:
        """``--define`` of the command line."""
        return self._resolver.configuration.defines

    @property
    def stamp(self) -> bool:
        """Whether the command line says ``--stamp``."""
        return self._resolver.configuration.stamp

    @property
    def compilation_mode(self) -> str:
        """``fastbuild``, ``opt`` or ``dbg``."""
        return self._resolver.configuration.compilation_mode

    @property
    def variables(self) -> Mapping[str, str]:
        """What ``$(NAME)`` stands for."""
        configuration = self._resolver.configured(self._platform)
        return {
            "BINDIR": "artificer-bin",
            "GENDIR": "artificer-bin",
            "COMPILATION_MODE": configuration.compilation_mode,
            "TARGET_CPU": configuration.cpu,
            **configuration.defines,
        }

    @property
    def _files(self) -> Files:
        return self._resolver.loader.files_of(self.home.repository) or self._resolver.files

    def source(self, label: str) -> Source:
        """The file or the target's output that *label* names."""
        match self._find(label, self._platform):
            case SourceFile() as file:
                return file
            case Named(id_):
                return Output(id_)
            case Made(maker, name):
                return Output(maker.id, name)

    def sources(self, labels: Iterable[str]) -> tuple[Source, ...]:
        """`source` of each of *labels*."""
        return tuple(self.source(label) for label in labels)

    def target(self, label: str, *, platform: Platform | None = None) -> TargetId:
        """The target that *label* names, for *platform* or the call's own."""
        found = self._find(label, platform or self._platform)
        if isinstance(found, SourceFile):
            self._failed(NoTarget(f"{label} is the file {found.short}, and not a target"), label)
        return found.id if isinstance(found, Named) else found.maker.id

    def call(self, label: str) -> Call | None:
        """How the target that *label* names was declared."""
        found = self._find(label, self._platform)
        return found.call if isinstance(found, Named) and found.target is None else None

    def repository(self, name: str) -> Call | None:
        """How the repository *name* was declared."""
        return self._resolver.loader.calls().get(name)

    def of(self, call: Call) -> "CallContext":
        """The context of another call."""
        return CallContext(self._resolver, call, self._platform)

    def file(self, path: str) -> SourceFile:
        """The file or directory *path* of the package."""
        short = "/".join(filter(None, (self.home.path, path)))
        below = f"external/{self.home.repository}/" if self.home.repository else ""
        return SourceFile(self._files.path(short), below + short)

    def glob(self, patterns: Iterable[str], exclude: Iterable[str] = ()) -> tuple[SourceFile, ...]:
        """The package's files that match, sorted."""
        found = self._files.glob(self.home.path, tuple(patterns), directories=False)
        for pattern in exclude:
            takes = matcher(pattern)
            found = {path for path in found if not takes(path)}
        return tuple(self.file(path) for path in sorted(found))

    def fail(self, call: Call, attribute: str, message: str, hint: str | None = None) -> NoReturn:
        """Say that *call* is wrong, at the line of *attribute*."""
        raise self._resolver.loader.call_failure(call, attribute, message, hint)

    def _find(self, label: str, platform: Platform | None) -> Found:
        try:
            return self._resolver.find(parse_label(label, self.home), platform, self.home)
        except ArtificerError as error:
            self._failed(error, label)

    def _failed(self, error: ArtificerError, label: str) -> NoReturn:
        raise self._resolver.loader.label_failure(self._call, label, error) from None


def home_of(call: Call) -> PackageId:
    """The package that *call* stands in."""
    if not call.package.startswith("@"):
        return PackageId("", call.package)
    repository, _, path = call.package[1:].partition("//")
    return PackageId(repository, path)


def _key(label: Label) -> str:
    return f"{label.package}:{label.name}"
