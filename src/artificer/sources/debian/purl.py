"""What a package is called among all packages of the world: a package URL (ECMA-427), type deb."""

from urllib.parse import quote

from artificer.sources.debian.listing import Distribution
from artificer.sources.debian.values import Installed


def purl_of(package: Installed, system: Distribution) -> str | None:
    """``pkg:deb/debian/curl@7.88.1-10?arch=amd64&distro=bookworm``.

    None where the image does not say whose packages it has: their names are another's elsewhere.
    """
    if not system.id:
        return None
    version = f"{system.id}-{system.version}" if system.version else ""
    qualifiers = {"arch": package.architecture, "distro": system.codename or version}
    told = "&".join(f"{name}={_quoted(value)}" for name, value in qualifiers.items() if value)
    name = f"pkg:deb/{_quoted(system.id.lower())}/{_quoted(package.name.lower())}"
    whole = f"{name}@{_quoted(package.version)}" if package.version else name
    return f"{whole}?{told}" if told else whole


def _quoted(text: str) -> str:
    return quote(text, safe=":")
