"""Go programs by the host's own toolchain, and images of programs of Go and C.

What the compiler keeps between runs (GOCACHE, GOMODCACHE) is kept, outside of every key:
that is where most of the time of such a build goes.
"""

import os

from artificer.builder.targets import (
    Command,
    Content,
    Group,
    ImageTarget,
    Put,
    Source,
    SourceFile,
    Target,
    TargetId,
    Wishes,
)
from artificer.frontends.buildfile.rules.cc import CC, CC_BINARY
from artificer.frontends.buildfile.rules.closure import closure, sources_of
from artificer.frontends.buildfile.rules.docker import CREATED_BY
from artificer.frontends.buildfile.rules.go_path import GoPath, go_path
from artificer.frontends.buildfile.rules.values import (
    package_path,
    pairs_of,
    platform_of,
    puts_of,
    rules_of,
    text_of,
)
from artificer.frontends.buildfile.schema import (
    ANY,
    Attribute,
    Call,
    Context,
    Rule,
    flag,
    label,
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
IMAGE: dict[str, Attribute] = {
    "binary": label(),
    "base": label(),
    "layers": labels(),
    "env": string_dict(),
    "tag_name": string(),
    "repository": string("bazel"),
    "creation_time": string(),
    "stamp": ANY,
    "docker_run_flags": ANY,
    "legacy_run_behavior": flag(),
    "architecture": string(),
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


def _image(call: Call, context: Context) -> Target:
    """The program at ``/app/PKG/NAME.binary``, which the image starts (RD-79 … RD-81).

    Its data are below ``NAME.binary.runfiles/WORKSPACE``, which is where it starts.
    """
    binary = call.string("binary") or f":{call.name}.binary"
    path = "/".join(filter(None, ("app", package_path(call), f"{call.name}.binary")))
    folder = f"{path}.runfiles/{context.workspace}"
    base = call.value("base")
    args = tuple(text_of(text, call, context, "args") for text in call.strings("args"))
    data = puts_of(call.strings("data"), context, folder, "")
    return ImageTarget(
        base=context.source(base) if base else None,
        layers=_layers(call, context),
        content=Content(
            puts=(Put(context.source(binary), name=path, mode=0o755), *data),
            empty_dirs=(folder,),
        ),
        wishes=Wishes(
            env=pairs_of(call, context, "env"),
            env_order="sorted",
            env_unknown="kept",
            env_expands="base",
            entrypoint=(f"/{path}",),
            cmd=args,
            workdir=f"/{folder}",
            author="Bazel",
            created_by=CREATED_BY,
            platform=platform_of(call, architecture="architecture")
            if call.value("architecture")
            else None,
        ),
        format=None if base else "docker",
    )


def _layers(call: Call, context: Context) -> tuple[TargetId, ...]:
    """Layers of files; libraries are in the program itself, and need none of their own."""
    return tuple(
        context.target(text)
        for text in call.strings("layers")
        if (named := context.call(text)) is None or named.rule.name not in _LIBRARIES
    )


_LIBRARIES = {"cc_library", "go_library", "go_source"}
_GO_BINARY = Rule("go_binary", GO, _go_binary)


def _with_binary(binary: Rule, call: Call) -> tuple[Call, ...]:
    """The program of an image that has its own sources: ``NAME.binary``."""
    if call.value("binary"):
        return ()
    attributes = {
        name: value for name, value in call.attributes.items() if name in binary.attributes
    }
    for name in ("env", "args", "data"):
        attributes.pop(name, None)
    if "deps" in binary.attributes and call.value("layers"):
        attributes["deps"] = [*call.strings("deps"), *call.strings("layers")]
    if binary is CC_BINARY and not call.value("base"):
        # There is nothing in the image that could link it when it starts.
        attributes["linkopts"] = [*call.strings("linkopts"), "-static"]
    program = call._replace(rule=binary, name=f"{call.name}.binary", attributes=attributes)
    return (program, *(binary.expand(program) if binary.expand else ()))


def _go_image_calls(call: Call) -> tuple[Call, ...]:
    return _with_binary(_GO_BINARY, call)


def _cc_image_calls(call: Call) -> tuple[Call, ...]:
    return _with_binary(CC_BINARY, call)


_OUTPUTS = ("{name}.tar", "{name}.digest", "{name}.json")

RULES = rules_of(
    _GO_BINARY,
    Rule("go_library", GO, _library),
    Rule("go_source", GO, _library),
    Rule("go_image", {**GO, **IMAGE}, _image, expand=_go_image_calls, outputs=_OUTPUTS),
    Rule("cc_image", {**CC, **IMAGE}, _image, expand=_cc_image_calls, outputs=_OUTPUTS),
)
