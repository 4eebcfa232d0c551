"""Debian packages in the one-line build: what is taken, what is locked, what is refused."""

import json
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.archive import SmallArchive, deb_bytes, made
from tests.parts.registries import Registry


@pytest.fixture
def archive(tmp_path: Path) -> SmallArchive:
    """An archive with a program, what it needs and recommends, and something else."""
    found = SmallArchive(tmp_path / "archive")
    hello = {"usr/bin/hello": "#!/bin/sh\n", "usr/share/man/man1/hello.1": "how\n"}
    found.add(
        made("hello", "1.0", "amd64", files=hello, Depends="libhello", Recommends="extra"),
        made("libhello", "2.0", "amd64", Multi_Arch="same"),
        made("extra", "3"),
    )
    return found.publish()


def words(archive: SmallArchive, *more: str) -> tuple[str, ...]:
    """A build of the program upon nothing, without scripts."""
    return (
        *("-b", "scratch", "--archive", archive.line(), "--deb-level", "unpack"),
        *("--apt", "hello", "-t", "oci:out", *more),
    )


def listed(cli: Cli) -> list[str]:
    told = json.loads(cli("packages", "list", "oci:out", "--format", "json").stdout)
    return [one["name"] for one in told["packages"]]


def test_a_package_comes_with_what_it_needs(cli: Cli, archive: SmallArchive) -> None:
    cli(*words(archive))

    assert listed(cli) == ["hello", "libhello"]
    assert "/usr/share/man/man1/hello.1" in cli("tree", "oci:out").stdout


def test_recommended_packages_come_when_asked_for(cli: Cli, archive: SmallArchive) -> None:
    cli(*words(archive, "--recommends"))

    assert listed(cli) == ["extra", "hello", "libhello"]


def test_a_profile_leaves_documentation_out(cli: Cli, archive: SmallArchive) -> None:
    cli(*words(archive, "--deb-profile", "minimal"))

    assert "/man1" not in cli("tree", "oci:out").stdout
    assert listed(cli) == ["hello", "libhello"]


def test_packages_may_be_layers_of_their_own(cli: Cli, archive: SmallArchive) -> None:
    cli(*words(archive, "--apt", "extra", "--deb-layers", "by-package"))

    steps = json.loads(cli("history", "oci:out", "--format", "json").stdout)
    assert len([step for step in steps if step["layer"]]) > 1
    assert listed(cli) == ["extra", "hello", "libhello"]


def test_files_of_the_build_come_upon_packages(
    cli: Cli, work: Path, archive: SmallArchive
) -> None:
    (work / "hello").write_text("mine")

    cli(*words(archive, "-f", "hello:/usr/bin/hello"))

    assert " 4 " in cli("tree", "oci:out", "/usr/bin/hello").stdout


def test_an_unchanged_build_is_told_so(cli: Cli, archive: SmallArchive) -> None:
    cli(*words(archive))

    assert "its packages are the same" in cli(*words(archive)).stderr


def test_several_files_may_stand_behind_one_word(
    cli: Cli, work: Path, archive: SmallArchive
) -> None:
    for name in ("one", "two"):
        (work / f"{name}.deb").write_bytes(deb_bytes(made(name)))

    cli(*words(archive, "--deb", "./one.deb", "./two.deb"))

    assert listed(cli) == ["hello", "libhello", "one", "two"]


def test_what_is_named_twice_is_named_once(cli: Cli, work: Path, archive: SmallArchive) -> None:
    (work / "one.deb").write_bytes(deb_bytes(made("one")))

    first = cli(*words(archive, "--apt", "extra", "--deb", "./one.deb", "-q")).stdout
    names = ("--apt", "extra", "hello", "--deb", "./one.deb", "./../work/one.deb", "extra")
    again = words(archive, *names, "-q")

    assert cli(*again).stdout == first


def test_a_package_of_another_architecture_comes_by_its_name(
    cli: Cli, archive: SmallArchive
) -> None:
    both = made("libhello", "2.0", "i386", Multi_Arch="same", files={"lib/i386.so": "elf"})
    archive.add(both).publish(architectures=("amd64", "i386"))
    line = words(archive)
    line = (*line[: line.index("hello")], "libhello:i386", *line[line.index("hello") :])

    told = cli("lock", *line).stdout.splitlines()
    cli(*line, "--locked")
    found = json.loads(cli("packages", "list", "oci:out", "--format", "json").stdout)["packages"]
    one = ("packages", "resolve", "--archive", archive.line(), "libhello:i386")
    level = line.index("unpack")
    configured = (*line[:level], "configure", "--deb-profile", "distroless", *line[level + 1 :])

    assert "+ libhello:i386 on amd64 2.0" in told
    assert [(one["name"], one["architecture"]) for one in found] == [
        ("hello", "amd64"),
        ("libhello", "amd64"),
        ("libhello", "i386"),
    ]
    assert cli(*one).stdout.splitlines() == ["libhello:i386=2.0"]
    assert "of another architecture" in cli(*configured, code=1).hint


def test_a_file_may_be_in_both_architectures_of_a_package_if_it_is_the_same(
    cli: Cli, archive: SmallArchive, tmp_path: Path
) -> None:
    for number, text in enumerate(("same", "else")):
        native = made("both", "1", "amd64", Multi_Arch="same", files={"etc/it": "same"})
        foreign = made("both", "1", "i386", Multi_Arch="same", files={"etc/it": text})
        found = SmallArchive(tmp_path / str(number)).add(native, foreign)
        found.publish(architectures=("amd64", "i386"))
        places = ("-b", "scratch", "--archive", found.line(), "-t", "oci:out")

        done = cli(*places, "--deb-level", "unpack", "--apt", "both", "both:i386", code=number)

        told = "/etc/it is in both:i386 1 and also in both:amd64 1"
        assert (told in done.stderr) == bool(number)


def test_a_file_that_two_packages_have_is_told_with_a_way_out(cli: Cli, work: Path) -> None:
    for name in ("one", "two"):
        data = deb_bytes(made(name, files={"etc/shared": name}))
        (work / f"{name}.deb").write_bytes(data)
    line = ("-b", "scratch", "--deb-level", "unpack", "-t", "oci:out")

    done = cli(*line, "--deb", "./one.deb", "./two.deb", code=1)
    again = cli(*line, "--deb", "./one.deb")

    assert "/etc/shared is in two 1 and also in one 1" in done.error
    assert done.hint.startswith("ask for one of them only")
    assert again.code == 0


def test_a_file_for_another_architecture_is_told_with_a_way_out(cli: Cli, work: Path) -> None:
    (work / "one.deb").write_bytes(deb_bytes(made("one", "1", "arm64")))
    line = ("-b", "scratch", "--deb-level", "unpack", "-t", "oci:out", "--deb", "./one.deb")

    done = cli(*line, code=1)
    cli(*line, "--platform", "linux/arm64")

    assert "one:arm64=1 is not for amd64" in done.error
    assert "`--platform`" in done.hint


def test_a_lock_with_a_merge_conflict_is_written_anew_once_it_is_removed(
    cli: Cli, work: Path, archive: SmallArchive
) -> None:
    cli("lock", *words(archive))
    lock = work / "artificer.lock"
    sound = lock.read_text()
    lock.write_text(f"<<<<<<< HEAD\n{sound}=======\n{sound}>>>>>>> other\n")

    done = cli("lock", *words(archive), code=2)
    lock.unlink()
    cli("lock", *words(archive))

    assert "remove the file" in done.hint
    assert lock.read_text() == sound


def test_a_package_may_be_a_file(cli: Cli, work: Path, archive: SmallArchive) -> None:
    (work / "own.deb").write_bytes(deb_bytes(made("own", "1", "amd64", Depends="libhello")))
    line = ("-b", "scratch", "--archive", archive.line(), "--deb-level", "unpack")

    cli(*line, "--deb", "own.deb", "-t", "oci:out")
    cli("lock", *line, "--deb", "own.deb", "-t", "oci:out")
    cli(*line, "--deb", "own.deb", "--locked", "-t", "oci:out")

    assert listed(cli) == ["libhello", "own"]
    assert '"./own.deb"' in (work / "artificer.lock").read_text()


def test_archives_may_be_in_a_file_with_a_keyring_beside_it(
    cli: Cli, work: Path, archive: SmallArchive
) -> None:
    (work / "my.sources").write_text(
        f"Types: deb\nURIs: file://{archive.root}\nSuites: stable\nComponents: main\n"
    )
    line = ("-b", "scratch", "--sources", "my.sources", "--keyring", archive.keyring)

    cli(*line, "--deb-level", "unpack", "--apt", "hello", "-t", "oci:out")

    assert listed(cli) == ["hello", "libhello"]


def test_a_locked_build_needs_no_index(cli: Cli, archive: SmallArchive, tmp_path: Path) -> None:
    told = cli("lock", *words(archive)).stdout
    (archive.root / "dists").rename(tmp_path / "away")

    cli.machine("other")(*words(archive, "--locked"))

    assert told.splitlines() == [
        "+ packages: hello",
        "+ hello:amd64 1.0",
        "+ libhello:amd64 2.0",
    ]
    assert listed(cli) == ["hello", "libhello"]


def test_a_lock_is_updated_as_a_whole_or_by_package(cli: Cli, archive: SmallArchive) -> None:
    cli("lock", *words(archive))
    archive.add(made("hello", "1.1", "amd64", Depends="libhello"), made("libhello", "3", "amd64"))
    archive.publish()

    assert "~ hello:amd64 1.0 → 1.1" in cli("lock", *words(archive), "--check", code=1).stderr
    one = cli("lock", *words(archive), "--update", "libhello")
    rest = cli("lock", *words(archive))

    assert one.stdout == "~ libhello:amd64 2.0 → 3\n"
    assert rest.stdout == "~ hello:amd64 1.0 → 1.1\n"
    assert "no such package" in cli("lock", *words(archive), "--update", "x", code=2).error


def test_each_word_for_an_update_counts(cli: Cli, archive: SmallArchive) -> None:
    cli("lock", *words(archive))
    archive.add(made("hello", "1.1", "amd64", Depends="libhello"), made("libhello", "3", "amd64"))
    archive.publish()

    told = cli("lock", *words(archive), "--update", "hello", "--update", "libhello").stdout

    assert told.splitlines() == ["~ hello:amd64 1.0 → 1.1", "~ libhello:amd64 2.0 → 3"]


def test_a_stale_lock_says_so(cli: Cli, archive: SmallArchive) -> None:
    cli("lock", *words(archive))

    other = cli(*words(archive, "--recommends"), code=1)
    missing = cli(*words(archive, "--apt", "extra", "--locked"), code=1)
    foreign = cli(*words(archive, "--platform", "linux/arm64"), code=1)

    assert "another request" in other.error
    assert "artificer lock" in other.hint
    assert "hello extra: these packages are not in artificer.lock" in missing.error
    assert "locked for amd64, not for arm64" in foreign.error


def test_a_lock_for_several_platforms_has_packages_of_each(
    cli: Cli, archive: SmallArchive
) -> None:
    archive.add(made("hello", "9", "arm64", Depends="libhello"), made("libhello", "9", "arm64"))
    archive.publish(architectures=("amd64", "arm64"))
    both = ("--platform", "linux/amd64,linux/arm64")

    told = cli("lock", *words(archive, *both)).stdout.splitlines()
    cli(*words(archive, *both, "--locked"))

    assert "+ hello:arm64 9" in told
    assert "+ hello:amd64 1.0" in told


def test_a_plan_and_a_proof_take_packages_too(
    cli: Cli, archive: SmallArchive, open_registry: Registry
) -> None:
    host = open_registry.host
    target = (*words(archive)[:-1], f"{host}/packages/it", "--insecure-registry", host)

    planned = cli("plan", *target)
    proof = cli("verify", *words(archive))

    assert "hello" in planned.stdout
    assert "Both are the same." in proof.stderr


ASKED = ("--apt", "a", "--archive", "https://deb.example.org stable main")


@pytest.mark.parametrize(
    ("line", "error", "hint"),
    [
        (("--apt", "nginx"), "no archive", "--archive"),
        (("--recommends",), "no package is to be installed", "--apt"),
        (("--archive", "https://deb.example.org stable main"), "no package", "--apt"),
        (("--apt", "a b", "--archive", "x"), "not the name of a package", "NAME"),
        (("--apt", "a", "--archive", "https://deb.example.org"), "without a suite", "URI"),
        (("--deb", "no.deb"), "no file no.deb", "--apt"),
        (("--deb", "./"), "./ is a directory", "name its files: ./*.deb"),
        (("--include", "nginx"), "unrecognized arguments: --include", "did you mean --apt?"),
        (("--minimal",), "unrecognized arguments: --minimal", "did you mean --deb-profile?"),
        (("--apt", "a", "--sources", "/"), "/ is a directory", "name the files in it"),
        ((*ASKED[:3], "deb-src https://deb.example.org x main"), "of sources", "write `deb`"),
        (("--apt", "a", "--sources", "none.list"), "cannot read none.list", ""),
        (("--apt", "a", "--keyring", "k"), "no archive is named", "--archive"),
        ((*ASKED[:3], f"[signed-by=/k] {ASKED[3]}", "--keyring", "k"), "says itself", "signed-by"),
        ((*ASKED, "--deb-layers", "budget=0"), "number of layers", "1 to 126"),
        ((*ASKED, "--deb-layers", "most"), "budget", "ten"),
        ((*ASKED, "--rung", "ladder"), "no such way", "one of"),
        ((*ASKED, "--rung", "chroot", "--deb-scripts", "replace"), "not run", "--deb-scripts"),
        ((*ASKED, "--deb-level", "unpack", "--rung", "chroot"), "runs no scripts", "configure"),
        ((*ASKED, "--deb-level", "unpack", "--deb-scripts", "run"), "no scripts", "configure"),
        (("--deb-scripts", "run"), "no package is to be installed", "--apt"),
    ],
)
def test_what_cannot_be_is_misuse_with_a_way_out(
    cli: Cli, line: tuple[str, ...], error: str, hint: str
) -> None:
    done = cli("-b", "scratch", *line, "-t", "oci:out", code=2)

    assert error in done.error
    assert hint in done.hint


def test_a_name_that_does_not_exist_is_told_with_one_that_does(
    cli: Cli, archive: SmallArchive
) -> None:
    done = cli(*words(archive, "--apt", "helo"), code=2)

    assert "helo" in done.error
    assert "hello" in done.hint


def test_a_wrong_signature_gives_no_image(cli: Cli, work: Path, archive: SmallArchive) -> None:
    release = archive.root / "dists/stable/InRelease"
    release.write_text(release.read_text().replace("Label: Test", "Label: Evil"))

    done = cli(*words(archive), code=1)

    assert "signature" in done.error
    assert not (work / "out").exists()


def test_init_writes_packages_and_their_archives_into_a_build_file(
    cli: Cli, work: Path, archive: SmallArchive
) -> None:
    cli("init", *words(archive)[:-2], "--deb-profile", "minimal", "--recommends")

    text = (work / "BUILD").read_text()
    cli("lock")
    cli("build", "//...")

    assert 'packages = ["hello"],' in text
    assert 'lock = "packages.lock",' in text
    assert (work / "packages.lock").exists()


def test_a_base_without_archives_says_what_to_name(cli: Cli, work: Path) -> None:
    (work / "f").write_text("f")
    cli("-b", "scratch", "-f", "f", "-t", "oci:base")

    done = cli("-b", "oci:base", "--apt", "hello", "-t", "oci:out", code=1)

    assert "names no archive in /etc/apt" in done.error
    assert "--archive" in done.hint


def test_init_keeps_what_is_to_become_of_scripts(
    cli: Cli, work: Path, archive: SmallArchive
) -> None:
    line = ("-b", "scratch", "--archive", archive.line(), "--apt", "hello")
    cli("init", *line, "--deb-scripts", "replace")

    assert 'scripts = "replace",' in (work / "BUILD").read_text()


def test_a_lock_has_what_goes_from_the_base(cli: Cli, work: Path, archive: SmallArchive) -> None:
    archive.add(made("heavy", "1", "amd64", Conflicts="extra")).publish()
    line = ("--archive", archive.line(), "--deb-scripts", "replace")
    cli("-b", "scratch", *line, "--apt", "hello", "extra", "-t", "oci:base")
    upon = ("-b", "oci:base", *line, "--apt", "heavy", "hello-", "-t", "oci:out")

    told = cli("lock", *upon).stdout.splitlines()
    again = cli("lock", *upon)
    built = cli(*upon, "--locked")

    assert "removed from the base: extra:all hello:amd64" in built.stderr.splitlines()
    assert told == [
        "+ packages: heavy hello- on oci:base",
        "- extra:all (of the base for amd64)",
        "- hello:amd64 (of the base for amd64)",
        "+ heavy:amd64 1",
    ]
    assert again.stdout == ""
    assert listed(cli) == ["heavy", "libhello"]
    (work / "artificer.lock").write_text(
        (work / "artificer.lock").read_text().replace('"extra:all"', '"../extra:all"')
    )
    assert "not a name of a package" in cli(*upon, "--locked", code=2).error


@pytest.mark.parametrize(
    ("there", "says"),
    [
        ("hello", "hello 0.1 → 1.0"),
        ("other\nBreaks: hello", "other:amd64"),
    ],
)
def test_mere_files_do_not_replace_what_the_database_of_a_base_knows(
    cli: Cli, work: Path, archive: SmallArchive, there: str, says: str
) -> None:
    status = work / "status"
    fields = "Version: 0.1\nArchitecture: amd64\nStatus: install ok installed\n"
    status.write_text(f"Package: {there}\n{fields}")
    cli("-b", "scratch", "-f", "status:/var/lib/dpkg/status", "-t", "oci:base")
    cli("-b", "scratch", "-f", "status:/var/lib/dpkg/status.d/there", "-t", "oci:pieces")
    more = ("--archive", archive.line(), "--apt", "hello", "--deb-level", "unpack")

    done = cli("-b", "oci:base", *more, "-t", "oci:out", code=2)
    again = cli("-b", "oci:base", *more, "-t", "oci:out", code=2)

    assert says in done.error
    assert "level `configure`" in done.hint
    assert again.error == done.error
    if there == "hello":
        cli("-b", "oci:pieces", *more, "-t", "oci:out")


def test_what_is_there_already_adds_no_layer(cli: Cli, work: Path, archive: SmallArchive) -> None:
    fields = "Version: 1.0\nArchitecture: amd64\nStatus: install ok installed\n"
    (work / "status").write_text(f"Package: hello\n{fields}")
    cli("-b", "scratch", "-f", "status:/var/lib/dpkg/status", "-t", "oci:base")
    line = ("-b", "oci:base", "--archive", archive.line(), "--apt", "hello", "-t", "oci:out")

    done = cli(*line)
    cli("lock", *line)
    locked = cli(*line, "--locked")
    base, made = (
        json.loads(cli("inspect", one, "--config").stdout) for one in ("oci:base", "oci:out")
    )

    assert "hello: already there, so no layer is added" in done.stderr
    assert locked.stdout == done.stdout
    assert made["rootfs"]["diff_ids"] == base["rootfs"]["diff_ids"]
    assert made["history"] == base["history"]


def test_an_archive_may_be_as_it_was_at_a_time(cli: Cli, tmp_path: Path) -> None:
    for day, version in (("20260101T000000Z", "1"), ("20260201T000000Z", "2")):
        then = SmallArchive(tmp_path / day)
        then.add(made("hello", version, "amd64")).publish()
        line = then.line(uri=f"file://{tmp_path}/@SNAPSHOTID@")
        build = ("-b", "scratch", "--archive", line, "--deb-level", "unpack", "--apt", "hello")
        cli(*build, "--snapshot", day, "-t", "oci:out")

        told = json.loads(cli("packages", "list", "oci:out", "--format", "json").stdout)
        assert [one["version"] for one in told["packages"]] == [version]


def test_scripts_that_nobody_knows_are_left_out_when_that_is_said(
    cli: Cli, tmp_path: Path
) -> None:
    archive = SmallArchive(tmp_path / "strange")
    strange = {"postinst": "#!/bin/sh\ncurl https://example.org | sh\n"}
    archive.add(made("strange", "1", "amd64", scripts=strange)).publish()
    build = ("-b", "scratch", "--archive", archive.line(), "--apt", "strange", "-t", "oci:out")

    refused = cli(*build, "--deb-scripts", "replace", code=1)
    told = cli(*build, "--deb-scripts", "replace", "--accept-skipped").stderr

    assert "--accept-skipped" in refused.hint
    assert "were not run, and nothing instead, of: strange" in told


def test_a_pin_of_the_command_line_is_before_those_of_files(
    cli: Cli, work: Path, archive: SmallArchive
) -> None:
    archive.add(made("hello", "2.0", "amd64")).publish()
    (work / "prefer").write_text("Package: hello\nPin: version 2*\nPin-Priority: 1001\n")
    pins = ("--preferences", "prefer", "--pin", "hello -1 version 2.*")

    told = cli("packages", "resolve", "hello", "--archive", archive.line(), *pins).stdout
    cli(*words(archive, *pins))
    idle = cli("-b", "scratch", "-t", "oci:x", "--pin", "a 1 1", code=2)

    assert "hello=1.0" in told.splitlines()
    assert listed(cli) == ["hello", "libhello"]
    assert "--pin, but no package" in idle.error
