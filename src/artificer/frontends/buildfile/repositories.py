"""Repositories by name: what the WORKSPACE declares, read when something needs it."""

import os
from collections.abc import Callable, Mapping

from artificer.builder.targets import Declared, Graph, SourceFile, TargetId
from artificer.errors import ArtificerError
from artificer.frontends.buildfile.check import nearest
from artificer.frontends.buildfile.files import Files
from artificer.frontends.buildfile.schema import Call, Context, Repository, Tree
from artificer.frontends.buildfile.text import read_text
from artificer.frontends.buildfile.workspace import Workspace
from artificer.oci.platform import Platform

Trees = Callable[[Graph, TargetId], str]
"""Makes a target and what it needs; answers the directory with the files that it yields."""

Contexts = Callable[[Call, Platform | None], Context]


class NoRepository(ArtificerError):
    """A repository that nothing declares, or that cannot be made."""


class Repositories:
    """A handle on the repositories of a *workspace*; *trees* makes those that must be fetched."""

    def __init__(self, workspace: Workspace, contexts: Contexts, trees: Trees | None) -> None:
        self._workspace = workspace
        self._contexts = contexts
        self._trees = trees
        self._converted: dict[tuple[str, Platform | None], Mapping[str, Repository]] = {}
        self._files: dict[str, Files] = {}

    def find(self, name: str, platform: Platform | None) -> tuple[Repository | None, Call]:
        """The repository *name* (None if its rule is not ours), and the call that declares it."""
        # oci_pull also declares `NAME_linux_amd64`: such a name begins with that of the call.
        calls = self._workspace.calls
        found = [call for n, call in calls.items() if n == name or name.startswith(f"{n}_")]
        for call in sorted(found, key=lambda each: -len(each.name)):
            if call.rule.repository is None:
                if call.name == name:
                    return None, call
            elif (repository := self.of(call, platform).get(name)) is not None:
                return repository, call
        raise NoRepository(f"no repository @{name}: nothing declares it", hint=self._hint(name))

    def of(self, call: Call, platform: Platform | None) -> Mapping[str, Repository]:
        """The repositories that *call* declares; its rule is one of ours."""
        key = (call.name, platform)
        if key not in self._converted:
            convert = call.rule.repository
            self._converted[key] = convert(call, self._contexts(call, platform)) if convert else {}
        return self._converted[key]

    def files(self, name: str) -> Files | None:
        """The files of *name* if they are here: what has to be fetched is not, for a load."""
        if name not in self._files and name in self._workspace.calls:
            repository, call = self.find(name, None)
            if isinstance(repository, Tree) and repository.directory:
                self.tree(name, repository, call)
        return self._files.get(name)

    def tree(self, name: str, tree: Tree, call: Call) -> Files:
        """The files of the repository *name*, fetched now if they have to be."""
        if name not in self._files:
            directory = tree.directory or self._fetched(name, tree, call)
            if not os.path.isdir(directory):
                raise NoRepository(f"no directory {directory}: it is to be the repository @{name}")
            self._files[name] = Files(directory, self._build_file(tree, call))
        return self._files[name]

    def _fetched(self, name: str, tree: Tree, call: Call) -> str:
        if self._trees is None:
            raise NoRepository(f"the files of @{name} have to be fetched, and nothing may do so")
        graph = {
            (key := TargetId(f"@{name}//{short}")): Declared(
                key, target, call.rule.name, call.place
            )
            for short, target in tree.targets.items()
        }
        return self._trees(graph, TargetId(f"@{name}//{tree.unpacked}"))

    def _build_file(self, tree: Tree, call: Call) -> tuple[str, str] | None:
        if tree.build_file_content:
            return f"{call.place.path}#{call.name}", tree.build_file_content
        if not tree.build_file:
            return None
        source = self._contexts(call, None).source(tree.build_file)
        if not isinstance(source, SourceFile):
            raise NoRepository(f"the BUILD file of @{call.name} is to be a file of the workspace")
        return source.short, read_text(source.path, source.short)

    def _hint(self, name: str) -> str:
        like = nearest(name, self._workspace.calls)
        if like:
            return like
        for what, spot in self._workspace.silent:
            # A macro of a rule set that is not here may have declared it.
            return f"perhaps {what} does, called at {spot.place}: artificer does not have it"
        return "declare it in WORKSPACE or MODULE.bazel"
