"""The rules of rules_oci: a base, tars, and what the config says."""

from collections.abc import Mapping

from artificer.builder.targets import (
    Content,
    FromFile,
    Group,
    ImageTarget,
    IndexTarget,
    Load,
    Output,
    Pairs,
    Pull,
    Push,
    Target,
    TargetId,
    TarLayers,
    Text,
    Wishes,
)
from artificer.frontends.buildfile.rules.values import (
    pairs_of,
    platform_of,
    rules_of,
    text_of,
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
    string,
    string_dict,
    strings,
)
from artificer.oci.digest import Digest, InvalidDigest
from artificer.oci.platform import Platform
from artificer.oci.reference import InvalidReference, Named, parse_name, parse_repository

_LIST_OR_FILE = either("strings", "label")
_DICT_OR_FILE = either("string_dict", "label")

IMAGE: dict[str, Attribute] = {
    "base": label(),
    "tars": labels(),
    "entrypoint": _LIST_OR_FILE,
    "cmd": _LIST_OR_FILE,
    "env": _DICT_OR_FILE,
    "user": string(),
    "workdir": string(),
    "exposed_ports": _LIST_OR_FILE,
    "volumes": _LIST_OR_FILE,
    "labels": _DICT_OR_FILE,
    "annotations": _DICT_OR_FILE,
    "created": label(),
    "os": string(),
    "architecture": string(),
    "variant": string(),
    "resource_set": string(),
}
PULL: dict[str, Attribute] = {
    "image": string(),
    "registry": string(),
    "repository": string(),
    "tag": string(),
    "digest": string(),
    "platforms": strings(),
    "reproducible": flag(default=True),
    "config": ANY,
    "config_path": ANY,
    "www_authenticate_challenges": string_dict(),
    "bazel_tags": strings(),
    "is_bzlmod": flag(),
}


def _list(call: Call, context: Context, name: str) -> tuple[Text, ...] | FromFile | None:
    """A list, or the file that holds it; None if it is not given."""
    given = call.value(name)
    if given is None:
        return None
    if isinstance(given, str):
        return FromFile(context.source(given))
    return tuple(text_of(str(text), call, context, name) for text in given)


def _texts(call: Call, context: Context, name: str) -> tuple[str, ...] | FromFile:
    given = call.value(name)
    if isinstance(given, str):
        return FromFile(context.source(given))
    return call.strings(name)


def _dict(call: Call, context: Context, name: str) -> Pairs | FromFile:
    given = call.value(name)
    if isinstance(given, str):
        return FromFile(context.source(given))
    return pairs_of(call, context, name)


def _image(call: Call, context: Context) -> Target:
    base = call.value("base")
    platform = platform_of(call, os="os", architecture="architecture", variant="variant")
    if base and platform is not None:
        context.fail(
            call, "os" if call.given("os") else "architecture", "a base says its own platform",
            hint="leave os, architecture and variant out",
        )  # fmt: skip
    if not base and not (call.string("os") and call.string("architecture")):
        context.fail(call, "", "without a base, os and architecture are needed")
    created = call.value("created")
    tars = context.sources(call.strings("tars"))
    return ImageTarget(
        base=context.source(base) if base else None,
        content=Content(),
        layers=() if not tars else (TargetId(f"{call.label}.tars", context.platform),),
        wishes=Wishes(
            env=_dict(call, context, "env"),
            env_unknown="empty",
            entrypoint=_list(call, context, "entrypoint"),
            cmd=_list(call, context, "cmd"),
            user=_text(call, context, "user"),
            workdir=_text(call, context, "workdir"),
            labels=_dict(call, context, "labels"),
            annotations=_dict(call, context, "annotations"),
            ports=_texts(call, context, "exposed_ports"),
            volumes=_texts(call, context, "volumes"),
            created=FromFile(context.source(created)) if created else None,
            created_by=f"bazel build {call.label}",
            platform=platform,
        ),
        format="oci" if not base else None,
    )


def _text(call: Call, context: Context, name: str) -> Text | None:
    value = call.string(name)
    return text_of(value, call, context, name) if value else None


def _tar_layers(call: Call, context: Context) -> Target:
    return TarLayers(context.sources(call.strings("tars")))


_TARS = Rule("oci_image_tars", {"tars": labels()}, _tar_layers)


def _with_tars(call: Call) -> tuple[Call, ...]:
    """The layers of the tars are a target of their own: images with the same tars share them."""
    if not call.strings("tars"):
        return ()
    attributes = {"tars": call.strings("tars"), "visibility": ("//visibility:private",)}
    return (call._replace(rule=_TARS, name=f"{call.name}.tars", attributes=attributes),)


def _index(call: Call, context: Context) -> Target:
    platforms = [platform_named(text, context) for text in call.strings("platforms")]
    images = call.strings("images")
    if platforms and len(images) != 1:
        context.fail(call, "platforms", "platforms are for a single image", hint="name one image")
    targets = tuple(
        context.target(images[0], platform=platform) for platform in platforms
    ) or tuple(context.target(image) for image in images)
    if not targets:
        context.fail(call, "images", "an index without images")
    return IndexTarget(targets, _dict(call, context, "annotations"))


def platform_named(text: str, context: Context) -> Platform:
    """What a ``platform()`` of the workspace says; else a name such as ``@x//:linux_arm64``."""
    named = context.call(text) if text.startswith((":", "//", "@//")) else None
    if named is not None and named.rule.name == "platform":
        values = dict.fromkeys(("os", "cpu"), "")
        for value in named.strings("constraint_values"):
            kind, _, name = value.rpartition("//")[2].partition(":")
            values[kind] = name
        if values["os"] and values["cpu"]:
            return Platform.normal(values["os"], values["cpu"])
    name = text.rpartition(":")[2].rpartition("/")[2] if "//" in text or ":" in text else text
    return Platform.parse(name.replace("_", "/") if "/" not in name else name)


def _load(call: Call, context: Context) -> Target:
    # Until rules_oci 1 it was one word.
    older = "repotags" in call.rule.attributes and call.given("repotags")
    names = _list(call, context, "repotags" if older else "repo_tags")
    loader = call.value("loader" if call.rule is _LOAD else "command")
    return Load(
        image=context.target(call.string("image")),
        names=names or (),
        format="oci" if call.string("format") == "oci" else "docker",
        loader=context.source(loader) if loader else None,
    )


def _push(call: Call, context: Context) -> Target:
    file, repository = call.value("repository_file"), call.string("repository")
    if repository and ("@" in repository or ":" in repository.rpartition("/")[2]):
        context.fail(call, "repository", f"a repository has no tag or digest: {repository!r}")
    where: Text = FromFile(context.source(file)) if file else text_of(
        repository, call, context, "repository"
    )  # fmt: skip
    tags = _list(call, context, "remote_tags")
    return Push(image=context.target(call.string("image")), repository=where, tags=tags or ())


def _pull(call: Call, context: Context) -> Mapping[str, Repository]:
    name = _named(call, context)
    main = Pull(name)
    found: dict[str, Repository] = {
        call.name: Synthetic(
            {
                f"{call.name}:{call.name}": main,
                f":{call.name}": main,
                "image:image": main,
            },
            {},
        )
    }
    for text in call.strings("platforms"):
        own = "_".join([call.name, *text.split("/")])
        target = Pull(name, Platform.parse(text))
        found[own] = Synthetic({f":{own}": target, "image:image": target})
    return found


def _named(call: Call, context: Context) -> Named:
    image = call.string("image")
    try:
        if image:
            name = parse_name(image)
        else:
            where = f"{call.string('registry')}/{call.string('repository')}".lstrip("/")
            name = Named(parse_repository(where))
        tag = call.string("tag") or name.tag
        digest = Digest(call.string("digest")) if call.string("digest") else name.digest
    except (InvalidReference, InvalidDigest) as error:
        context.fail(call, "image" if image else "repository", error.message, error.hint)
    return Named(name.repository, None if digest else tag or "latest", digest)


def _digest(call: Call, context: Context) -> Target:
    target = context.target(call.string("image"))
    name = target.label.rpartition(":")[2]
    return Group((Output(target, f"{name}.digest"),))


_LOAD = Rule(
    "oci_load",
    {
        "image": label(mandatory=True),
        "repo_tags": _LIST_OR_FILE,
        "format": string("docker", values=("docker", "oci")),
        "loader": label(),
    },
    _load,
    outputs=("{name}/tarball.tar",),
)
"""Up to rules_oci 1 it was called for the tar that it makes."""

RULES = rules_of(
    Rule(
        "oci_image",
        IMAGE,
        _image,
        expand=_with_tars,
        outputs=("{name}.digest", "{name}.json", "{name}.tar"),
    ),
    _TARS,
    Rule(
        "oci_image_index",
        {"images": labels(), "platforms": labels(), "annotations": _DICT_OR_FILE},
        _index,
        outputs=("{name}.digest",),
    ),
    Rule(
        "oci_push",
        {
            "image": label(mandatory=True),
            "repository": string(),
            "repository_file": label(),
            "remote_tags": _LIST_OR_FILE,
        },
        _push,
    ),
    _LOAD,
    _LOAD._replace(
        name="oci_tarball",
        attributes={**_LOAD.attributes, "command": label(), "repotags": _LIST_OR_FILE},
    ),
    Rule("oci_image_digest", {"image": label(mandatory=True)}, _digest),
    Rule("oci_pull", PULL, repository=_pull),
)
