"""`artificer init`: a BUILD file that says what a command line says."""

import json
from pathlib import Path

from tests.cli.outside import Cli
from tests.parts.archive import SmallArchive, made
from tests.parts.images import BaseImage


def test_the_build_file_makes_the_same_files_and_settings(
    hub: Cli, work: Path, alpine: BaseImage, tmp_path: Path
) -> None:
    (work / "server").write_text("#!/bin/sh\n")
    (work / "server").chmod(0o755)
    (work / "conf").mkdir()
    (work / "conf" / "app.ini").write_text("x\n")
    words = (
        *("-b", alpine.short, "-f", "server", "conf", "conf/app.ini:/etc/", "-e", "PORT=1"),
        *("-c", "/server --port $(x)", "-l", "a=b", "-w", "/srv", "-u", "1:1", "-p", "80"),
    )

    done = hub("init", *words, "-t", f"localhost:1/{work.name}/app:v1")
    hub("build", f"//:{'app'}", "//:app.tar")
    hub(*words, "-t", f"docker-archive:{tmp_path}/oneline.tar")

    assert done.stdout.split() == ["BUILD", "WORKSPACE"]
    declared = f"docker-archive:{work}/artificer-bin/app.tar"
    oneline = f"docker-archive:{tmp_path}/oneline.tar"
    both = [json.loads(hub("inspect", "--config", one).stdout) for one in (declared, oneline)]
    assert _sorted(both[0]["config"]) == _sorted(both[1]["config"])
    trees = [hub("tree", one).stdout for one in (declared, oneline)]
    assert trees[0] == trees[1]


def _sorted(config: dict[str, object]) -> dict[str, object]:
    """The docker rules sort the environment."""
    env = config.get("Env")
    return {**config, "Env": sorted(env) if isinstance(env, list) else env}


def test_nothing_is_overwritten_and_nothing_left_out(cli: Cli, work: Path) -> None:
    (work / "f").write_text("x")
    refused = cli("init", "-b", "scratch", "-f", "f", "--healthcheck", "true", code=2)
    cli("init", "-b", "scratch", "-f", "f")
    again = cli("init", "-b", "scratch", "-f", "f", code=1)

    assert "--healthcheck cannot be said in a BUILD file" in refused.error
    assert "BUILD is there already" in again.error


def test_packages_are_written_with_all_that_chooses_them(
    cli: Cli, work: Path, tmp_path: Path
) -> None:
    archive = SmallArchive(tmp_path / "archive")
    archive.add(made("hello", "1"), made("hello", "2"), made("more", "1"), made("more", "2"))
    archive.publish()
    (work / "prefer").write_text("Package: more\nPin: version 1\nPin-Priority: 1001\n")
    words = ("--apt", "hello", "more", "--archive", archive.line(), "--preferences", "prefer")
    pin = ("--pin", "hello 1001 1")

    cli(
        "init",
        "-b",
        "scratch",
        *words,
        *pin,
        "--deb-level",
        "unpack",
        "-t",
        "localhost:1/me/app:v1",
    )
    told = cli("lock").stdout
    cli("build", "//:app")

    assert 'preferences = ["prefer"]' in (work / "BUILD").read_text()
    assert told.splitlines()[1:] == ["+ hello:amd64 1", "+ more:amd64 1"]
