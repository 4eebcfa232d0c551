"""What dpkg has noted of packages decides whether they are configured."""

import pytest

from artificer import limits
from artificer.builder.debian.configured import see_configured
from artificer.layers.entry import FILE, Entry
from artificer.sources.debian.deb822 import BadStanza
from artificer.sources.debian.installing.actions import ScriptFailed
from artificer.sources.debian.values import Locked

PATH = "var/lib/dpkg/status"
PACKAGES = [Locked(name, "1", "all", (), "", 0) for name in ("a", "b")]


def noted(**states: str) -> list[Entry]:
    text = "".join(
        f"Package: {name}\nStatus: install ok {state}\nVersion: 1\nArchitecture: all\n\n"
        for name, state in states.items()
    )
    return [Entry(PATH, FILE, 0o644, 0, 0, len(text), 0, "", text.encode())]


def test_what_dpkg_says_is_installed_is() -> None:
    see_configured(PACKAGES, noted(a="installed", b="installed", other="unpacked"))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (noted(a="installed", b="unpacked"), "all packages: b is unpacked$"),
        (noted(a="installed"), "all packages: b is not there"),
        (noted(a="half-configured", b="installed"), "a is half-configured"),
        ([], "a is not there, b is not there"),
    ],
    ids=["unpacked", "gone", "half", "wiped"],
)
def test_a_dpkg_that_only_says_yes_is_found_out(entries: list[Entry], said: str) -> None:
    with pytest.raises(ScriptFailed, match=said):
        see_configured(PACKAGES, entries)


def test_many_packages_are_counted() -> None:
    many = [Locked(f"p{number}", "1", "all", (), "", 0) for number in range(9)]

    with pytest.raises(ScriptFailed, match="p4 is not there, and 4 more"):
        see_configured(many, [])


def test_a_database_that_scripts_made_huge_is_not_read() -> None:
    (entry,) = noted()

    with pytest.raises(BadStanza, match="bytes once scripts have run"):
        see_configured(PACKAGES, [entry._replace(size=limits.STATUS_BYTES + 1)])
