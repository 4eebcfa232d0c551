"""The resolver against ``apt-get -s install``, over Debian's own archive."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from artificer.errors import ArtificerError
from artificer.sources.debian.archives.acquire import open_universe
from artificer.sources.debian.archives.preferences import pin_of
from artificer.sources.debian.archives.universe import Universe
from artificer.sources.debian.deb822 import stanzas
from artificer.sources.debian.resolving.binary import Binary
from artificer.sources.debian.resolving.resolve import resolve
from artificer.sources.debian.values import Archive, Installed, Pin, Wanted
from tests.parts.machine_archive import archive_store, machine_archives, web_over
from tests.sources.debian.apt_get import AptGet, Outcome

pytestmark = pytest.mark.archive

CASES = Path(__file__).parents[3] / "cases/debian/resolution.txt"
ARCHITECTURE = "amd64"
NOT_INSTALLED = {"Filename", "Size", "SHA256", "MD5sum", "Tag", "Description-md5"}


class Case(NamedTuple):
    """A line of `CASES`."""

    line: str
    on: str
    recommends: bool
    pins: tuple[str, ...]
    differs: str
    foreign: tuple[str, ...]
    release: str
    alone: bool
    words: tuple[str, ...]


def case(line: str) -> Case:
    flags, _, words = line.partition("|")
    found = shlex.split(flags)
    options = dict(flag.split("=", 1) for flag in found if "=" in flag)
    return Case(
        line,
        options["on"],
        "recommends" in found,
        tuple(flag[4:] for flag in found if flag.startswith("pin=")),
        options.get("differs", ""),
        tuple(options.get("foreign", "").split()),
        options.get("of", ""),
        "alone" in found,
        tuple(words.split()),
    )


def cases() -> list[Case]:
    lines = CASES.read_text().splitlines()
    return [case(line) for line in lines if line.strip() and not line.startswith("#")]


class Oracle:
    """Both resolvers over the same archives, and statuses to start from."""

    def __init__(
        self, folder: Path, archives: tuple[Archive, ...], foreign: Sequence[str]
    ) -> None:
        self._folder = folder
        self._architectures = [ARCHITECTURE, *foreign]
        self.archives = archives
        self.release = self.archives[0].suite
        with web_over(archive_store()) as web:
            self.universe = open_universe(self.archives, self._architectures, web)
        self._apt = AptGet(folder / "apt", self.archives, self._architectures)
        self.essential = [*dict.fromkeys(one.name for one in self.universe.essential()), "apt"]
        (folder / "nothing").touch()
        self._statuses: dict[str, Path] = {
            "nothing": folder / "nothing",
            "machine": Path("/var/lib/dpkg/status"),
        }

    def pins(self, texts: Sequence[str]) -> tuple[Pin, ...]:
        return tuple(pin_of(text.replace("RELEASE", self.release)) for text in texts)

    def pinned(self, pins: Sequence[Pin]) -> Universe:
        if not pins:
            return self.universe
        with web_over(archive_store()) as web:
            offline = web._replace(offline=True)
            return open_universe(self.archives, self._architectures, offline, pins=pins)

    def status(self, name: str) -> Path:
        if name not in self._statuses:
            words, updated = {
                "base": ([], True),
                "old": ([], False),
                "mail": (["postfix", "bsd-mailx"], False),
                "exim": (["exim4", "bsd-mailx"], False),
                "web": (["nginx", "python3"], False),
            }[name]
            suites = (archive.suite for archive in self.archives if archive.suite != self.release)
            late = [] if updated else [f"* -1 release n={suite}" for suite in suites]
            outcome = self.asked([*self.essential, *words], "nothing", pins=self.pins(late))
            assert outcome is not None
            self._statuses[name] = self._folder / name
            self._statuses[name].write_text(self._installed(outcome.install))
        return self._statuses[name]

    def asked(
        self, words: Sequence[str], on: str, *, recommends: bool = False, pins: Sequence[Pin] = ()
    ) -> Outcome | None:
        return self._apt.install(words, self.status(on), recommends=recommends, pins=pins)

    def _installed(self, versions: Mapping[str, str]) -> str:
        text = []
        for name, version in sorted(versions.items()):
            binary = next(one for one in self.universe.versions(name) if one.version == version)
            fields = {"Package": name, "Status": "install ok installed", **binary.fields}
            kept = {field: fields[field] for field in fields if field not in NOT_INSTALLED}
            text.append("".join(f"{field}: {value}\n" for field, value in kept.items()) + "\n")
        return "".join(text)


Oracles = Callable[[Case], Oracle]


@pytest.fixture(scope="module")
def oracles(tmp_path_factory: pytest.TempPathFactory) -> Oracles:
    """An oracle for each release and set of foreign architectures, made when it is first asked."""

    @cache
    def made(foreign: tuple[str, ...], release: str, alone: bool) -> Oracle:
        archives = machine_archives(release)[: 1 if alone else None]
        return Oracle(tmp_path_factory.mktemp("oracle"), archives, foreign)

    return lambda asked: made(asked.foreign, asked.release, asked.alone)


def read_status(path: Path) -> list[Installed]:
    found = []
    for fields in stanzas(path.read_bytes()):
        wanted, _, status = fields["Status"].split()
        identity = (fields["Package"], fields.get("Version", ""), fields["Architecture"])
        found.append(Installed(*identity, tuple(fields.items()), status, wanted))
    return found


def own(oracle: Oracle, asked: Case, words: Sequence[str]) -> Outcome | None:
    nothing = asked.on == "nothing"
    wanted = Wanted(tuple(words), recommends=asked.recommends, essential=nothing, apt=nothing)
    universe = oracle.pinned(oracle.pins(asked.pins))
    try:
        there = read_status(oracle.status(asked.on))
        solution = resolve(wanted, universe, there, ARCHITECTURE, asked.foreign)
    except ArtificerError:
        return None
    check_order(solution.install)
    return Outcome(
        {shown(one): one.version for one in solution.install},
        frozenset(map(shown, solution.remove)),
    )


def check_order(packages: Sequence[Binary]) -> None:
    """What a package pre-depends on is before it, if it is new."""
    places: dict[str, int] = {}
    for at, one in enumerate(packages):
        places.setdefault(one.name, at)
    for at, one in enumerate(packages):
        for clause in one.relations("Pre-Depends"):
            new = [places[relation.name] for relation in clause if relation.name in places]
            assert not new or min(new) < at, f"{one} is before what it pre-depends on"


def shown(package: Binary | Installed) -> str:
    native = package.architecture in {"all", ARCHITECTURE}
    return package.name if native else f"{package.name}:{package.architecture}"


@pytest.mark.parametrize("asked", cases(), ids=lambda asked: asked.line)
def test_it_comes_to_what_apt_get_comes_to(oracles: Oracles, asked: Case) -> None:
    oracle = oracles(asked)
    words = [word.replace("RELEASE", oracle.release) for word in asked.words]
    base = oracle.essential if asked.on == "nothing" else []
    expected = oracle.asked(
        [*base, *words], asked.on, recommends=asked.recommends, pins=oracle.pins(asked.pins)
    )

    found = own(oracle, asked, words)

    if asked.differs:
        assert found != expected, "no difference any more: take the flag away"
    else:
        assert found == expected
