"""Dockerfiles, bases and commands that mean harm: they end, and nothing is left behind."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.outside import Cli, Done
from tests.parts import images
from tests.parts.registries import Registry
from tests.parts.waiting import PATIENCE, lifetime, processes_with, wait_until

MANY, PATTERNS = 100_000, 500


@pytest.fixture
def app(work: Path) -> Path:
    """A context with one file."""
    path = work / "app"
    path.mkdir()
    (path / "file").write_text("1")
    return path


@pytest.fixture
def left(cli: Cli) -> Iterator[None]:
    """Afterwards nothing is mounted, and no step's folder is there."""
    yield
    # Who clears up may outlive a build that was ended.
    wait_until(lambda: not leavings(cli), f"left: {leavings(cli)}")


def leavings(cli: Cli) -> list[str]:
    """What no build leaves, once nothing of it runs."""
    state = cli.store / "state"
    folders = [*state.glob("work/*/*"), *state.glob("roots/*/work-*")]
    trees = [path for path in state.glob("trees/*/*") if not path.name.startswith("sha256-")]
    return [*mounts(cli), *map(str, folders), *map(str, trees)]


def mounts(cli: Cli) -> list[str]:
    """What is mounted in the store, or from there."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if str(cli.store) in line]


def built(cli: Cli, app: Path, text: str, *words: str, code: int = 0) -> Done:
    """What comes of a Dockerfile in a process of its own."""
    (app / "Dockerfile").write_text(text)
    base = f"base=oci-layout://{cli.directory}/base:3.7"
    return cli.process("build", "--build-context", base, *words, "app", code=code)


@pytest.fixture
def base(work: Path) -> None:
    """The base, as `FROM base`."""
    images.base_layout(work / "base")


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="what a command may do is tried as root")


@needs_root
@pytest.mark.usefixtures("base", "left")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo last words; exit 7", "exit code 7"),
        ("kill -9 $$", "signal 9"),
        ("kill -TERM 0", "signal 15"),
        ("/no/such/program", "127"),
        ("cat /dev/zero | head -c 200000000 > /full/x", "exit code"),
        ("rm -rf / 2> /dev/null; exit 3", "code"),
        ("kill -9 1; kill -9 -1; exit 5", "5"),
    ],
)
def test_a_command_that_fails_leaves_nothing_and_nothing_is_pushed(
    cli: Cli, app: Path, open_registry: Registry, fresh_repository: str, command: str, said: str
) -> None:
    mount = "--mount=type=tmpfs,target=/full,size=1m "
    count = len(open_registry.requests())
    text = f"FROM base\nRUN echo fine > /fine\nRUN {mount}{command}\n"
    pushed = ("-t", f"docker://{fresh_repository}:1", "-t", "kept:1")

    done = built(cli, app, text, *pushed, code=1)

    assert done.error.startswith("app/Dockerfile:3: ")
    assert said in done.stderr
    assert done.stdout == ""
    tags = [line for line in open_registry.requests()[count:] if "/manifests/" in line]
    assert not [line for line in tags if line.startswith("PUT")]
    assert "kept" not in cli("ls").stdout


@needs_root
@pytest.mark.usefixtures("base", "left")
def test_processes_that_a_command_leaves_are_ended(cli: Cli, app: Path) -> None:
    number = lifetime()
    script = f"(setsid sleep {number} &) ; sleep {number} & for i in 1 2 3; do (true &); done"

    built(cli, app, f"FROM base\nRUN {script}\nRUN ps | grep -c [s]leep > /left || true\n")

    assert processes_with(number) == []


@needs_root
@pytest.mark.slow
@pytest.mark.usefixtures("base", "left")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
@pytest.mark.parametrize("rung", ["root", "full-map", "single-map", "chroot"])
def test_a_build_that_is_ended_ends_its_commands(
    cli: Cli, app: Path, rung: str, number: int, code: int
) -> None:
    word = lifetime()
    (app / "Dockerfile").write_text(f"FROM base\nRUN (setsid sleep {word} &); sleep {word}\n")
    base = f"base=oci-layout://{cli.directory}/base:3.7"
    words = [sys.executable, "-m", "artificer", "build", "--build-context", base, "--rung", rung]
    with subprocess.Popen(
        [*words, "app"], cwd=cli.directory, env=cli.environ, stderr=subprocess.PIPE
    ) as process:
        wait_until(lambda: len(processes_with(word)) >= 2)
        process.send_signal(number)
        process.wait(PATIENCE)
        wait_until(lambda: not processes_with(word))

    assert process.returncode == code
    # Folders of a process that was killed are removed by a later build.
    if number == signal.SIGKILL:
        wait_until(lambda: not mounts(cli))
        subprocess.run(["rm", "-rf", cli.store / "state"], check=True)


@needs_root
@pytest.mark.usefixtures("base", "left")
def test_a_bomb_of_output_and_of_files_is_a_layer_like_others(cli: Cli, app: Path) -> None:
    noise = "yes | head -c 20000000; head -c 3000000 /dev/zero | tr '\\0' x"
    files = "mkdir /many; cd /many; seq 20000 | xargs touch"

    done = built(cli, app, f"FROM base\nRUN {noise}\nRUN {files}\n", "-q")

    assert done.stdout.startswith("sha256:")


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FROM b AS a\nFROM a AS b\n", "b"),
        ("FROM a AS a\n", "a"),
        ("FROM scratch AS a\nCOPY --from=b /x /\nFROM a AS b\n", "b"),
        ("FROM scratch AS a\nCOPY --from=a /x /\n", "a"),
        ("FROM scratch\nCOPY --from=0 /x /\n", "0"),
        ("FROM scratch\nCOPY --from=7 /x /\n", "7"),
        ("FROM scratch AS a\nRUN --mount=from=a,target=/x true\n", "a"),
    ],
)
def test_stages_that_need_themselves_are_an_error(
    cli: Cli, app: Path, text: str, said: str
) -> None:
    (app / "Dockerfile").write_text(text)

    done = cli.process("build", "--offline", app, code=1)

    assert said in done.error


def harmful() -> bytes:
    """A base whose layer wants out, is huge, and has devices."""
    buffer = io.BytesIO(images.busybox_tar())
    with tarfile.open(fileobj=buffer, mode="a", format=tarfile.GNU_FORMAT) as tar:

        def put(name: str, kind: bytes, link: str = "", data: bytes = b"", **more: int) -> None:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(data)
            info.mode = 0o777
            for key, value in more.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))

        put("abs", tarfile.SYMTYPE, "/etc")
        put("up", tarfile.SYMTYPE, "../../../../../../../../../../tmp")
        put("loop", tarfile.SYMTYPE, "loop")
        put("null", tarfile.CHRTYPE, devmajor=1, devminor=3)
        put("disk", tarfile.BLKTYPE, devmajor=8, devminor=0)
        put("setuid", tarfile.REGTYPE, data=b"x", mode=0o6777)
        put("abs/through-link", tarfile.REGTYPE, data=b"x")
        put("up/artificer-escaped", tarfile.REGTYPE, data=b"x")
        put("hard", tarfile.LNKTYPE, "up/artificer-escaped")
    return buffer.getvalue()


def hostile_base(work: Path, tar: bytes) -> None:
    layout = images.Layout(work / "base")
    layout.name(layout.image(images.layer_of(tar)), "3.7")


@needs_root
@pytest.mark.usefixtures("left")
def test_a_base_cannot_lead_out_of_the_image(cli: Cli, app: Path, work: Path) -> None:
    hostile_base(work, harmful())
    text = (
        "FROM base AS s\nCOPY file /abs/copied\nADD file /up/artificer-added\nWORKDIR /abs/w\n"
        "RUN ls -l /null /setuid; echo x > /up/artificer-run; cat /abs/through-link\n"
        "FROM scratch\nCOPY --from=s /abs /up /all/\nCOPY --from=s /abs/copied /\n"
    )

    built(cli, app, text, "-o", "out")

    found = {str(path.relative_to(work / "out")) for path in (work / "out").rglob("*")}
    assert {"copied", "all/copied", "all/w", "all/artificer-added", "all/artificer-run"} <= found
    names = ("artificer-escaped", "artificer-added", "artificer-run", "through-link", "copied")
    assert not [name for name in names if os.path.lexists(f"/tmp/{name}")]
    assert not os.path.lexists("/etc/through-link")


@needs_root
@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("name", ["../../../outside", "/../outside", "a/../../../outside"])
@pytest.mark.parametrize("rung", ["root", "root-directory", "chroot"])
@pytest.mark.parametrize("step", ["RUN true", "COPY file /", "COPY --from=base / /x"])
def test_a_base_with_a_path_out_of_it_is_refused_or_kept_inside(
    cli: Cli, app: Path, name: str, rung: str, step: str
) -> None:
    buffer = io.BytesIO(images.busybox_tar())
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        tar.addfile(tarfile.TarInfo(name))
    hostile_base(cli.directory, buffer.getvalue())

    done = built_or_refused(cli, app, step, "--rung", rung)

    assert "Traceback" not in done.stderr
    assert not list(cli.store.rglob("outside"))
    assert not os.path.lexists("/outside")


@needs_root
@pytest.mark.usefixtures("left")
@pytest.mark.parametrize("step", ["RUN true", "COPY file /", "COPY --from=base /big /big2"])
def test_a_file_of_a_terabyte_of_nothing_does_not_fill_the_disk(
    cli: Cli, app: Path, step: str
) -> None:
    buffer = io.BytesIO(images.busybox_tar())
    with tarfile.open(fileobj=buffer, mode="a", format=tarfile.GNU_FORMAT):
        info = tarfile.TarInfo("big")
        info.type = b"S"
        block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[483:495] = (1 << 40).to_bytes(12, "big")
    block[483] = 0x80
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    data = buffer.getvalue()
    whole = data[: len(data.rstrip(b"\0")) // 512 * 512 + 512] + bytes(block) + bytes(1024)
    hostile_base(cli.directory, whole)
    started = time.monotonic()

    done = built_or_refused(cli, app, step)

    assert time.monotonic() - started < 60
    assert "Traceback" not in done.stderr
    used = sum(path.lstat().st_blocks for path in cli.store.rglob("*"))
    assert used * 512 < 100_000_000


def built_or_refused(cli: Cli, app: Path, step: str, *words: str) -> Done:
    """A build that may fail, but in order."""
    (app / "Dockerfile").write_text(f"FROM base\n{step}\n")
    base = f"base=oci-layout://{cli.directory}/base:3.7"
    done = cli.ended("build", "--build-context", base, *words, "app")
    assert done.code in {0, 1}
    return done


@pytest.mark.slow
def test_many_files_and_many_patterns_take_linear_time(cli: Cli, app: Path) -> None:
    for folder in range(200):
        (app / f"d{folder}").mkdir()
        for number in range(MANY // 200):
            os.close(os.open(app / f"d{folder}" / f"f{number}.txt", os.O_CREAT | os.O_WRONLY))
    kinds = ("*.t{}", "**/no{}", "d{}/g*", "!d{}/keep", "a/b/c{}", "**/x{}/**", "[ab]{}?", "f{}")
    lines = [kinds[n % len(kinds)].format(n) for n in range(PATTERNS)]
    (app / ".dockerignore").write_text("\n".join([*lines, "d1", "**/f9*"]))
    (app / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    started = os.times()

    cli("build", "-q", app)

    ended = os.times()
    assert ended.user + ended.system - started.user - started.system < 15
