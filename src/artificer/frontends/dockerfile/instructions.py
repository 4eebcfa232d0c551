"""The instructions of a Dockerfile as written: nothing in them is expanded or looked up."""

import re
from typing import Literal, NamedTuple

from artificer.builder.place import Place

_TABS = re.compile(r"^\t+", re.MULTILINE)


class Lines(NamedTuple):
    """Where an instruction stands: the lines from ``place.line`` to *last*, and what they say.

    *text* are the lines as they are, heredocs and comments in between included. *code* is the
    instruction on one line: continuations joined, without comments and heredocs. *comments* are
    the lines directly above it, without their ``#``.
    """

    place: Place
    last: int
    text: str
    code: str
    comments: tuple[str, ...] = ()


class Heredoc(NamedTuple):
    """A text in the Dockerfile: ``<<NAME``. *raw* keeps the tabs that ``<<-`` takes off.

    *expand* is false where any part of the delimiter is quoted. *word* is the delimiter as it is
    written (``<<-"EOF"``).
    """

    name: str
    raw: str
    expand: bool
    chomp: bool
    word: str

    @property
    def text(self) -> str:
        """What the file holds: without leading tabs where ``<<-`` asks for it."""
        if not self.chomp:
            return self.raw
        return _TABS.sub("", self.raw)


class CommandLine(NamedTuple):
    """Words of the exec form, or (*shell*) one text for the shell; no words where it is empty."""

    words: tuple[str, ...]
    shell: bool


class Argument(NamedTuple):
    """One name of an ARG. *default* None is ``ARG NAME``; ``ARG NAME=`` is the empty text."""

    name: str
    default: str | None = None


class Pair(NamedTuple):
    """One name of an ENV or LABEL, both sides with their quotes."""

    name: str
    value: str


class MountFlag(NamedTuple):
    """One ``--mount`` of a RUN: *fields* in their order, keys in lower case and by their own name.

    A key without a value has None. `mounts.options_of` makes typed values of them, once their
    variables are expanded.
    """

    text: str
    fields: tuple[tuple[str, str | None], ...]


class From(NamedTuple):
    """FROM. *name* is in lower case, "" where there is none; *alias* is as written."""

    at: Lines
    image: str
    name: str = ""
    alias: str = ""
    platform: str = ""


class Arg(NamedTuple):
    """ARG."""

    at: Lines
    arguments: tuple[Argument, ...]


class Env(NamedTuple):
    """ENV; *legacy* is ``ENV name value``."""

    at: Lines
    pairs: tuple[Pair, ...]
    legacy: bool = False


class Label(NamedTuple):
    """LABEL; *legacy* is ``LABEL name value``."""

    at: Lines
    pairs: tuple[Pair, ...]
    legacy: bool = False


class Copy(NamedTuple):
    """COPY. *origin* is ``--from``; *heredocs* stand beside *sources*."""

    at: Lines
    sources: tuple[str, ...]
    dest: str
    heredocs: tuple[Heredoc, ...] = ()
    origin: str = ""
    chown: str = ""
    chmod: str = ""
    link: bool = False
    parents: bool = False
    exclude: tuple[str, ...] = ()


class Add(NamedTuple):
    """ADD. *unpack* and *keep_git_dir* None are flags that are not given."""

    at: Lines
    sources: tuple[str, ...]
    dest: str
    heredocs: tuple[Heredoc, ...] = ()
    chown: str = ""
    chmod: str = ""
    link: bool = False
    checksum: str = ""
    keep_git_dir: bool | None = None
    unpack: bool | None = None
    exclude: tuple[str, ...] = ()


Network = Literal["default", "none", "host"]
Security = Literal["sandbox", "insecure"]


class Run(NamedTuple):
    """RUN. Where there are *heredocs*, the one word of *command* names them."""

    at: Lines
    command: CommandLine
    heredocs: tuple[Heredoc, ...] = ()
    mounts: tuple[MountFlag, ...] = ()
    network: Network = "default"
    security: Security = "sandbox"
    devices: tuple[str, ...] = ()


class Cmd(NamedTuple):
    """CMD."""

    at: Lines
    command: CommandLine


class Entrypoint(NamedTuple):
    """ENTRYPOINT."""

    at: Lines
    command: CommandLine


class Shell(NamedTuple):
    """SHELL."""

    at: Lines
    words: tuple[str, ...]


class Workdir(NamedTuple):
    """WORKDIR."""

    at: Lines
    path: str


class User(NamedTuple):
    """USER."""

    at: Lines
    user: str


class Expose(NamedTuple):
    """EXPOSE, each port as written."""

    at: Lines
    ports: tuple[str, ...]


class Volume(NamedTuple):
    """VOLUME."""

    at: Lines
    paths: tuple[str, ...]


class Stopsignal(NamedTuple):
    """STOPSIGNAL."""

    at: Lines
    signal: str


class Healthcheck(NamedTuple):
    """HEALTHCHECK. *test* is what the config holds; times are nanoseconds, None is not given."""

    at: Lines
    test: tuple[str, ...]
    interval: int | None = None
    timeout: int | None = None
    start_period: int | None = None
    start_interval: int | None = None
    retries: int | None = None


class Maintainer(NamedTuple):
    """MAINTAINER."""

    at: Lines
    author: str


Trigger = (
    Arg
    | Env
    | Label
    | Copy
    | Add
    | Run
    | Cmd
    | Entrypoint
    | Shell
    | Workdir
    | User
    | Expose
    | Volume
    | Stopsignal
    | Healthcheck
)
"""What may stand behind ONBUILD."""


class Onbuild(NamedTuple):
    """ONBUILD. *expression* is what the config holds: the instruction, its heredocs below it."""

    at: Lines
    expression: str
    trigger: Trigger


Instruction = Trigger | Onbuild | Maintainer
"""What may stand in a stage."""


class StageLines(NamedTuple):
    """A FROM and what follows it, up to the next one."""

    start: From
    body: tuple[Instruction, ...]


class Check(NamedTuple):
    """``# check=``: the rules that are skipped, and whether a warning is an error.

    "all" stands for every rule; *experimental* are rules that are off unless named.
    """

    skip: tuple[str, ...] = ()
    error: bool = False
    experimental: tuple[str, ...] = ()


class Directives(NamedTuple):
    """Parser directives; *syntax* is "" where the file names none."""

    syntax: str = ""
    escape: str = "\\"
    check: Check = Check()


class Dockerfile(NamedTuple):
    """A whole file: *arguments* stand before the first FROM.

    *empty_continuations* are the instructions that have an empty line in the middle.
    """

    path: str
    text: str
    directives: Directives
    arguments: tuple[Arg, ...]
    stages: tuple[StageLines, ...]
    empty_continuations: tuple[Lines, ...] = ()


def keyword(instruction: From | Instruction) -> str:
    """Return the instruction's name as docker writes it: ``COPY``."""
    return type(instruction).__name__.upper()
