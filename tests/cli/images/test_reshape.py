"""The same image on other layers: flattened, rebased."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.outside import Cli, Seen, described
from tests.parts.commands import Command
from tests.parts.images import BaseImage

Bases = Callable[..., str]


@pytest.fixture
def bases(cli: Cli, work: Path, layout: Path) -> Bases:
    """Makes a base of a system and a version; gives its reference."""

    def make(name: str, *words: str, release: str = "ID=alpine\nVERSION_ID=3.19.1\n") -> str:
        root = work / name
        (root / "etc").mkdir(parents=True)
        (root / "etc/os-release").write_text(release)
        (root / "lib").mkdir()
        (root / "lib/ld-musl-x86_64.so.1").write_text(name)
        cli("-b", "scratch", "-f", f"{root}/.", *words, "-t", f"oci:{layout}:{name}")
        return f"oci:{layout}:{name}"

    return make


def test_a_flattened_image_has_the_same_files_in_one_layer(
    cli: Cli, alpine: BaseImage, work: Path, layout: Path, seen: Seen
) -> None:
    (work / "f").write_text("f")
    words = ("-f", "f", "--delete", "/etc/passwd", "-e", "A=1")
    cli("-b", alpine.reference, *words, "-t", f"oci:{layout}:it")

    done = cli("flatten", f"oci:{layout}:it", "-t", f"oci:{layout}:flat", "-t", "store:flat")

    digest = seen.digest(f"oci:{layout}:flat")
    assert done.stdout.splitlines() == [
        f"oci:{layout}:flat@{digest}",
        f"store:flat:latest@{digest}",
    ]
    raw, config = seen.raw(f"oci:{layout}:flat"), seen.config(f"oci:{layout}:flat")
    assert len(raw["layers"]) == len(config["history"]) == 1
    assert config["history"][0]["created_by"] == "artificer flatten (2 layers)"
    assert config["config"] == seen.config(f"oci:{layout}:it")["config"]
    assert described(seen.unpacked(layout, "flat")) == described(seen.unpacked(layout))
    cli("inspect", "--check", f"oci:{layout}:flat")


def test_every_platform_of_an_index_is_flattened(
    cli: Cli, multi: BaseImage, fresh_repository: str, seen: Seen
) -> None:
    done = cli("flatten", multi.reference, "-t", f"{fresh_repository}:1", "--compression", "zstd")

    raw = seen.raw(f"docker://{fresh_repository}:1")
    assert [one["platform"]["architecture"] for one in raw["manifests"]] == ["amd64", "arm64"]
    assert "attestations are left out" in done.stderr
    told = json.loads(
        cli(
            *("inspect", f"{fresh_repository}:1", "--platform", "arm64", "--format", "json"),
        ).stdout
    )
    assert [one["mediaType"].rpartition("+")[2] for one in told["layers"]] == ["zstd"]


def test_an_image_moves_to_what_its_bases_tag_is_now(
    cli: Cli, work: Path, fresh_repository: str, bases: Bases, seen: Seen, skopeo: Command
) -> None:
    base, app = f"{fresh_repository}:base", f"{fresh_repository}:app"
    cli("copy", bases("one", "-e", "V=1", "-c", "sh"), base)
    (work / "f").write_text("f")
    cli("-b", base, "-f", "f", "-e", "MINE=1", "-t", app)
    release = "ID=alpine\nVERSION_ID=3.19.4\n"
    renewed = cli("copy", bases("two", "-e", "V=2", "-c", "sh", release=release), base).stdout

    done = cli("rebase", app, "-t", app)

    assert done.stdout == f"{fresh_repository}@{seen.digest(f'docker://{app}')}\n"
    config, raw = seen.config(f"docker://{app}"), seen.raw(f"docker://{app}")
    assert config["config"]["Env"] == ["V=2", "MINE=1"]
    assert [line["created_by"] for line in config["history"]] == [
        *("ADD /", "ENV V=2", 'CMD ["sh"]', "ADD /f", "ENV MINE=1"),
    ]
    named = "org.opencontainers.image.base"
    assert raw["annotations"][f"{named}.name"] == base
    assert raw["annotations"][f"{named}.digest"] == renewed.strip().rpartition("@")[2]
    assert (
        "3.19.4" in (seen.unpacked(seen.copied(f"docker://{app}")) / "etc/os-release").read_text()
    )
    assert skopeo.output("inspect", f"docker://{app}")
    assert "is on" in cli("rebase", app, "-t", app).stderr


def test_a_rebase_is_what_a_build_upon_the_new_base_is(
    cli: Cli, work: Path, layout: Path, bases: Bases, seen: Seen
) -> None:
    old, new = bases("old", "-e", "V=1"), bases("new", "-e", "V=2")
    (work / "f").write_text("f")
    for base, tag in ((old, "app"), (new, "anew")):
        cli("-b", base, "-f", "f", "-c", "f", "-t", f"oci:{layout}:{tag}")

    words = ("--old-base", old, "--new-base", new, "-t", f"oci:{layout}:moved")
    cli("rebase", f"oci:{layout}:app", *words)

    assert seen.digest(f"oci:{layout}:moved") == seen.digest(f"oci:{layout}:anew")


@pytest.mark.parametrize(
    ("release", "problem"),
    [
        ("ID=alpine\nVERSION_ID=3.20.0\n", "it is alpine 3.20, not alpine 3.19"),
        ("ID=debian\nVERSION_ID=3.19\n", "it is debian 3.19, not alpine 3.19"),
    ],
)
def test_another_system_is_refused_unless_forced(
    cli: Cli, work: Path, layout: Path, bases: Bases, release: str, problem: str
) -> None:
    old, new = bases("old"), bases("new", release=release)
    (work / "f").write_text("f")
    cli("-b", old, "-f", "f", "-t", f"oci:{layout}:app")
    words = ("rebase", f"oci:{layout}:app", "--old-base", old, "--new-base", new)

    refused = cli(*words, "-t", f"oci:{layout}:moved", code=1)
    missing = cli("inspect", f"oci:{layout}:moved", code=1)
    forced = cli(*words, "-t", f"oci:{layout}:moved", "--force")

    assert problem in refused.error
    assert refused.hint.endswith("or use --force if you know that it works")
    assert "there is no such image" in missing.error
    assert forced.stdout


def test_another_libc_is_refused(
    cli: Cli, work: Path, layout: Path, bases: Bases, alpine: BaseImage
) -> None:
    old = bases("old", release="ID=artificer-tests\nVERSION_ID=3.7.0\n")
    (work / "f").write_text("f")
    cli("-b", old, "-f", "f", "-t", f"oci:{layout}:app")

    words = ("--old-base", old, "--new-base", alpine.reference, "-t", "store:x")
    done = cli("rebase", f"oci:{layout}:app", *words, code=1)

    assert "does not fit: it has no /lib/ld-musl-x86_64.so.1" in done.error


def test_an_image_that_is_not_built_on_the_base_is_refused(
    cli: Cli, layout: Path, bases: Bases
) -> None:
    old, other = bases("old"), bases("other")
    cli("-b", old, "-c", "x", "-t", f"oci:{layout}:app")

    words = ("--old-base", other, "--new-base", old, "-t", "store:x")
    done = cli("rebase", f"oci:{layout}:app", *words, code=1)

    assert "does not begin with the 1 layers of" in done.error
    assert "--old-base" in done.hint


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["flatten", "scratch"], "the following arguments are required: -t/--target"),
        (["flatten", "scratch", "-t", "scratch"], "`scratch` is a base, not a target"),
        (["flatten", "scratch", "-t", "a.example/x", "--offline"], "leave --offline out"),
        (["rebase", "scratch", "-t", "store:x"], "name its base with `--old-base`"),
        (
            ["rebase", "scratch", "-t", "store:x", "--old-base", "oci:/x"],
            "name a `--new-base`",
        ),
        (["rebase", "x", "-t", "store:x", "--new-base", "scratch"], "`scratch` has no layers"),
    ],
)
def test_a_mistake_is_named_with_a_way_out(cli: Cli, words: list[str], told: str) -> None:
    done = cli(*words, code=2)

    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert done.stdout == ""
