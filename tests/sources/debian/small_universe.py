"""A universe of a few packages, written as stanzas of a control file."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from artificer.sources.debian.deb822 import stanzas
from artificer.sources.debian.resolving.binary import Binary
from artificer.sources.debian.resolving.versions import version_key
from artificer.sources.debian.values import Installed

DEFAULTS = {"Version": "1", "Architecture": "amd64", "Priority": "optional"}


def packages(text: str) -> list[dict[str, str]]:
    """The stanzas of *text*: a package each, with `DEFAULTS` for what it does not say."""
    lines = "\n".join(line.strip() for line in text.strip().splitlines())
    return [DEFAULTS | fields for fields in stanzas(lines.encode())]


def installed(text: str) -> list[Installed]:
    """The packages of *text*, as dpkg's database has them."""
    return [
        Installed(
            fields["Package"],
            fields["Version"],
            fields["Architecture"],
            tuple(fields.items()),
            wanted=fields.get("Wanted", "install"),
        )
        for fields in packages(text)
    ]


class SmallUniverse:
    """The packages of *text*; ``Pin`` and ``Suite`` of a stanza are what policy says of it."""

    def __init__(self, text: str) -> None:
        self._all = [
            Binary(
                fields,
                pin=int(fields.get("Pin", "500")),
                suites=tuple(fields.get("Suite", "stable").split()),
                base=fields.get("File", "http://archive.example.org/debian"),
            )
            for fields in packages(text)
        ]
        self._named: dict[str, list[Binary]] = {}
        for one in self._all:
            self._named.setdefault(one.name, []).append(one)
        self._ranks = {name: at for at, name in enumerate(self._named)}

    def versions(self, name: str, architecture: str) -> Sequence[Binary]:
        wanted = {"all", architecture} if architecture == "amd64" else {architecture}
        found = [one for one in self._named.get(name, ()) if one.architecture in wanted]
        return sorted(found, key=lambda one: (one.pin, version_key(one.version)), reverse=True)

    def providers(self, name: str) -> Sequence[Binary]:
        return [one for one in self._all if one.provides(name)]

    def names(self) -> Iterable[str]:
        return self._named

    def essential(self) -> Sequence[Binary]:
        return [one for one in self._all if one.essential]

    def suggest(self, name: str) -> Sequence[str]:
        return get_close_matches(name, self.names())

    def rank(self, name: str) -> tuple[int, int]:
        return (0, self._ranks.get(name, len(self._ranks)))

    def local(self, path: str) -> Binary | None:
        return next((one for one in self._all if one.base == path), None)
