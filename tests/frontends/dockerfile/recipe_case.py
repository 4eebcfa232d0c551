"""Case files of recipes: what is asked, a Dockerfile, and what it comes to, as readable text."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from artificer.builder.stages import Instruction, Recipe, RunCommand, Stage, Step
from artificer.errors import ArtificerError
from artificer.frontends.dockerfile.contexts import named_context
from artificer.frontends.dockerfile.options import Options
from artificer.frontends.dockerfile.parse import dockerfile
from artificer.frontends.dockerfile.recipe import Made, recipe
from artificer.oci.platform import Platform
from artificer.oci.reference import Named, Reference
from artificer.oci.settings import DEFAULT_PATH

LINE = "----"


class Case(NamedTuple):
    """One case: the rule that it holds, the options, the configs of bases, and both texts."""

    rule: str
    options: Options
    bases: Mapping[str, Mapping[str, Any]]
    dockerfile: str
    expected: str

    @classmethod
    def read(cls, text: str) -> "Case":
        head, source, expected = text.split(f"{LINE}\n")
        rule, options, bases = "", Options(), {}
        for line in head.splitlines():
            word, _, value = line.partition(" ")
            if word == "rule":
                rule = value
            elif word == "base":
                name, _, config = value.partition(" ")
                bases[name] = json.loads(config)
            else:
                options = _OPTIONS[word](options, value)
        assert rule
        return cls(rule, options, bases, source, expected)

    def result(self) -> str:
        def base_of(reference: Reference, platform: Platform) -> Mapping[str, Any]:
            name = reference.familiar if isinstance(reference, Named) else str(reference)
            config = dict(self.bases.get(name, {}))
            other = config.pop("document", {})
            return {"config": config, **platform.document(), **other}

        try:
            made = recipe(
                dockerfile(self.dockerfile.encode(), "Dockerfile"), self.options, base_of
            )
        except ArtificerError as error:
            hint = f"hint: {error.hint}\n" if error.hint else ""
            return f"error: {error.message}\n{hint}"
        return "".join(f"{line}\n" for line in _lines(made))


def _pair(value: str) -> tuple[str, str]:
    name, _, rest = value.partition("=")
    return name, rest


_OPTIONS: dict[str, Callable[[Options, str], Options]] = {
    "--build-arg": lambda options, value: options._replace(
        build_args=dict((*options.build_args.items(), _pair(value)))
    ),
    "--label": lambda options, value: options._replace(labels=(*options.labels, _pair(value))),
    "--build-context": lambda options, value: options._replace(
        contexts=(*options.contexts, named_context(value))
    ),
    "--platform": lambda options, value: options._replace(platform=Platform.parse(value)),
    "--build-platform": lambda options, value: options._replace(
        build_platform=Platform.parse(value)
    ),
    "--target": lambda options, value: options._replace(target=value),
    "--network": lambda options, value: options._replace(
        network="none" if value == "none" else "host"
    ),
    "--epoch": lambda options, value: options._replace(epoch=int(value)),
    "--epoch-of": lambda options, value: options._replace(
        epoch_of={_pair(value)[0]: int(_pair(value)[1])}.get
    ),
    "--all-stages": lambda options, _: options._replace(all_stages=True),
}


def _lines(made: Made) -> Iterator[str]:
    for number, stage in enumerate(made.recipe.stages):
        yield from _stage(number, stage, made.recipe)
    yield from (f"warning: {warning.text}" for warning in made.warnings)
    yield from _lint(made)
    yield from (f"epoch: {made.epoch}" for _ in range(bool(made.epoch)))
    yield from (f"reads: context {name}".rstrip() for name in sorted(made.contexts))
    yield from (f"reads: {reference} for {platform}" for reference, platform in made.images)


def _lint(made: Made) -> Iterator[str]:
    for undefined in made.undefined:
        yield f"undefined: {undefined.name} in line {undefined.at.place.line}"
    for at, name in made.undefined_in_from:
        yield f"undefined in FROM: {name} in line {at.place.line}"
    for mismatch in made.mismatched:
        yield f"mismatch: {mismatch.image} is for {mismatch.found}, not {mismatch.wanted}"


def _stage(number: int, stage: Stage, whole: Recipe) -> Iterator[str]:
    words = [f"stage {number}"]
    words += [stage.name] if stage.name else []
    words += ["from", _shown(stage.base)]
    words += ["for", str(stage.platform)] if stage.platform else []
    words += ["(target)"] if number == whole.target else []
    yield " ".join(words)
    for instruction in stage.instructions:
        yield from _instruction(instruction)
    for key, value in stage.settings.items():
        if key != "Env" or value != [f"PATH={DEFAULT_PATH}"]:
            yield f"  {key}: {json.dumps(value, ensure_ascii=False)}"
    if stage.author:
        yield f"  author: {stage.author}"


def _instruction(instruction: Instruction) -> Iterator[str]:
    first, *rest = instruction.line.split("\n")
    yield f"  {instruction.place.line:>2} | {first}"
    yield from (f"     | {line}" for line in rest)
    if instruction.step is not None:
        yield from (f"       {line}" for line in _step(instruction.step))


def _step(step: Step) -> Iterator[str]:
    if not isinstance(step, RunCommand):
        yield _shown(step)
        return
    usual = {"SOURCE_DATE_EPOCH": "0", "PATH": DEFAULT_PATH}
    env = [f"{name}={value}" for name, value in step.env if usual.get(name) != value]
    yield _shown(step._replace(env=(), mounts=()))
    yield from (_shown(mount) for mount in step.mounts)
    if env:
        yield f"env {json.dumps(env, ensure_ascii=False)}"


def _shown(value: Any) -> str:
    if isinstance(value, Reference):
        return str(value)
    if hasattr(value, "_fields"):
        defaults: dict[str, Any] = value._field_defaults
        parts = (
            f"{name}={_field(name, field)}"
            for name, field in zip(value._fields, value, strict=True)
            if name not in defaults or defaults[name] != field
        )
        return f"{type(value).__name__}({', '.join(part for part in parts if part[-3:] != '=()')})"
    if isinstance(value, tuple):
        return f"({', '.join(_shown(member) for member in value)})"
    return repr(value)


def _field(name: str, value: Any) -> str:
    return oct(value) if name == "mode" and isinstance(value, int) else _shown(value)
