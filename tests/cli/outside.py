"""The one-line build as its users have it, and its images as others see them."""

import gc
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from artificer.cli.main import main
from tests.parts.commands import SEARCH, Command

StrPath = str | os.PathLike[str]


class Done(NamedTuple):
    """How the command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        """Standard error, a line each."""
        return self.stderr.splitlines()

    @property
    def events(self) -> list[dict[str, Any]]:
        """Standard error of ``--progress json``."""
        return [json.loads(line) for line in self.lines]

    @property
    def error(self) -> str:
        """What stands behind `error:`."""
        return self._after("error: ")

    @property
    def hint(self) -> str:
        """What stands behind the last `hint:`."""
        return self._after("hint: ")

    def _after(self, word: str) -> str:
        return next(
            (line.removeprefix(word) for line in self.lines[::-1] if line.startswith(word)), ""
        )


class Cli:
    """Runs `artificer`: `cli("-b", "scratch", …)` in this process, `cli.process(…)` in its own."""

    def __init__(self, environ: dict[str, str], directory: Path) -> None:
        self.environ = environ
        self.directory = directory

    def __call__(
        self,
        *words: StrPath,
        code: int = 0,
        stdin: bytes = b"",
        environ: Mapping[str, str] | None = None,
    ) -> Done:
        """Run the command in this process; it must end with *code*."""
        texts = [os.fspath(word) for word in words]
        return _expected(self.ended(*texts, stdin=stdin, environ=environ), texts, code)

    def ended(
        self, *words: str, stdin: bytes = b"", environ: Mapping[str, str] | None = None
    ) -> Done:
        """Run the command in this process; it may end as it likes."""
        whole = {**self.environ, **(environ or {})}
        return _inside(list(words), whole, self.directory, stdin)

    def process(
        self,
        *words: StrPath,
        code: int = 0,
        stdin: bytes = b"",
        environ: Mapping[str, str] | None = None,
        seconds: float = 300,
    ) -> Done:
        """Run the command in a process of its own; it must end with *code*, in *seconds*."""
        texts = [os.fspath(word) for word in words]
        ended = subprocess.run(
            [sys.executable, "-m", "artificer", *texts],
            check=False,
            input=stdin,
            capture_output=True,
            env={**self.environ, **(environ or {})},
            cwd=self.directory,
            timeout=seconds,
        )
        done = Done(ended.returncode, _text(ended.stdout), _text(ended.stderr))
        return _expected(done, texts, code)

    def machine(self, name: str) -> "Cli":
        """The same directory on another machine: its store is empty."""
        store = self.store.with_name(name)
        return Cli({**self.environ, "ARTIFICER_STORE": str(store)}, self.directory)

    @property
    def store(self) -> Path:
        return Path(self.environ["ARTIFICER_STORE"])


def _expected(done: Done, words: list[str], code: int) -> Done:
    if done.code != code:
        shown = " ".join(words)
        pytest.fail(f"artificer {shown}: exit {done.code}\n{done.stdout}{done.stderr}", False)
    return done


def _inside(words: list[str], environ: dict[str, str], directory: Path, stdin: bytes) -> Done:
    streams, here, old = (sys.stdin, sys.stdout, sys.stderr), Path.cwd(), dict(os.environ)
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers, threshold = [signal.getsignal(number) for number in numbers], gc.get_threshold()
    out, err = io.BytesIO(), io.BytesIO()
    try:
        sys.stdin = _stream(io.BytesIO(stdin))
        sys.stdout, sys.stderr = _stream(out), _stream(err)
        os.environ.clear()
        os.environ.update(environ)
        os.chdir(directory)
        code = main(words)
        sys.stdout.flush()
        sys.stderr.flush()
        return Done(code, _text(out.getvalue()), _text(err.getvalue()))
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams
        os.environ.clear()
        os.environ.update(old)
        os.chdir(here)
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
        gc.set_threshold(*threshold)


def _stream(buffer: io.BytesIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(buffer, encoding="utf-8", errors="surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


class Seen(NamedTuple):
    """An image as skopeo and umoci see it; references are skopeo's."""

    skopeo: Command
    umoci: Command
    folder: Path

    def raw(self, reference: str) -> dict[str, Any]:
        """The manifest or index, as skopeo fetches it."""
        found: dict[str, Any] = json.loads(self._inspect("--raw", reference))
        return found

    def config(self, reference: str) -> dict[str, Any]:
        """The config file, as skopeo fetches it."""
        found: dict[str, Any] = json.loads(self._inspect("--config", "--raw", reference))
        return found

    def digest(self, reference: str) -> str:
        """The digest of the manifest, as skopeo computes it."""
        return self._inspect("--no-tags", "--format", "{{.Digest}}", reference)

    def copied(self, reference: str) -> Path:
        """An OCI layout that skopeo copied the image to, as `it`."""
        path = self._fresh("copy")
        # In an OCI layout, skopeo reads OCI's media types only.
        oci = "vnd.oci" in self.raw(reference)["mediaType"]
        words = ("copy", "--all", *(("--preserve-digests",) if oci else ()))
        self.skopeo.run(*words, "--src-tls-verify=false", reference, f"oci:{path}:it")
        return path

    def unpacked(self, layout: Path, tag: str = "it") -> Path:
        """The root directory that umoci unpacks an image of a layout to."""
        bundle = self._fresh("bundle")
        rootless = () if os.geteuid() == 0 else ("--rootless",)
        self.umoci.run("unpack", *rootless, "--image", f"{layout}:{tag}", str(bundle))
        return bundle / "rootfs"

    def entries(self, layout: Path, tag: str = "it", *, layer: int = -1) -> list[tarfile.TarInfo]:
        """The entries of one layer of an image in a layout, as Python's tarfile reads them."""
        document = self.raw(f"oci:{layout}:{tag}")["layers"][layer]
        with tarfile.open(_blob(layout, document["digest"])) as tar:
            return tar.getmembers()

    def names(self, layout: Path, tag: str = "it", *, layer: int = -1) -> list[str]:
        """What is in one layer, as `tar t` would say it."""
        found = self.entries(layout, tag, layer=layer)
        return [f"{entry.name}/" if entry.isdir() else entry.name for entry in found]

    def _inspect(self, *words: str) -> str:
        # registries.conf knows only the open registry.
        return self.skopeo.output("inspect", "--tls-verify=false", *words)

    def _fresh(self, name: str) -> Path:
        return self.folder / f"{name}-{len(list(self.folder.iterdir()))}"


def _blob(layout: Path, digest: str) -> Path:
    algorithm, _, name = digest.partition(":")
    return layout / "blobs" / algorithm / name


def described(root: Path) -> dict[str, tuple[object, ...]]:
    """Every path below *root* with its mode, owner, time, and its bytes or its target."""
    found: dict[str, tuple[object, ...]] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            content: object = None
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = Path(path).read_bytes()
            owner = (status.st_uid, status.st_gid)
            mode = f"{status.st_mode:o}"
            found[os.path.relpath(path, root)] = (mode, owner, int(status.st_mtime), content)
    return found


SERVER = r"""
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words) {
    char line[80] = "no configuration\n";
    FILE *file = fopen("/conf/app.ini", "r");
    if (file) fgets(line, sizeof line, file);
    const char *level = getenv("LOGLEVEL"), *where = getenv("ENVIRONMENT");
    printf("%s: LOGLEVEL=%s ENVIRONMENT=%s %s", words[0], level ? level : "-",
           where ? where : "-", line);
    for (int i = 1; i < count; i++) printf("<%s>", words[i]);
    return 0;
}
"""
SCRIPT = """#!/bin/sh
read -r line </conf/app.ini || line="no configuration"
echo "$0: LOGLEVEL=${LOGLEVEL:--} ENVIRONMENT=${ENVIRONMENT:--} $line"
for word; do printf "<%s>" "$word"; done
"""


@pytest.fixture(scope="session")
def server_binary(parts_folder: Path) -> Path:
    """A real executable, linked statically where the machine has a compiler; else a script."""
    source, path = parts_folder / "server.c", parts_folder / "server-binary"
    source.write_text(SERVER)
    try:
        words = ["gcc", "-static", "-Os", "-s", "-o", str(path), str(source)]
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        path.write_text(SCRIPT)
        path.chmod(0o755)
    return path


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The directory that the command is called in."""
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """Where a test lets an OCI layout be written."""
    return tmp_path / "layout"


@pytest.fixture
def cli(tmp_path: Path, work: Path) -> Cli:
    """The command, with nobody's settings and no registry."""
    home = tmp_path / "home"
    home.mkdir()
    return Cli(
        {
            "ARTIFICER_STORE": str(tmp_path / "store"),
            "CONTAINERS_REGISTRIES_CONF": os.devnull,
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "PATH": SEARCH,
            "XDG_RUNTIME_DIR": str(home),
        },
        work,
    )


@pytest.fixture
def hub(cli: Cli, registries_conf: Path) -> Cli:
    """The command where docker.io is the open registry."""
    cli.environ["CONTAINERS_REGISTRIES_CONF"] = str(registries_conf)
    return cli


@pytest.fixture
def seen(tmp_path: Path, skopeo: Command, umoci: Command) -> Iterator[Seen]:
    """The built image, seen from outside."""
    folder = tmp_path / "seen"
    folder.mkdir()
    yield Seen(skopeo, umoci, folder)
    # Images hold directories that a plain user may not even empty.
    subprocess.run(["chmod", "-R", "u+rwX", folder], check=False, capture_output=True)
