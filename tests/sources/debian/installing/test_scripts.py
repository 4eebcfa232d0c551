"""What maintainer scripts do, told without running them, and had without them."""

import json
import re
from collections.abc import Mapping
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.layers.entry import DIRECTORY, FILE, SYMLINK, Entry
from artificer.sources.debian.installing.effects import Files, replaced
from artificer.sources.debian.installing.scripts import Effect, known

HEAD = "#!/bin/sh\nset -e\n"
DEBHELPER = """
# Automatically added by dh_installsystemd/13.11.4
if [ "$1" = "configure" ] || [ "$1" = "abort-upgrade" ]; then
	deb-systemd-helper unmask 'a.service' >/dev/null || true
	if deb-systemd-helper --quiet was-enabled 'a.service'; then
		deb-systemd-helper enable 'a.service' >/dev/null || true
	else
		deb-systemd-helper update-state 'a.service' >/dev/null || true
	fi
fi
# End automatically added section
# Automatically added by dh_python3
if command -v py3compile >/dev/null 2>&1; then
	py3compile -p a:
fi
# End automatically added section
"""


def effects(text: str) -> tuple[Effect, ...]:
    found = known((HEAD + text).encode())
    assert not found.unknown, found.unknown
    return found.effects


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DEBHELPER, ()),
        ("ldconfig\n", (("ldconfig",),)),
        (
            'case "$1" in\n  configure|x)\n    ldconfig\n    ;;\n  *) exit 1 ;;\nesac\n',
            (("ldconfig",),),
        ),
        (
            "getent group g >/dev/null || addgroup --system g\n",
            (("group", "g", ""),),
        ),
        (
            "adduser --system --group --home /var/lib/a --no-create-home --quiet a\n",
            (("group", "a", ""), ("user", "a", "", "a", "/var/lib/a", "/usr/sbin/nologin", "")),
        ),
        (
            "useradd -r -M -d / -s /bin/false -g nogroup a\n",
            (("user", "a", "", "nogroup", "/", "/bin/false", ""),),
        ),
        (
            "update-alternatives --install /usr/bin/x x /usr/bin/y 10 \\\n"
            "  --slave /usr/share/x.1 x.1 /usr/share/y.1\n",
            (
                (
                    *("alternative", "/usr/bin/x", "x", "/usr/bin/y", "10"),
                    *("/usr/share/x.1", "x.1", "/usr/share/y.1"),
                ),
            ),
        ),
        (
            'dir="/var/log/a"\nlog="$dir/x.log"\ntouch $log\nchmod 640 "${log}"\n',
            (("file", "/var/log/a/x.log"), ("mode", "/var/log/a/x.log", "640")),
        ),
        ("f() {\n  chown a:b /srv\n}\nf\n", (("owner", "/srv", "a", "b"),)),
        (". /usr/share/debconf/confmodule\ndb_get a/b\ndb_stop\n", ()),
        ("mkdir -p $DPKG_ROOT/a\n", (("directory", "/a", "0755", "root", "root"),)),
    ],
)
def test_commands_of_known_effect_are_understood(text: str, expected: tuple[Effect, ...]) -> None:
    assert effects(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "frobnicate --all\n",
        "mkdir $SOMEWHERE\n",
        "cat > /etc/x <<EOF\nhello\nEOF\n",
        "echo x > /etc/x\n",
        "sed -i s/a/b/ /etc/x\n",
        "chown -R a:b /srv\n",
        "chmod u+s /usr/bin/x\n",
        "adduser person\n",
        "eval $x\n",
        "perl -e 'print 1'\n",
        "for i in a b; do unheard-of $i; done\n",
        "echo 'unfinished\n",
    ],
)
def test_anything_else_is_named(text: str) -> None:
    assert known((HEAD + text).encode()).unknown


@pytest.mark.parametrize("head", [b"#!/usr/bin/perl\n", b"\x7fELF\0\0", b""])
def test_what_is_no_shell_script_is_not_known(head: bytes) -> None:
    assert known(head).unknown


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    known((HEAD + text).encode("utf-8", "surrogatepass"))


def entry(path: str, data: bytes | None = b"") -> Entry:
    kind = DIRECTORY if data is None else FILE
    return Entry(path, kind, 0o755, 0, 0, len(data or b""), 0, "", data)


PASSWD = entry("etc/passwd", b"root:*:0:0:root:/root:/bin/bash\nwww:*:33:33::/:/bin/false\n")
GROUP = entry("etc/group", b"root:*:0:\nadm:*:4:\n")


def had(*wanted: Effect, entries: tuple[Entry, ...] = ()) -> Mapping[str, Entry]:
    files = {one.path: one for one in (PASSWD, GROUP, *entries)}

    def read(path: str) -> bytes:
        source = files[path].source
        assert isinstance(source, bytes)
        return source

    met = Files(files, read, lambda path: path, lambda _: False)
    return {one.path: one for one in replaced(wanted, met, 7)}


def test_users_and_groups_get_the_next_numbers() -> None:
    made = had(
        ("group", "a", ""),
        ("user", "a", "", "a", "/srv", "/bin/sh", "A"),
        ("user", "b", "", "nogroup", "/", "/bin/sh", ""),
        ("user", "www", "", "a", "/x", "/bin/sh", ""),
        ("member", "a", "adm"),
    )

    assert isinstance(PASSWD.source, bytes)
    assert made["etc/passwd"].source == PASSWD.source + (
        b"a:x:100:100:A:/srv:/bin/sh\nb:x:101:65534::/:/bin/sh\n"
    )
    assert made["etc/group"].source == b"root:*:0:\nadm:*:4:a\na:x:100:\n"


def test_passwords_move_into_shadow_files() -> None:
    made = had(("shadow",))

    assert made["etc/shadow"].source == b"root:*::0:99999:7:::\nwww:*::0:99999:7:::\n"
    assert (made["etc/shadow"].mode, made["etc/shadow"].gid) == (0o640, 42)
    assert made["etc/gshadow"].source == b"root:*::\nadm:*::\n"
    assert b"root:x:0:0" in (made["etc/passwd"].source or b"")


def test_the_alternative_of_the_highest_priority_is_taken() -> None:
    programs = tuple(entry(f"usr/bin/{name}") for name in ("low", "high"))

    made = had(
        ("alternative", "/usr/bin/x", "x", "/usr/bin/low", "5"),
        ("alternative", "/usr/bin/x", "x", "/usr/bin/high", "50", "/usr/m", "m", "/usr/absent"),
        ("alternative", "/usr/bin/x", "x", "/usr/bin/not-there", "500"),
        entries=programs,
    )

    links = {path: one.link for path, one in made.items() if one.kind == SYMLINK}
    assert links == {
        "etc/alternatives/x": "/usr/bin/high",
        "usr/bin/x": "/etc/alternatives/x",
    }
    assert made["var/lib/dpkg/alternatives/x"].source == (
        b"auto\n/usr/bin/x\nm\n/usr/m\n\n/usr/bin/high\n50\n/usr/absent\n/usr/bin/low\n5\n\n\n"
    )


def test_the_bundle_of_certificates_has_each_once_in_the_order_of_names() -> None:
    pem = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
    place = "usr/share/ca-certificates/mozilla"

    made = had(
        ("ca-certificates",),
        entries=(entry(f"{place}/B.crt", pem % b"b"), entry(f"{place}/A x.crt", pem % b"a")),
    )

    assert made["etc/ssl/certs/ca-certificates.crt"].source == pem % b"a" + pem % b"b"
    assert made["etc/ssl/certs/A_x.pem"].link == f"/{place}/A x.crt"


def test_files_get_owners_and_modes_and_what_is_there_stays() -> None:
    made = had(
        ("directory", "/srv/a", "0750", "www", "adm"),
        ("file", "/srv/log"),
        ("owner", "/srv/log", "www", "adm"),
        ("mode", "/srv/log", "640"),
        ("copy", "/etc/there", "/usr/x"),
        ("copy", "/etc/new", "/usr/x"),
        ("link", "/etc/there", "nowhere"),
        ("text", "/etc/timezone", "Etc/UTC\n"),
        entries=(entry("etc/there"), entry("usr/x", b"copied")),
    )

    assert (made["srv/a"].mode, made["srv/a"].uid, made["srv/a"].gid) == (0o750, 33, 4)
    assert (made["srv/log"].mode, made["srv/log"].uid, made["srv/log"].gid) == (0o640, 33, 4)
    assert made["etc/new"].source == b"copied"
    assert made["etc/timezone"].source == b"Etc/UTC\n"
    assert "etc/there" not in made


def test_the_table_of_judged_scripts_speaks_of_known_effects() -> None:
    path = files("artificer.sources.debian.installing") / "scripts.json"
    table = json.loads(path.read_text())
    kinds = {effect[0] for row in table.values() for effect in row["effects"]}

    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in table)
    assert all(len(row["script"].split()) == 3 for row in table.values())
    assert kinds <= {
        *("alternative", "ca-certificates", "copy", "directory", "file", "group", "ldconfig"),
        *("link", "mode", "owner", "shadow", "text", "user"),
    }
