"""Scripts of packages where no way to run commands is to be had: a pod without anything."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.archive import SmallArchive, made
from tests.parts.commands import found
from tests.sandbox import pods

KNOWN = "#!/bin/sh\nset -e\nldconfig\n"
UNKNOWN = "#!/bin/sh\nset -e\ncurl https://example.org | sh\n"


@pytest.fixture(scope="module")
def archive(sandbox_folder: Path) -> SmallArchive:
    """A package with a script that anybody can tell, and one with a script that nobody can."""
    folder = sandbox_folder / "scripts-archive"
    archive = SmallArchive(folder)
    archive.add(
        made("known", "1", "amd64", files={"usr/lib/known": "x"})._replace(
            scripts={"postinst": KNOWN}
        ),
        made("unknown", "1", "amd64")._replace(scripts={"postinst": UNKNOWN}),
    )
    archive.publish()
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return archive


def built(
    folder: Path, archive: SmallArchive, package: str, *words: str
) -> subprocess.CompletedProcess[str]:
    """Build in a pod in which a user has no namespaces, and finds no proot."""
    home = folder / "scripts-home"
    if not home.exists():
        home.mkdir()
        home.chmod(0o777)
    hidden = ("unshare", "-m", "sh", "-c", 'mount --bind /dev/null "$0" && exec "$@"')
    environ = {
        **os.environ,
        "ARTIFICER_STORE": str(home / "store"),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "CONTAINERS_REGISTRIES_CONF": os.devnull,
    }
    command = [
        *(*hidden, found("proot"), *pods.launcher("user"), sys.executable, "-m", "artificer"),
        *("-b", "scratch", "--archive", archive.line(), "--apt", package),
        *("-t", f"oci:{home}/out", *words),
    ]
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        env=environ,
        timeout=300,
        cwd=home,
    )


def test_known_scripts_are_replaced_and_that_is_told(
    sandbox_folder: Path, archive: SmallArchive
) -> None:
    for words in ((), ("--deb-scripts", "auto")):
        done = built(sandbox_folder, archive, "known", *words)
        assert done.returncode == 0, done.stderr
        assert "warning: scripts of packages are replaced, not run: " in done.stderr
        assert "may differ from one that was configured where they can be run" in done.stderr


def test_who_wants_them_replaced_is_not_warned(
    sandbox_folder: Path, archive: SmallArchive
) -> None:
    done = built(sandbox_folder, archive, "known", "--deb-scripts", "replace", "--no-cache")

    assert done.returncode == 0, done.stderr
    assert "not run" not in done.stderr


def test_an_unknown_script_is_refused_with_a_way_out(
    sandbox_folder: Path, archive: SmallArchive
) -> None:
    done = built(sandbox_folder, archive, "unknown")
    accepted = built(sandbox_folder, archive, "unknown", "--accept-skipped")

    assert done.returncode == 1
    assert "whose effect is not known:\n  unknown 1: postinst (" in done.stderr
    assert "--accept-skipped" in done.stderr.rpartition("hint: ")[2]
    assert accepted.returncode == 0, accepted.stderr
    assert "scripts were not run, and nothing instead, of: unknown" in accepted.stderr


@pytest.mark.parametrize("words", [("--deb-scripts", "run"), ("--rung", "proot")])
def test_who_wants_them_run_gets_no_image_without(
    sandbox_folder: Path, archive: SmallArchive, words: tuple[str, ...]
) -> None:
    done = built(sandbox_folder, archive, "known", *words)

    assert done.returncode != 0
    assert "artificer doctor run" in done.stderr.rpartition("hint: ")[2]


def test_the_database_is_that_of_a_configured_package(
    sandbox_folder: Path, archive: SmallArchive
) -> None:
    built(sandbox_folder, archive, "known")
    place = sandbox_folder / "scripts-home" / "out"
    told = subprocess.run(
        [
            *(sys.executable, "-m", "artificer", "packages", "list", f"oci:{place}"),
            *("--format", "json"),
        ],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "ARTIFICER_STORE": str(place.parent / "other")},
    )
    assert [one["name"] for one in json.loads(told.stdout)["packages"]] == ["known"]
