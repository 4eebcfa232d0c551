"""The order in which dpkg configures, told without dpkg, against dpkg."""

import re

from artificer.sources.debian.installing.actions import Calls
from artificer.sources.debian.installing.database import Database
from artificer.sources.debian.installing.ordering import Order
from artificer.sources.debian.installing.sequence import sequence
from artificer.sources.debian.installing.turns import turn_of
from tests.parts.archive import made
from tests.sources.debian.workbench import Bench

PACKAGES = [
    made("all-of-it", Depends="one, either | none, virtual"),
    made("cycle-a", Depends="cycle-b"),
    made("cycle-b", Depends="cycle-a, zlast"),
    made("either"),
    made("one", Depends="two"),
    made("provider", Provides="virtual"),
    made("two", Depends="three"),
    made("three"),
    made("zlast", Depends="missing | all-of-it"),
]


def test_packages_are_configured_as_dpkg_configures_all_that_are_unpacked(bench: Bench) -> None:
    root = bench.root("dpkg")
    bench.dpkg(root, "--unpack", *bench.paths(*PACKAGES))
    told = bench.dpkg(root, "--configure", "-a")
    theirs = re.findall(r"Setting up ([a-z0-9-]+)", told)

    turns = [turn_of(deb, Database()) for deb in bench.debs(*PACKAGES)]
    calls = Order(turns, (), Database(), Calls(0, "1"), from_nothing=True).commands()
    steps = list(sequence(calls, turns, ()))

    ours = [turn.package.name for turn, script in steps if script == "postinst"]
    assert sorted(ours) == sorted(theirs)
    # Which of those that need one another is first, nobody can rely on.
    assert [one for one in ours if one[:5] != "cycle"] == [
        one for one in theirs if one[:5] != "cycle"
    ]
