"""The config that a Dockerfile comes to, here and with buildah."""

import json
from pathlib import Path
from typing import Any

from artificer.frontends.dockerfile.options import Options
from artificer.frontends.dockerfile.parse import dockerfile
from artificer.frontends.dockerfile.recipe import recipe
from tests.parts.commands import Command

# What buildah does differently from BuildKit is left out: an ARG behind an ENV of its name, SHELL
# of CMD, ranges of ports, ARGs of a base stage, and all modifiers but `:-` and `:+`.
DOCKERFILE = """\
FROM scratch AS base
ARG A=arg
ENV B="two words" C=$A
ARG D=d-${A}
ENV G=${NONE:-dflt} H=${A:+alt} I='$A' J="\\$A" K=a\\ b L="'q'" M=$C-$D
ENV legacy with  $A words
LABEL x=$A "y z"="q $B" m=1 n=2
WORKDIR /w
WORKDIR sub/../x
USER app:grp
EXPOSE 80 53/udp ${PORT:-81}
VOLUME /v1 $A
VOLUME ["/v 2"]
STOPSIGNAL SIGUSR1
HEALTHCHECK --interval=90s --timeout=3s --start-period=5s --retries=4 CMD curl $A
CMD foo $A
ENTRYPOINT ["/e", "$A"]
ONBUILD ENV T=$C
ONBUILD LABEL t=1
MAINTAINER Ann
FROM base
WORKDIR deeper
ENTRYPOINT b
LABEL m=2
HEALTHCHECK NONE
"""
FIELDS = (
    *("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels"),
    *("StopSignal", "Healthcheck", "OnBuild", "Shell"),
)


def test_the_config_is_buildahs(buildah: Command, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    for target in ("0", "1"):
        name = f"config-{target}"
        stage = ("--target", "base") if target == "0" else ()
        made = recipe(
            dockerfile(DOCKERFILE.encode(), "Dockerfile"), Options(target=target), lambda *_: {}
        )
        buildah.run("build", "-q", "--format", "docker", *stage, "-t", name, tmp_path)
        theirs = json.loads(buildah.output("inspect", "--type", "image", name))["Docker"]
        config: dict[str, Any] = {key: theirs["config"].get(key) or None for key in FIELDS}
        config["Labels"].pop("io.buildah.version")

        stage_made = made.recipe.stages[made.recipe.target]

        assert {key: stage_made.settings.get(key) for key in FIELDS} == config
        assert stage_made.author == theirs["author"]
