"""Go packages of a workspace without ``go.mod``: laid out by import path, as in GOPATH."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from artificer.builder.targets import Source
from artificer.frontends.buildfile.rules.closure import Member, closure, sources_of
from artificer.frontends.buildfile.rules.values import package_path
from artificer.frontends.buildfile.schema import Call, Context

_KINDS = ("srcs", "embedsrcs")
_PATH = re.compile(r"[\w.~+-]+(/[\w.~+-]+)*", re.ASCII)
_FOLDER = "gopath/src"
# Files keep their paths below their package, for what is embedded lies in directories.
_PUT = """\
put() { to=$$1; from=$$2; shift 2; for file; do name=$${file#"$$from"}; \
[ "$$name" != "$$file" ] || name=$${file##*/}; \
mkdir -p "$$(dirname "$$to/$$name")"; cp "$$file" "$$to/$$name"; done; }
"""


class GoPath(NamedTuple):
    """How packages are put where Go looks for them: *setup* for a shell, *main* to be built."""

    setup: str
    main: str
    sources: tuple[Source, ...]
    locations: tuple[tuple[str, Source], ...]


def go_path(call: Call, context: Context) -> GoPath:
    """The program that *call* is, and all the libraries that it needs, each as a package."""
    lines: list[str] = [_PUT]
    sources: dict[Source, None] = {}
    locations: list[tuple[str, Source]] = []
    for path, members in _packages(call, context):
        for member in members:
            start = len(locations)
            found = sources_of([member], _KINDS)
            sources.update(dict.fromkeys(found))
            locations += [(f"go-{start + n}", source) for n, source in enumerate(found)]
            names = " ".join(f"$(locations go-{start + n})" for n in range(len(found)))
            if names:
                prefix = f"{package_path(member[0])}/".lstrip("/")
                lines.append(f"put {_FOLDER}/{path} '{prefix}' {names}\n")
    lines.append("export GOPATH=$$PWD/gopath\n")
    return GoPath("".join(lines), _main_path(call), tuple(sources), tuple(locations))


def _packages(call: Call, context: Context) -> Iterator[tuple[str, list[Member]]]:
    """The program, then each library that is no part of another: its path and its members."""
    everything = closure(call, context, ("embed", "deps"))
    own = closure(call, context, ("embed",))
    parts = {each.label for each, _ in own}
    yield _main_path(call), own
    for library, where in everything:
        members = closure(library, where, ("embed",))
        if library.label not in parts:
            parts |= {each.label for each, _ in members[1:]}
    for library, where in everything:
        if library.label not in parts:
            members = closure(library, where, ("embed",))
            yield _path(library, where, members), members


def _path(library: Call, context: Context, members: list[Member]) -> str:
    path = next((each.string("importpath") for each, _ in members if each.given("importpath")), "")
    if not _PATH.fullmatch(path) or ".." in path.split("/"):
        context.fail(
            library,
            "importpath",
            f"{library.label} has no importpath that Go could find it by: {path!r}",
            'give it one, as importpath = "example.com/team/lib"',
        )
    return path


def _main_path(call: Call) -> str:
    """Where the program's own package is: no library has such a name."""
    return "/".join(filter(None, ("main.program", package_path(call), call.name)))
