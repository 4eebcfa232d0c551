"""All rules over a Dockerfile, without those that it asks to skip."""

from collections.abc import Callable, Iterator

from artificer.builder.place import Place
from artificer.builder.stages import AddSources, ContextFiles, CopyFiles, Recipe
from artificer.frontends.dockerfile.directives import check_of
from artificer.frontends.dockerfile.errors import InvalidDockerfile
from artificer.frontends.dockerfile.instructions import (
    Check,
    Dockerfile,
    From,
    Instruction,
    Lines,
    keyword,
)
from artificer.frontends.dockerfile.lint import instructions, rules, stages
from artificer.frontends.dockerfile.lint.rules import Rule, Violation
from artificer.frontends.dockerfile.recipe import Made

_CHECK = "check="
_ARGUMENT = "build argument BUILDKIT_DOCKERFILE_CHECK"


class LintFailed(InvalidDockerfile):
    """Rules are broken in a Dockerfile that says ``# check=error=true``."""


def check_asked(dockerfile: Dockerfile, made: Made | None) -> Check:
    """What to check: the file's own directive, or the build argument that replaces it."""
    asked = made.controls.check if made else None
    if asked is None:
        return dockerfile.directives.check
    at = Lines(Place(_ARGUMENT, 1), 1, asked, asked)
    return check_of(asked, at) if asked.strip() else Check()


def violations(
    dockerfile: Dockerfile,
    made: Made | None = None,
    ignored: Callable[[str], bool] | None = None,
) -> tuple[Violation, ...]:
    """Return what breaks a rule, in the order of the lines.

    Without *made*, what the file came to, rules that need its variables are silent; without
    *ignored*, the .dockerignore of the main context, so is that about ignored files.
    """
    check = check_asked(dockerfile, made)
    found = [
        violation
        for violation in _found(dockerfile, made, ignored)
        if _is_on(violation.rule, check) and not _is_skipped(violation)
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda violation: violation.at.place.line))


def failure(check: Check, found: tuple[Violation, ...]) -> LintFailed | None:
    """Return the error that *found* is, where *check* asks for one."""
    if not check.error or not found:
        return None
    names = ", ".join(dict.fromkeys(violation.rule.name for violation in found))
    return LintFailed(
        f"lint violation found for rules: {names}",
        hint="mend them, or name them in `# check=skip=…`; `--check` shows each with its lines",
    )


def _found(
    dockerfile: Dockerfile, made: Made | None, ignored: Callable[[str], bool] | None
) -> Iterator[Violation]:
    yield from stages.stage_violations(dockerfile)
    yield from stages.default_violations(dockerfile)
    yield from instructions.instruction_violations(dockerfile)
    yield from instructions.casing_violations(dockerfile)
    shells = _with_shell(dockerfile, made.recipe) if made else frozenset()
    yield from instructions.body_violations(dockerfile, shells)
    if made:
        yield from stages.evaluated_violations(dockerfile, made)
    if made and ignored:
        yield from _ignored_files(dockerfile, made.recipe, ignored)


def _is_on(rule: Rule, check: Check) -> bool:
    if rule.experimental and not {rule.name, "all"} & set(check.experimental):
        return False
    return not {rule.name, "all"} & set(check.skip)


def _is_skipped(violation: Violation) -> bool:
    """Whether a comment right above the instruction asks to skip the rule there."""
    for comment in violation.at.comments:
        if comment.lower().startswith(_CHECK):
            try:
                check = check_of(comment[len(_CHECK) :], violation.at)
            except InvalidDockerfile:
                continue  # It is a comment, whatever it begins with.
            if not _is_on(violation.rule, check._replace(experimental=("all",))):
                return True
    return False


def _with_shell(dockerfile: Dockerfile, recipe: Recipe) -> frozenset[int]:
    """Return the stages whose image has a shell of its own, whoever has set it."""
    lines = {stage.place.line for stage in recipe.stages if stage.settings.get("Shell")}
    return frozenset(
        number
        for number, stage in enumerate(dockerfile.stages)
        if stage.start.at.place.line in lines
        and not any(keyword(instruction) == "SHELL" for instruction in stage.body)
    )


def _ignored_files(
    dockerfile: Dockerfile, recipe: Recipe, ignored: Callable[[str], bool]
) -> Iterator[Violation]:
    written = _by_line(dockerfile)
    for stage in recipe.stages:
        for instruction in stage.instructions:
            at = written.get(instruction.place.line)
            step = instruction.step
            files = step.files if isinstance(step, AddSources) else step
            if at is None or not isinstance(files, CopyFiles) or files.source != ContextFiles():
                continue
            name = "Add" if isinstance(step, AddSources) else "Copy"
            for source in files.sources:
                path = source.strip("/")
                if path not in ("", ".") and ignored(path):
                    detail = (
                        f'Attempting to {name} file "{source}" that is excluded by .dockerignore'
                    )
                    yield Violation(rules.COPY_IGNORED_FILE, at, detail)


def _by_line(dockerfile: Dockerfile) -> dict[int, Lines]:
    everything: Iterator[From | Instruction] = (
        instruction for stage in dockerfile.stages for instruction in stage.body
    )
    return {instruction.at.place.line: instruction.at for instruction in everything}
