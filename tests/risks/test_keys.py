"""Whatever changes an image changes a key; whatever does not, does not change the image."""

import contextlib
import os
import random
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from artificer.cli.oneline.grammar import build_parser
from artificer.errors import ArtificerError
from artificer.images.deliver import Order, deliver
from artificer.images.reach import Reach
from artificer.oci.reference import Layout
from artificer.stop import Stop
from artificer.store.blobs import Store
from tests.registry.faulty import faulty_registry
from tests.risks.builds import Offline, built, fresh_store, from_scratch, written
from tests.risks.machines import Machine

MakeMachine = Callable[[str], Machine]

LINE = ("-f", "conf", "server")

VARIANTS: dict[str, tuple[str, ...]] = {
    "baseimage": (),  # below
    "files": ("-f", "conf:/etc/conf"),
    "tar": ("--tar", "more.tar"),
    "symlink": ("--symlink", "/bin/x=server"),
    "empty_dir": ("--empty-dir", "/data"),
    "empty_file": ("--empty-file", "/data/x"),
    "delete": ("--delete", "/base/gone"),
    "copy_from": ("--copy-from", "oci:base:one:/base/kept:/kept"),
    "exclude": ("--exclude", "a.ini"),
    "ignore_file": ("--ignore-file", "ignore"),
    "chmod": ("--chmod", "0700"),
    "chown": ("--chown", "7:8"),
    "mtime": ("--mtime", "77"),
    "follow_symlinks": ("--follow-symlinks",),
    "layers": (),  # needs a large tree: test_splits
    "compression": ("--compression", "zstd"),
    "compression_level": ("--compression-level", "9"),
    "env": ("-e", "A=1"),
    "env_file": ("--env-file", "env"),
    "clear_env": ("--clear-env",),
    "cmd": ("-c", "/server"),
    "cmd_shell": ("--cmd-shell", "/server"),
    "entrypoint": ("--entrypoint", "/server"),
    "entrypoint_shell": ("--entrypoint-shell", "/server"),
    "keep_cmd": ("--keep-cmd", "--entrypoint", "/server"),
    "workdir": ("-w", "/work"),
    "user": ("-u", "7"),
    "label": ("-l", "a=b"),
    "expose": ("-p", "80"),
    "volume": ("--volume", "/data"),
    "stop_signal": ("--stop-signal", "SIGINT"),
    "healthcheck": ("--healthcheck", "true"),
    "health_interval": ("--healthcheck", "true", "--health-interval", "7s"),
    "health_timeout": ("--healthcheck", "true", "--health-timeout", "7s"),
    "health_start_period": ("--healthcheck", "true", "--health-start-period", "7s"),
    "health_start_interval": ("--healthcheck", "true", "--health-start-interval", "7s"),
    "health_retries": ("--healthcheck", "true", "--health-retries", "7"),
    "platform": ("--platform", "linux/arm64,linux/amd64"),
    "format": ("--format", "docker"),
    "annotation": ("--annotation", "a=b"),
    "created": ("--created", "7"),
    "author": ("--author", "me"),
}
"""For each option that says what is built, words that make another image of it."""

MORE: list[tuple[str, ...]] = [
    *(("--mtime", word) for word in ("0", "1970-01-01T00:00:00Z", "preserve")),
    *(("--chmod", word) for word in ("conf=0700", "preserve", "*.ini=0600", "**/*.ini=0600")),
    *(("--chown", word) for word in ("7", "conf=7", "7:7", "preserve")),
    *(("-f", word) for word in ("conf/.", "conf/*.ini", "conf/a.ini:/server.d/", "link", ".")),
    *(("--exclude", word) for word in ("*", "b.ini", "**/a.ini", "conf", "!a.ini")),
    *(("--tar", word) for word in ("more.tar:/opt", "other.tar")),
    *(("--symlink", word) for word in ("/bin/x=conf", "/x=server")),
    ("--empty-dir", "/bin/y"),
    ("--compression", "none"),
    ("--compression-level", "2"),
    ("--volume", "/bin"),
    ("-w", "/bin/w"),
    ("--platform", "linux/amd64"),
]
SAID = [words for words in (*VARIANTS.values(), *MORE) if words]
BASES = ("scratch", "oci:base:one", "oci:base:volume", "oci:base:workdir")
"""The last three have the same layers."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where we are: files of many kinds, and two bases."""
    folder = tmp_path_factory.mktemp("keys")
    _fill(folder)
    old = Path.cwd()
    os.chdir(folder)
    words = (
        *("-f", "in-base:/base", "--empty-dir", "/usr/bin", "--empty-dir", "/real"),
        *("--symlink", "/bin=usr/bin", "--symlink", "/conf=real"),
    )
    with fresh_store() as store:
        offline: Any = Offline()
        reach = Reach(store, offline, lambda event: None, Stop())
        for tag, more in (
            ("one", ("--platform", "linux/amd64,linux/arm64", "-e", "B=1")),
            ("volume", ("--volume", "/conf")),
            ("workdir", ("-w", "/conf")),
        ):
            base = built(("-b", "scratch", *words, *more), store)
            deliver([Order(base, Layout("base", tag))], reach)
    time.sleep(0.03)  # what is new is racy, and not remembered
    yield folder
    os.chdir(old)


def _fill(folder: Path) -> None:
    written(
        folder,
        {
            "server": "#!/bin/sh\n",
            "conf/a.ini": "a=1\n",
            "conf/b.ini": "b=1\n",
            "conf/deep/c.ini": "c=1\n",
            "in-base/gone": "",
            "in-base/kept": "kept",
            "ignore": "b.ini\n",
            "env": "C=3\n",
        },
    )
    (folder / "server").chmod(0o755)
    (folder / "link").symlink_to("conf")
    (folder / "conf" / "inner").symlink_to("deep")
    for name, content in (("more.tar", "deep"), ("other.tar", "b.ini")):
        with tarfile.open(folder / name, "w") as tar:
            tar.add(folder / "conf" / content, f"tar/{content}")


def _of_image() -> list[str]:
    """The options that say what is built: the first three groups of the help page."""
    groups = build_parser("test")._action_groups
    named = {group.title: group for group in groups}
    return [
        action.dest
        for title in ("base and files", "how a container starts", "the image")
        for action in named[title]._group_actions
    ]


def test_every_option_that_says_what_is_built_is_varied_here() -> None:
    assert list(VARIANTS) == _of_image()


def test_every_option_changes_the_image_also_where_the_plain_one_is_known(folder: Path) -> None:
    with fresh_store() as store:
        plain = built(("-b", "oci:base:one", *LINE), store)
        for option, words in VARIANTS.items():
            if not words:
                continue
            line = ("-b", "oci:base:one", *LINE, *words)

            varied = built(line, store)

            assert varied.digest != plain.digest, option
            assert varied.digest == from_scratch(line).digest, option
        for words in MORE:
            line = ("-b", "oci:base:one", *LINE, *words)
            assert built(line, store).digest == from_scratch(line).digest, words
        assert built(("-b", "oci:base:one", *LINE), store).digest == plain.digest


class Line(NamedTuple):
    """A command line in parts. Some make no sense, and then make none in any store."""

    base: str
    said: tuple[tuple[str, ...], ...]

    @property
    def words(self) -> tuple[str, ...]:
        return ("-b", self.base, *LINE, *(word for words in self.said for word in words))

    def outcome(self, store: Store) -> str:
        """The digest, or what is wrong."""
        try:
            return built(self.words, store).digest
        except ArtificerError as error:
            return error.message


@st.composite
def neighbours(draw: st.DrawFn) -> list[Line]:
    """A line, and others that differ from it in one thing each."""
    said = draw(st.lists(st.sampled_from(SAID), max_size=3, unique=True))
    line = Line(draw(st.sampled_from(BASES)), tuple(said))
    others = [line._replace(base=base) for base in BASES if base != line.base]
    for words in draw(st.lists(st.sampled_from(SAID), max_size=3, unique=True)):
        others.append(line._replace(said=(*line.said, words)))
    for number in range(len(said)):
        others.append(line._replace(said=line.said[:number] + line.said[number + 1 :]))
    return [line, *draw(st.permutations(others)), line]


@given(neighbours())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([Line("scratch", (("--tar", "more.tar"), one)) for one in ((), ("--mtime", "0"))])
def test_no_build_is_answered_with_what_another_one_made(folder: Path, lines: list[Line]) -> None:
    with fresh_store() as store:
        for line in lines:
            with fresh_store() as empty:
                assert line.outcome(store) == line.outcome(empty)


STATES = ("fresh", "warm", "others", "records", "blobs", "damaged", "afresh")


@given(neighbours(), st.lists(st.sampled_from(STATES), min_size=1, max_size=4), st.randoms())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_state_of_the_store_is_no_part_of_the_image(
    folder: Path, lines: list[Line], states: list[str], rng: random.Random
) -> None:
    line = lines[0]
    with fresh_store() as empty:
        told = line.outcome(empty)
    with fresh_store() as store:
        for state in states:
            _bring(store, state, lines, rng)
            assert line.outcome(store) == told, state


def _bring(store: Store, state: str, lines: list[Line], rng: random.Random) -> None:
    """Do to *store* what may happen to it between two builds."""
    match state:
        case "warm":
            lines[0].outcome(store)
        case "others":
            for line in lines[1:3]:
                line.outcome(store)
        case "afresh":
            with contextlib.suppress(ArtificerError):
                built(lines[0].words, store, afresh=True)
        case "fresh":
            _spoil(store, "records", lambda path: path.unlink())
            _spoil(store, "blobs", lambda path: path.unlink())
        case "records" | "blobs":
            _spoil(store, state, lambda path: path.unlink() if rng.random() < 0.5 else None)
        case _:
            _spoil(store, "records", lambda path: os.truncate(path, rng.randrange(99)))


def _spoil(store: Store, part: str, act: Callable[[Path], None]) -> None:
    for path in sorted(Path(store.root, part).rglob("*")):
        if path.is_file():
            act(path)


def test_where_when_and_as_whom_one_builds_is_no_part_of_the_image(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*LINE, "-f", "link", "--chmod", "*.ini=0600", "--tar", "more.tar")
    told = from_scratch(("-b", "scratch", *words)).digest
    old = os.umask(0o077)
    try:
        for number, zone in enumerate(("Asia/Kathmandu", "America/St_Johns")):
            elsewhere = tmp_path / str(number) / "very" / "far"
            _backwards(folder, elsewhere)
            monkeypatch.chdir(elsewhere)
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            environ = {"ARTIFICER_PASSWORD": zone, "HOME": str(tmp_path), "USER": zone}
            assert from_scratch(("-b", "scratch", *words), environ).digest == told
    finally:
        os.umask(old)
        monkeypatch.undo()
        time.tzset()


def _backwards(source: Path, folder: Path) -> None:
    """Copy *source*, the last name first, as the umask wants it."""
    folder.mkdir(parents=True)
    for path in sorted(source.iterdir(), reverse=True):
        copy = folder / path.name
        if path.is_symlink():
            copy.symlink_to(path.readlink())
        elif path.is_dir():
            _backwards(path, copy)
        else:
            copy.write_bytes(path.read_bytes())
            copy.chmod(0o700 if path.stat().st_mode & 0o100 else 0o400)


def test_what_a_registry_knows_is_of_the_very_same_kind(make_machine: MakeMachine) -> None:
    """Key 2, which an image in the registry tells to a machine that never built it."""
    kinds = [("gzip", "1"), ("gzip", "9"), ("zstd", "1"), ("zstd", "3"), ("none", "0")]
    with faulty_registry() as registry:
        for number, (kind, level) in enumerate([*kinds, *kinds[::-1]]):
            digests = []
            for where in (f"{registry.host}/team/app:1", "store:x"):
                machine = make_machine(f"{number}-{where[:5]}")
                written(machine.work, {"conf/a.ini": "a=1\n" * 100})
                line = ("-b", "scratch", "-f", "conf", "--compression", kind)
                done = machine(*line, "--compression-level", level, "-t", where)
                digests.append(done.digest)
            assert digests[0] == digests[1], (kind, level)
