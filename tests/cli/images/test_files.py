"""The files of images: listed, compared, unpacked, exported."""

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from tests.cli.outside import Cli, Seen, described
from tests.parts.images import BaseImage
from tests.parts.registries import Registry


@pytest.fixture
def odd(cli: Cli, work: Path, layout: Path) -> str:
    """An image with files of every kind, in two layers, one of which hides something."""
    (work / "app/data").mkdir(parents=True)
    (work / "app/run").write_text("#!/bin/sh\n")
    (work / "app/run").chmod(0o755)
    (work / "app/same").hardlink_to(work / "app/run")
    (work / "app/link").symlink_to("run")
    os.mkfifo(work / "app/fifo")
    (work / os.fsdecode(b"app/data/\xff\x1b[2J")).write_text("odd")
    (work / "old").write_text("old")
    cli("-b", "scratch", "-f", "app", "old", "--chown", "7:8", "-t", f"oci:{layout}:base")
    cli("-b", f"oci:{layout}:base", "--delete", "/old", "-t", f"oci:{layout}:it")
    return f"oci:{layout}:it"


def test_a_tree_is_what_a_container_sees(cli: Cli, odd: str) -> None:
    lines = cli("tree", odd).stdout.splitlines()

    assert [line.split(None, 5)[-1] for line in lines] == [
        "/app/",
        "/app/data/",
        "/app/data/\\xff\\x1b[2J",
        "/app/fifo",
        "/app/link -> run",
        "/app/run",
        "/app/same link to /app/run",
    ]
    assert lines[5].split()[:5] == ["-rwxr-xr-x", "7:8", "10", "1970-01-01", "00:00"]
    assert [line[0] for line in lines] == ["d", "d", "-", "p", "l", "-", "-"]
    assert max(map(len, lines)) <= 80


def test_a_tree_begins_where_it_is_told_and_goes_as_deep(cli: Cli, odd: str) -> None:
    def paths(*words: str) -> list[str]:
        return [line.split(None, 5)[-1] for line in cli("tree", odd, *words).stdout.splitlines()]

    assert paths("--depth", "1") == ["/app/"]
    assert paths("/app/", "--depth", "1")[:2] == ["/app/data/", "/app/fifo"]
    assert paths("app/data") == ["/app/data/\\xff\\x1b[2J"]
    assert paths("/app/link") == ["/app/run"]
    missing = cli("tree", odd, "/app/rn", code=1)
    assert missing.error == f"{odd} has no /app/rn"
    assert (
        missing.hint.startswith("/app has data, fifo, link, run, same") or "data" in missing.hint
    )


def test_a_tree_for_programs_tells_all(cli: Cli, odd: str) -> None:
    told = {one["path"]: one for one in json.loads(cli("tree", odd, "--format", "json").stdout)}

    run = told["/app/run"]
    assert run["sha256"] == hashlib.sha256(b"#!/bin/sh\n").hexdigest()
    assert (run["type"], run["mode"], run["uid"], run["gid"], run["size"], run["mtime"]) == (
        *("file", "0755", 7, 8, 10, 0),
    )
    assert told["/app/same"]["link"] == "/app/run"
    assert told["/app/link"]["link"] == "run"
    assert {one["type"] for one in told.values()} == {
        *("directory", "fifo", "file", "hardlink", "symlink"),
    }


def test_a_tree_keeps_no_layer_and_reads_each_once(
    cli: Cli, alpine: BaseImage, open_registry: Registry
) -> None:
    cli("tree", alpine.reference)
    before = len(open_registry.requests())

    again = cli("tree", alpine.reference, "/bin/busybox")

    assert again.stdout.count("\n") == 1
    assert not [line for line in open_registry.requests()[before:] if "/blobs/" in line]
    blobs = (cli.store / "blobs/sha256").iterdir()
    assert sum(path.stat().st_size for path in blobs) < 100_000


def test_the_same_image_has_no_difference(cli: Cli, odd: str) -> None:
    done = cli("diff", odd, odd)

    assert done.stdout == ""
    told = json.loads(cli("diff", odd, odd, "--format", "json").stdout)
    assert told == {"same": True, "config": [], "files": []}


def test_what_differs_is_told_by_path_and_by_field(cli: Cli, odd: str, layout: Path) -> None:
    base = f"oci:{layout}:base"
    cli("-b", base, "-e", "A=1", "-c", "x", "-t", f"oci:{layout}:other")

    done = cli("diff", base, odd, code=1)
    files = cli("diff", odd, base, "--files", code=1)
    config = cli("diff", base, f"oci:{layout}:other", "--config", code=1)
    told = json.loads(cli("diff", base, odd, "--format", "json", code=1).stdout)

    assert "- /old" in done.stdout.splitlines()
    assert files.stdout == "+ /old\n"
    assert config.stdout.splitlines()[-2:] == ['+ config.Cmd  ["x"]', "+ config.Env.A  1"]
    assert [one["path"] for one in told["files"]] == ["/old"]
    assert told["files"][0]["after"] is None
    assert not told["same"]


def test_a_changed_file_says_what_changed(cli: Cli, work: Path, layout: Path) -> None:
    (work / "f").write_text("one")
    cli("-b", "scratch", "-f", "f", "-t", f"oci:{layout}:1")
    (work / "f").write_text("two")
    cli("-b", "scratch", "-f", "f", "--chmod", "600", "--mtime", "1", "-t", f"oci:{layout}:2")

    done = cli("diff", "--files", f"oci:{layout}:1", f"oci:{layout}:2", code=1)

    assert done.stdout == "~ /f  mode 0644 → 0600, time 0 → 1, content\n"


def test_how_layers_are_made_is_no_difference(cli: Cli, odd: str, layout: Path) -> None:
    cli("flatten", f"oci:{layout}:base", "-t", f"oci:{layout}:flat")

    done = cli("diff", f"oci:{layout}:base", f"oci:{layout}:flat", "--files")

    assert done.stdout == ""
    assert "the layers were made otherwise" in done.stderr


def test_of_an_index_the_same_platform_is_compared(
    cli: Cli, multi: BaseImage, layout: Path
) -> None:
    cli("copy", multi.reference, f"oci:{layout}:arm", "--platform", "arm64")

    assert cli("diff", f"oci:{layout}:arm", multi.reference).stdout == ""
    amd64 = cli("diff", multi.reference, f"oci:{layout}:arm", code=1)
    assert "~ architecture  amd64 → arm64" in amd64.stdout.splitlines()


def test_unpacking_agrees_with_umoci_and_counts(
    cli: Cli, alpine: BaseImage, tmp_path: Path, seen: Seen
) -> None:
    done = cli("unpack", alpine.reference, tmp_path / "root")

    assert done.stdout == ""
    mine, theirs = (
        described(tmp_path / "root"),
        described(seen.unpacked(alpine.layout, alpine.tag)),
    )
    assert mine == theirs
    told = done.stderr.splitlines()[-1]
    files = sum(1 for what in mine.values() if str(what[0]).startswith("100"))
    assert f"{tmp_path}/root: " in told
    assert f", {files} files (" in told


def test_a_directory_with_files_is_refused_without_force(
    cli: Cli, odd: str, tmp_path: Path
) -> None:
    (tmp_path / "root/app").mkdir(parents=True)
    (tmp_path / "root/app/run").write_text("mine")
    (tmp_path / "root/mine").write_text("mine")

    refused = cli("unpack", odd, tmp_path / "root", code=1)
    unchanged = (tmp_path / "root/app/run").read_text()
    cli("unpack", odd, tmp_path / "root", "--force")

    assert "the directory is not empty" in refused.error
    assert "add --force to write over its files" in refused.hint
    assert unchanged == "mine"
    assert (tmp_path / "root/app/run").read_text() == "#!/bin/sh\n"
    assert (tmp_path / "root/mine").read_text() == "mine"


def test_an_export_is_one_tar_the_same_each_time(cli: Cli, odd: str, tmp_path: Path) -> None:
    data = cli("export", odd).stdout.encode("utf-8", "surrogateescape")
    again = cli("export", odd, "-o", tmp_path / "x.tar")

    assert again.stdout == ""
    assert (tmp_path / "x.tar").read_bytes() == data
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {member.name: member for member in tar}
    assert sorted(members)[:2] == ["app", "app/data"]
    assert "old" not in members
    assert members["app/same"].islnk()
    assert (members["app/run"].uid, members["app/run"].gid) == (7, 8)


def test_an_export_to_a_full_disk_is_a_clear_error(cli: Cli, odd: str) -> None:
    done = cli("export", odd, "-o", "/nothing/x.tar", code=1)

    assert "/nothing/x.tar: cannot be written" in done.error


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["tree"], 2, "the following arguments are required: IMAGE"),
        (["tree", "scratch", "--depth", "0"], 2, "--depth is 1 or more"),
        (["tree", "scratch", "--depth", "x"], 2, "invalid int value: 'x'"),
        (["tree", "scratch", "/x"], 1, "scratch has no /x"),
        (["diff", "scratch"], 2, "the following arguments are required: B"),
        (["diff", "scratch", "scratch", "--files", "--config"], 2, "exclude each other"),
        (["diff", "scratch", "oci:/nothing"], 1, "there is no such directory"),
        (["unpack", "scratch"], 2, "the following arguments are required: DIR"),
        (["unpack", "scratch", "/dev/null/x"], 1, "cannot unpack here"),
        (["export", "store:nothing"], 1, "the store has no such image"),
    ],
)
def test_a_mistake_is_named_with_a_way_out(
    cli: Cli, words: list[str], code: int, told: str
) -> None:
    done = cli(*words, code=code)

    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert done.stdout == ""


def test_an_artifact_has_no_files(cli: Cli, multi: BaseImage, open_registry: Registry) -> None:
    # What BuildKit says about an image, filed under a platform that nobody has.
    listed = json.loads(cli("inspect", multi.reference, "--format", "json").stdout)["manifests"]
    attestation = listed[2]["digest"]
    name = f"{multi.reference.rpartition(':')[0]}@{attestation}"

    done = cli("tree", name, code=1)

    assert done.error
