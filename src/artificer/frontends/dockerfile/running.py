"""RUN: the command, what it sees, and what is mounted for it."""

import posixpath
from collections.abc import Callable
from typing import NamedTuple

from artificer.builder.stages import (
    BindMount,
    CacheMount,
    ContextFiles,
    From,
    Mount,
    RunCommand,
    SecretMount,
    SshMount,
    TmpfsMount,
)
from artificer.frontends.dockerfile.arguments import history_of
from artificer.frontends.dockerfile.config import argv
from artificer.frontends.dockerfile.errors import invalid
from artificer.frontends.dockerfile.instructions import Heredoc, Lines, MountFlag, Network, Run
from artificer.frontends.dockerfile.mounts import MountOptions, options_of
from artificer.frontends.dockerfile.options import EPOCH
from artificer.frontends.dockerfile.scope import Expander, Scope, absolute
from artificer.oci.reference import Scratch

_PIPES = "/dev/pipes/"
"""Where BuildKit puts a heredoc that is a script: its path stands in the history."""

Origin = Callable[[str], From]
"""What the ``from`` of a mount names."""


class Surroundings(NamedTuple):
    """What is the same for every RUN of a build: what *quiet* proxies there are, and so on."""

    quiet: tuple[tuple[str, str], ...]
    network: Network
    cache_namespace: str
    epoch: int


class Ran(NamedTuple):
    """A step, and the line of history that BuildKit writes for it."""

    step: RunCommand
    line: str


def ran(
    scope: Scope, run: Run, origin: Origin, surroundings: Surroundings, expander: Expander
) -> Ran:
    """Evaluate a RUN. What it would need an entitlement for is refused."""
    _refuse(run)
    words, script = _command(scope, run)
    mounts = _Mounts(scope, run.at, origin, surroundings.cache_namespace)
    shown = (*scope.shell, _PIPES + run.heredocs[0].name) if script else words
    step = RunCommand(
        () if script else words,
        tuple({EPOCH: str(surroundings.epoch), **scope.variables}.items()),
        scope.workdir,
        scope.user,
        tuple(mounts.mount(flag, expander) for flag in run.mounts),
        surroundings.network if run.network == "default" else run.network,
        tuple(pair for pair in surroundings.quiet if pair[0] not in scope.variables),
        script,
    )
    return Ran(step, f"RUN {history_of(scope)}{' '.join(shown)} # buildkit")


def _refuse(run: Run) -> None:
    if run.security == "insecure":
        raise invalid(
            run.at,
            "RUN --security=insecure is refused: a command gets no more rights than the build has",
            word="--security",
            hint="leave it out, or do that step in an image that is built where it is allowed",
        )
    if run.devices:
        raise invalid(
            run.at,
            f"RUN --device is refused: a command sees no devices ({run.devices[0]})",
            word="--device",
            hint="leave it out, or do that step in an image that is built where there is one",
        )


def _command(scope: Scope, run: Run) -> tuple[tuple[str, ...], bytes]:
    """What is executed, or the script that is."""
    if not run.heredocs:
        return tuple(argv(scope, run.command)), b""
    text = run.command.words[0]
    first = run.heredocs[0]
    if len(run.heredocs) > 1 or text.strip() != first.word:
        # The shell reads its heredocs itself: the text is put together again.
        parts = (text, *(_again(heredoc) for heredoc in run.heredocs))
        return (*scope.shell, "\n".join(parts)), b""
    if first.text.startswith("#!"):
        return (), first.text.encode("utf-8", "surrogateescape")
    return (*scope.shell, first.text), b""


def _again(heredoc: Heredoc) -> str:
    return heredoc.raw + heredoc.name


class _Mounts:
    """Makes the mounts of one RUN."""

    __slots__ = ("_at", "_namespace", "_origin", "_scope", "_sockets")

    def __init__(self, scope: Scope, at: Lines, origin: Origin, namespace: str) -> None:
        self._scope = scope
        self._at = at
        self._origin = origin
        self._namespace = namespace
        self._sockets = 0

    def mount(self, flag: MountFlag, expander: Expander) -> Mount:
        """The mount that *flag* asks for, with its variables expanded."""
        fields = tuple(
            (name, value and expander.word(self._at, value, self._scope))
            if name != "from"
            else (name, value)
            for name, value in flag.fields
        )
        options = options_of(fields, self._at)
        match options.type:
            case "bind":
                return self._bind(options)
            case "cache":
                return self._cache(options)
            case "tmpfs":
                return TmpfsMount(self._target(options.target), options.size or 0)
            case "secret":
                return self._secret(options)
            case "ssh":
                return self._ssh(options)

    def _target(self, path: str) -> str:
        # Without a target (which the reference asks for) BuildKit takes the working directory.
        target = absolute(self._scope.workdir, path)
        if target == "/":
            raise invalid(self._at, "nothing can be mounted at /", word="--mount")
        return target

    def _bind(self, options: MountOptions) -> BindMount:
        source = self._origin(options.origin) if options.origin else ContextFiles()
        return BindMount(
            self._target(options.target),
            source,
            absolute("/", options.source)[1:],
            options.readonly is False,
        )

    def _cache(self, options: MountOptions) -> CacheMount:
        target = self._target(options.target)
        # BuildKit: a cache begins empty, whatever its source is in the main context.
        source = self._origin(options.origin) if options.origin else None
        name = options.id or target
        return CacheMount(
            target,
            f"{self._namespace}/{name}" if self._namespace else name,
            options.sharing,
            None if isinstance(source, Scratch) else source,
            absolute("/", options.source)[1:],
            0o755 if options.mode is None else options.mode,
            options.uid or 0,
            options.gid or 0,
            bool(options.readonly),
        )

    def _secret(self, options: MountOptions) -> SecretMount:
        name = options.id or options.source or posixpath.basename(options.target)
        target = options.target
        if not target and not options.env:
            target = f"/run/secrets/{posixpath.basename(name)}"
        return SecretMount(
            name,
            self._target(target) if target else "",
            options.env,
            options.required,
            0o400 if options.mode is None else options.mode,
            options.uid or 0,
            options.gid or 0,
        )

    def _ssh(self, options: MountOptions) -> SshMount:
        target = options.target or f"/run/buildkit/ssh_agent.{self._sockets}"
        self._sockets += 1
        return SshMount(
            options.id or options.source or "default",
            self._target(target),
            options.required,
            0o600 if options.mode is None else options.mode,
            options.uid or 0,
            options.gid or 0,
        )
