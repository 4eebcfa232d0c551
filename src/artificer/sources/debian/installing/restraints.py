"""What scripts are kept from while an image is made: services, and data that is new each time."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from artificer.layers.entry import DIRECTORY, Entry
from artificer.sources.debian.installing.database import file_entry
from artificer.sources.debian.installing.installation import ScriptFate

POLICY = "usr/sbin/policy-rc.d"
_NO_SERVICES = b"#!/bin/sh\n# No service is started while packages are configured.\nexit 101\n"


class Restraint(NamedTuple):
    """A file that is in the root for the time of scripts, and the scripts that it speaks to.

    *told* says what such a script does not do, and who is to do it then.
    """

    package: re.Pattern[str]
    script: str
    path: str
    data: bytes
    told: str


_OF_PACKAGES = (
    # A cluster has an identity, keys and a log: each build would have others, and all containers
    # of an image the same. Its name sorts first, so that whoever wants one on a base is heard.
    Restraint(
        re.compile(r"postgresql-[0-9.]+"),
        "postinst",
        "etc/postgresql-common/createcluster.d/00-not-in-an-image.conf",
        b"create_main_cluster = false\n",
        "it makes no cluster; make it where the image is run, by initdb or pg_createcluster",
    ),
)


def restraints(names: Iterable[str], mtime: int) -> list[Entry]:
    """The files that are there while the scripts of the packages *names* run."""
    known = list(names)
    found = [file_entry(POLICY, _NO_SERVICES, mtime, 0o755)]
    for one in _OF_PACKAGES:
        if any(one.package.fullmatch(name) for name in known):
            above = one.path.rpartition("/")[0]
            found.append(Entry(above, DIRECTORY, 0o755, 0, 0, 0, mtime, "", None))
            found.append(file_entry(one.path, one.data, mtime))
    return found


def restrained(fate: ScriptFate) -> ScriptFate:
    """*fate* of a script that is run, with what it is kept from."""
    for one in _OF_PACKAGES:
        name = fate.package.partition(":")[0]
        if fate.fate == "run" and fate.script == one.script and one.package.fullmatch(name):
            return fate._replace(how=one.told)
    return fate
