"""What installing packages needs besides a store, and what architectures are called."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from artificer.errors import ArtificerError
from artificer.oci.platform import Platform

if TYPE_CHECKING:
    # Neither is loaded where the packages' layers are known.
    from artificer.sandbox.client import Sandbox
    from artificer.sources.url import Web

_ARCHITECTURES = {
    "386": "i386",
    "arm/v5": "armel",
    "arm/v6": "armel",
    "arm": "armhf",
    "arm/v7": "armhf",
    "arm64/v8": "arm64",
    "ppc64le": "ppc64el",
    "mips64le": "mips64el",
    "mipsle": "mipsel",
    "loong64": "loong64",
}
_MACHINES = {
    "x86_64": ("amd64", "i386"),
    "aarch64": ("arm64", "armhf"),
    "armv7l": ("armhf", "armel"),
    "i686": ("i386",),
    "ppc64le": ("ppc64el",),
}


class NoTools(ArtificerError):
    """Packages are to be installed where nothing can do so."""


class DebTools(NamedTuple):
    """How packages are fetched, and where their scripts are run."""

    web: "Web"
    sandbox: "Callable[[], Sandbox]"


def opened(tools: Callable[[], DebTools] | None) -> DebTools:
    """What *tools* opens."""
    if tools is None:
        raise NoTools("Debian packages cannot be installed by this command")
    return tools()


def architecture_of(platform: Platform) -> str:
    """What Debian calls the architecture of *platform*."""
    full = f"{platform.architecture}/{platform.variant}"
    return _ARCHITECTURES.get(full) or _ARCHITECTURES.get(
        platform.architecture, platform.architecture
    )


def runs_here(architecture: str, machine: str) -> bool:
    """Whether a *machine* (as uname has it) executes programs of *architecture* by itself."""
    return architecture in {"all", *_MACHINES.get(machine, (machine,))}


def platform_of(architecture: str) -> Platform:
    """The platform of what Debian calls *architecture*."""
    names = {debian: name for name, debian in reversed(_ARCHITECTURES.items())}
    name, _, variant = names.get(architecture, architecture).partition("/")
    return Platform.normal("linux", name, variant)
