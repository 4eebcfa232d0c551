"""The docker rules of Bazel that move images: pulls, imports and pushes."""

from artificer.builder.targets import FromFile, Imported, Pull, Push, Target, Text
from artificer.frontends.buildfile.rules.docker import OUTPUTS
from artificer.frontends.buildfile.rules.values import (
    platform_of,
    rules_of,
    text_or_file,
)
from artificer.frontends.buildfile.schema import (
    ANY,
    Call,
    Context,
    Repository,
    Rule,
    Synthetic,
    flag,
    label,
    labels,
    number,
    string,
    strings,
)
from artificer.oci.digest import Digest, InvalidDigest
from artificer.oci.media import Format
from artificer.oci.reference import InvalidReference, Named, parse_repository

_LOGIN = "who may pull is said outside of BUILD files"

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
    "docker_client_config": label(),
    "cred_helpers": labels(),
    "timeout": number(),
    "import_tags": strings(),
}
_PULL_REFUSED = {
    "os_features": ("images are chosen by their platform", "name its digest"),
    "platform_features": ("images are chosen by their platform", "name its digest"),
    "docker_client_config": (_LOGIN, "set DOCKER_CONFIG, or log in with `artificer login`"),
    "cred_helpers": (_LOGIN, "put the helper on PATH, and into `credHelpers` of config.json"),
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
    "skip_unchanged_digest": flag(),  # it always is
    "insecure_repository": flag(),
    "retry_count": number(),
}
FORMAT = {"format": string(mandatory=True, values=("Docker", "OCI"))}


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
    for name, (reason, hint) in _PULL_REFUSED.items():
        if call.value(name):
            context.fail(call, name, f"{call.rule.name}.{name} is not supported: {reason}", hint)
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
    )


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
    },
    _import,
    outputs=OUTPUTS,
)
_PUSH_ALL = Rule(
    "container_push_all",
    {
        "bundle": label(mandatory=True),
        "format": string("Docker", values=("Docker", "OCI")),
        "sequential": flag(),
        "stamp": ANY,
        "skip_unchanged_digest": flag(),  # it always is
    },
    _push_all,
)

RULES = rules_of(
    *(_PULL, _LOAD, _IMPORT, _PUSH_ALL),
    _PULL._replace(name="docker_pull"),
    _LOAD._replace(name="docker_load"),
    _IMPORT._replace(name="docker_import"),
    Rule("container_push", {**PUSH, **FORMAT}, _push, outputs=("{name}.digest",)),
    Rule("docker_push", PUSH, _docker_push, outputs=("{name}.digest",)),
    Rule("docker_oci_push", PUSH, _oci_push, outputs=("{name}.digest",)),
)
"""By our own names: rules_docker's ``oci_push`` and the push of bundles clash with others."""
