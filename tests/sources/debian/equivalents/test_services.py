"""Units, runlevels, PAM, shells and settings as their programs leave them."""

import pytest

from artificer.layers.entry import FILE, SYMLINK, Entry
from artificer.sources.debian.equivalents.files import Files
from artificer.sources.debian.installing.effects import replaced
from tests.sources.debian.workbench import files_of

UNITS = "lib/systemd/system"
STATE = "var/lib/systemd/deb-systemd-helper-enabled"
MADE = "etc/systemd/system"


def file(name: str, text: str = "") -> Entry:
    data = text.encode()
    return Entry(name, FILE, 0o644, 0, 0, len(data), 3, "", data)


def links(files: Files) -> dict[str, str]:
    """What links were made, and where to."""
    return {path: one.link for path, one in files.made.items() if one.kind == SYMLINK}


def enabled(*entries: Entry, unit: str = "a.service", kind: str = "unit") -> Files:
    files = files_of(*entries)
    replaced([(kind, "system", unit)], files)
    return files


A = file(
    f"{UNITS}/a.service",
    "[Install]\nWantedBy=multi-user.target 'x.target'\nAlias=b.service a.service ../evil\n"
    "RequiredBy=y.target\nAlso=c@.socket a.service c@.socket\n",
)
C = file(
    f"{UNITS}/c@.socket", "[Install]\nDefaultInstance=one\nWantedBy=z.target\nAlso=a.service\n"
)


def test_a_unit_is_enabled_with_those_that_belong_to_it() -> None:
    files = enabled(A, C)

    assert links(files) == {
        f"{MADE}/b.service": f"/{UNITS}/a.service",
        f"{MADE}/multi-user.target.wants/a.service": f"/{UNITS}/a.service",
        f"{MADE}/x.target.wants/a.service": f"/{UNITS}/a.service",
        f"{MADE}/y.target.requires/a.service": f"/{UNITS}/a.service",
        f"{MADE}/z.target.wants/c@one.socket": f"/{UNITS}/c@.socket",
    }
    assert files.text(f"{STATE}/a.service.dsh-also") == "".join(
        f"/{MADE}/{name}\n"
        for name in (
            *("b.service", "z.target.wants/c@one.socket", "multi-user.target.wants/a.service"),
            *("x.target.wants/a.service", "y.target.requires/a.service"),
        )
    )
    assert files.is_file(f"{STATE}/z.target.wants/c@one.socket")


def test_a_unit_that_is_only_noted_has_no_links() -> None:
    files = enabled(A, C, kind="unit-noted")

    assert links(files) == {}
    assert list(files.made) == [f"{STATE}/a.service.dsh-also"]


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("", True),
        ("disable b*\n", True),
        ("enable a.*\ndisable *\n", True),
        ("disable *\n", False),
    ],
)
def test_where_systemd_is_its_presets_decide(preset: str, *, expected: bool) -> None:
    folder = "usr/lib/systemd/system-preset"
    files = enabled(A, file("usr/bin/systemctl"), file(f"{folder}/90-x.preset", preset))

    assert bool(links(files)) is expected
    assert files.is_file(f"{STATE}/a.service.dsh-also")


@pytest.mark.parametrize(("version", "above"), [("252", ""), ("257", "/usr")])
def test_links_lead_to_where_that_systemd_finds_units(version: str, above: str) -> None:
    library = file(f"usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-{version}.so")
    files = enabled(A, file("usr/bin/systemctl"), library)

    assert links(files)[f"{MADE}/b.service"] == f"{above}/{UNITS}/a.service"


def test_a_unit_that_somebody_has_disabled_stays_so() -> None:
    known = file(f"{STATE}/a.service.dsh-also", f"/{MADE}/multi-user.target.wants/a.service\n")

    assert links(enabled(A, C, known)) == {}


def test_a_unit_that_is_not_there_is_left_alone() -> None:
    assert enabled(unit="none.service").made == {}


def test_scripts_of_runlevels_are_linked_as_their_heads_say() -> None:
    head = (
        "### BEGIN INIT INFO\n# Default-Start: 2 S\n# Default-Stop:  0 ../x\n### END INIT INFO\n"
    )
    files = files_of(file("etc/init.d/a", head), file("etc/init.d/b", head))

    replaced([("runlevels", "a"), ("runlevels", "a"), ("runlevels", "b", "disabled")], files)

    assert links(files) == {
        **dict.fromkeys(("etc/rc2.d/S01a", "etc/rcS.d/S01a", "etc/rc0.d/K01a"), "../init.d/a"),
        **dict.fromkeys(("etc/rc2.d/K01b", "etc/rcS.d/K01b", "etc/rc0.d/K01b"), "../init.d/b"),
    }


TEMPLATE = """\
# head
# here are the per-package modules (the "Primary" block)
{}# here's the fallback if no module succeeds
{}\trequisite\t\t\tpam_deny.so
# and here are more per-package modules (the "Additional" block)
{}# end of pam-auth-update config
"""
KINDS = ("auth", "account", "password", "session", "session-noninteractive")
TEMPLATES = [
    file(f"usr/share/pam/common-{kind}", TEMPLATE.format("", kind.split("-")[0], ""))
    for kind in KINDS
]
UNIX = file(
    "usr/share/pam-configs/unix",
    "Name: Unix\nDefault: yes\nPriority: 256\nAuth-Type: Primary\nAuth:\n"
    "\t[success=end default=ignore]\tpam_unix.so nullok  try_first_pass\n"
    "Auth-Initial:\n\t[success=end default=ignore]\tpam_unix.so nullok\n",
)
OTHER = file(
    "usr/share/pam-configs/other",
    "Name: Other\nDefault: yes\nPriority: 0\nConflicts: gone\nAuth-Type: Primary\nAuth-Final:\n"
    "\t[success=end]\tpam_other.so\n\toptional\tpam_more.so\nSession-Type: Additional\n"
    "Session-Interactive-Only: yes\nSession:\n\toptional\tpam_other.so\n",
)
OFF = file("usr/share/pam-configs/off", "Name: Off\nDefault: no\nPriority: 900\n")


def test_modules_of_pam_are_stacked_by_their_priority() -> None:
    files = files_of(*TEMPLATES, UNIX, OTHER, OFF)

    replaced([("pam",)], files)

    assert files.text("etc/pam.d/common-auth") == TEMPLATE.format(
        "auth\t[success=3 default=ignore]\tpam_unix.so nullok\n"
        "auth\t[success=2]\tpam_other.so \nauth\toptional\tpam_more.so \n",
        "auth",
        "",
    )
    assert files.text("etc/pam.d/common-session") == TEMPLATE.format(
        "session\t[default=1]\t\t\tpam_permit.so\n",
        "session",
        "session\toptional\tpam_other.so \n",
    )
    assert "pam_other" not in (files.text("etc/pam.d/common-session-noninteractive") or "")
    assert files.text("var/lib/pam/seen") == "off\nunix\nother\n"
    assert files.text("var/lib/pam/session") == (
        "Module: null\n[default=1]\t\t\tpam_permit.so\nModule: other\noptional\tpam_other.so\n"
    )


def test_a_priority_that_is_no_number_is_the_lowest() -> None:
    odd = file("usr/share/pam-configs/odd", "Name: Odd\nDefault: no\nPriority: 1.2.3\n")
    files = files_of(*TEMPLATES, UNIX, odd)

    replaced([("pam",)], files)

    assert files.text("var/lib/pam/seen") == "unix\nodd\n"


def test_a_new_module_joins_unless_a_person_has_edited_the_files() -> None:
    for edit in ("", "# mine\n"):
        files = files_of(*TEMPLATES, UNIX)
        replaced([("pam",)], files)
        files.put("etc/pam.d/common-auth", edit + (files.text("etc/pam.d/common-auth") or ""))
        files.put("usr/share/pam-configs/other", (OTHER.source or b"").decode())  # type: ignore[union-attr]

        replaced([("pam",)], files)

        assert ("pam_other" in (files.text("etc/pam.d/common-auth") or "")) is not bool(edit)


def test_shells_of_packages_come_and_go_and_those_of_people_stay() -> None:
    folder = "usr/share/debianutils"
    files = files_of(
        *(
            file(f"{folder}/shells", "# shells\n/bin/sh\n"),
            file(f"{folder}/shells.d/x", "/bin/x\n"),
        ),
        Entry("bin", SYMLINK, 0o777, 0, 0, 0, 0, "usr/bin", None),
        file("etc/shells", "# shells\n/bin/sh\n/bin/gone\n/opt/mine\n"),
        file("var/lib/shells.state", "/bin/sh\n/bin/gone\n"),
    )

    replaced([("shells",), ("add-shell", "/bin/y")], files)

    assert files.text("etc/shells") == (
        "# shells\n/bin/sh\n/opt/mine\n/usr/bin/sh\n/bin/x\n/usr/bin/x\n/bin/y\n/usr/bin/y\n"
    )
    assert files.text("var/lib/shells.state") == "/bin/sh\n/usr/bin/sh\n/bin/x\n/usr/bin/x\n"


def test_settings_are_copied_and_those_that_were_edited_stay() -> None:
    files = files_of(file("usr/a", "new"), file("etc/edited", "mine"))
    effects = [
        ("ucf", "/usr/a", "/etc/a"),
        ("ucfr", "p", "/etc/a"),
        ("ucf", "/usr/a", "/etc/edited"),
    ]

    replaced([*effects, *effects], files)

    assert (files.text("etc/a"), files.text("etc/edited")) == ("new", "mine")
    assert files.text("var/lib/ucf/cache/:etc:a") == "new"
    assert files.text("var/lib/ucf/hashfile") == "22af645d1859cb5ca6da0c484f1f37ea  /etc/a\n"
    assert files.text("var/lib/ucf/registry") == "p \t /etc/a\n"
    files.put("usr/a", "newer")

    replaced(effects, files)

    assert files.text("etc/a") == "newer"


def test_modules_of_php_are_enabled_in_each_program() -> None:
    folder = "etc/php/8.2/mods-available"
    files = files_of(
        *(file(f"{folder}/a.ini", "; x\n; priority=10\n"), file(f"{folder}/b.ini")),
        *(file("usr/lib/php/8.2/sapi/cli"), file("usr/lib/php/8.2/sapi/fpm")),
        file("var/lib/php/modules/8.2/fpm/disabled_by_admin/b"),
    )

    replaced([("php-modules", "8.2")], files)

    assert links(files) == {
        f"etc/php/8.2/{name}": f"/{folder}/{name.rpartition('-')[2]}"
        for name in ("cli/conf.d/10-a.ini", "cli/conf.d/20-b.ini", "fpm/conf.d/10-a.ini")
    }


def test_manuals_of_postgresql_are_found_by_their_usual_names() -> None:
    folder = "/usr/share/postgresql/15/man/man1"
    files = files_of(
        *(file(f"{folder[1:]}/{name}.1.gz") for name in ("psql", "pg_dump")),
        file(
            "var/lib/dpkg/info/client-15.list", f"/.\n{folder}/psql.1.gz\n{folder}/pg_dump.1.gz\n"
        ),
    )

    replaced([("postgresql-manuals", "psql.1.gz", "client-")], files)

    assert links(files) == {
        f"{place}/{name}.1.gz": f"{target}/{name}.1.gz"
        for name in ("psql", "pg_dump")
        for place, target in (
            ("etc/alternatives", folder),
            ("usr/share/man/man1", "/etc/alternatives"),
        )
    }


def test_all_locales_are_named_and_none_is_chosen() -> None:
    files = files_of(file("usr/share/i18n/SUPPORTED", "b UTF-8  \n# no\na UTF-8\n\n"))

    replaced([("locales",)], files)

    assert (files.text("etc/locale.gen") or "").endswith("\n\n\n# a UTF-8\n# b UTF-8\n")
