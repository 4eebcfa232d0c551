"""The docker rules of Bazel, as rules_docker had them from 2017 to its end."""

from artificer.builder.targets import (
    Bundle,
    Content,
    Flattened,
    FromFile,
    ImageTarget,
    Imported,
    LayerTarget,
    Pull,
    Push,
    Target,
    Text,
    Wishes,
)
from artificer.frontends.buildfile.rules.values import (
    image_dir,
    image_paths,
    made,
    mode_of,
    mtime_of,
    pairs_of,
    platform_of,
    puts_of,
    rules_of,
    strip_of,
    text_of,
    text_or_file,
    words_of,
)
from artificer.frontends.buildfile.schema import (
    ANY,
    Attribute,
    Call,
    Context,
    Repository,
    Rule,
    Synthetic,
    either,
    flag,
    label,
    labels,
    number,
    string,
    string_dict,
    strings,
)
from artificer.oci.digest import Digest, InvalidDigest
from artificer.oci.media import Format
from artificer.oci.reference import InvalidReference, Named, parse_repository

_GZIP_ONLY = ("", "gzip")

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
    "build_layer": ANY,
    "extract_config": ANY,
    "incremental_load_template": ANY,
    "compare_sha256": ANY,
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
    "label_files": labels(),
    "label_file_strings": strings(),
    "create_image_config": ANY,
    "sha256": ANY,
}
PULL = {
    "registry": string(mandatory=True),
    "repository": string(mandatory=True),
    "tag": string("latest"),
    "digest": string(),
    "architecture": string("amd64"),
    "cpu_variant": string(),
    "os": string("linux"),
    "os_version": string(),
    "os_features": strings(),
    "platform_features": strings(),
    "docker_client_config": ANY,
    "cred_helpers": labels(),
    "timeout": number(),
    "import_tags": strings(),
    "puller_darwin": ANY,
    "puller_linux_amd64": ANY,
    "puller_linux_arm64": ANY,
    "puller_linux_s390x": ANY,
}
PUSH = {
    "image": label(mandatory=True),
    "registry": string(),
    "registry_file": label(),
    "repository": string(),
    "repository_file": label(),
    "tag": string("latest"),
    "tag_file": label(),
    "stamp": ANY,
    "skip_unchanged_digest": flag(),
    "insecure_repository": flag(),
    "extension": string(),
    "tag_tpl": ANY,
    "windows_paths": flag(),
    "retry_count": number(),
    "sequential": flag(),
}
FORMAT = {"format": string(mandatory=True, values=("Docker", "OCI"))}
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
        labels=pairs_of(call, context, "labels"),
        ports=call.strings("ports"),
        volumes=call.strings("volumes"),
        created=text("creation_time"),
        author="Bazel",
        created_by=f"bazel build {call.label}",
        platform=platform_of(
            call, os="operating_system", architecture="architecture", version="os_version"
        ),
        run_flags=tuple(flags.split()) if isinstance(flags, str) else tuple(flags or ()),
    )


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


def named(call: Call, context: Context) -> Named:
    """The image that registry, repository, digest and tag name; a digest decides."""
    registry = call.string("registry").removeprefix("https://").removeprefix("http://")
    try:
        repository = parse_repository(f"{registry}/{call.string('repository')}")
    except InvalidReference as error:
        context.fail(call, "repository", error.message, error.hint)
    if not call.string("digest"):
        return Named(repository, call.string("tag") or "latest")
    try:
        return Named(repository, None, Digest(call.string("digest")))
    except InvalidDigest as error:
        context.fail(call, "digest", error.message)


def pulled(target: Target) -> Synthetic:
    """A repository of one image, under the names that rules_docker gives its parts (RD-09)."""
    return Synthetic(
        {"image:image": target},
        {
            "image:image.tar": ("image:image", "image.tar"),
            "image:image.digest": ("image:image", "image.digest"),
            "image:digest": ("image:image", "image.digest"),
            "image:config.json": ("image:image", "image.json"),
        },
    )


def _pull(call: Call, context: Context) -> dict[str, Repository]:
    platform = platform_of(
        call, os="os", architecture="architecture", variant="cpu_variant", version="os_version"
    )
    return {call.name: pulled(Pull(named(call, context), platform))}


def _load(call: Call, context: Context) -> dict[str, Repository]:
    return {call.name: pulled(Imported(archive=context.source(call.string("file"))))}


def _import(call: Call, context: Context) -> Target:
    config, manifest = call.value("config"), call.value("manifest")
    return Imported(
        config=context.source(config) if config else None,
        manifest=context.source(manifest) if manifest else None,
        layers=context.sources(call.strings("layers")),
    )


def _push_of(call: Call, context: Context, format_: Format | None) -> Push:
    tag = text_or_file(call, context, "tag", "tag_file")
    tags: tuple[Text, ...] | FromFile = tag if isinstance(tag, FromFile) else (tag,)
    return Push(
        image=context.target(call.string("image")),
        registry=text_or_file(call, context, "registry", "registry_file"),
        repository=text_or_file(call, context, "repository", "repository_file"),
        tags=tags,
        format=format_,
        insecure=call.flag("insecure_repository"),
        skip_unchanged=call.flag("skip_unchanged_digest"),
    )


def _push(call: Call, context: Context) -> Target:
    return _push_of(call, context, "oci" if call.string("format") == "OCI" else "docker")


def _docker_push(call: Call, context: Context) -> Target:
    return _push_of(call, context, "docker")


def _oci_push(call: Call, context: Context) -> Target:
    return _push_of(call, context, "oci")


def _push_all(call: Call, context: Context) -> Target:
    return Push(
        image=context.target(call.string("bundle")),
        format="oci" if call.string("format") == "OCI" else "docker",
        skip_unchanged=call.flag("skip_unchanged_digest"),
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
_PULL = Rule("container_pull", PULL, repository=_pull)
_LOAD = Rule("container_load", {"file": label(mandatory=True)}, repository=_load)
_IMPORT = Rule(
    "container_import",
    {
        "config": label(),
        "manifest": label(),
        "layers": labels(),
        "repository": string("bazel"),
        "base_image_registry": string(),
        "base_image_repository": string(),
        "base_image_digest": string(),
        "sha256": ANY,
    },
    _import,
    outputs=OUTPUTS,
)
_BUNDLE = Rule(
    "container_bundle",
    {
        "images": Attribute(("label_dict",), {}),
        "stamp": ANY,
        "tar_output": Attribute(("output",)),
        "experimental_tarball_format": string("legacy", values=("legacy", "compressed")),
        "extract_config": ANY,
        "image_target_strings": strings(),
    },
    _bundle,
    outputs=("{name}.tar",),
)
_FLATTEN = Rule(
    "container_flatten",
    {"image": label(mandatory=True), "extract_config": ANY},
    _flatten,
    outputs=("{name}.tar", "{name}.json"),
)
_PUSH_ALL = Rule(
    "container_push_all",
    {
        "bundle": label(mandatory=True),
        "format": string("Docker", values=("Docker", "OCI")),
        "sequential": flag(),
        "stamp": ANY,
        "skip_unchanged_digest": flag(),
    },
    _push_all,
)

RULES = rules_of(
    *(_IMAGE, _LAYER, _PULL, _LOAD, _IMPORT, _BUNDLE, _FLATTEN, _PUSH_ALL),
    *(_IMAGE._replace(name=name) for name in ("docker_image", "docker_build")),
    _LAYER._replace(name="docker_layer"),
    _PULL._replace(name="docker_pull"),
    _LOAD._replace(name="docker_load"),
    _IMPORT._replace(name="docker_import"),
    _BUNDLE._replace(name="docker_bundle"),
    _FLATTEN._replace(name="docker_flatten"),
    Rule("container_push", {**PUSH, **FORMAT}, _push, outputs=("{name}.digest",)),
    Rule("docker_push", PUSH, _docker_push, outputs=("{name}.digest",)),
    Rule("docker_oci_push", PUSH, _oci_push, outputs=("{name}.digest",)),
)
"""By our own names: rules_docker's ``oci_push`` and the push of bundles clash with others."""
