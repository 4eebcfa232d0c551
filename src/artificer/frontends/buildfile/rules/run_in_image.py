"""container_run_and_commit and dockerfile_image: commands in images, without an engine."""

import shlex
from collections.abc import Mapping
from typing import Literal

from artificer.builder.targets import Command, Imported, SourceFile, Target
from artificer.frontends.buildfile.rules.values import package_path, rules_of
from artificer.frontends.buildfile.schema import (
    ANY,
    Attribute,
    Call,
    Context,
    Repository,
    Rule,
    Synthetic,
    either,
    label,
    labels,
    string,
    string_dict,
    strings,
)

_ATTRIBUTES: dict[str, Attribute] = {
    "image": label(mandatory=True),
    "commands": strings(mandatory=True),
    "docker_run_flags": either("strings", "string", default=()),
    "env": string_dict(),
    "extra_deps": labels(refused="the image has to have what a command needs: build it on one"),
    "compression": string("gzip", values=("gzip", "")),
    "compression_options": ANY,
}
_YIELDS: dict[str, Literal["files", "layer", "image"]] = {
    "container_run_and_commit": "image",
    "container_run_and_commit_layer": "layer",
    "container_run_and_extract": "files",
}


def _run(call: Call, context: Context) -> Target:
    commands = call.strings("commands")
    if not commands:
        context.fail(call, "commands", f"{call.rule.name} without commands")
    user, env = _flags(call, context)
    extract = call.string("extract_file")
    return Command(
        command=" && ".join(commands),
        package=package_path(call),
        outs=(f"{call.name}{extract}",) if extract else (),
        env=tuple({**env, **dict(call.pairs("env"))}.items()),
        root=context.source(call.string("image")),
        yields=_YIELDS[call.rule.name],
        extract=extract,
        user=user,
    )


def _flags(call: Call, context: Context) -> tuple[str, dict[str, str]]:
    """The user, and the variables, that flags of ``docker run`` say."""
    waiting = [word for text in call.strings("docker_run_flags") for word in shlex.split(text)]
    user, env = "", dict[str, str]()
    while waiting:
        name, equals, value = waiting.pop(0).partition("=")
        if name in {"--rm", "-i", "-t", "-it", "-ti", "--interactive", "--tty"}:
            continue
        if not equals and waiting:
            value = waiting.pop(0)
        if name in {"-u", "--user"}:
            user = value
        elif name in {"-e", "--env"}:
            key, _, text = value.partition("=")
            env[key] = text
        elif name != "--entrypoint" or value:
            hint = "there are --user, --env, and an --entrypoint that is empty"
            message = f"{name}: commands are run without an engine"
            context.fail(call, "docker_run_flags", message, hint)
    return user, env


def _dockerfile(call: Call, context: Context) -> Mapping[str, Repository]:
    """``@NAME//image``, and ``@NAME//image:dockerfile_image.tar``; the context is beside it."""
    source = context.source(call.string("dockerfile"))
    if not isinstance(source, SourceFile):
        context.fail(call, "dockerfile", "the Dockerfile is to be a file of the workspace")
    arguments = {**dict(call.pairs("build_args")), **dict(call.pairs("vars"))}
    target = Imported(
        dockerfile=source,
        arguments=tuple((name, str(value)) for name, value in arguments.items()),
        stage=call.string("target"),
    )
    outputs = {f"image:{name}": ("image:image", "image.tar") for name in _TARS}
    return {call.name: Synthetic({"image:image": target}, outputs)}


_TARS = ("dockerfile_image.tar", "image.tar")
RULES = rules_of(
    Rule(
        "dockerfile_image",
        {
            "dockerfile": label(mandatory=True),
            "build_args": string_dict(),
            "vars": string_dict(),
            "target": string(),
            "docker_path": string(),
        },
        repository=_dockerfile,
    ),
    Rule("container_run_and_commit", _ATTRIBUTES, _run, outputs=("{name}_commit.tar",)),
    Rule("container_run_and_commit_layer", _ATTRIBUTES, _run, outputs=("{name}-layer.tar",)),
    Rule(
        "container_run_and_extract",
        {**_ATTRIBUTES, "extract_file": string(mandatory=True)},
        _run,
    ),
)
