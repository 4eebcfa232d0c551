"""Stages of a Dockerfile: what each starts from and which steps it takes. Values only.

A front end turns text into these: variables are expanded, ONBUILD is written out, stages that
nobody needs are gone. Nothing here has been read, fetched or run.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from artificer.builder.place import Place
from artificer.oci.platform import Platform
from artificer.oci.reference import Reference


class StageImage(NamedTuple):
    """What an earlier stage came to: its place in `Recipe.stages`."""

    number: int


class ContextFiles(NamedTuple):
    """Files of a context: the main one where *name* is empty, else a ``--build-context``."""

    name: str = ""


From = Reference | StageImage | ContextFiles
"""Where files, or a stage, come from. `Scratch` is a reference."""


class Inline(NamedTuple):
    """A file whose text stands in the Dockerfile (a heredoc), called by its delimiter."""

    name: str
    data: bytes


class CopyFiles(NamedTuple):
    """COPY, with everything expanded.

    *sources* are patterns below the root of *source*, without leading slashes. *dest* is absolute
    and ends with "/" if it is a directory in any case. *owner* is ``USER[:GROUP]`` or empty (0:0,
    or for files of images what they have), *mode* octal or symbolic, or empty.
    """

    sources: tuple[str, ...]
    inline: tuple[Inline, ...]
    source: From
    dest: str
    owner: str = ""
    mode: str = ""
    link: bool = False
    parents: bool = False
    exclude: tuple[str, ...] = ()


class AddSources(NamedTuple):
    """ADD, with everything expanded: *files*, where archives are unpacked, and *remote* ones.

    *remote* are URLs and git references as written, in the order of the line. *unpack* None is
    the rule: local archives are unpacked, downloads are not. *checksum* is ``sha256:…`` of the one
    URL, or the beginning of a git commit.
    """

    files: CopyFiles
    remote: tuple[str, ...] = ()
    unpack: bool | None = None
    checksum: str = ""
    keep_git_dir: bool = False


class MakeDirectory(NamedTuple):
    """WORKDIR: *path* (absolute) is made with its parents where it is missing, for *owner*."""

    path: str
    owner: str = ""


Sharing = Literal["shared", "private", "locked"]


class BindMount(NamedTuple):
    """``--mount=type=bind``: *path* of *source*, at *target*; what is written there is lost."""

    target: str
    source: From
    path: str = ""
    writable: bool = False


class CacheMount(NamedTuple):
    """``--mount=type=cache``: a directory kept under *id*; a new one is *path* of *source*."""

    target: str
    id: str
    sharing: Sharing = "shared"
    source: From | None = None
    path: str = ""
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    readonly: bool = False


class TmpfsMount(NamedTuple):
    """``--mount=type=tmpfs``: an empty directory, of at most *size* bytes (0: no bound)."""

    target: str
    size: int = 0


class SecretMount(NamedTuple):
    """``--mount=type=secret``: as the file *target*, as the variable *env*, or both."""

    id: str
    target: str = ""
    env: str = ""
    required: bool = False
    mode: int = 0o400
    uid: int = 0
    gid: int = 0


class SshMount(NamedTuple):
    """``--mount=type=ssh``: the socket of an agent, at *target* and in ``SSH_AUTH_SOCK``."""

    id: str
    target: str
    required: bool = False
    mode: int = 0o600
    uid: int = 0
    gid: int = 0


Mount = BindMount | CacheMount | TmpfsMount | SecretMount | SshMount


class RunCommand(NamedTuple):
    """RUN: *argv* as it is executed (the shell and the text, or the words of the exec form).

    *env* is all that it sees: the image's, and every ARG that is declared in its scope. *quiet*
    are variables beside them that are no part of the key (proxies). *script* is a heredoc that
    starts with ``#!``: it is written to a file, whose path is appended to an empty *argv*.
    *workdir* and *user* are the image's, "" where it has none.
    """

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    workdir: str
    user: str
    mounts: tuple[Mount, ...] = ()
    network: Literal["default", "none", "host"] = "default"
    quiet: tuple[tuple[str, str], ...] = ()
    script: bytes = b""


Step = CopyFiles | AddSources | MakeDirectory | RunCommand


class Instruction(NamedTuple):
    """One instruction: its *step*, None where only the config changes, and how it is told.

    *line* is its line of history, *title* what is shown while it runs (``COPY . /app``).
    """

    step: Step | None
    line: str
    title: str
    place: Place


class Stage(NamedTuple):
    """One stage: *settings* is the whole ``config`` object of its image when it is done.

    *name* is "" where the FROM has none; *author* is MAINTAINER's.
    """

    name: str
    base: From
    platform: Platform | None
    instructions: tuple[Instruction, ...]
    settings: Mapping[str, Any]
    place: Place
    author: str | None = None


class Recipe(NamedTuple):
    """Stages in the order of the file, only those that are needed, and which is asked for."""

    stages: tuple[Stage, ...]
    target: int
