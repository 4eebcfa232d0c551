"""Images of programs: the program, what it reads when it runs, and a layer for each dependency.

Files of dependencies lie where no program's name is in the path, so that images of several
programs have the same layers; links lead there from where the program looks (RD-79 … RD-82).
"""

from artificer.builder.targets import (
    Content,
    Group,
    ImageTarget,
    LayerTarget,
    Put,
    Source,
    Target,
    Wishes,
)
from artificer.frontends.buildfile.rules.cc import CC_BINARY
from artificer.frontends.buildfile.rules.closure import closure, sources_of
from artificer.frontends.buildfile.rules.docker import CREATED_BY
from artificer.frontends.buildfile.rules.values import (
    package_path,
    pairs_of,
    platform_of,
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
)

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


_NEEDS = ("binary", "embed", "deps", "implementation_deps")
_LIBRARIES = {"cc_library", "go_library", "go_source"}


def program_image(call: Call, context: Context) -> Target:
    """The program at ``/app/PKG/NAME.binary``, which the image starts.

    Its data, and those of its libraries, are below ``NAME.binary.runfiles/WORKSPACE``, which is
    where it starts; those of `layers` are links to the layers below.
    """
    binary = call.string("binary") or f":{call.name}.binary"
    path = "/".join(filter(None, ("app", package_path(call), f"{call.name}.binary")))
    folder = f"{path}.runfiles/{context.workspace}"
    base = call.value("base")
    args = tuple(text_of(text, call, context, "args") for text in call.strings("args"))
    below = [one for text in call.strings("layers") for one in _data(text, context)]
    program = [*context.sources(call.strings("data")), *_data(binary, context)]
    own = [one for one in dict.fromkeys(program) if one not in below]
    shared = f"app/{context.workspace}"
    return ImageTarget(
        base=context.source(base) if base else None,
        layers=tuple(context.target(f":{_layer_name(call, n)}") for n in range(_count(call))),
        content=Content(
            puts=(
                Put(context.source(binary), name=path, mode=0o755),
                *(Put(one, folder, "") for one in own),
                *(Put(one, folder, "", linked=shared) for one in dict.fromkeys(below)),
            ),
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


def program_calls(binary: Rule, call: Call) -> tuple[Call, ...]:
    """The program of an image that has its own sources: ``NAME.binary``; and its layers."""
    layers = tuple(
        call._replace(
            rule=_DEPENDENCY,
            name=_layer_name(call, number),
            attributes={
                "dependency": text,
                "lower": list(call.strings("layers")[:number]),
                "visibility": call.attributes.get("visibility"),
                "tags": ["manual"],
            },
        )
        for number, text in enumerate(call.strings("layers"))
    )
    if call.value("binary"):
        return layers
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
    return (program, *(binary.expand(program) if binary.expand else ()), *layers)


def _layer_name(call: Call, number: int) -> str:
    return f"{call.name}-layer.{number}"


def _count(call: Call) -> int:
    return len(call.strings("layers"))


def _dependency(call: Call, context: Context) -> Target:
    """What a library reads when it runs, but for what is in a lower layer; or a layer itself."""
    text = call.string("dependency")
    named = context.call(text)
    if named is None or named.rule.name not in _LIBRARIES:
        return Group((context.source(text),))
    lower = {one for each in call.strings("lower") for one in _data(each, context)}
    files = [one for one in _data(text, context) if one not in lower]
    shared = f"app/{context.workspace}"
    return LayerTarget(Content(puts=tuple(Put(one, shared, "") for one in files)))


def _data(text: str, context: Context) -> tuple[Source, ...]:
    """What the program or library *text*, and all that it needs, read when they run."""
    named = context.call(text)
    if named is None:
        return ()
    return sources_of(closure(named, context.of(named), _NEEDS), ("data",))


_DEPENDENCY = Rule(
    "layer of a dependency",
    {"dependency": label(mandatory=True), "lower": labels()},
    _dependency,
)
