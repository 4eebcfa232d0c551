"""Programs of C and C++ by the host's own compiler: an object for each source, then linked.

An object is an action of its own, so a changed source compiles one; ccache is used where it is
there, and what it keeps is kept between builds.
"""

from collections.abc import Iterator, Sequence

from artificer.builder.targets import Command, Group, Source, SourceFile, Target
from artificer.frontends.buildfile.rules.closure import Member, closure, sources_of
from artificer.frontends.buildfile.rules.values import package_path, repository_of, rules_of
from artificer.frontends.buildfile.schema import (
    ANY,
    Attribute,
    Call,
    Context,
    Rule,
    flag,
    labels,
    string,
    string_dict,
    strings,
)

_SAY_INCLUDES = "headers stay where they are here; say `includes`"

CC: dict[str, Attribute] = {
    "srcs": labels(),
    "hdrs": labels(),
    "deps": labels(),
    "data": labels(),
    "copts": strings(),
    "cxxopts": strings(),
    "defines": strings(),
    "local_defines": strings(),
    "includes": strings(),
    "linkopts": strings(),
    "linkstatic": flag(default=True),
    "linkshared": flag(refused="shared libraries are not linked here; use a `command`"),
    "textual_hdrs": labels(),
    "strip_include_prefix": string(refused=_SAY_INCLUDES),
    "include_prefix": string(refused=_SAY_INCLUDES),
    "alwayslink": flag(),
    "args": strings(),
    "env": string_dict(),
    "stamp": ANY,
    "malloc": ANY,
    "nocopts": ANY,
}
_HEADERS = (".h", ".hh", ".hpp", ".hxx", ".h++", ".H", ".inc", ".inl", ".ipp", ".tcc")
_LINKED = (".o", ".a", ".lo", ".so")
_CXX = (".cc", ".cpp", ".cxx", ".C", ".c++")


def _object_names(call: Call) -> dict[str, str]:
    """The sources that are compiled, and what their objects are called in the package."""
    found = {}
    for text in call.strings("srcs"):
        if not text.endswith(_HEADERS + _LINKED):
            path = text.replace("@", "").replace(":", "/").lstrip("/").replace("//", "/")
            found[text] = f"_objs/{call.name}/{path}.o"
    return found


def _object_calls(call: Call) -> Iterator[Call]:
    for text, name in _object_names(call).items():
        headers = [one for one in call.strings("srcs") if one.endswith(_HEADERS)]
        attributes = {
            **call.attributes,
            "name": name,
            "srcs": [text],
            "hdrs": [*call.strings("hdrs"), *headers],
            # As in Bazel: `manual` targets are made when they are needed only.
            "tags": [*call.strings("tags"), "manual"],
        }
        yield call._replace(rule=_CC_OBJECT, name=name, attributes=attributes)


def _object(call: Call, context: Context) -> Target:
    members = closure(call, context, ("deps",))
    sources = sources_of(members[:1], ("srcs",))
    mode = {"opt": "-O2 -DNDEBUG", "dbg": "-g"}.get(context.compilation_mode, "-O1")
    # A label may stand for several files: the linker makes one object of theirs.
    single = len(sources) == 1 and isinstance(sources[0], SourceFile)
    compiler = _compiler([call.strings("srcs")])
    words = " ".join(map(_quoted, _options(members)))
    # The prefix map keeps the directory of the build out of the object.
    return Command(
        command=(
            f"$$(command -v ccache || true) {compiler} {'-c' if single else '-r -nostdlib'} {mode}"
            f' "-ffile-prefix-map=$$PWD=." -I. {words} $(SRCS) -o "$@"'
        ),
        package=package_path(call),
        outs=(call.name,),
        sources=sources,
        tools=sources_of(members, ("hdrs", "textual_hdrs")),
        caches=(("ccache", "CCACHE_DIR"),),
    )


def _options(members: Sequence[Member]) -> Iterator[str]:
    calls = [call for call, _ in members]
    own = calls[0]
    # Headers of another repository are included by their paths in it.
    for where in dict.fromkeys("/".join(repository_of(call)) for call in calls):
        yield from (f"-I{where}",) if where else ()
    for call in calls:
        yield from (f"-D{text}" for text in call.strings("defines"))
        yield from (f"-I{package_path(call)}/{text}" for text in call.strings("includes"))
    yield from (f"-D{text}" for text in own.strings("local_defines"))
    yield from own.strings("copts")
    if _is_cxx(own.strings("srcs")):
        yield from own.strings("cxxopts")


def _binary(call: Call, context: Context) -> Target:
    members = [
        member
        for member in closure(call, context, ("deps",))
        if member[0].rule.name in {"cc_binary", "cc_library"}
    ]
    objects = tuple(dict.fromkeys(each for member in members for each in _objects(*member)))
    if not objects:
        context.fail(call, "srcs", "a C program without sources")
    compiler = _compiler([each.strings("srcs") for each, _ in members])
    tail = [text for each, _ in reversed(members) for text in each.strings("linkopts")]
    return Command(
        command=f'{compiler} $(SRCS) -o "$@" {" ".join(map(_quoted, tail))}',
        package=package_path(call),
        outs=(call.name,),
        sources=objects,
        executable=True,
    )


def _objects(call: Call, context: Context) -> Iterator[Source]:
    for name in _object_names(call).values():
        yield context.source(f":{name}")
    yield from context.sources(one for one in call.strings("srcs") if one.endswith(_LINKED))


def _compiler(sources: Sequence[Sequence[str]]) -> str:
    return "$${CXX:-c++}" if any(map(_is_cxx, sources)) else "$${CC:-cc}"


def _is_cxx(sources: Sequence[str]) -> bool:
    return any(text.endswith(_CXX) for text in sources)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _library(call: Call, context: Context) -> Target:
    return Group(context.sources([*call.strings("srcs"), *call.strings("hdrs")]))


_CC_OBJECT = Rule("cc_object", CC, _object)
CC_BINARY = Rule("cc_binary", CC, _binary, expand=_object_calls)
_CC_LIBRARY = Rule("cc_library", CC, _library, expand=_object_calls)

RULES = rules_of(CC_BINARY, _CC_LIBRARY)
