"""What each of the 18 instructions takes: a statement to an instruction."""

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

from artificer.frontends.dockerfile.durations import nanoseconds
from artificer.frontends.dockerfile.errors import invalid, suggestion
from artificer.frontends.dockerfile.flags import Flags
from artificer.frontends.dockerfile.instructions import (
    Add,
    Arg,
    Argument,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Heredoc,
    Instruction,
    Label,
    Lines,
    Maintainer,
    Onbuild,
    Pair,
    Run,
    Shell,
    Stopsignal,
    Trigger,
    User,
    Volume,
    Workdir,
)
from artificer.frontends.dockerfile.lines import Statement
from artificer.frontends.dockerfile.mounts import mount_flag
from artificer.frontends.dockerfile.request import Request
from artificer.frontends.dockerfile.words import (
    SPACES,
    blank_words,
    first_and_rest,
    flag_words,
    heredoc_word,
    quoted_words,
)

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_VARIABLE = re.compile(r"\$[\w{]")
_MILLISECOND = 1_000_000
_COMMENT = "a comment has a line of its own"


def instruction_of(statement: Statement, escape: str) -> From | Instruction:
    """Return the instruction that *statement* is."""
    return _parsed(statement.at, statement.at.code, statement.heredocs, escape)


def _parsed(
    at: Lines, code: str, heredocs: tuple[Heredoc, ...], escape: str
) -> From | Instruction:
    word, rest = first_and_rest(code.strip(SPACES))
    name = word.upper()
    parse = _PARSERS.get(name)
    if parse is None:
        raise invalid(
            at,
            f"no such instruction: {word[:100]}",
            word=word,
            hint=suggestion(name[:100], _PARSERS),
        )
    flags, text = flag_words(rest)
    return parse(Request(at, name, Flags(at, name, flags), text.strip(SPACES), heredocs, escape))


def _from(request: Request) -> From:
    words = blank_words(request.text)
    platform = request.flags.text("platform")
    if len(words) == 1:
        return From(request.at, words[0], platform=platform)
    if len(words) != 3 or words[1].lower() != "as":
        raise invalid(
            request.at,
            f"FROM takes an image, and AS with a name: it has {_words(words)}",
            word=request.text,
            hint=_COMMENT
            if any(word.startswith("#") for word in words)
            else "FROM image [AS name]",
        )
    name = words[2].lower()
    if not _STAGE_NAME.fullmatch(name):
        raise invalid(
            request.at,
            f"not a name of a stage: {words[2]}",
            word=words[2],
            hint="it starts with a letter; letters, digits, `-`, `_` and `.` follow",
        )
    return From(request.at, words[0], name, words[2], platform)


def _arg(request: Request) -> Arg:
    words = quoted_words(request.some(), request.escape)
    arguments = []
    for word in words:
        name, equals, default = word.partition("=")
        if not name:
            raise invalid(request.at, "an ARG without a name", word=word)
        arguments.append(Argument(name, default if equals else None))
    return Arg(request.at, tuple(arguments))


def _env(request: Request) -> Env:
    return Env(request.at, *_pairs(request))


def _label(request: Request) -> Label:
    return Label(request.at, *_pairs(request))


def _pairs(request: Request) -> tuple[tuple[Pair, ...], bool]:
    words = quoted_words(request.some(), request.escape)
    if "=" not in words[0]:
        name, value = first_and_rest(request.text)
        if not value:
            hint = f"{request.name} {name}=value"
            raise invalid(request.at, f"{request.name} {name} has no value", word=name, hint=hint)
        return (Pair(name, value.lstrip(SPACES)),), True
    for word in words:
        if "=" not in word or word.startswith("="):
            raise invalid(
                request.at,
                f"{request.name} takes name=value, not {word}",
                word=word,
                hint="a value with blanks stands in double quotes" if "=" not in word else None,
            )
    return tuple(Pair(*word.split("=", 1)) for word in words), False


def _copy(request: Request) -> Copy:
    sources, dest, heredocs = _copied(request)
    origin = request.flags.text("from")
    if _VARIABLE.search(origin):
        raise invalid(
            request.at,
            "variables are not replaced in --from",
            word=f"--from={origin}",
            hint="declare a stage with `FROM $NAME AS name` and name that",
        )
    if origin and heredocs:
        raise invalid(request.at, "a heredoc is in no image: it cannot have --from", word="--from")
    return Copy(
        request.at,
        sources,
        dest,
        heredocs,
        origin,
        request.flags.text("chown"),
        request.flags.text("chmod"),
        bool(request.flags.truth("link")),
        bool(request.flags.truth("parents")),
        request.flags.list("exclude"),
    )


def _add(request: Request) -> Add:
    sources, dest, heredocs = _copied(request)
    checksum = request.flags.text("checksum")
    if checksum and (len(sources) != 1 or heredocs):
        raise invalid(request.at, "--checksum is of one source", word="--checksum")
    return Add(
        request.at,
        sources,
        dest,
        heredocs,
        request.flags.text("chown"),
        request.flags.text("chmod"),
        bool(request.flags.truth("link")),
        checksum,
        request.flags.truth("keep-git-dir"),
        request.flags.truth("unpack"),
        request.flags.list("exclude"),
    )


def _copied(request: Request) -> tuple[tuple[str, ...], str, tuple[Heredoc, ...]]:
    """Return sources, destination and heredocs of COPY and ADD."""
    words = request.json()
    if words is None:
        words = tuple(blank_words(request.text))
    if len(words) < 2:
        raise invalid(
            request.at,
            f"{request.name} takes sources and a destination: it has {_words(words)}",
            word=request.text,
            hint=f"{request.name} source… destination",
        )
    *sources, dest = words
    if request.heredocs and heredoc_word(dest):
        raise invalid(request.at, "a heredoc cannot be the destination", word=dest)
    plain = []
    matched = 0
    for source in sources:
        if matched < len(request.heredocs) and source == request.heredocs[matched].word:
            matched += 1
        else:
            plain.append(source)
    for number, heredoc in enumerate(request.heredocs):
        if number >= matched or "/" in heredoc.name or heredoc.name in (".", ".."):
            hint = "it names a file: without blanks and slashes"
            raise invalid(
                request.at, f"not a name of a file: {heredoc.name}", word=heredoc.word, hint=hint
            )
    return tuple(plain), dest, request.heredocs


def _words(words: Sequence[str]) -> str:
    return "1 word" if len(words) == 1 else f"{len(words)} words"


def _run(request: Request) -> Run:
    network = request.flags.text("network") or "default"
    security = request.flags.text("security") or "sandbox"
    request.one_of("network", network, ("default", "none", "host"))
    request.one_of("security", security, ("sandbox", "insecure"))
    command = request.command()
    if not command.words:
        raise invalid(request.at, "RUN without a command", word=request.name)
    return Run(
        request.at,
        command,
        request.heredocs,
        tuple(mount_flag(text, request.at) for text in request.flags.list("mount")),
        cast("Any", network),
        cast("Any", security),
        request.flags.list("device"),
    )


def _cmd(request: Request) -> Cmd:
    return Cmd(request.at, request.command())


def _entrypoint(request: Request) -> Entrypoint:
    return Entrypoint(request.at, request.command())


def _shell(request: Request) -> Shell:
    words = request.json()
    if not words:
        hint = 'SHELL ["/bin/bash", "-c"]'
        raise invalid(request.at, "SHELL takes a JSON array", word=request.text, hint=hint)
    return Shell(request.at, words)


def _workdir(request: Request) -> Workdir:
    return Workdir(request.at, request.some())


def _user(request: Request) -> User:
    return User(request.at, request.some())


def _expose(request: Request) -> Expose:
    return Expose(request.at, tuple(blank_words(request.some())))


def _volume(request: Request) -> Volume:
    paths = request.json()
    if paths is None:
        paths = tuple(blank_words(request.some()))
    if not paths or not all(path.strip(SPACES) for path in paths):
        raise invalid(request.at, "VOLUME of an empty path", word=request.text)
    return Volume(request.at, tuple(path.strip(SPACES) for path in paths))


def _stopsignal(request: Request) -> Stopsignal:
    return Stopsignal(request.at, request.some())


def _maintainer(request: Request) -> Maintainer:
    return Maintainer(request.at, request.some())


def _healthcheck(request: Request) -> Healthcheck:
    kind, rest = first_and_rest(request.some())
    rest = rest.strip(SPACES)
    if kind.upper() == "NONE":
        if rest or request.flags.given:
            raise invalid(request.at, "HEALTHCHECK NONE takes nothing else", word=kind)
        return Healthcheck(request.at, ("NONE",))
    if kind.upper() != "CMD":
        hint = f"HEALTHCHECK CMD {request.text}"[:200]
        raise invalid(
            request.at, f"HEALTHCHECK takes CMD or NONE, not {kind[:100]}", word=kind, hint=hint
        )
    command = request._replace(text=rest).command()
    if not command.words:
        raise invalid(request.at, "HEALTHCHECK CMD without a command", word=kind)
    return Healthcheck(
        request.at,
        ("CMD-SHELL" if command.shell else "CMD", *command.words),
        _duration(request, "interval"),
        _duration(request, "timeout"),
        _duration(request, "start-period"),
        _duration(request, "start-interval"),
        _retries(request),
    )


def _duration(request: Request, flag: str) -> int | None:
    text = request.flags.text(flag)
    if not text:
        return None
    time = nanoseconds(text)
    if time is None:
        hint = "write it as 30s, 1m30s or 500ms"
        raise invalid(request.at, f"--{flag} is no duration: {text}", word=f"--{flag}", hint=hint)
    if time != 0 and time < _MILLISECOND:
        raise invalid(request.at, f"--{flag} is less than 1ms: {text}", word=f"--{flag}")
    return time


def _retries(request: Request) -> int | None:
    text = request.flags.text("retries")
    if not text:
        return None
    if text.strip("0123456789") or len(text) > 9:
        raise invalid(request.at, f"--retries is no number: {text}", word="--retries")
    return int(text)


def _onbuild(request: Request) -> Onbuild:
    text = request.some()
    name = first_and_rest(text)[0].upper()
    if name in ("ONBUILD", "FROM", "MAINTAINER"):
        raise invalid(request.at, f"ONBUILD cannot trigger {name}", word=text)
    trigger = _parsed(request.at, text, request.heredocs, request.escape)
    written = "".join(f"\n{heredoc.raw}{heredoc.name}" for heredoc in request.heredocs)
    return Onbuild(request.at, text + written, cast("Trigger", trigger))


_PARSERS: dict[str, Callable[[Request], From | Instruction]] = {
    "FROM": _from,
    "ARG": _arg,
    "ENV": _env,
    "LABEL": _label,
    "COPY": _copy,
    "ADD": _add,
    "RUN": _run,
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "SHELL": _shell,
    "WORKDIR": _workdir,
    "USER": _user,
    "EXPOSE": _expose,
    "VOLUME": _volume,
    "STOPSIGNAL": _stopsignal,
    "HEALTHCHECK": _healthcheck,
    "ONBUILD": _onbuild,
    "MAINTAINER": _maintainer,
}
