"""Users and groups that packages declare in files, as systemd-sysusers(8) makes them."""

import pytest

from artificer.layers.entry import FILE, Entry
from artificer.sources.debian.equivalents.accounts import NoNumber
from artificer.sources.debian.equivalents.files import Files
from artificer.sources.debian.installing.effects import replaced
from artificer.sources.debian.installing.scripts import known
from tests.sources.debian.workbench import files_of

PROGRAM = "usr/bin/systemd-sysusers"
OLD = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nold:x:999:998::/:/bin/sh\n",
    "etc/group": "root:x:0:\nadm:x:4:\nold:x:998:\n",
    "etc/shadow": "root:*:1:0:99999:7:::\n",
    "etc/gshadow": "root:*::\nadm:*::\n",
}
DECLARED = """\
# Type Name ID GECOS Home Shell
u  app    -        "The app, of course"  /srv/app  /bin/sh
u! bare   -
u  fixed  345:app
u  own    346
u  old    -        "Another"
g  made   -
g  known  347

m  app    adm
nonsense
"""


def had(declared: str, **old: str) -> Files:
    texts = {**OLD, **old, "usr/lib/sysusers.d/app.conf": declared}
    entries = (
        Entry(path, FILE, 0o644, 0, 0, len(text), 0, "", text.encode())
        for path, text in texts.items()
    )
    files = files_of(*entries, mtime=86400 * 3)
    replaced([("sysusers", "app.conf", "absent.conf")], files)
    return files


def test_users_and_groups_are_numbered_from_above() -> None:
    files = had(DECLARED, **{PROGRAM: ""})

    assert (files.text("etc/passwd") or "").splitlines()[2:] == [
        "app:x:996:996:The app, of course:/srv/app:/bin/sh",
        "bare:x:995:995::/:/usr/sbin/nologin",
        "fixed:x:345:996::/:/usr/sbin/nologin",
        "own:x:346:346::/:/usr/sbin/nologin",
    ]
    assert (files.text("etc/group") or "").splitlines()[1:] == [
        *("adm:x:4:app", "old:x:998:", "made:x:997:", "known:x:347:"),
        *("app:x:996:", "bare:x:995:", "own:x:346:"),
    ]


def test_nobody_can_log_in_as_who_is_declared() -> None:
    files = had(DECLARED, **{PROGRAM: ""})

    assert (files.text("etc/shadow") or "").splitlines()[1:] == [
        *("app:!*:3::::::", "bare:!*:3:::::1:", "fixed:!*:3::::::", "own:!*:3::::::")
    ]
    assert "made:!*::\n" in (files.text("etc/gshadow") or "")
    assert "adm:*::app\n" in (files.text("etc/gshadow") or "")


def test_without_the_program_nobody_is_made() -> None:
    assert had(DECLARED).made == {}


def test_a_file_that_nobody_can_read_makes_nobody() -> None:
    assert had('u app "open\nu\n', **{PROGRAM: ""}).made == {}


def test_too_many_are_an_error() -> None:
    with pytest.raises(NoNumber, match=r"app\.conf declares more than 1000"):
        had("u app -\n" * 1001, **{PROGRAM: ""})


def test_scripts_name_the_files() -> None:
    script = b'#!/bin/sh\nsystemd-sysusers ${DPKG_ROOT:+--root="$DPKG_ROOT"} app.conf b.conf\n'

    assert known(script).effects == (("sysusers", "app.conf", "b.conf"),)
    for words in (b"", b" --inline 'u a'", b" $FILE", b" ../app.conf"):
        assert known(b"#!/bin/sh\nsystemd-sysusers" + words + b"\n").unknown


def test_dpkg_notes_its_own_architecture() -> None:
    path = "var/lib/dpkg/arch"
    files = files_of(Entry(path, FILE, 0o644, 0, 0, 12, 0, "", b"arm64\namd64\n"))

    replaced([("architecture",)], files)

    assert files.text("var/lib/dpkg/arch-native") == "arm64\n"


def test_names_that_no_user_can_have_are_passed_over() -> None:
    files = had('u "" -\ng a,b -\nu a/b -\n', **{PROGRAM: ""})

    assert files.text("etc/passwd") == OLD["etc/passwd"]
    assert files.text("etc/group") == OLD["etc/group"]


def test_a_user_of_a_group_that_is_not_there_is_refused() -> None:
    with pytest.raises(NoNumber, match="absent"):
        had("u app 5:absent\n", **{PROGRAM: ""})
