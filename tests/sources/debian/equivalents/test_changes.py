"""Users, files and alternatives as scripts make them, made without running any."""

import pytest

from artificer import limits
from artificer.layers.entry import DIRECTORY, FILE, SYMLINK, Entry
from artificer.layers.tree import TooManyLinks
from artificer.sources.debian.equivalents.accounts import NoNumber
from artificer.sources.debian.equivalents.files import Files, InTheWay
from artificer.sources.debian.installing.effects import replaced
from tests.sources.debian.workbench import files_of


def entry(path: str, data: bytes | None = b"", mtime: int = 0) -> Entry:
    kind = DIRECTORY if data is None else FILE
    return Entry(path, kind, 0o755, 0, 0, len(data or b""), mtime, "", data)


def link(path: str, target: str) -> Entry:
    return Entry(path, SYMLINK, 0o777, 0, 0, 0, 0, target, None)


USERS = "root:*:0:0:root:/root:/bin/bash\nwww:*:33:33::/:/bin/false\n"
PASSWD = entry("etc/passwd", USERS.encode())
GROUP = entry("etc/group", b"root:*:0:\nadm:*:4:\n")
DAY = 86400


def had(*effects: tuple[str, ...], entries: tuple[Entry, ...] = (), mtime: int = 7) -> Files:
    files = files_of(PASSWD, GROUP, *entries, mtime=mtime)
    replaced(effects, files)
    return files


def test_users_and_groups_get_the_next_numbers_as_their_programs_choose_them() -> None:
    files = had(
        ("group", "a", ""),
        ("user", "a", "", "a", "/srv", "/bin/sh", "A"),
        ("user", "b", "", "nogroup", "/", "/bin/sh", ""),
        ("user", "www", "", "a", "/x", "/bin/sh", ""),
        ("group", "c", "-"),
        ("user", "c", "-", "c", "/c", "/bin/sh", ""),
        ("user", "d", "7", "999", "/d", "/bin/sh", ""),
        ("member", "a", "adm"),
    )

    assert files.text("etc/passwd") == USERS + (
        "a:x:100:100:A:/srv:/bin/sh\nb:x:101:65534::/:/bin/sh\nc:x:999:999::/c:/bin/sh\n"
        "d:x:7:999::/d:/bin/sh\n"
    )
    assert files.text("etc/group") == "root:*:0:\nadm:*:4:a\na:x:100:\nc:x:999:\n"
    assert files.lookup("etc/shadow") is None


def test_passwords_move_into_shadow_files_and_later_users_are_there_too() -> None:
    files = had(("shadow",), ("group", "a", ""), ("user", "a", "", "a", "/"), mtime=3 * DAY)

    assert files.text("etc/shadow") == (
        "root:*:3:0:99999:7:::\nwww:*:3:0:99999:7:::\na:!:3::::::\n"
    )
    shadow = files.lookup("etc/shadow")
    assert shadow is not None
    assert (shadow.mode, shadow.gid) == (0o640, 42)
    assert files.text("etc/gshadow") == "root:*::\nadm:*::\na:!::\n"
    assert (files.text("etc/passwd") or "").startswith("root:x:0:0")


def test_nobody_has_to_choose_a_new_password_at_once() -> None:
    assert (had(("shadow",)).text("etc/shadow") or "").startswith("root:*::0:99999:7:::\n")


def test_accounts_of_a_base_may_be_broken_or_full() -> None:
    broken = files_of(entry("etc/group", b"a:x:many:\n:\n\n"))
    full = "".join(f"g{n}:x:{n}:\n" for n in range(100, 1000)).encode()

    replaced([("user", "a", "", "a")], broken)

    assert broken.text("etc/passwd") == "a:x:100:65534:::\n"
    with pytest.raises(NoNumber, match="no number left"):
        replaced([("group", "one-more", "")], files_of(entry("etc/group", full)))


PROGRAMS = tuple(entry(f"usr/bin/{name}", b"", 5) for name in ("low", "high"))


def test_the_alternative_of_the_highest_priority_is_taken() -> None:
    files = had(
        ("alternative", "/usr/bin/x", "x", "/usr/bin/low", "5"),
        ("alternative", "/usr/bin/x", "x", "/usr/bin/high", "50", "/usr/m", "m", "/usr/absent"),
        ("alternative", "/usr/bin/x", "x", "/usr/bin/not-there", "500"),
        entries=PROGRAMS,
    )

    links = {path: (one.link, one.mtime) for path, one in files.made.items() if one.link}
    assert links == {
        "etc/alternatives/x": ("/usr/bin/high", 5),
        "usr/bin/x": ("/etc/alternatives/x", 5),
    }
    assert files.text("var/lib/dpkg/alternatives/x") == (
        "auto\n/usr/bin/x\nm\n/usr/m\n\n/usr/bin/high\n50\n/usr/absent\n/usr/bin/low\n5\n\n\n"
    )


def test_another_choice_joins_those_of_the_base_and_what_a_person_chose_stays() -> None:
    state = "{}\n/usr/bin/x\nm\n/usr/m\n\n/usr/bin/low\n5\n/usr/low.1\n\n"
    more = ("alternative", "/usr/bin/x", "x", "/usr/bin/high", "50")
    path = "var/lib/dpkg/alternatives/x"

    for mode, expected in (("auto", "/usr/bin/high"), ("manual", "/usr/bin/low")):
        there = entry(path, state.format(mode).encode())
        chosen = link("etc/alternatives/x", "/usr/bin/low")
        files = had(more, entries=(*PROGRAMS, there, chosen))

        assert (files.itself("etc/alternatives/x") or chosen).link == expected
        assert files.text(path) == (
            f"{mode}\n/usr/bin/x\nm\n/usr/m\n\n/usr/bin/high\n50\n\n/usr/bin/low\n5\n/usr/low.1\n\n"
        )


def test_files_get_owners_and_modes_and_what_is_there_stays() -> None:
    files = had(
        ("directory", "/srv/a", "0750", "www", "adm"),
        ("file", "/srv/log"),
        ("owner", "/srv/log", "www", "adm"),
        ("mode", "/srv/log", "640"),
        ("copy", "/etc/there", "/usr/x"),
        ("copy", "/etc/new", "/usr/x"),
        ("copy", "/etc/old", "/usr/x", "timed"),
        ("link", "/etc/there", "nowhere"),
        ("text", "/etc/timezone", "Etc/UTC\n"),
        entries=(entry("etc/there"), entry("usr/x", b"copied", 3)),
    )

    made = files.made
    assert (made["srv/a"].mode, made["srv/a"].uid, made["srv/a"].gid) == (0o750, 33, 4)
    assert (made["srv/log"].mode, made["srv/log"].uid, made["srv/log"].gid) == (0o640, 33, 4)
    assert (made["etc/new"].source, made["etc/new"].mtime) == (b"copied", 7)
    assert made["etc/old"].mtime == 3
    assert made["etc/timezone"].source == b"Etc/UTC\n"
    assert "etc/there" not in made


def test_a_file_of_the_base_that_is_changed_keeps_its_bytes() -> None:
    files = files_of(base={"etc/a": b"bytes", "etc/b": b""})

    replaced([("mode", "/etc/a", "600"), ("remove", "/etc/b"), ("remove", "/etc/none")], files)

    assert (files.made["etc/a"].mode, files.made["etc/a"].source) == (0o600, b"bytes")
    assert files.removed == {"etc/b"}
    assert files.listdir("etc") == ["a"]


@pytest.mark.parametrize("setcap", [True, False])
def test_a_program_may_open_raw_sockets(*, setcap: bool) -> None:
    there = (entry("usr/bin/ping"), *((entry("usr/sbin/setcap"),) if setcap else ()))
    files = had(("net-raw", "/usr/bin/ping"), entries=there)

    made = files.made["usr/bin/ping"]
    value = bytes.fromhex("0100000200200000000000000000000000000000")
    assert made.xattrs == ((("security.capability", value),) if setcap else ())
    assert made.mode == (0o755 if setcap else 0o4755)


def test_paths_go_through_links_to_directories() -> None:
    files = had(
        ("text", "/bin/a", "1"),
        ("link-instead", "/var/run", "/run"),
        ("link-instead", "/var/full", "/run"),
        ("text", "/var/run/a", "2"),
        ("merged-usr",),
        ("divert", "/a", "/b", "p"),
        ("divert", "/a", "/b", "p"),
        entries=(
            link("bin", "usr/bin"),
            entry("var/run", None),
            entry("var/full/file"),
            *(entry("usr/lib32", None), link("lib32", "usr/lib32")),
            *(entry("usr/lib64/a"), link("lib64", "usr/lib64")),
        ),
    )

    assert files.text("usr/bin/a") == "1"
    assert files.text("run/a") == "2"
    assert files.itself("var/full") == entry("var/full", None)._replace(mtime=7)
    assert files.removed == {"lib32", "usr/lib32"}
    assert files.text("var/lib/dpkg/diversions") == "/a\n/b\np\n"


def test_links_in_a_circle_are_an_error() -> None:
    files = files_of(link("a", "b"), link("b", "a"))

    with pytest.raises(TooManyLinks):
        files.lookup("a/c")


def test_numbers_that_nobody_can_have_are_none() -> None:
    huge = entry("etc/group", f"root:*:0:\nbig:*:{'9' * 5000}:\n".encode())
    files = files_of(PASSWD, huge, entry("a", b"#!"))
    alternative = ("alternative", "/usr/bin/x", "x", "/a", "--5")

    replaced((("owner", "a", "www", "big"), alternative), files)

    made = files.lookup("a")
    assert made is not None
    assert (made.uid, made.gid) == (33, 0)


@pytest.mark.parametrize(
    "effect",
    [
        ("file", "/etc/.wh.passwd"),
        ("text", "/etc/passwd/x", "y"),
        ("shells",),
    ],
)
def test_nothing_is_made_that_no_layer_can_hold(effect: tuple[str, ...]) -> None:
    with pytest.raises(InTheWay):
        had(effect, entries=(entry("etc/shells/x"),))


def test_a_path_that_ends_upwards_is_where_it_leads() -> None:
    files = files_of(PASSWD)

    assert files.real("usr/lib/..") == "usr"
    assert files.real("/..") == ""


def test_a_file_that_is_too_large_to_be_settings_is_refused() -> None:
    large = Entry("etc/shells", FILE, 0o644, 0, 0, limits.SETTINGS_BYTES + 1, 0, "", b"")

    with pytest.raises(InTheWay, match="larger"):
        files_of(large).text("etc/shells")


def test_a_copy_to_a_directory_is_in_it() -> None:
    files = had(("copy", "/srv", "/a/b"), entries=(entry("srv", None), entry("a/b", b"c")))

    assert files.text("srv/b") == "c"


def test_an_owner_is_that_of_all_below_where_it_is_said() -> None:
    entries = (entry("srv", None), entry("srv/b", b"c"), link("srv/d", "/etc"))
    files = had(("owner", "/srv", "www", "adm", "below"), entries=entries)

    assert {path: (one.uid, one.gid) for path, one in files.made.items()} == {
        "srv": (33, 4),
        "srv/b": (33, 4),
    }


def test_of_a_base_only_so_much_is_given_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REPLACED_BYTES", 100)
    files = files_of(PASSWD, GROUP, base={"srv/a": b"1" * 60, "srv/b": b"2" * 60})

    with pytest.raises(InTheWay, match="/srv/b and others of the base have more than 100 bytes"):
        replaced([("owner", "/srv", "www", "adm", "below")], files)


def test_what_has_to_be_compiled_is_refused() -> None:
    effect = ("compiled", "/usr/share/schemas", ".xml")

    assert not had(effect, entries=(entry("usr/share/schemas/a.txt"),)).made
    with pytest.raises(InTheWay, match=r"/usr/share/schemas/a\.xml has to be compiled"):
        had(effect, entries=(entry("usr/share/schemas/a.xml"),))


@pytest.mark.parametrize(("program", "gecos"), [("$chfn, '-f', $x", "A,,,"), ("usermod", "A")])
def test_a_description_is_as_the_image_s_adduser_writes_it(program: str, gecos: str) -> None:
    adduser = entry("usr/sbin/adduser", program.encode())
    files = had(("user", "a", "", "nogroup", "/", "/bin/sh", "A,,,"), entries=(adduser,))

    assert f":{gecos}:/:" in (files.text("etc/passwd") or "")
