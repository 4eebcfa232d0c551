"""What is said beside a Dockerfile about how to build it, and what of that is refused."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from artificer.errors import Misused
from artificer.frontends.dockerfile.contexts import NamedContext
from artificer.frontends.dockerfile.directives import is_own_syntax
from artificer.frontends.dockerfile.instructions import Network
from artificer.oci.platform import LINUX_AMD64, Platform

PROXIES = frozenset(("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"))
"""Build arguments that need no ARG, in capitals; small letters name them too."""

EPOCH = "SOURCE_DATE_EPOCH"
SCAN_ARGUMENTS = frozenset(("BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"))
"""They say what an SBOM looks at; no command sees them."""

_NO_EFFECT = frozenset(
    (
        *SCAN_ARGUMENTS,
        EPOCH,
        "BUILDKIT_SYNTAX",
        "BUILDKIT_INLINE_CACHE",
        "BUILDKIT_MULTI_PLATFORM",
        "BUILDKIT_CACHE_MOUNT_NS",
        "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
        "BUILDKIT_DOCKERFILE_CHECK",
    )
)
_REFUSED = {
    "BUILDKIT_SANDBOX_HOSTNAME": "the host name that commands see is not chosen",
    "BUILDKIT_BUILD_NAME": "nothing shows the name of a build",
}
_SWITCHES = {
    "BUILDKIT_MULTI_PLATFORM": (
        "one platform gives an image, several give an index",
        "name several with --platform",
    ),
    "BUILDKIT_CONTEXT_KEEP_GIT_DIR": (
        "what is said of a repository stands in its URL",
        "add `?keep-git-dir=true` to it",
    ),
}
"""Build arguments of which only what is so anyway can be said: why, and the way out."""

_TRUE = frozenset(("1", "t", "true"))
_FALSE = frozenset(("", "0", "f", "false"))


def _no_time(_context: str) -> int | None:
    return None


class Options(NamedTuple):
    """How a Dockerfile is to be built.

    *target* is the name or the number of a stage, "" the last one. *platform* is what is built
    for, *build_platform* the machine's. *network* is for each RUN that does not choose its own.
    *epoch* is when everything is said to have happened; *epoch_of* tells the time of a context
    ("" is the main one), if it has one, for ``SOURCE_DATE_EPOCH=context``. With *all_stages*
    those that the target does not need are evaluated too (`--check`).
    """

    build_args: Mapping[str, str] = {}
    target: str = ""
    platform: Platform = LINUX_AMD64
    build_platform: Platform = LINUX_AMD64
    contexts: tuple[NamedContext, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    network: Network = "default"
    epoch: int = 0
    epoch_of: Callable[[str], int | None] = _no_time
    all_stages: bool = False


class Controls(NamedTuple):
    """What build arguments ask of the builder rather than of the Dockerfile.

    *check* replaces ``# check=``; *cache_namespace* stands before the id of every cache mount.
    """

    inline_cache: bool = False
    cache_namespace: str = ""
    check: str | None = None


def controls(build_args: Mapping[str, str]) -> Controls:
    """Read the ``BUILDKIT_…`` arguments; one that cannot be honoured is refused by its name."""
    for name, reason in _REFUSED.items():
        if name in build_args:
            raise Misused(f"the build argument {name} is refused: {reason}", hint="leave it out")
    for name, (reason, hint) in _SWITCHES.items():
        if _flag(build_args, name):
            raise Misused(f"the build argument {name} is refused: {reason}", hint=hint)
    syntax = build_args.get("BUILDKIT_SYNTAX")
    if syntax and not is_own_syntax(syntax):
        raise Misused(
            f"the build argument BUILDKIT_SYNTAX asks for another front end: {syntax!r}",
            hint="only docker/dockerfile:1 is built in; leave it out",
        )
    return Controls(
        _flag(build_args, "BUILDKIT_INLINE_CACHE"),
        build_args.get("BUILDKIT_CACHE_MOUNT_NS", ""),
        build_args.get("BUILDKIT_DOCKERFILE_CHECK"),
    )


def needs_no_declaration(name: str) -> bool:
    """Whether a build argument has a meaning without an ARG."""
    return name in _NO_EFFECT or name.upper() in PROXIES or name in platform_arguments(Options())


def platform_arguments(options: Options, stage: str = "") -> dict[str, str]:
    """The arguments that every FROM may use; *stage* is what the target is called."""
    arguments = {
        f"{side}{part}": value
        for side, platform in (("BUILD", options.build_platform), ("TARGET", options.platform))
        for part, value in (
            ("PLATFORM", str(platform)),
            ("OS", platform.os),
            ("OSVERSION", platform.os_version),
            ("ARCH", platform.architecture),
            ("VARIANT", platform.variant),
        )
    }
    arguments["TARGETSTAGE"] = stage or "default"
    return {name: options.build_args.get(name, value) for name, value in arguments.items()}


def proxies(build_args: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The variables that commands see but no key or history holds, in both spellings."""
    found: dict[str, str] = {}
    for name, value in sorted(build_args.items()):
        if name.upper() in PROXIES:
            found[name.upper()] = found[name.lower()] = value
    return tuple(sorted(found.items()))


def _flag(build_args: Mapping[str, str], name: str) -> bool:
    value = build_args.get(name, "").lower()
    if value not in _TRUE | _FALSE:
        raise Misused(f"the build argument {name} is neither true nor false: {value!r}")
    return value in _TRUE
