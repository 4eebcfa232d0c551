"""Platforms: what a machine is, and which image of an index suits it."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from artificer.errors import Misused

_PART = re.compile(r"[A-Za-z0-9_.-]+")
_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "i386": "386",
    "i686": "386",
    "x86": "386",
    "armel": "arm/v6",
    "armhf": "arm/v7",
}


_ALONE = _ARCHITECTURES.keys() | {
    *("386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x")
}
"""Architectures that may stand without an os, also before a variant: ``arm64/v8``."""


class Platform(NamedTuple):
    """``os/architecture[/variant]`` and, for Windows, a version (image-index.md, "platform")."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``os/arch[/variant][:osversion]``, or an architecture alone (its os is linux).

        Names of other conventions are normalised: x86_64, aarch64, armhf, arm64/v8.
        """
        name, _, version = text.partition(":")
        parts = name.split("/")
        if parts[0].lower() in _ALONE:
            parts.insert(0, "linux")
        if not 2 <= len(parts) <= 3 or not all(_PART.fullmatch(part) for part in parts):
            raise Misused(f"not a platform: {text!r}", hint="write it as linux/arm64")
        os, architecture, variant = (*parts, "")[:3]
        return cls.normal(os, architecture, variant, version)

    @classmethod
    def normal(cls, os: str, architecture: str, variant: str = "", os_version: str = "") -> Self:
        """A platform in the names that Go and the image-spec use."""
        os = {"macos": "darwin"}.get(os.lower(), os.lower())
        architecture = _ARCHITECTURES.get(architecture.lower(), architecture.lower())
        architecture, _, implied = architecture.partition("/")
        variant = variant.lower() or implied
        if architecture == "arm64" and variant in {"v8", "8"}:
            variant = ""
        if architecture == "arm":
            variant = "v" + (variant.removeprefix("v") or "7")
        return cls(os, architecture, variant, os_version)

    @classmethod
    def of(cls, document: Any) -> Self | None:
        """The platform in an index entry's ``platform`` or in a config; None without one."""
        if not isinstance(document, dict):
            return None
        os, architecture, variant, version = (
            value if isinstance(value := document.get(key), str) else ""
            for key in ("os", "architecture", "variant", "os.version")
        )
        return cls.normal(os, architecture, variant, version) if os and architecture else None

    def __str__(self) -> str:
        """As it is written on the command line."""
        name = "/".join(part for part in self[:3] if part)
        return f"{name}:{self.os_version}" if self.os_version else name

    def document(self) -> dict[str, str]:
        """As it stands in an index."""
        fields = {"architecture": self.architecture, "os": self.os}
        if self.os_version:
            fields["os.version"] = self.os_version
        if self.variant:
            fields["variant"] = self.variant
        return fields


LINUX_AMD64 = Platform("linux", "amd64")


class Offered(Protocol):
    """Something that is for a platform: an entry of an index."""

    @property
    def platform(self) -> Platform | None:
        """The platform, if it is known."""


_Offer = TypeVar("_Offer", bound=Offered)


def select(offers: Iterable[_Offer], wanted: Platform) -> _Offer | None:
    """The entry of an index that suits *wanted* best; the first of equals.

    The same os and architecture are required, and a variant or os version that is asked for; an
    arm entry of an older variant runs on a newer one. Entries without a platform never match.
    """
    best, score = None, 0
    for offer in offers:
        suits = _suits(offer.platform, wanted)
        if suits > score:
            best, score = offer, suits
    return best


def _suits(offered: Platform | None, wanted: Platform) -> int:
    if offered is None or offered[:2] != wanted[:2]:
        return 0
    if wanted.os_version and not _same_version(offered.os_version, wanted.os_version):
        return 0
    if offered.variant == wanted.variant:
        return 100
    if wanted.architecture == "arm" and offered.variant < wanted.variant:
        return 10 + int(re.sub(r"\D", "", offered.variant) or 0)
    if not wanted.variant:
        return 5 if offered.variant != "v1" else 50
    return 50 if not offered.variant else 0


def _same_version(offered: str, wanted: str) -> bool:
    return offered == wanted or offered.startswith(wanted + ".")
