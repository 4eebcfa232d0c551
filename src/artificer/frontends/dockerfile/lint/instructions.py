"""Rules about single instructions, and about those of one stage together."""

import re
from collections.abc import Iterable, Iterator

from artificer.frontends.dockerfile.instructions import (
    Arg,
    Cmd,
    Dockerfile,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Instruction,
    Label,
    Lines,
    Maintainer,
    Shell,
    StageLines,
    Workdir,
    keyword,
)
from artificer.frontends.dockerfile.lint import rules
from artificer.frontends.dockerfile.lint.rules import Violation

_TOKENS = "apikey|auth|credentials?|key|password|pword|passwd|secret|token"
_SECRET = re.compile(rf"(?:_|^)(?:{_TOKENS})(?:_|$)", re.IGNORECASE)
_HARMLESS = re.compile(r"(?:_|^)(?:public|file|version)(?:_|$)", re.IGNORECASE)
_BRACED = re.compile(r"\$\{[^}]*\}")
_DIRECTIVES = ("check=", "syntax=", "escape=")


def instruction_violations(dockerfile: Dockerfile) -> Iterator[Violation]:
    """Yield what can be said of each instruction by itself."""
    for at in dockerfile.empty_continuations:
        yield Violation(rules.NO_EMPTY_CONTINUATION, at, "Empty continuation line")
    for instruction in _all(dockerfile):
        yield from _of_one(instruction)


def casing_violations(dockerfile: Dockerfile) -> Iterator[Violation]:
    """Yield instructions that are not written as most are."""
    words = [
        (instruction.at.code.split(None, 1)[0], instruction.at)
        for stage in dockerfile.stages
        for instruction in (stage.start, *stage.body)
    ]
    lower = sum(word.islower() for word, _ in words) > sum(word.isupper() for word, _ in words)
    for word, at in words:
        if word != (word.lower() if lower else word.upper()):
            detail = (
                f"Command '{word}' should match the case of the command majority "
                f"({'lowercase' if lower else 'uppercase'})"
            )
            yield Violation(rules.CONSISTENT_INSTRUCTION_CASING, at, detail)


def body_violations(dockerfile: Dockerfile, with_shell: frozenset[int]) -> Iterator[Violation]:
    """Yield what shows when a stage is read from above; *with_shell*: stages whose base sets it.

    What a stage sets, those have that begin with it.
    """
    shells: set[str] = set()
    workdirs: set[str] = set()
    for number, stage in enumerate(dockerfile.stages):
        base = stage.start.image.lower()
        shell = base in shells or number in with_shell
        workdir = base in workdirs
        yield from _repeated(stage)
        yield from _shell_forms(stage, shell=shell)
        yield from _relative(stage, workdir=workdir)
        kinds = {type(instruction) for instruction in stage.body}
        for names, had, kind in ((shells, shell, Shell), (workdirs, workdir, Workdir)):
            names.discard(stage.start.name)
            if had or kind in kinds:
                names.add(stage.start.name)


def _all(dockerfile: Dockerfile) -> Iterator[From | Instruction]:
    yield from dockerfile.arguments
    for stage in dockerfile.stages:
        yield stage.start
        yield from stage.body


def _of_one(instruction: From | Instruction) -> Iterator[Violation]:
    match instruction:
        case Maintainer(at=at):
            detail = "Maintainer instruction is deprecated in favor of using label"
            yield Violation(rules.MAINTAINER_DEPRECATED, at, detail)
        case Env(at=at, pairs=pairs):
            yield from _secrets(at, "ENV", [pair.name for pair in pairs])
            yield from _legacy(instruction)
        case Label():
            yield from _legacy(instruction)
        case Arg(at=at, arguments=arguments):
            names = [argument.name for argument in arguments]
            yield from _secrets(at, "ARG", names)
            yield from _description("ARG", names, at)
        case From(at=at, name=name) if name:
            yield from _description("FROM", [name, instruction.alias], at)
        case Expose(at=at, ports=ports):
            yield from _ports(at, ports)
        case _:
            return


def _secrets(at: Lines, name: str, keys: Iterable[str]) -> Iterator[Violation]:
    for key in keys:
        if _SECRET.search(key) and not _HARMLESS.search(key):
            detail = f'Do not use ARG or ENV instructions for sensitive data ({name} "{key}")'
            yield Violation(rules.SECRETS_USED_IN_ARG_OR_ENV, at, detail)


def _legacy(instruction: Env | Label) -> Iterator[Violation]:
    if instruction.legacy:
        name = keyword(instruction)
        detail = f'"{name} key=value" should be used instead of legacy "{name} key value" format'
        yield Violation(rules.LEGACY_KEY_VALUE_FORMAT, instruction.at, detail)


def _description(name: str, keys: list[str], at: Lines) -> Iterator[Violation]:
    comment = at.comments[-1] if at.comments else ""
    if not comment or comment.startswith(_DIRECTIVES) or comment.split(" ")[0] in keys:
        return
    key = "<arg_key>" if name == "ARG" and len(keys) > 1 else keys[0]
    detail = f"Comment for {name} should follow the format: `# {key} <description>`"
    yield Violation(rules.INVALID_DEFINITION_DESCRIPTION, at, detail)


def _ports(at: Lines, ports: Iterable[str]) -> Iterator[Violation]:
    for port in ports:
        plain = _BRACED.sub("", port)
        if ":" in plain:
            detail = (
                "EXPOSE instruction should not define an IP address or host-port mapping, "
                f"found '{port}'"
            )
            yield Violation(rules.EXPOSE_INVALID_FORMAT, at, detail)
        protocol = plain.partition("/")[2]
        if "$" not in protocol and protocol != protocol.lower():
            detail = f"Defined protocol '{port}' in EXPOSE instruction should be lowercase"
            yield Violation(rules.EXPOSE_PROTO_CASING, at, detail)


def _repeated(stage: StageLines) -> Iterator[Violation]:
    last: dict[str, Lines] = {}
    for instruction in stage.body:
        if not isinstance(instruction, Cmd | Entrypoint | Healthcheck):
            continue
        name = keyword(instruction)
        if name in last:
            detail = (
                f"Multiple {name} instructions should not be used in the same stage because "
                "only the last one will be used"
            )
            yield Violation(rules.MULTIPLE_INSTRUCTIONS_DISALLOWED, last[name], detail)
        last[name] = instruction.at


def _shell_forms(stage: StageLines, *, shell: bool) -> Iterator[Violation]:
    for instruction in stage.body:
        if isinstance(instruction, Shell):
            return
        if isinstance(instruction, Cmd | Entrypoint) and instruction.command.shell and not shell:
            detail = (
                f"JSON arguments recommended for {keyword(instruction)} to prevent unintended "
                "behavior related to OS signals"
            )
            yield Violation(rules.JSON_ARGS_RECOMMENDED, instruction.at, detail)


def _relative(stage: StageLines, *, workdir: bool) -> Iterator[Violation]:
    first = next((found for found in stage.body if isinstance(found, Workdir)), None)
    if first is None or workdir or first.path.strip("\"'").startswith(("/", "$")):
        return
    detail = (
        f'Relative workdir "{first.path}" can have unexpected results if the base image changes'
    )
    yield Violation(rules.WORKDIR_RELATIVE_PATH, first.at, detail)
