"""Where an image goes, and what is told about it: every kind of target, file and stream."""

import json
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.outside import Cli, Seen, described
from tests.parts.commands import Command
from tests.parts.engines import DockerDaemon
from tests.parts.images import BaseImage
from tests.parts.registries import LockedRegistry, Registry
from tests.parts.waiting import PATIENCE

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
FOUR = ["Checking base image...", "Building new image...", "Pushing...", "Done."]
DIGEST = "sha256:[0-9a-f]{64}"


@pytest.fixture
def plain(work: Path, alpine: BaseImage) -> tuple[str, ...]:
    """The words of a build on the busybox base, but for its target."""
    (work / "ours").write_text("ours\n")
    return ("-b", f"oci:{alpine.layout}:{alpine.tag}", "-f", "ours", "-c", "cat /ours")


# Every kind of target.


def test_one_build_goes_to_every_kind_of_place_as_the_same_image(
    cli: Cli,
    plain: tuple[str, ...],
    fresh_repository: str,
    tmp_path: Path,
    podman: Command,
    seen: Seen,
) -> None:
    targets = [
        *(f"{fresh_repository}:1", f"docker://{fresh_repository}:2", f"oci:{tmp_path}/l:it"),
        *(f"oci-archive:{tmp_path}/o.tar:it", f"docker-archive:{tmp_path}/d.tar:a/b:1"),
        *("store:here:1", f"rootfs:{tmp_path}/root", f"rootfs:{tmp_path}/root.tar"),
    ]
    words = [word for target in targets for word in ("-t", target)]

    done = cli(*plain, *words)

    digest = seen.digest(f"docker://{fresh_repository}:1")
    assert [line.rpartition("@")[2] for line in done.stdout.splitlines()] == [digest] * 7
    for reference in (f"docker://{fresh_repository}:2", f"oci:{tmp_path}/l:it"):
        assert seen.digest(reference) == digest
    assert seen.digest(f"oci-archive:{tmp_path}/o.tar:it") == digest
    for name in (f"{fresh_repository}:2", f"oci:{tmp_path}/l:it", f"oci-archive:{tmp_path}/o.tar"):
        assert podman.output("run", "--rm", "--pull=always", name) == "ours"
    loaded = podman.output("load", "--quiet", "--input", f"{tmp_path}/d.tar")
    assert loaded.endswith("localhost/a/b:1")
    assert podman.output("run", "--rm", "a/b:1") == "ours"
    unpacked = described(seen.unpacked(tmp_path / "l"))
    assert described(tmp_path / "root") == unpacked
    (tmp_path / "from-tar").mkdir()
    words = ["tar", "-xp", "--numeric-owner", "-f", f"{tmp_path}/root.tar"]
    subprocess.run(words, check=True, cwd=tmp_path / "from-tar")
    assert described(tmp_path / "from-tar") == unpacked


def test_a_stored_image_is_an_image_of_an_oci_layout(
    cli: Cli, plain: tuple[str, ...], seen: Seen
) -> None:
    done = cli(*plain, "-t", "store:here")

    assert re.fullmatch(f"store:here:latest@{DIGEST}\n", done.stdout)
    listed = json.loads((cli.store / "index.json").read_text())["manifests"]
    assert [one["digest"] for one in listed] == [done.stdout.strip().rpartition("@")[2]]
    base = cli("-b", "store:here", "-l", "a=b", "-t", "store:again:1")
    assert base.stdout


def test_a_daemon_runs_what_is_loaded_into_it(
    cli: Cli, plain: tuple[str, ...], docker_daemon: DockerDaemon
) -> None:
    cli.environ["DOCKER_HOST"] = docker_daemon.url

    done = cli(*plain, "-t", "docker-daemon:loaded/here:1")

    run = docker_daemon.run("run", "--rm", "--network", "none", "loaded/here:1")
    assert run.stdout == "ours\n"
    assert done.stdout.startswith("docker-daemon:docker.io/loaded/here:1@sha256:")


def test_docker_loads_an_archive_and_a_layouts_archive(
    cli: Cli, plain: tuple[str, ...], docker_daemon: DockerDaemon, tmp_path: Path
) -> None:
    words = ("-t", f"docker-archive:{tmp_path}/d.tar:from/archive:1")
    cli(*plain, *words, "-t", f"oci-archive:{tmp_path}/o.tar:docker.io/from/layout:1")

    for name, file in (("from/archive:1", "d.tar"), ("from/layout:1", "o.tar")):
        docker_daemon.run("load", "--input", str(tmp_path / file))
        assert docker_daemon.run("run", "--rm", "--network=none", name).stdout == "ours\n"


def test_a_layout_keeps_its_other_images(
    cli: Cli, plain: tuple[str, ...], layout: Path, seen: Seen
) -> None:
    cli(*plain, "-t", f"oci:{layout}:one")
    cli(*plain, "-l", "a=b", "-t", f"oci:{layout}:two")
    cli(*plain, "-l", "a=c", "-t", f"oci:{layout}:two")
    cli(*plain, "-l", "a=d", "-t", f"oci:{layout}")

    names = [
        one.get("annotations", {}).get("org.opencontainers.image.ref.name")
        for one in json.loads((layout / "index.json").read_text())["manifests"]
    ]
    assert names == ["one", "two", None]
    assert seen.config(f"oci:{layout}:two")["config"]["Labels"] == {"a": "c"}


def test_an_archive_is_the_same_every_time(
    cli: Cli, plain: tuple[str, ...], tmp_path: Path
) -> None:
    for kind in ("oci-archive", "docker-archive"):
        cli(*plain, "-t", f"{kind}:{tmp_path}/1.tar:a:1")
        cli.machine("other")(*plain, "-t", f"{kind}:{tmp_path}/2.tar:a:1")
        assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


def test_a_target_named_twice_is_told_once(cli: Cli, plain: tuple[str, ...]) -> None:
    done = cli(*plain, "-t", "store:x:1", "-t", "store:docker.io/library/x:1", "-t", "store:x:2")

    told = [line.partition("@")[0] for line in done.stdout.splitlines()]
    assert told == ["store:x:1", "store:x:2"]


def test_several_registries_get_one_image_and_tags_come_last(
    cli: Cli,
    plain: tuple[str, ...],
    fresh_repository: str,
    htpasswd_registry: LockedRegistry,
    seen: Seen,
) -> None:
    locked = htpasswd_registry
    words = (
        *("--dest-creds", f"{locked.user}:{locked.password}", "--cacert", str(locked.ca_file)),
        *("-t", f"{fresh_repository}:1", "-t", f"{locked.host}/several/it:1"),
    )
    done = cli(*plain, *words)

    digest = seen.digest(f"docker://{fresh_repository}:1")
    assert done.stdout == f"{fresh_repository}@{digest}\n{locked.host}/several/it@{digest}\n"
    assert "PUT /v2/several/it/manifests/1 201" in locked.requests()
    tagged = [number for number, line in enumerate(done.lines) if " is now " in line]
    sent = [number for number, line in enumerate(done.lines) if line.endswith(" sent")]
    assert max(sent) < min(tagged)


def test_an_index_goes_to_layouts_and_registries_but_to_no_root_directory(
    hub: Cli, multi: BaseImage, layout: Path, fresh_repository: str, tmp_path: Path, seen: Seen
) -> None:
    words = ("-b", multi.short, "-c", "x", "--platform", "amd64,arm64")
    hub(*words, "-t", fresh_repository, "-t", f"oci:{layout}:it", "-t", "store:multi")

    assert seen.digest(f"oci:{layout}:it") == seen.digest(f"docker://{fresh_repository}")
    for target, code in ((f"rootfs:{tmp_path}/root", 2), (f"docker-archive:{tmp_path}/d:x", 1)):
        done = hub(*words, "-t", target, code=code)
        assert "choose one with `--platform`" in done.hint
    assert not (tmp_path / "root").exists()
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("target", "code", "error"),
    [
        ("scratch", 2, "`scratch` is a base, not a target"),
        ("UPPER/case", 2, "is not an image reference"),
        ("oci:", 2, "names nothing"),
        ("docker-archive:nowhere/d.tar:x", 1, "nowhere/d.tar"),
        ("oci-archive:nowhere/o.tar", 1, "nowhere/o.tar"),
        ("oci:file/in/the/way", 1, "file/in/the/way"),
        ("oci:full", 1, "the directory has other files and is no OCI layout"),
        ("rootfs:full", 1, "full"),
        ("docker-daemon:x", 69, "no.sock"),
    ],
)
def test_a_target_that_cannot_be_written_is_named(
    target: str, code: int, error: str, cli: Cli, plain: tuple[str, ...], work: Path
) -> None:
    (work / "file").touch()
    (work / "full").mkdir()
    (work / "full/other").touch()
    before = sorted(work.rglob("*"))

    done = cli(
        *(*plain, "-t", target), code=code, environ={"DOCKER_HOST": f"unix://{work}/no.sock"}
    )

    assert error in done.error
    assert done.hint
    assert done.stdout == ""
    assert sorted(work.rglob("*")) == before


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("oci:full", "oci:full: the directory has other files and is no OCI layout"),
        ("oci-archive:no/a.tar", "oci-archive:no/a.tar: cannot be written: no such file"),
        (
            "docker-archive:full:x/y:1",
            "full:docker.io/x/y:1: cannot be written: it is a directory",
        ),
        ("rootfs:full", "full: the directory is not empty"),
        ("rootfs:full/other/x.tar", "rootfs:full/other/x.tar: cannot be written: not a directory"),
    ],
)
def test_a_target_that_cannot_be_written_is_named_before_there_is_work(
    target: str, error: str, cli: Cli, work: Path
) -> None:
    (work / "full").mkdir()
    (work / "full/other").touch()
    (work / "Dockerfile").write_text("FROM oci:nowhere\n")

    line = cli("-b", "oci:nowhere", "-f", "full", "-t", target, code=1)
    dockerfile = cli("build", "-t", target, work, code=1)

    assert error in line.error
    assert dockerfile.error == line.error


def test_a_target_by_digest_is_refused_if_it_is_another(
    cli: Cli, plain: tuple[str, ...], fresh_repository: str
) -> None:
    right = cli(*plain, "-t", f"{fresh_repository}:1").stdout.strip()

    cli(*plain, "-t", right)
    done = cli(*plain, "-t", f"{fresh_repository}:2@sha256:{'0' * 64}", code=2)

    assert f"what would be pushed is {right.partition('@')[2]}" in done.error
    assert "name a tag" in done.hint


# Files about the image.


def test_files_tell_the_digest_the_image_id_and_more(
    cli: Cli, plain: tuple[str, ...], fresh_repository: str, work: Path, seen: Seen
) -> None:
    (work / "github").write_text("before=1\n")
    words = (
        *("--digest-file", "digest", "--iidfile", "iid", "--metadata-file", "metadata"),
        *("--image-refs", "refs", "-t", f"{fresh_repository}:1", "-t", f"{fresh_repository}:2"),
    )
    done = cli(*plain, *words, "-t", "store:x:1", environ={"GITHUB_OUTPUT": "github"})

    raw = seen.raw(f"docker://{fresh_repository}:1")
    digest, config = seen.digest(f"docker://{fresh_repository}:1"), raw["config"]["digest"]
    assert (work / "digest").read_text() == digest
    assert (work / "iid").read_text() == config
    assert (work / "refs").read_text() == done.stdout
    assert done.stdout == f"{fresh_repository}@{digest}\nstore:x:1@{digest}\n"
    assert (work / "github").read_text() == f"before=1\ndigest={digest}\nimageid={config}\n"
    metadata = json.loads((work / "metadata").read_text())
    assert metadata["containerimage.digest"] == digest
    assert metadata["containerimage.config.digest"] == config
    assert metadata["containerimage.descriptor"]["digest"] == digest
    assert metadata["image.name"].split(",")[0] == f"{fresh_repository}:1"
    assert [one["layers"] for one in metadata["artificer.images"]] == [raw["layers"]]


def test_the_image_id_of_an_index_is_its_digest(hub: Cli, multi: BaseImage, work: Path) -> None:
    words = ("-b", multi.short, "-c", "x", "--platform", "amd64,arm64", "-t", "store:x")

    done = hub(*words, "--iidfile", "iid", "--metadata-file", "metadata")

    assert done.stdout.strip().endswith((work / "iid").read_text())
    images = json.loads((work / "metadata").read_text())["artificer.images"]
    assert [one["platform"] for one in images] == ["linux/amd64", "linux/arm64"]


def test_a_failed_build_writes_no_file(cli: Cli, plain: tuple[str, ...], work: Path) -> None:
    words = ("--digest-file", "digest", "--image-refs", "refs", "-t", "store:x")

    cli(*plain, "-f", "missing", *words, code=1, environ={"GITHUB_OUTPUT": "github"})

    assert sorted(path.name for path in work.iterdir()) == ["ours"]


def test_a_file_that_cannot_be_written_is_named_and_the_image_is_there(
    cli: Cli, plain: tuple[str, ...]
) -> None:
    done = cli(*plain, "-t", "store:x", "--digest-file", "no/where", code=1)

    assert done.error.startswith("cannot write no/where: ")
    assert "the image is done" in done.hint
    cli("-b", "store:x", "-t", "store:y")


def test_a_file_about_the_image_may_be_a_pipe_or_a_link(
    cli: Cli, plain: tuple[str, ...], work: Path
) -> None:
    os.mkfifo(work / "pipe")
    (work / "real").write_text("old and longer than a digest " * 9)
    (work / "link").symlink_to("real")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((work / "pipe").read_text()))
    reader.start()

    done = cli(*plain, "-t", "store:x", "--digest-file", "pipe", "--iidfile", "link")

    reader.join(PATIENCE)
    assert done.stdout.strip().endswith(read[0])
    assert (work / "link").is_symlink()
    assert re.fullmatch(DIGEST, (work / "real").read_text())


@needs_root
def test_a_file_about_the_image_may_be_mounted_as_in_a_pod(
    cli: Cli, plain: tuple[str, ...], work: Path
) -> None:
    for name in ("mounted", "log"):
        (work / name).write_text("old and longer than a digest " * 9)
    bound = subprocess.run(
        ["mount", "--bind", work / "mounted", work / "log"], check=False, capture_output=True
    )
    if bound.returncode:
        pytest.skip(f"nothing can be mounted here: {bound.stderr.decode()}")
    try:
        cli(*plain, "-t", "store:x", "--digest-file", "log")
    finally:
        subprocess.run(["umount", work / "log"], check=True)

    assert re.fullmatch(DIGEST, (work / "mounted").read_text())


# Streams.


def test_standard_output_has_digest_references_only_and_four_lines_go_to_standard_error(
    cli: Cli, plain: tuple[str, ...], fresh_repository: str
) -> None:
    done = cli.process(*plain, "-t", f"{fresh_repository}:1", "-t", "store:x:1")

    assert re.fullmatch(f"{fresh_repository}@({DIGEST})\nstore:x:1@\\1\n", done.stdout)
    assert [line for line in done.lines if line in FOUR] == FOUR


def test_progress_as_json_is_one_event_a_line(
    cli: Cli, plain: tuple[str, ...], fresh_repository: str
) -> None:
    done = cli.process(*plain, "-t", fresh_repository, "--progress", "json")

    kinds = [event["event"] for event in done.events]
    assert [event["text"] for event in done.events if event["event"] == "note"] == FOUR
    assert {"base-resolved", "layer-written", "blob-sent", "tagged"} <= set(kinds)
    (written,) = [event for event in done.events if event["event"] == "layer-written"]
    assert re.fullmatch(DIGEST, written["digest"])
    assert isinstance(written["size"], int)
    assert done.stdout.startswith(f"{fresh_repository}@sha256:")


def test_an_error_as_json_has_its_hint_and_code(cli: Cli, plain: tuple[str, ...]) -> None:
    words = (*plain, "-f", "missing", "-t", "store:x", "--progress", "json")

    last = cli.process(*words, code=1).events[-1]

    assert last["event"] == "error"
    assert last["message"] == "missing: no such file or directory"
    assert last["exit_code"] == 1
    assert last["hint"]


@pytest.mark.parametrize("words", [("--quiet",), ("-q",), ("--progress", "quiet")])
def test_quiet_says_nothing_but_errors_and_warnings(
    words: tuple[str, ...], cli: Cli, plain: tuple[str, ...]
) -> None:
    done = cli.process(*plain, *words, "-t", "store:x")
    failed = cli.process(*plain, "-f", "missing", *words, "-t", "store:x", code=1)

    assert done.stderr == ""
    assert done.stdout.startswith("store:x:latest@sha256:")
    assert failed.lines[0] == "error: missing: no such file or directory"


def test_without_a_terminal_lines_are_plain(cli: Cli, plain: tuple[str, ...]) -> None:
    for mode in ("auto", "plain"):
        assert "\x1b" not in cli.process(*plain, "-t", "store:x", "--progress", mode).stderr


def _on_a_terminal(cli: Cli, *words: str, environ: dict[str, str] | None = None) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "artificer", *words],
        cwd=cli.directory,
        env={"TERM": "xterm-256color", **cli.environ, **(environ or {})},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ):
        os.close(theirs)
        shown = b""
        while True:
            try:
                data = os.read(ours, 1 << 16)
            except OSError:  # Linux says EIO when the last writer has gone.
                break
            if not data:
                break
            shown += data
    os.close(ours)
    return shown.decode()


def test_on_a_terminal_transfers_are_drawn_and_errors_are_coloured(
    cli: Cli, plain: tuple[str, ...], fresh_repository: str, work: Path
) -> None:
    (work / "large").write_bytes(os.urandom(3_000_000))

    shown = _on_a_terminal(cli, *plain, "-f", "large", "-t", fresh_repository)
    failed = _on_a_terminal(cli, "-b", "scratch", "-f", "missing", "-t", "store:x")
    bare = {"NO_COLOR": "1"}
    plain_error = _on_a_terminal(cli, "-b", "scratch", "-f", "x", "-t", "store:x", environ=bare)

    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).strip() for line in shown.split("\n")]
    assert [line for line in lines if line in FOUR] == FOUR
    assert "\x1b[1;31merror:\x1b[0m missing" in failed
    assert "error: x" in plain_error
    assert "\x1b[1;31m" not in plain_error


def test_a_reader_that_goes_away_is_no_failure_with_a_traceback(
    cli: Cli, plain: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "artificer", *plain, "-t", "store:x"],
        check=False,
        cwd=cli.directory,
        env=cli.environ,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)

    assert "Traceback" not in done.stderr
    assert done.returncode == 141


def test_a_closed_standard_input_and_error_do_not_matter(cli: Cli, plain: tuple[str, ...]) -> None:
    words = " ".join(f"'{word}'" for word in (sys.executable, "-m", "artificer", *plain))
    done = subprocess.run(
        ["sh", "-c", f"exec {words} -t store:x <&- 2>&-"],
        check=False,
        cwd=cli.directory,
        env=cli.environ,
        stdout=subprocess.PIPE,
        text=True,
    )

    assert done.returncode == 0
    assert re.fullmatch(f"store:x:latest@{DIGEST}\n", done.stdout)


# The store.


def test_the_store_is_where_flags_and_environment_say(
    cli: Cli, plain: tuple[str, ...], tmp_path: Path
) -> None:
    home = Path(cli.environ["HOME"])
    variable = cli.environ.pop("ARTIFICER_STORE")
    data = {"XDG_DATA_HOME": f"{tmp_path}/data"}

    cli(*plain, "-t", "store:x")
    cli(*plain, "-t", "store:x", environ=data)
    cli(*plain, "-t", "store:x", environ={**data, "ARTIFICER_STORE": variable})
    chosen = {**data, "ARTIFICER_STORE": f"{tmp_path}/unused"}
    cli(*plain, "-t", "store:x", "--store", f"{tmp_path}/flag", environ=chosen)

    for place in (home / ".local/share/artificer", tmp_path / "data/artificer", variable):
        assert (Path(place) / "index.json").exists()
    assert (tmp_path / "flag/index.json").exists()
    assert not (tmp_path / "unused").exists()


def test_without_a_home_the_store_is_a_directory_of_this_user(
    cli: Cli, plain: tuple[str, ...], tmp_path: Path
) -> None:
    for name in ("ARTIFICER_STORE", "HOME", "XDG_RUNTIME_DIR"):
        cli.environ.pop(name)

    cli.process(*plain, "-t", "store:x", environ={"TMPDIR": str(tmp_path)})

    assert (tmp_path / f"artificer-{os.getuid()}/index.json").exists()


@needs_root
@pytest.mark.parametrize("kind", ["another's", "open", "link", "file"])
def test_a_store_that_others_could_fill_is_refused(
    kind: str, cli: Cli, plain: tuple[str, ...], tmp_path: Path
) -> None:
    for name in ("ARTIFICER_STORE", "HOME", "XDG_RUNTIME_DIR"):
        cli.environ.pop(name)
    place = tmp_path / f"artificer-{os.getuid()}"
    if kind == "file":
        place.touch()
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        place.symlink_to("elsewhere")
    else:
        place.mkdir(0o777 if kind == "open" else 0o700)
        place.chmod(0o777 if kind == "open" else 0o700)
    if kind == "another's":
        os.chown(place, 65534, 65534)

    done = cli(*plain, "-t", "store:x", environ={"TMPDIR": str(tmp_path)}, code=1)

    assert done.error == f"{place}: others could put layers into this store"
    assert "ARTIFICER_STORE" in done.hint


def test_targets_in_registries_are_only_written_to_in_their_order(
    cli: Cli, plain: tuple[str, ...], fresh_repository: str, open_registry: Registry
) -> None:
    before = len(open_registry.requests())

    cli(*plain, "-t", fresh_repository)

    name = fresh_repository.removeprefix(open_registry.host)
    written = [
        line.split()[1]
        for line in open_registry.requests()[before:]
        if line.startswith(("PUT", "POST", "PATCH")) and name in line
    ]
    assert written[-1].endswith("/manifests/latest")
    assert not any("/manifests/" in path for path in written[:-1])
