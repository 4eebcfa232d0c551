"""A few rules of each kind, so that loading is tested apart from what real rules mean."""

from collections.abc import Mapping

from artificer.builder.targets import (
    Content,
    Fetch,
    Group,
    ImageTarget,
    Output,
    Pull,
    Put,
    Target,
    TargetId,
    Unpacked,
    Written,
)
from artificer.frontends.buildfile.schema import (
    ANY,
    Attribute,
    Call,
    Context,
    Nothing,
    Repository,
    Rule,
    Rulebook,
    Synthetic,
    Tree,
    either,
    flag,
    label,
    labels,
    number,
    string,
    string_dict,
    strings,
)
from artificer.oci.platform import Platform
from artificer.oci.reference import parse_name


def _image(call: Call, context: Context) -> Target:
    base = call.string("base")
    platforms = [Platform.parse(text) for text in call.strings("for_platforms")]
    if platforms:
        ids = (context.target(base, platform=platform) for platform in platforms)
        return Group(tuple(Output(id_) for id_ in ids))
    if call.number("level") > 9:
        context.fail(call, "level", "a level is at most 9", "try 9")
    return ImageTarget(
        base=context.source(base) if base else None,
        layers=tuple(context.target(each) for each in call.strings("layers")),
        content=Content(puts=tuple(Put(s) for s in context.sources(call.strings("files")))),
    )


def _made(call: Call, context: Context) -> Target:
    return Written(call.strings("outs")[0], context.variables["TARGET_CPU"])


def _with_digest(call: Call) -> tuple[Call, ...]:
    rule = Rule("digest", {"image": label()}, lambda c, x: Group((x.source(c.string("image")),)))
    attributes = {"name": f"{call.name}.digest", "image": f":{call.name}"}
    return (call._replace(rule=rule, name=f"{call.name}.digest", attributes=attributes),)


def _pull(call: Call, context: Context) -> Mapping[str, Repository]:
    target = Pull(parse_name(call.string("image")), context.platform)
    main = Synthetic({"image:image": target}, {"image:image.tar": ("image:image", "image.tar")})
    arm = Synthetic({"image:image": target})
    return {call.name: main, f"{call.name}_linux_arm64": arm}


def _file(call: Call, context: Context) -> Mapping[str, Repository]:
    target = Fetch((call.string("url"),), "downloaded")
    return {call.name: Synthetic({"file:file": target})}


def _archive(call: Call, context: Context) -> Mapping[str, Repository]:
    fetched = TargetId(f"@{call.name}//:fetched")
    targets: dict[str, Target] = {
        ":fetched": Fetch((call.string("url"),), "a.tar"),
        ":unpacked": Unpacked(Output(fetched)),
    }
    content = call.string("build_file_content")
    return {call.name: Tree("", targets, ":unpacked", call.string("build_file"), content)}


def _local(call: Call, context: Context) -> Mapping[str, Repository]:
    directory = f"{context.root}/{call.string('path')}"
    content = call.string("build_file_content")
    return {call.name: Tree(directory, build_file_content=content)}


_IMAGE = {
    "base": label(),
    "layers": labels(),
    "files": labels(),
    "env": string_dict(),
    "cmd": either("string", "strings"),
    "level": number(1),
    "ratio": Attribute(("float",)),
    "stamp": flag(),
    "format": string("Docker", values=("Docker", "OCI")),
    "options": strings(refused="there is one way to do it"),
    "groups": Attribute(("string_lists",), {}),
    "for_platforms": strings(),
    "anything": ANY,
}
_TREE = {
    "path": string(),
    "url": string(),
    "urls": strings(),
    "remote": string(),
    "build_file": label(),
    "build_file_content": string(),
}
_ALL = (
    Rule("image", _IMAGE, _image, outputs=("{name}.tar",)),
    Rule("image_with_digest", _IMAGE, _image, expand=_with_digest),
    Rule("made", {"outs": Attribute(("outputs",), (), mandatory=True)}, _made),
    Rule("image_test", {"image": label()}, lambda c, x: Group(), test=True),
    Rule("pull", {"image": string(mandatory=True)}, repository=_pull),
    Rule("http_file", {"url": string()}, repository=_file),
    Rule("http_archive", _TREE, repository=_archive),
    Rule("local_repository", _TREE, repository=_local),
    Rule(
        "dpkg_list",
        {"packages": strings()},
        repository=lambda c, x: {c.name: Nothing()},
        starlark=lambda c: {
            "file:packages.bzl": f"packages = {dict.fromkeys(c.strings('packages'), '@p//file')}"
        },
    ),
    Rule("toolchains", {}, repository=lambda c, x: {c.name: Nothing()}, nameless=True),
)

BOOK = Rulebook(
    rules={rule.name: rule for rule in _ALL},
    native=frozenset({"made"}),
    workspace=frozenset({"http_file", "http_archive", "local_repository"}),
    modules={
        "@rules_image": {"docker_build": "image", "repositories": ""},
        "@rules_image//oci:defs.bzl": {"oci_image": "image"},
    },
    extensions={"@rules_image//:extensions.bzl%images": {"pull": "pull", "toolchain": ""}},
)
