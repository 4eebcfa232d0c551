"""Rules about FROM, its stage and its platform."""

import re
from collections.abc import Iterator

from artificer.errors import ArtificerError
from artificer.frontends.dockerfile.errors import suggestion
from artificer.frontends.dockerfile.expand import expand
from artificer.frontends.dockerfile.instructions import Dockerfile, From
from artificer.frontends.dockerfile.lint import rules
from artificer.frontends.dockerfile.lint.rules import Violation
from artificer.frontends.dockerfile.options import Options, platform_arguments
from artificer.frontends.dockerfile.recipe import Made
from artificer.oci.reference import InvalidReference, parse_name

_SUGGESTED = 100
_RESERVED = ("scratch", "context")
_TARGET_PLATFORM = re.compile(r"""["']?(\$TARGETPLATFORM|\$\{TARGETPLATFORM\})["']?""")


def stage_violations(dockerfile: Dockerfile) -> Iterator[Violation]:
    """Yield what can be said of each FROM by itself."""
    seen: set[str] = set()
    for stage in dockerfile.stages:
        start = stage.start
        yield from _casing(start)
        yield from _platform(start)
        if start.name in _RESERVED:
            detail = f'Stage name should not use the same name as reserved stage "{start.name}"'
            yield Violation(rules.RESERVED_STAGE_NAME, start.at, detail)
        if start.name and start.name in seen:
            detail = f'Duplicate stage name "{start.name}", stage names should be unique'
            yield Violation(rules.DUPLICATE_STAGE_NAME, start.at, detail)
        seen.add(start.name)


def default_violations(dockerfile: Dockerfile) -> Iterator[Violation]:
    """Yield images that the defaults of the arguments make no name of."""
    defaults = platform_arguments(Options())
    escape = dockerfile.directives.escape
    for arg in dockerfile.arguments:
        for argument in arg.arguments:
            if argument.default is not None:
                defaults[argument.name] = _expanded(argument.default, defaults, escape) or ""
    for stage in dockerfile.stages:
        image = _expanded(stage.start.image, defaults, escape)
        if image is not None and not _is_name(image):
            detail = (
                f"Default value for ARG {stage.start.image} results in empty or invalid base "
                "image name"
            )
            yield Violation(rules.INVALID_DEFAULT_ARG_IN_FROM, stage.start.at, detail)


def evaluated_violations(dockerfile: Dockerfile, made: Made) -> Iterator[Violation]:
    """Yield what shows when a FROM is evaluated."""
    declared = [name for arg in dockerfile.arguments for name, _ in arg.arguments]
    known = [*platform_arguments(Options()), *declared]
    for count, (at, name) in enumerate(made.undefined_in_from):
        near = _near(name, known[:_SUGGESTED], "") if count < _SUGGESTED else ""
        detail = f"FROM argument '{name}' is not declared{near}"
        yield Violation(rules.UNDEFINED_ARG_IN_FROM, at, detail)
    for count, undefined in enumerate(made.undefined):
        near = _near(undefined.name, undefined.known, "$") if count < _SUGGESTED else ""
        detail = f"Usage of undefined variable '${undefined.name}'{near}"
        yield Violation(rules.UNDEFINED_VAR, undefined.at, detail)
    for mismatch in made.mismatched:
        detail = (
            f'Base image {mismatch.image} was pulled with platform "{mismatch.found}", '
            f'expected "{mismatch.wanted}" for current build'
        )
        yield Violation(rules.INVALID_BASE_IMAGE_PLATFORM, mismatch.at, detail)


def _casing(start: From) -> Iterator[Violation]:
    if start.alias != start.name:
        detail = f"Stage name '{start.alias}' should be lowercase"
        yield Violation(rules.STAGE_NAME_CASING, start.at, detail)
    if not start.name:
        return
    words = start.at.code.split()
    first, between = words[0], words[-2]
    wanted = between.lower() if first.islower() else between.upper()
    if (first.islower() or first.isupper()) and between != wanted:
        detail = f"'{between}' and '{first}' keywords' casing do not match"
        yield Violation(rules.FROM_AS_CASING, start.at, detail)


def _platform(start: From) -> Iterator[Violation]:
    match = _TARGET_PLATFORM.fullmatch(start.platform)
    if match:
        detail = (
            f"Setting platform to predefined {match[1]} in FROM is redundant as this is the "
            "default behavior"
        )
        yield Violation(rules.REDUNDANT_TARGET_PLATFORM, start.at, detail)
    elif start.platform and "$" not in start.platform:
        # A stage called after its platform (build-amd64) means it.
        parts = [part for part in start.platform.strip("\"'").split("/") if part]
        if not any(part in start.name for part in parts):
            detail = f'FROM --platform flag should not use constant value "{start.platform}"'
            yield Violation(rules.FROM_PLATFORM_FLAG_CONST_DISALLOWED, start.at, detail)


def _expanded(text: str, variables: dict[str, str], escape: str) -> str | None:
    try:
        return expand(text, variables, escape).text
    except ArtificerError:
        return None


def _is_name(image: str) -> bool:
    try:
        parse_name(image)
    except InvalidReference:
        return False
    return True


def _near(name: str, known: list[str] | tuple[str, ...], sign: str) -> str:
    near = suggestion(name, known)
    return f" ({near.replace('mean ', f'mean {sign}')})" if near else ""
