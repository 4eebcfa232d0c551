"""What maintainer scripts do, told without running them, and had without them."""

import json
import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.sources.debian.installing.commands import Effect
from artificer.sources.debian.installing.effects import EQUIVALENTS, replaced
from artificer.sources.debian.installing.scripts import known
from tests.sources.debian.workbench import files_of

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
DEBHELPER_NOT_ENABLED = """
	if deb-systemd-helper --user debian-installed 'a.socket'; then
		if deb-systemd-helper --quiet --user was-enabled 'a.socket'; then
			deb-systemd-helper --user enable 'a.socket' >/dev/null || true
		fi
	fi
	deb-systemd-helper --user update-state 'a.socket' >/dev/null || true
"""


def effects(text: str) -> tuple[Effect, ...]:
    found = known((HEAD + text).encode())
    assert not found.unknown, found.unknown
    return found.effects


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DEBHELPER, (("unit", "system", "a.service"),)),
        (DEBHELPER_NOT_ENABLED, (("unit-noted", "user", "a.socket"),)),
        (
            "update-rc.d a defaults >/dev/null\nupdate-rc.d b defaults-disabled\n",
            (("runlevels", "a"), ("runlevels", "b", "disabled")),
        ),
        ('pam-auth-update --root "$DPKG_ROOT" --package $force\n', (("pam",),)),
        ("update-shells\nadd-shell /bin/x\n", (("shells",), ("add-shell", "/bin/x"))),
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
            (("user", "a", "-", "nogroup", "/", "/bin/false", ""),),
        ),
        ("groupadd -r a\n", (("group", "a", "-"),)),
        (
            "adduser --system --uid 7 --gecos 'A, b' a\n",
            (("user", "a", "7", "nogroup", "/nonexistent", "/usr/sbin/nologin", "A, b,,"),),
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
        (
            "U=a\nchown -R $U:b /srv\nchgrp c /x\n",
            (("owner", "/srv", "a", "b", "below"), ("owner", "/x", "", "c")),
        ),
        (
            "P=/etc/apparmor.d/local/x\n"
            'mkdir -p `dirname "$P"`\ninstall --mode 644 /dev/null "$P"\naa-enabled --quiet\n',
            (
                ("directory", "/etc/apparmor.d/local", "0755", "root", "root"),
                ("file", "/etc/apparmor.d/local/x"),
                ("mode", "/etc/apparmor.d/local/x", "644"),
            ),
        ),
        (
            "T='a b'\nfor i in $T c; do\n  for j in 1 2; do touch /$i$j; done\ndone\n",
            tuple(("file", f"/{name}") for name in ("a1", "a2", "b1", "b2", "c1", "c2")),
        ),
        (
            'for i in a b; do\n  if [ "$i" = "a" ]; then touch /1; else touch /2; fi\ndone\n',
            (("file", "/1"), ("file", "/2")),
        ),
        (
            "f() {\n for i in a b; do if [ $i != a ]; then touch /1; else touch /2; fi; done\n}\n",
            (("file", "/2"), ("file", "/1")),
        ),
        ("find /a -name b\nls /a\n", ()),
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
        "chown --from=root a:b /srv\n",
        "chmod u+s /usr/bin/x\n",
        "adduser person\n",
        "groupadd people\n",
        "update-rc.d a disable\n",
        "pam-auth-update --enable x\n",
        "eval $x\n",
        "perl -e 'print 1'\n",
        "for i in a b; do unheard-of $i; done\n",
        "echo 'unfinished\n",
    ],
)
def test_anything_else_is_named(text: str) -> None:
    assert known((HEAD + text).encode()).unknown


FOR_UPGRADES = [
    'if [ "$1" = "upgrade" ]; then frobnicate; fi\n',
    'if test "$1" = abort-remove &&\n  test -e /x; then\n  if frobnicate; then :; fi\nfi\n',
    'if dpkg --compare-versions "$2" lt-nl 1.0; then\n  case x in\n y) frobnicate ;; esac\nfi\n',
    'if [ -n "$2" ] && dpkg --compare-versions "$2" lt 1; then for a in b; do mv a b; done; fi\n',
    'if dpkg --compare-versions 1.0 gt-nl "${2:-}"; then frobnicate; fi\n',
    "if [ a = b ]; then frobnicate; elif [ a = a ]; then :; else frobnicate; fi\n",
]


@pytest.mark.parametrize("text", FOR_UPGRADES)
def test_what_only_upgrades_do_is_nothing_at_a_first_installation(text: str) -> None:
    data = (HEAD + text).encode()

    assert known(data) == ((), ())
    assert known(data, first=False).unknown


@pytest.mark.parametrize(
    "text",
    [
        'if [ "$1" = "configure" ]; then frobnicate; fi\n',
        'if [ "$1" = "triggered" ]; then frobnicate; fi\n',
        'if [ "$1" = upgrade ] || [ -e /x ]; then frobnicate; fi\n',
        'if [ "$1" = upgrade -o -e /x ]; then frobnicate; fi\n',
        'if ! [ "$1" = upgrade ]; then frobnicate; fi\n',
        'if [ -e /x ] || { true && [ "$1" = upgrade ]; }; then frobnicate; fi\n',
        'if [ "$1" = upgrade ] | true; then frobnicate; fi\n',
        'if [ "$1" = upgrade ]; then :; else frobnicate; fi\n',
        'if dpkg --compare-versions "$2" lt 1; then frobnicate; fi\n',
        'f() {\n  if [ "$1" = upgrade ]; then frobnicate; fi\n}\nf upgrade\n',
        'f()\n{\n  if [ "$1" = upgrade ]; then frobnicate; fi\n}\nf upgrade\n',
        'shift\nif [ "$1" = upgrade ]; then frobnicate; fi\n',
        "for i in a b; do case $i in a) mkdir /$i ;; esac; done\n",
        'A=/x\nA="$(y)"\ntouch $A\n',
        "A=/x\nread A\ntouch $A\n",
        "find /a -delete\n",
        "".join(f"for i{n} in a b c d e f g h\ndo\n" for n in range(9)) + "done\n" * 9,
        "for i in a\ndo\n" * 5000 + "done\n" * 5000,
    ],
)
def test_what_a_first_installation_may_do_is_not_left_out(text: str) -> None:
    assert known((HEAD + text).encode()).unknown


@pytest.mark.parametrize("head", [b"#!/usr/bin/perl\n", b"\x7fELF\0\0", b""])
def test_what_is_no_shell_script_is_not_known(head: bytes) -> None:
    assert known(head).unknown


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    known((HEAD + text).encode("utf-8", "surrogatepass"))


WORDS = (
    *("if", "then", "elif", "else", "fi", "for", "in", "do", "done", "while", "case", "esac"),
    *("{", "}", "(", ")", ";", ";;", "&&", "||", "|", "!", "\n", "f()", "A=/b", "$A", "[", "]"),
    *("-n", '"$1"', '"$2"', "=", "configure", "dpkg", "--compare-versions", "lt", "1", "mkdir"),
)


@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_any_words_of_the_shell_are_read(words: list[str]) -> None:
    known((HEAD + " ".join(words)).encode())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("A=" + "a" * 250 + "\necho " + "$A" * 100_000, id="a constant"),
        pytest.param(
            f"for i in {('a' * 1000 + ' ') * 100}; do echo {'$i' * 60_000}; done", id="a loop"
        ),
        pytest.param("for i in a\n" * 18_000, id="loops without an end"),
        pytest.param("for i in a b; do\n" * 20 + "true\n" + "done\n" * 20, id="loops in loops"),
    ],
)
def test_what_becomes_too_long_is_not_read(text: str) -> None:
    (why,) = known((HEAD + text).encode()).unknown

    assert "too long" in why


def test_a_script_gives_whole_directories_away_a_few_times_only() -> None:
    text = "".join(f"chown -R {number}:{number} /usr\n" for number in range(30))

    found = known((HEAD + text).encode())

    assert len(found.effects) == 21
    assert found.unknown[0] == "chown -R 21:21 /usr"


def test_effects_are_had_in_their_order_and_what_triggers_do_in_the_end() -> None:
    files = files_of()

    replaced(
        [("ldconfig",), ("text", "/a", "1"), ("copy", "/b", "/a"), ("link", "/c", "b")], files
    )

    assert (files.read("b"), files.read("c")) == (b"1", b"1")


def test_the_table_of_judged_scripts_speaks_of_known_effects() -> None:
    path = files("artificer.sources.debian.installing") / "scripts.json"
    table = json.loads(path.read_text())
    kinds = {effect[0] for row in table.values() for effect in row["effects"]}

    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in table)
    assert all(len(row["script"].split()) == 3 for row in table.values())
    assert kinds <= EQUIVALENTS.keys()


@pytest.mark.parametrize(
    "text",
    ["exit 7\n", "echo no; exit 7\n", "if a; then true; fi\nfalse\n", "f() {\n:\n}\nexit 1"],
)
def test_a_script_that_always_fails_is_not_one_without_effect(text: str) -> None:
    assert known((HEAD + text).encode()).unknown


@pytest.mark.parametrize(
    "text",
    [
        "true || exit 1\n",
        "true ||\n  exit 1\n",
        "f() { exit 1; }\n",
        "f()\n{\n  exit 1\n}\n",
        "if true; then\n  case x in\n    y) exit 1 ;;\n    *) exit 2 ;;\n  esac\nfi\nexit 0\n",
        "for a in b; do\n  false || exit 1\ndone\n(exit 1)\nexit $?\n",
    ],
)
def test_a_script_that_may_fail_is_taken_for_one_that_does_not(text: str) -> None:
    assert known((HEAD + text).encode()) == ((), ())


@pytest.mark.parametrize(
    "text",
    [
        "sed -ri s/a/b/ /etc/x\n",
        "mkdir -m0700 /a\n",
        "install -dm 700 /a\n",
        "mkdir -pm 755 /a\n",
        "add-shell " + " ".join(f"/{number}" for number in range(2000)) + "\n",
        "".join(f"touch /{number}\n" for number in range(2000)),
        f"A=/{'a' * 200}\n" + "echo $A\n" * 10_000,
    ],
)
def test_a_command_that_says_more_than_is_understood_is_not_known(text: str) -> None:
    assert known((HEAD + text).encode()).unknown
