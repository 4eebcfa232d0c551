"""Tests of images: their structure, that they are the same, that they come out the same."""

from artificer.builder.targets import (
    Output,
    Refused,
    Reproducible,
    SameImage,
    SourceFile,
    StructureTest,
    Target,
)
from artificer.frontends.buildfile.rules.values import rules_of
from artificer.frontends.buildfile.schema import (
    ANY,
    TEST,
    Call,
    Context,
    Rule,
    flag,
    label,
    labels,
    string,
    strings,
)

_LOADED = {"oci_tarball", "oci_load"}


def _structure(call: Call, context: Context) -> Target:
    given = [name for name in ("image", "image_tar", "image_config") if call.value(name)]
    if len(given) != 1:
        context.fail(call, "", "exactly one of image, image_tar and image_config is needed")
    source = context.source(call.string(given[0]))
    named = context.call(call.string(given[0]))
    if named is not None and named.rule.name in _LOADED:
        # rules_oci names the tar that these make, which is of an image.
        source = Output(context.of(named).target(named.string("image")))
    if isinstance(source, SourceFile):
        return Refused(
            call.rule.name,
            f"{given[0]} is a file whose image is not known",
            "import it with container_import or container_load, and name that with image =",
        )
    return StructureTest(
        source.target,
        context.sources(call.strings("configs")),
    )


def _same(call: Call, context: Context) -> Target:
    images = context.sources(call.strings("images"))
    if not images or (len(images) == 1 and not call.string("id")):
        context.fail(call, "images", "one image alone is compared with an id", hint="give `id`")
    return SameImage(images, call.string("id"))


def _reproducible(call: Call, context: Context) -> Target:
    return Reproducible(context.target(call.string("image")))


_STRUCTURE = Rule(
    "container_test",
    {
        **TEST,
        "image": label(),
        "image_tar": label(),
        "image_config": label(),
        "configs": labels(),
        "driver": string("docker", values=("docker", "host", "tar")),
        "loaded_name": string(),
        "verbose": flag(),
        "env": ANY,
        "platform": string(),
    },
    _structure,
    test=True,
)

RULES = rules_of(
    _STRUCTURE,
    _STRUCTURE._replace(name="container_structure_test"),
    Rule(
        "compare_ids_test",
        {**TEST, "images": labels(), "id": string()},
        _same,
        test=True,
    ),
    Rule(
        "container_repro_test",
        {
            **TEST,
            "image": label(mandatory=True),
            "container_diff_args": strings(),
            "workspace_file": label(),
            "want_reproducibility": flag(default=True),
            "base_image_digest": ANY,
        },
        _reproducible,
        test=True,
    ),
)
