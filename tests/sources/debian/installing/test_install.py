"""What is run, in which order, and what is said of scripts before."""

import hashlib
import subprocess

import pytest

from artificer.errors import ArtificerError
from artificer.layers.entry import Entry
from artificer.sources.debian.installing.actions import failure
from artificer.sources.debian.installing.database import NoDatabase, database_files
from artificer.sources.debian.installing.distroless import NotConfigured, distroless
from artificer.sources.debian.installing.install import installation
from artificer.sources.debian.installing.installation import Installation, Options
from artificer.sources.debian.installing.judged import UnknownScripts
from artificer.sources.debian.installing.unpack import bytes_of
from tests.parts.archive import File, made
from tests.sources.debian.workbench import Bench, base_at, put, text_of

SCRIPT = "#!/bin/sh\nset -e\n"
WEIRD = "#!/bin/sh\nfrobnicate\n"


def purposes(value: Installation) -> tuple[list[str], list[str]]:
    return [one.purpose for one in value.before], [one.purpose for one in value.commands]


def test_from_nothing_the_essential_packages_are_configured_before_others_run_scripts(
    bench: Bench,
) -> None:
    one = made("one", scripts={"preinst": SCRIPT, "postinst": SCRIPT}, Essential="yes")
    two = made("two", "2", scripts={"preinst": SCRIPT}, Pre_Depends="one")

    value = installation(bench.debs(one, two), None, Options())

    assert purposes(value) == (
        [],
        [
            "preinst of one 1 (install)",
            "configure the essential packages",
            "preinst of two 2 (install)",
            "configure all packages",
        ],
    )
    assert value.commands[0].argv == ("/var/lib/dpkg/info/one.preinst", "install")
    assert value.temporary == ("usr/sbin/policy-rc.d",)


def test_what_is_needed_before_unpacking_is_configured_first(bench: Bench) -> None:
    base = made("base", Essential="yes")
    helper = made("helper", scripts={"postinst": SCRIPT}, Depends="deeper")
    deeper = made("deeper", scripts={"preinst": SCRIPT})
    user = made("user", scripts={"preinst": SCRIPT}, Pre_Depends="helper")

    value = installation(bench.debs(base, deeper, helper, user), None, Options())

    assert purposes(value)[1] == [
        "configure the essential packages",
        "preinst of deeper 1 (install)",
        "configure deeper, helper",
        "preinst of user 1 (install)",
        "configure all packages",
    ]


def test_upon_a_base_scripts_run_before_unpacking(bench: Bench) -> None:
    root = bench.root("root")
    bench.dpkg(root, "--install", *bench.paths(made("old", scripts={})))
    new = made("new", scripts={"preinst": SCRIPT, "config": "x", "templates": "y\n"})

    value = installation(bench.debs(new), base_at(root), Options(epoch=5))

    (action,) = value.before
    assert action.purpose == "preinst of new 1 (install)"
    environment = dict(action.env)
    assert environment["DPKG_MAINTSCRIPT_PACKAGE"] == "new"
    assert environment["DEBIAN_FRONTEND"] == "noninteractive"
    assert environment["SOURCE_DATE_EPOCH"] == "5"


def test_another_architecture_is_noted_as_dpkg_notes_it(bench: Bench) -> None:
    root = bench.root("root")
    native = made("lib", "1", "amd64", Multi_Arch="same", scripts={"triggers": "interest /x\n"})
    bench.dpkg(root, "--install", *bench.paths(native))
    twin = bench.copy(root, "twin")
    bench.dpkg(twin, "--add-architecture", "i386")
    foreign = made("lib", "1", "i386", Multi_Arch="same")

    value = installation(bench.debs(foreign), base_at(root), Options(foreign=("i386",)))
    put(root, value.entries)
    again = installation(bench.debs(made("a")), base_at(root), Options(foreign=("i386",)))

    assert (root / "var/lib/dpkg/arch").read_text() == (twin / "var/lib/dpkg/arch").read_text()
    assert "lib:amd64" in (root / "var/lib/dpkg/triggers/File").read_text()
    assert "var/lib/dpkg/arch" not in {one.path for one in again.entries}


def test_an_upgrade_calls_old_and_new_scripts_as_dpkg_does(bench: Bench) -> None:
    root = bench.root("root")
    scripts = dict.fromkeys(("prerm", "postrm"), SCRIPT)
    bench.dpkg(root, "--unpack", *bench.paths(made("a", "1", scripts=scripts)))

    new = made("a", "2", scripts={"preinst": SCRIPT, "postinst": SCRIPT})
    value = installation(bench.debs(new), base_at(root), Options())

    before, commands = purposes(value)
    assert before == ["prerm of a 1 (upgrade 2)", "preinst of a 2 (upgrade 1 2)"]
    assert commands == ["postrm of a 1 (upgrade 2)", "configure all packages"]
    assert set(value.removed) == {f"var/lib/dpkg/info/a.{name}" for name in scripts}
    assert {one.script for one in value.scripts} == {"preinst", "postinst", "prerm", "postrm"}


def test_a_script_that_is_not_in_the_root_is_brought_with_what_is_beside_it(
    bench: Bench,
) -> None:
    root = bench.root("root")
    text = '#!/bin/sh\ncat "${0%/*}/templates"; echo "$@"; cat; exit 3\n'
    package = made("a", scripts={"preinst": text, "templates": "Template: x\n"})
    (action,) = installation(bench.debs(package), base_at(root), Options()).before
    place = str(bench.folder / "ci")
    argv = [word.replace("/var/lib/dpkg/tmp.ci", place) for word in action.argv]

    done = subprocess.run(argv, input=action.stdin, capture_output=True, check=False)

    assert (done.returncode, done.stdout) == (3, b"Template: x\ninstall\n")
    assert not (bench.folder / "ci").exists()


def test_a_base_without_a_database_is_refused(bench: Bench) -> None:
    root = bench.folder / "root"
    root.mkdir()

    with pytest.raises(NoDatabase, match="no dpkg database") as raised:
        installation(bench.debs(made("a")), base_at(root), Options())

    assert "unpack" in (raised.value.hint or "")


def test_the_files_that_will_be_read_are_named_before(bench: Bench) -> None:
    root = bench.root("root")
    bench.dpkg(root, "--install", *bench.paths(made("a", files={"usr/a": "x"})))

    assert set(database_files(base_at(root).tree)) >= {
        "var/lib/dpkg/status",
        "var/lib/dpkg/info/a.list",
    }


def test_apt_is_told_which_packages_nobody_asked_for(bench: Bench) -> None:
    packages = made("apt"), made("a"), made("b", "1", "amd64")

    value = installation(bench.debs(*packages), None, Options(auto=frozenset("ab")))

    assert text_of(value.entries, "var/lib/apt/extended_states") == (
        "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\n"
        "Package: b\nArchitecture: amd64\nAuto-Installed: 1\n\n"
    )


def test_an_unknown_script_is_refused_by_name_and_hash(bench: Bench) -> None:
    debs = bench.debs(made("odd", "3", scripts={"postinst": WEIRD}))
    digest = hashlib.sha256(WEIRD.encode()).hexdigest()

    with pytest.raises(UnknownScripts, match=rf"odd 3: postinst \({digest}\)") as raised:
        installation(debs, None, Options(runs=False))

    assert "--accept-skipped" in (raised.value.hint or "")


def test_an_unknown_script_is_skipped_where_that_is_accepted(bench: Bench) -> None:
    debs = bench.debs(made("odd", scripts={"preinst": SCRIPT, "postinst": WEIRD}))

    value = installation(debs, None, Options(runs=False, accept_skipped=True))

    fates = [(one.script, one.fate, one.how) for one in value.scripts]
    assert fates == [
        ("preinst", "replaced", "no effect in an image"),
        ("postinst", "skipped", "not known: frobnicate"),
    ]
    assert not value.commands
    assert "Status: install ok installed" in text_of(value.entries, "var/lib/dpkg/status")


def test_scripts_that_are_known_have_their_effect(bench: Bench) -> None:
    masters = {
        "usr/share/base-passwd/passwd.master": "root:*:0:0:root:/root:/bin/sh\n",
        "usr/share/base-passwd/group.master": "root:*:0:\n",
    }
    adding = f"{SCRIPT}adduser --system --group a\ntouch /srv/log\nchown a:a /srv/log\n"
    packages = made("base-passwd", files=masters), made("a", scripts={"postinst": adding})

    value = installation(bench.debs(*packages), None, Options(runs=False))

    assert "a:x:100:100" in text_of(value.entries, "etc/passwd")
    log = next(one for one in value.entries if one.path == "srv/log")
    assert (log.uid, log.gid) == (100, 100)


def test_removed_files_are_hidden_where_dpkg_does_not_remove_them(bench: Bench) -> None:
    root = bench.root("root")
    gone = made("gone", files={"opt/gone/a": "x", "usr/bin/gone": "y"})
    bench.dpkg(root, "--install", *bench.paths(gone, made("stays", files={"opt/b": "x"})))
    options = Options(remove=("gone",), runs=False)

    value = installation((), base_at(root), options)
    put(root, value.entries)

    assert not (root / "opt/gone").exists()
    assert (root / "opt/b").exists()
    assert "Package: gone" not in (root / "var/lib/dpkg/status").read_text()


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (
            b"dpkg: error processing package nginx (--configure):\n installed nginx package "
            b"post-installation script subprocess returned error exit status 1\nErrors\n",
            "nginx: not configured: installed nginx package post-installation script",
        ),
        (b"", "configure all packages ended with exit code 1"),
    ],
)
def test_a_failure_names_the_package_and_its_script(
    bench: Bench, output: bytes, said: str
) -> None:
    action = installation(bench.debs(made("a")), None, Options()).commands[-1]

    error = failure(action, 1, output)

    assert error.message.startswith(said)
    assert "debconf" not in (error.hint or "")
    asked = failure(action, 1, output, {"nginx"})
    assert ("debconf-set-selections" in (asked.hint or "")) == bool(output)


def test_a_distroless_result_has_what_was_asked_for_and_its_needs(bench: Bench) -> None:
    packages = (
        made("base-files", files={"etc/os-release": "ID=x\n", "tmp/": File(mode=0o1777)}),
        made("dpkg", files={"usr/bin/dpkg": "x"}, Essential="yes"),
        made("sh", files={"bin/sh": "x"}, Essential="yes"),
        made("lib", files={"usr/lib/lib.so": "x"}),
        made("app", files={"usr/bin/app": "x", "etc/app/conf": "y"}, Depends="virtual, dpkg"),
        made("provider", files={"usr/lib/p": "x"}, Provides="virtual", Pre_Depends="lib, sh"),
        made("helper", files={"usr/sbin/helper": "x", "etc/helper/x": "y"}),
    )
    value = installation(bench.debs(*packages), None, Options(runs=False))

    left = distroless(value.entries, read_entry, ["app"], 0)

    paths = {one.path for one in left}
    assert paths >= {"usr/bin/app", "usr/lib/lib.so", "usr/lib/p", "etc/os-release", "tmp"}
    pieces = {path.rpartition("/")[2] for path in paths if "/status.d/" in path}
    names = {"app", "base-files", "lib", "provider"}
    assert pieces == names | {f"{name}.md5sums" for name in names}
    assert not {"usr/bin/sh", "usr/bin/dpkg", "usr/sbin/helper", "etc/helper"} & paths
    assert "var/lib/dpkg/status" not in paths
    assert "Status:" not in text_of(left, "var/lib/dpkg/status.d/app")


def read_entry(entry: Entry) -> bytes:
    return b"".join(bytes_of(entry))


def test_nothing_becomes_distroless_that_was_not_configured() -> None:
    with pytest.raises(NotConfigured):
        distroless([], read_entry, ["app"], 0)


def test_a_status_file_that_is_none_is_an_error(bench: Bench) -> None:
    root = bench.root("root")
    (root / "var/lib/dpkg/status").write_text("no field at all\n")

    with pytest.raises(ArtificerError, match="/var/lib/dpkg/status"):
        installation(bench.debs(made("a")), base_at(root), Options())


def test_owners_and_modes_that_were_overridden_stay_so(bench: Bench) -> None:
    root = bench.root("root")
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nwww:x:33:33::/:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\nadm:x:4:\n")
    lines = "www adm 2750 /bin/tool\n#7 #8 600 /opt/x\nnobody adm 644 /usr/y\nbroken\n"
    (root / "var/lib/dpkg/statoverride").write_text(lines)
    files = {"bin/tool": "x", "opt/x": "y", "usr/y": "z", "usr/z": "z"}

    value = installation(bench.debs(made("a", files=files)), base_at(root), Options())

    found = {one.path: (one.uid, one.gid, one.mode) for one in value.entries}
    assert found["usr/bin/tool"] == (33, 4, 0o2750)
    assert found["opt/x"] == (7, 8, 0o600)
    assert found["usr/y"] == (0, 4, 0o644)
    assert found["usr/z"] == (0, 0, 0o644)


def test_what_new_files_set_off_is_told_to_dpkg(bench: Bench) -> None:
    root = bench.root("root")
    waiting = made("waits", scripts={"triggers": "interest-noawait /usr/share/plugins\n"})
    bench.dpkg(root, "--install", *bench.paths(waiting))
    plugin = made("plugin", files={"usr/share/plugins/deep/a": "x"})

    value = installation(bench.debs(plugin), base_at(root), Options())
    other = installation(bench.debs(made("other")), base_at(root), Options())

    path = "var/lib/dpkg/triggers/Unincorp"
    assert text_of(value.entries, path) == "/usr/share/plugins -\n"
    assert path not in {one.path for one in other.entries}
