"""The docker rules of Bazel that make images, as rules_docker had them from 2017 to its end."""

from artificer.builder.targets import (
    Bundle,
    Content,
    Flattened,
    ImageTarget,
    LayerTarget,
    Stamped,
    Target,
    Text,
    Wishes,
)
from artificer.errors import Misused
from artificer.frontends.buildfile.rules.values import (
    image_dir,
    image_paths,
    labels_of,
    made,
    mode_of,
    mtime_of,
    pairs_of,
    platform_of,
    puts_of,
    rules_of,
    stamps,
    strip_of,
    text_of,
    words_of,
)
from artificer.frontends.buildfile.schema import (
    ANY,
    COMMON,
    Attribute,
    Call,
    Context,
    Rule,
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
from artificer.oci.settings import port

_GZIP_ONLY = ("", "gzip")

CREATED_BY = "bazel build ..."
"""Of all images, or those with the same files and words would not have the same id."""

LAYER = {
    "files": labels(),
    "data_path": string(default=""),
    "directory": string("/"),
    "tars": labels(),
    "debs": labels(),
    "symlinks": string_dict(),
    "empty_files": strings(),
    "empty_dirs": strings(),
    "mode": string("0o555"),
    "mtime": number(-1),
    "portable_mtime": flag(),
    "enable_mtime_preservation": flag(),
    "env": string_dict(),
    "compression": string("gzip", values=_GZIP_ONLY),
    "compression_options": strings(
        refused="the encoder is fixed, so that the same files give the same digest everywhere"
    ),
    "operating_system": string("linux", values=("", "linux", "windows")),
    "os_version": string(),
}
IMAGE: dict[str, Attribute] = {
    **LAYER,
    "base": label(),
    "layers": labels(),
    "entrypoint": either("string", "strings"),
    "cmd": either("string", "strings"),
    "labels": string_dict(),
    "ports": strings(),
    "volumes": strings(),
    "user": string(),
    "workdir": string(),
    "creation_time": string(),
    "stamp": ANY,
    "architecture": string("amd64"),
    "launcher": label(),
    "launcher_args": strings(),
    "repository": string("bazel"),
    "tag_name": string(),
    "legacy_repository_naming": flag(),
    "docker_run_flags": either("string", "strings"),
    "legacy_run_behavior": flag(default=True),
    "experimental_tarball_format": string("legacy", values=("legacy", "compressed")),
    "null_cmd": flag(),
    "null_entrypoint": flag(),
}
OUTPUTS = ("{name}.tar", "{name}.digest", "{name}.json", "{name}.json.sha256", "{name}-layer.tar")


def content_of(call: Call, context: Context) -> Content:
    """The layer that the attributes of *call* describe (RD-20 … RD-33).

    ``directory`` is for files, tars and debs, and not for what is named by its whole path.
    """
    directory = image_dir(call.string("directory"), call, context, "directory")
    return Content(
        puts=puts_of(
            call.strings("files"), context, directory, strip_of(call, context, "data_path")
        ),
        tars=puts_of(call.strings("tars"), context, directory),
        debs=puts_of(call.strings("debs"), context, directory),
        symlinks=tuple(
            (image_dir(link, call, context, "symlinks"), str(target))
            for link, target in call.pairs("symlinks")
        ),
        empty_files=image_paths(call, context, "empty_files"),
        empty_dirs=image_paths(call, context, "empty_dirs"),
        mode=mode_of(call.string("mode"), call, context, "mode"),
        mtime=mtime_of(call, context),
        keep_times=call.flag("enable_mtime_preservation"),
        windows=call.string("operating_system") == "windows",
    )


def wishes_of(call: Call, context: Context) -> Wishes:
    """What the image says (RD-50 … RD-65). Setting an entrypoint keeps the base's command."""

    def text(name: str) -> Text | None:
        value = call.string(name)
        return text_of(value, call, context, name) if value else None

    entrypoint, cmd = words_of(call, context, "entrypoint"), words_of(call, context, "cmd")
    flags = call.value("docker_run_flags")
    created = text("creation_time")
    if created is None and (context.stamp if stamps(call) is None else stamps(call)):
        created = Stamped("{BUILD_TIMESTAMP}")
    return Wishes(
        env=pairs_of(call, context, "env"),
        env_order="sorted",
        env_unknown="kept",
        env_expands="base",
        entrypoint=() if call.flag("null_entrypoint") else entrypoint,
        cmd=() if call.flag("null_cmd") else cmd,
        keep_cmd=True,
        user=text("user"),
        workdir=text("workdir"),
        labels=labels_of(call, context, "labels"),
        ports=_ports(call, context),
        volumes=call.strings("volumes"),
        created=created,
        author="Bazel",
        created_by=CREATED_BY,
        platform=_platform(call),
        run_flags=tuple(flags.split()) if isinstance(flags, str) else tuple(flags or ()),
    )


def _platform(call: Call) -> Platform | None:
    """What the call says; the base's own where it only says what everybody has."""
    ordinary = call.string("operating_system") in {"", "linux"} and not call.string("os_version")
    if ordinary and call.attributes.get("architecture") is None:
        return None
    return platform_of(
        call, os="operating_system", architecture="architecture", version="os_version"
    )


def _ports(call: Call, context: Context) -> tuple[str, ...]:
    """Each with its protocol (RD-53)."""
    found: list[str] = []
    for text in call.strings("ports"):
        try:
            found += port(made(text, call, context, "ports"))
        except Misused as error:
            context.fail(call, "ports", error.message, error.hint)
    return tuple(found)


def _layer(call: Call, context: Context) -> Target:
    return LayerTarget(content_of(call, context), pairs_of(call, context, "env"))


def _image(call: Call, context: Context) -> Target:
    if call.strings("launcher_args") and not call.value("launcher"):
        context.fail(call, "launcher_args", "launcher_args without a launcher")
    base = call.value("base")
    launcher = call.value("launcher")
    return ImageTarget(
        base=context.source(base) if base else None,
        layers=tuple(context.target(text) for text in call.strings("layers")),
        content=content_of(call, context),
        wishes=wishes_of(call, context),
        format="docker" if not base else None,
        launcher=context.source(launcher) if launcher else None,
        launcher_args=call.strings("launcher_args"),
    )


def _bundle(call: Call, context: Context) -> Target:
    return Bundle(
        tuple(
            (text_of(made(name, call, context, "images"), call, context, "images"), target)
            for name, text in call.pairs("images")
            for target in (context.target(str(text)),)
        )
    )


def _flatten(call: Call, context: Context) -> Target:
    return Flattened(context.target(call.string("image")), call.name)


_IMAGE = Rule("container_image", IMAGE, _image, outputs=OUTPUTS)
_LAYER = Rule("container_layer", LAYER, _layer, outputs=("{name}-layer.tar",))
_BUNDLE = Rule(
    "container_bundle",
    {
        "images": Attribute(("label_dict",), {}),
        "stamp": ANY,
        "tar_output": Attribute(("output",)),
        "experimental_tarball_format": string("legacy", values=("legacy", "compressed")),
    },
    _bundle,
    outputs=("{name}.tar",),
)
_FLATTEN = Rule(
    "container_flatten",
    {"image": label(mandatory=True)},
    _flatten,
    outputs=("{name}.tar", "{name}.json"),
)


def _inside_bundle(call: Call) -> tuple[Call, ...]:
    """The image ``NAME-internal``, and the bundle *call* that gives it its tag."""
    inner = f"{call.name}-internal"
    own = {name: value for name, value in call.attributes.items() if name != "tag"}
    shared = {name: value for name, value in own.items() if name in COMMON}
    images = {call.string("tag"): f":{inner}"}
    return (
        call._replace(rule=_IMAGE, name=inner, attributes={**own, "name": inner}),
        call._replace(rule=_BUNDLE, attributes={**shared, "images": images}),
    )


WITH_TAG = Rule(
    "container_image_with_tag",
    {**IMAGE, "tag": string(mandatory=True)},
    expand=_inside_bundle,
    replaces=True,
)
"""What contrib:with-tag.bzl calls container_image."""

RULES = rules_of(
    *(_IMAGE, _LAYER, _BUNDLE, _FLATTEN),
    *(_IMAGE._replace(name=name) for name in ("docker_image", "docker_build")),
    _LAYER._replace(name="docker_layer"),
    _BUNDLE._replace(name="docker_bundle"),
    _FLATTEN._replace(name="docker_flatten"),
)
