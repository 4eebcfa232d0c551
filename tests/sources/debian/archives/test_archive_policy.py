"""Priorities and candidates are those of apt, on archives made for it and on Debian's own."""

import subprocess
import time
from pathlib import Path

import pytest

from artificer.sources.debian.archives.acquire import acquire, open_universe
from artificer.sources.debian.archives.documents import Trust
from artificer.sources.debian.archives.preferences import pins_of
from artificer.sources.debian.archives.signature import Verifier
from artificer.sources.debian.resolving.binary import Binary
from artificer.sources.debian.values import Locked
from artificer.store.blobs import open_store
from tests.parts.archive import TIME, SmallArchive, made
from tests.parts.commands import SEARCH, found
from tests.parts.machine_archive import KEYRING, archive_store, machine_archives, web_over

PREFERENCES = """\
Package: a
Pin: release n=bookworm-backports
Pin-Priority: 900

Package: *
Pin: release l=Other
Pin-Priority: 50

Package: b c
Pin: version 2*
Pin-Priority: 1001

Package: *
Pin: release o=Test
Pin-Priority: 400

Package: /^d/
Pin: release c=main
Pin-Priority: -5

Package: e*
Pin: release a=stable
Pin-Priority: 700
"""


@pytest.fixture
def archives(tmp_path: Path) -> tuple[SmallArchive, SmallArchive, SmallArchive]:
    names = "abcdef"
    stable = SmallArchive(tmp_path / "stable").add(*(made(name, "1") for name in names))
    newer = SmallArchive(tmp_path / "newer").add(*(made(name, "2.1~x") for name in names))
    other = SmallArchive(tmp_path / "other").add(*(made(name, "2.1") for name in names))
    stable.publish()
    newer.publish(
        "stable-backports",
        codename="bookworm-backports",
        NotAutomatic="yes",
        ButAutomaticUpgrades="yes",
    )
    other.publish("unstable", codename="sid", Label="Other", Origin="Elsewhere")
    return stable, newer, other


SUITES = ("stable", "stable-backports", "unstable")


@pytest.mark.parametrize("preferences", ["", PREFERENCES], ids=["none", "some"])
def test_priorities_and_candidates_are_those_of_apt(
    preferences: str, archives: tuple[SmallArchive, ...], tmp_path: Path
) -> None:
    pairs = list(zip(archives, SUITES, strict=True))
    with web_over(open_store(str(tmp_path / "store"))) as web:
        universe = open_universe(
            [archive.archive(suite) for archive, suite in pairs],
            ["amd64"],
            web,
            pins=pins_of(preferences.encode(), "preferences"),
            trust=Trust((), TIME + 60),
        )
    lines = [archive.line(suite) for archive, suite in pairs]
    policy = _policy(tmp_path / "apt", lines, preferences)

    for name in "abcdef":
        ours = universe.versions(name)
        assert {one.version: one.pin for one in ours} == policy[name].priorities, name
        best = next((one.version for one in ours if one.pin > 0), "(none)")
        assert best == policy[name].candidate, name


class Policy:
    """What ``apt-cache policy`` says of one package."""

    def __init__(self, text: str) -> None:
        self.candidate = ""
        self.priorities: dict[str, int] = {}
        for line in text.splitlines():
            words = line.split()
            if words[:1] == ["Candidate:"]:
                self.candidate = words[1]
            elif line.startswith("     ") and len(words) == 2 and line[5] != " ":
                self.priorities[words[0]] = int(words[1])


def _policy(state: Path, lines: list[str], preferences: str) -> dict[str, Policy]:
    for folder in ("lists/partial", "cache/archives/partial", "etc/apt.conf.d"):
        (state / folder).mkdir(parents=True)
    (state / "status").touch()
    (state / "sources.list").write_text("\n".join(lines) + "\n")
    (state / "etc/preferences").write_text(preferences)
    (state / "apt.conf").write_text(
        f'Dir::Etc "{state}/etc"; Dir::Etc::SourceList "{state}/sources.list";'
        f'Dir::State::Lists "{state}/lists"; Dir::State::Status "{state}/status";'
        f'Dir::Cache "{state}/cache"; APT::Sandbox::User "root"; APT::Architecture "amd64";'
    )
    environ = {"APT_CONFIG": f"{state}/apt.conf", "PATH": SEARCH, "LC_ALL": "C"}
    words = [found("apt-get"), "-q", "update"]
    subprocess.run(words, check=True, capture_output=True, env=environ)
    result: dict[str, Policy] = {}
    for name in "abcdef":
        words = [found("apt-cache"), "policy", name]
        done = subprocess.run(words, check=True, capture_output=True, text=True, env=environ)
        result[name] = Policy(done.stdout)
    return result


@pytest.mark.archive
@pytest.mark.parametrize("by", ["gpgv", "python"])
def test_debian_itself_is_read_and_then_known(by: Verifier) -> None:
    archives = machine_archives()
    trust = Trust((KEYRING,), time.time(), (by,))
    store = archive_store()
    with web_over(store) as web:
        open_universe(archives, ["amd64"], web, trust=trust)
        begun = time.thread_time()
        universe = open_universe(archives, ["amd64"], web._replace(offline=True), trust=trust)
        seconds = time.thread_time() - begun
        package = _locked(universe.versions("hostname")[0])
        path = acquire([package], web)[package]

    assert len(list(universe.names())) > 50_000
    assert {"bash", "dpkg", "libc-bin"} < {one.name for one in universe.essential()}
    assert {one.name for one in universe.providers("awk")} >= {"mawk", "gawk"}
    assert Path(path).stat().st_size == package.size
    # Three times what it may take of a processor; what others do does not count.
    assert seconds < 0.9


def _locked(binary: Binary) -> Locked:
    found = (binary.name, binary.version, binary.architecture)
    return Locked(*found, binary.urls, binary.sha256, binary.size)
