"""apt.install of rules_distroless: packages by a lock, or by what archives have now."""

import os
import re
from collections.abc import Iterator, Mapping

from artificer.builder.debian.tools import architecture_of
from artificer.builder.distroless_lock import Needs, closure, read_lock
from artificer.builder.naming import Output, SourceFile, TargetId
from artificer.builder.package_targets import Controls, ManifestDebs, ManifestLock
from artificer.builder.targets import Archive, Content, Fetch, Group, Put, Refused, Target
from artificer.errors import ArtificerError
from artificer.frontends.buildfile.rules.values import rules_of
from artificer.frontends.buildfile.schema import (
    Call,
    Context,
    Repository,
    Rule,
    Synthetic,
    flag,
    label,
)
from artificer.sources.debian.values import Locked

_LOCK = ":lock"
_PLACE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*)(?:/(?P<architecture>[a-z0-9-]+))?:(?P<what>[a-z0-9+.-]+)"
)
_YAML = (".yaml", ".yml")


def _install(call: Call, context: Context) -> Mapping[str, Repository]:
    """``@NAME//PACKAGE/ARCH``, and all of them at once."""
    there, path = _lock_of(call, context)
    locks = _locks(call, context, there, path)
    if there is not None:
        return {call.name: Synthetic(_of_lock(call, context, there) | locks)}
    if call.value("lock"):
        missing = Refused(
            "apt.install",
            f"there is no {os.path.basename(path)}, which is to be the lock of @{call.name}",
            f"`artificer lock`, or `artificer run @{call.name}//:lock`, writes it",
        )
        return {call.name: Synthetic(_Unlocked(call, locks, missing))}
    if not locks:
        context.fail(
            call, "manifest", f"@{call.name} has neither a lock nor a manifest", "add one of them"
        )
    return {call.name: Synthetic(_Unlocked(call, locks, None))}


def _lock_of(call: Call, context: Context) -> tuple[SourceFile | None, str]:
    """The lock if it is there, and where it belongs: without a name, beside the manifest."""
    text = call.string("lock")
    if not text:
        manifest = _manifest(call, context)
        name = manifest.path if manifest is not None else ""
        for end in _YAML:
            name = name.removesuffix(end)
        return None, f"{name}.lock.json" if name else ""
    file = _file(text, context)
    if text.lstrip("@").startswith(("//", ":")) and not os.path.lexists(file.path):
        return None, file.path
    source = context.source(text)
    if not isinstance(source, SourceFile):
        context.fail(call, "lock", "the lock is made by a target", "name a file of the workspace")
    return source, source.path


def _file(text: str, context: Context) -> SourceFile:
    """The file of the workspace that a label names, whether or not it exists."""
    package, _, name = text.lstrip("@").removeprefix("//").rpartition(":")
    return context.file("/".join(filter(None, (package, name))))


def _manifest(call: Call, context: Context) -> SourceFile | None:
    if not call.value("manifest"):
        return None
    source = context.source(call.string("manifest"))
    if not isinstance(source, SourceFile):
        message = "the manifest is made by a target"
        context.fail(call, "manifest", message, "name a file of the workspace")
    return source


def _locks(call: Call, context: Context, there: SourceFile | None, path: str) -> dict[str, Target]:
    """What writes the lock, where there is a manifest to write it of."""
    if there is not None and not os.path.lexists(_file(call.string("manifest"), context).path):
        # With a lock nobody reads the manifest.
        return {}
    manifest = _manifest(call, context)
    if manifest is None:
        return {}
    lock = ManifestLock(manifest, path, there, transitive=call.flag("resolve_transitive"))
    return {_LOCK: lock}


def _of_lock(call: Call, context: Context, source: SourceFile) -> dict[str, Target]:
    try:
        lock, needs = read_lock(source.path)
    except ArtificerError as error:
        context.fail(call, "lock", error.message, error.hint)
    locked = lock.packages
    platform = architecture_of(context.platform) if context.platform else ""
    own = platform if platform in locked else next(iter(sorted(locked)), "")
    targets: dict[str, Target] = {}
    for architecture, packages in locked.items():
        there = {one.name for one in packages}
        for one in packages:
            targets |= _package(one, architecture, call, needs, there)
    for one in locked.get(own, ()):
        targets[f"{one.name}:{one.name}"] = _group(call.name, f"{one.name}/{own}:{own}")
        targets[f"{one.name}:data"] = _group(call.name, f"{one.name}/{own}:data")
        targets[f"{one.name}:control"] = _group(call.name, f"{one.name}/{own}:deb")
    names = [f"{one.name}/{own}" for one in locked.get(own, ())]
    return targets | _together(call, names)


def _package(
    one: Locked, architecture: str, call: Call, needs: Needs, there: set[str]
) -> dict[str, Target]:
    place, name = f"{one.name}/{architecture}", call.name
    fetched = Fetch(one.urls, f"{one.name}_{architecture}.deb", sha256=one.sha256)
    whole = [each for each in closure(one.name, architecture, needs) if each in there]
    return {
        f"{place}:deb": fetched,
        f"{place}:control": _group(name, f"{place}:deb"),
        f"{place}:data": _data((_output(name, f"{place}:deb"),), "data.tar", call),
        f"{place}:{architecture}": Group(
            tuple(_output(name, f"{each}/{architecture}:data") for each in whole)
        ),
    }


def _together(call: Call, places: list[str]) -> dict[str, Target]:
    name = call.name
    data_files = tuple(_output(name, f"{one}:data") for one in places)
    debs = tuple(_output(name, f"{one}:deb") for one in places)
    return {
        ":flat": _data(debs, "flat.tar", call),
        ":packages": Group(data_files),
        f":{name}": Group(data_files),
        ":dpkg_status": Controls(debs, "dpkg_status.tar"),
    }


def _data(debs: tuple[Output, ...], name: str, call: Call) -> Archive:
    puts = tuple(map(Put, debs))
    content = Content(debs=puts, keep_times=True, merged_usr=call.flag("mergedusr"))
    return Archive(content, name)


def _group(name: str, place: str) -> Group:
    return Group((_output(name, place),))


def _output(name: str, place: str) -> Output:
    return Output(TargetId(f"@{name}//{place}"))


class _Unlocked(Mapping[str, Target]):
    """The targets of a repository without a lock: any package may be in it.

    What is asked for is whatever archives have when it is made, or *missing* says why it is not.
    """

    def __init__(self, call: Call, locks: dict[str, Target], missing: Refused | None) -> None:
        self._call = call
        self._missing = missing
        self._known = {**locks, **self._all(locks)}

    def __getitem__(self, key: str) -> Target:
        """The target *key*, for which there need be no package."""
        found = self._known.get(key)
        if found is not None:
            return found
        match = _PLACE.fullmatch(key)
        if match is None:
            raise KeyError(key)
        if self._missing is not None:
            return self._missing
        target = self._of_package(match["name"], match["architecture"] or "", match["what"])
        if target is None:
            raise KeyError(key)
        return target

    def __iter__(self) -> Iterator[str]:
        """The names of those that are there in any case."""
        return iter(self._known)

    def __len__(self) -> int:
        """How many these are."""
        return len(self._known)

    def _all(self, locks: dict[str, Target]) -> dict[str, Target]:
        name = self._call.name
        names = (":debs", ":flat", ":packages", f":{name}", ":dpkg_status")
        if self._missing is not None:
            return dict.fromkeys(names, self._missing)
        return {
            ":debs": self._debs(locks[_LOCK]),
            ":flat": _data((_output(name, ":debs"),), "flat.tar", self._call),
            ":packages": _group(name, ":flat"),
            f":{name}": _group(name, ":flat"),
            ":dpkg_status": Controls((_output(name, ":debs"),), "dpkg_status.tar"),
        }

    def _of_package(self, name: str, architecture: str, what: str) -> Target | None:
        repository = self._call.name
        place = f"{name}/{architecture}" if architecture else name
        match what:
            case "deb":
                return self._debs(self._known[_LOCK], name, architecture, needs=False)
            case "debs":
                return self._debs(self._known[_LOCK], name, architecture)
            case "control":
                return _group(repository, f"{place}:deb")
            case "data":
                return _data((_output(repository, f"{place}:deb"),), "data.tar", self._call)
            case _ if what == (architecture or name):
                return _data((_output(repository, f"{place}:debs"),), f"{what}.tar", self._call)
            case _:
                return None

    def _debs(
        self, lock: Target, package: str = "", architecture: str = "", *, needs: bool = True
    ) -> Target:
        if not isinstance(lock, ManifestLock):
            raise TypeError("not what writes a lock")
        return ManifestDebs(
            lock.manifest,
            architecture,
            package,
            needs,
            lock.transitive,
            "" if self._call.flag("nolock") else self._call.name,
        )


def _packages_file(call: Call) -> Mapping[str, str]:
    """What a WORKSPACE loads to fetch packages, which are fetched here when they are needed."""
    return {":packages.bzl": f"def {call.name}_packages():\n    pass\n"}


RULES = rules_of(
    Rule(
        "apt_install",
        {
            "manifest": label(),
            "lock": label(),
            "nolock": flag(),
            "resolve_transitive": flag(default=True),
            "mergedusr": flag(),
            "package_template": label(refused="targets of packages are what they are"),
        },
        repository=_install,
        starlark=_packages_file,
    ),
)
