"""Go programs by the host's own toolchain, and images of programs of Go and C.

What the compiler keeps between runs (GOCACHE, GOMODCACHE) is kept, outside of every key:
that is where most of the time of such a build goes.
"""

import os

from artificer.builder.targets import (
    Command,
    Group,
    Source,
    SourceFile,
    Target,
)
from artificer.frontends.buildfile.rules.cc import CC, CC_BINARY
from artificer.frontends.buildfile.rules.closure import closure, sources_of
from artificer.frontends.buildfile.rules.go_path import GoPath, go_path
from artificer.frontends.buildfile.rules.program_image import (
    IMAGE,
    program_calls,
    program_image,
)
from artificer.frontends.buildfile.rules.values import (
    package_path,
    rules_of,
)
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

GO: dict[str, Attribute] = {
    "srcs": labels(),
    "embed": labels(),
    "deps": labels(),
    "data": labels(),
    "embedsrcs": labels(),
    "importpath": string(),
    "importmap": string(),
    "cgo": flag(),
    "pure": string("auto", values=("on", "off", "auto")),
    "static": string("auto", values=("on", "off", "auto")),
    "race": ANY,
    "msan": ANY,
    "goos": string("auto"),
    "goarch": string("auto"),
    "gotags": strings(),
    "gc_goopts": strings(),
    "gc_linkopts": strings(),
    "x_defs": string_dict(),
    "basename": string(),
    "out": string(),
    "linkmode": ANY,
    "args": strings(),
    "env": string_dict(),
    "rundir": ANY,
    "cdeps": labels(refused="cgo's C sources are not compiled here; use a `command`"),
    "copts": ANY,
    "clinkopts": ANY,
}


def _go_binary(call: Call, context: Context) -> Target:
    members = closure(call, context, ("embed", "deps"))
    sources = sources_of(members, ("srcs", "embedsrcs"))
    if not sources:
        context.fail(call, "srcs", "a Go program without sources")
    out = call.string("basename") or call.string("out") or call.name
    module = _module_files(context)
    flags = ["-trimpath", "-buildvcs=false"]
    if call.strings("gotags"):
        flags.append(f"-tags={','.join(call.strings('gotags'))}")
    definitions = [f"-X {name}={value}" for name, value in call.pairs("x_defs")]
    link = " ".join(["-buildid=", *call.strings("gc_linkopts"), *definitions])
    cgo = "1" if call.flag("cgo") and call.string("pure") != "on" else "0"
    env = [
        ("CGO_ENABLED", cgo),
        ("GOFLAGS", "-mod=mod" if module else ""),
        ("GOTOOLCHAIN", "local"),
    ]
    for variable, name in (("GOOS", "goos"), ("GOARCH", "goarch")):
        if call.string(name) not in {"", "auto"}:
            env.append((variable, call.string(name)))
        elif context.platform is not None:
            value = context.platform.os if variable == "GOOS" else context.platform.architecture
            env.append((variable, value))
    env.append(("GO111MODULE", "on" if module else "off"))
    path = GoPath("", f"./{package_path(call)}", sources, ())
    if not module:
        path = go_path(call, context)
    return Command(
        command=f"{path.setup}go build {' '.join(flags)} -ldflags='{link}' -o \"$@\" {path.main}",
        package=package_path(call),
        outs=(out,),
        sources=(*path.sources, *module),
        locations=path.locations,
        env=tuple(env),
        caches=(("go-build", "GOCACHE"), ("go-mod", "GOMODCACHE")),
        executable=True,
    )


def _module_files(context: Context) -> tuple[Source, ...]:
    """``go.mod`` and ``go.sum`` of the workspace, where it has them."""
    names = ("go.mod", "go.sum")
    return tuple(
        SourceFile(f"{context.root}/{name}", name)
        for name in names
        if os.path.isfile(f"{context.root}/{name}")
    )


def _library(call: Call, context: Context) -> Target:
    names = [
        text
        for kind in ("srcs", "hdrs", "embedsrcs")
        if kind in call.rule.attributes
        for text in call.strings(kind)
    ]
    return Group(context.sources(names))


_GO_BINARY = Rule("go_binary", GO, _go_binary)


def _go_image_calls(call: Call) -> tuple[Call, ...]:
    return program_calls(_GO_BINARY, call)


def _cc_image_calls(call: Call) -> tuple[Call, ...]:
    return program_calls(CC_BINARY, call)


_OUTPUTS = ("{name}.tar", "{name}.digest", "{name}.json")

RULES = rules_of(
    _GO_BINARY,
    Rule("go_library", GO, _library),
    Rule("go_source", GO, _library),
    Rule("go_image", {**GO, **IMAGE}, program_image, expand=_go_image_calls, outputs=_OUTPUTS),
    Rule("cc_image", {**CC, **IMAGE}, program_image, expand=_cc_image_calls, outputs=_OUTPUTS),
)
