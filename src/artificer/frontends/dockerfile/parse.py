"""A Dockerfile: text to instructions, in stages."""

from artificer import limits
from artificer.builder.place import Place
from artificer.frontends.dockerfile.directives import directives
from artificer.frontends.dockerfile.errors import InvalidDockerfile, invalid
from artificer.frontends.dockerfile.grammar import instruction_of
from artificer.frontends.dockerfile.instructions import (
    Arg,
    Dockerfile,
    From,
    Instruction,
    Lines,
    Maintainer,
    Onbuild,
    StageLines,
    Trigger,
    keyword,
)
from artificer.frontends.dockerfile.lines import statements


def dockerfile(data: bytes, path: str) -> Dockerfile:
    """Read the Dockerfile *data*; *path* is what errors call it."""
    text = _text(data, path)
    given = directives(text, path)
    arguments: list[Arg] = []
    stages: list[tuple[From, list[Instruction]]] = []
    empty: list[Lines] = []
    for count, statement in enumerate(statements(text, path, given.escape), 1):
        if count > limits.INSTRUCTIONS:
            raise invalid(statement.at, f"more than {limits.INSTRUCTIONS} instructions")
        instruction = instruction_of(statement, given.escape)
        if statement.empty_lines:
            empty.append(statement.at)
        if isinstance(instruction, From):
            stages.append((instruction, []))
        elif stages:
            stages[-1][1].append(instruction)
        elif isinstance(instruction, Arg):
            arguments.append(instruction)
        else:
            raise _too_early(instruction)
    if not stages:
        raise _empty(path, arguments)
    return Dockerfile(
        path,
        text,
        given,
        tuple(arguments),
        tuple(StageLines(start, tuple(body)) for start, body in stages),
        tuple(empty),
    )


def trigger(expression: str, image: str) -> Trigger:
    """Read one ONBUILD trigger of the config of *image*."""
    path = f"onbuild of {image}"
    found = list(statements(expression, path))
    if len(found) != 1:
        at = Lines(Place(path, 1), 1, expression, expression)
        raise invalid(at, f"a trigger is one instruction, not {len(found)}")
    instruction = instruction_of(found[0], "\\")
    if isinstance(instruction, From | Onbuild | Maintainer):
        raise invalid(found[0].at, f"ONBUILD cannot trigger {keyword(instruction)}")
    return instruction


def _text(data: bytes, path: str) -> str:
    if len(data) > limits.DOCKERFILE_BYTES:
        most = limits.DOCKERFILE_BYTES
        raise InvalidDockerfile(f"{path}: a Dockerfile of more than {most} bytes")
    # Comments may be in any encoding; of instructions only UTF-8 is taken.
    return data.decode("utf-8", "surrogateescape")


def _too_early(instruction: Instruction) -> InvalidDockerfile:
    name = keyword(instruction)
    return invalid(
        instruction.at,
        f"{name} before the first FROM",
        word=instruction.at.code.split()[0],
        hint="a Dockerfile begins with FROM; only ARG may stand before it",
    )


def _empty(path: str, arguments: list[Arg]) -> InvalidDockerfile:
    if arguments:
        return invalid(arguments[-1].at, "there is no FROM", hint="begin a stage: FROM image")
    return InvalidDockerfile(f"{path}: a Dockerfile without instructions", hint="FROM image")
