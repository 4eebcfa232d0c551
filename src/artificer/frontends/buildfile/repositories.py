"""Repositories by name: what the WORKSPACE declares, read when something needs it."""

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from artificer.builder.targets import Declared, Graph, TargetId
from artificer.errors import ArtificerError, Cancelled
from artificer.events import Warned
from artificer.frontends.buildfile.check import nearest
from artificer.frontends.buildfile.files import Files
from artificer.frontends.buildfile.labels import PackageId, parse_label
from artificer.frontends.buildfile.loader import Loader
from artificer.frontends.buildfile.schema import Call, Context, Repository, Tree
from artificer.frontends.buildfile.text import read_text
from artificer.oci.platform import Platform

Trees = Callable[[Graph, TargetId], str]
"""Makes a target and what it needs; answers the directory with the files that it yields."""

Contexts = Callable[[Call, Platform | None], Context]


class NoRepository(ArtificerError):
    """A repository that nothing declares, or that cannot be made."""


class _Converted(NamedTuple):
    call: Call
    repositories: Mapping[str, Repository]


class Repositories:
    """A handle on the repositories that *loader* knows; *trees* makes those that are fetched."""

    def __init__(self, loader: Loader, contexts: Contexts, trees: Trees | None) -> None:
        self._loader = loader
        self._contexts = contexts
        self._trees = trees
        self._converted: dict[tuple[str, Platform | None], _Converted] = {}
        self._files: dict[str, tuple[Call, Files | ArtificerError]] = {}

    def find(self, name: str, platform: Platform | None) -> tuple[Repository | None, Call]:
        """The repository *name* (None if its rule is not ours), and the call that declares it."""
        # oci_pull also declares `NAME_linux_amd64`: such a name begins with that of the call.
        calls = self._loader.calls()
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
        known = self._converted.get(key)
        # A WORKSPACE may declare a repository again while it is read.
        if known is None or known.call is not call:
            convert = call.rule.repository
            made = convert(call, self._contexts(call, platform)) if convert else {}
            known = self._converted[key] = _Converted(call, made)
        return known.repositories

    def files(self, name: str) -> Files | None:
        """The files of *name*, fetched now if they have to be.

        None if it has none, or, with a warning, if they cannot be had: what a load cannot read is
        an error where it is needed.
        """
        if name not in self._loader.calls():
            return None
        repository, call = self.find(name, None)
        if not isinstance(repository, Tree):
            return None
        first = name not in self._files
        try:
            return self.tree(name, repository, call)
        except Cancelled:
            raise
        except ArtificerError as error:
            if repository.directory:
                raise
            if first and self._trees is not None:
                self._loader.report(Warned(f"@{name} cannot be read: {error.message}"))
            return None

    def tree(self, name: str, tree: Tree, call: Call) -> Files:
        """The files of the repository *name*, fetched now if they have to be."""
        known = self._files.get(name)
        if known is None or known[0] is not call:
            try:
                made: Files | ArtificerError = self._read(name, tree, call)
            except Cancelled:
                raise
            except ArtificerError as error:
                made = error
            known = self._files[name] = (call, made)
        if isinstance(known[1], ArtificerError):
            raise known[1]
        return known[1]

    def _read(self, name: str, tree: Tree, call: Call) -> Files:
        directory = tree.directory or self._fetched(name, tree, call)
        if not os.path.isdir(directory):
            raise NoRepository(f"no directory {directory}: it is to be the repository @{name}")
        return Files(directory, self._build_file(tree, call), fetched=not tree.directory)

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
        # Only the file: its package may load what is not declared yet.
        label = self._loader.canonical(parse_label(tree.build_file, PackageId("", "")))
        files = self._loader.files_of(label.repository)
        path = f"{label.package}/{label.name}".strip("/")
        if files is None or not os.path.isfile(files.path(path)):
            error = NoRepository(f"no file {label}, which is to be the BUILD file of @{call.name}")
            raise self._loader.label_failure(call, tree.build_file, error)
        shown = f"external/{label.repository}/{path}" if label.repository else path
        return shown, read_text(files.path(path), shown)

    def _hint(self, name: str) -> str:
        like = nearest(name, self._loader.calls())
        if like:
            return like
        for what, spot in self._loader.workspace.silent:
            # A macro of a rule set that is not here may have declared it.
            return f"perhaps {what} does, called at {spot.place}: artificer does not have it"
        return "declare it in WORKSPACE or MODULE.bazel"
