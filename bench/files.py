"""What commands are measured on: roots and packages as tars, fetched and made once."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from artificer.oci.digest import Digest
from artificer.sandbox.command import TreeLayer
from bench.base import base_layout
from bench.measure import Failed
from tests.sandbox import roots

NAMES = 100_000
_EACH = 1_000


class Files(NamedTuple):
    """Roots, plain and *with_pip*; packages; and a root of *names* files."""

    layout: Path
    base: TreeLayer
    with_pip: TreeLayer
    nginx: TreeLayer
    flask: TreeLayer
    many: tuple[TreeLayer, ...]
    names: int


def files(cache: Path) -> Files:
    """All of them, made where they are not in *cache*."""
    folder = cache / "commands"
    folder.mkdir(exist_ok=True)
    layout = base_layout(cache)
    base = kept(folder / "base.tar", lambda path: _plain(layout, path))
    nginx = kept(folder / "nginx.tar", lambda path: _packages(base, "nginx", path))
    pip = kept(folder / "pip.tar", lambda path: _packages(base, "python3-pip", path))
    with_pip = kept(folder / "with-pip.tar", lambda path: _installed(base, pip, path))
    flask = kept(folder / "flask.tar", lambda path: _wheels("flask", path))
    many = (roots.base(folder), kept(folder / "many.tar", lambda path: many_files(path, NAMES)))
    return Files(layout, base, with_pip, nginx, flask, many, NAMES)


def within_reach(made: Files, folder: Path) -> Files:
    """The same files in *folder*, where other users can get to."""

    def linked(layer: TreeLayer) -> TreeLayer:
        path = folder / Path(layer.path).name
        if not path.exists():
            try:
                os.link(layer.path, path)
            except OSError:
                shutil.copyfile(layer.path, path)
        path.chmod(0o644)
        return layer._replace(path=str(path))

    return made._replace(
        base=linked(made.base),
        with_pip=linked(made.with_pip),
        nginx=linked(made.nginx),
        flask=linked(made.flask),
        many=tuple(map(linked, made.many)),
    )


def many_files(path: Path, names: int) -> None:
    """Write a tar of so many files, a thousand in each directory."""
    with tarfile.open(path, "w") as tar:
        for number in range(names):
            info, data = roots.member(f"many/{number // _EACH}/{number % _EACH}", b"small\n")
            tar.addfile(info, io.BytesIO(data))


def kept(path: Path, make: Callable[[Path], None]) -> TreeLayer:
    """The tar at *path* as a layer; it is made if it is not there."""
    if not path.exists():
        partial = path.with_name(f"partial-{os.getpid()}.tar")
        try:
            make(partial)
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)
    with path.open("rb") as file:
        return TreeLayer(
            Digest(f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"), str(path)
        )


def _plain(layout: Path, path: Path) -> None:
    def blob(digest: str) -> Path:
        return layout.joinpath("blobs", *digest.split(":"))

    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(blob(index["manifests"][0]["digest"]).read_text())
    (layer,) = manifest["layers"]
    with gzip.open(blob(layer["digest"])) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)


def _packages(base: TreeLayer, name: str, path: Path) -> None:
    """Fetch what *base* needs for *name* to be installed, with apt and its sources of here."""
    with _folder() as folder:
        with tarfile.open(base.path) as tar:
            status = tar.extractfile("./var/lib/dpkg/status")
            assert status is not None
            (folder / "status").write_bytes(status.read())
        (folder / "partial").mkdir()
        _done(
            *("apt-get", "-qq", "install", "-y", "--no-install-recommends", "--download-only"),
            *("-o", f"Dir::State::status={folder}/status", "-o", "Debug::NoLocking=1"),
            *("-o", f"Dir::Cache::archives={folder}", "-o", "APT::Sandbox::User=root", name),
        )
        _tar(folder, "*.deb", path)


def _wheels(name: str, path: Path) -> None:
    """Fetch *name*, and what it needs, for the Python of the base."""
    with _folder() as folder:
        options = ("--only-binary=:all:", "--python-version", "3.11", "-q", "-d", str(folder))
        _done(
            sys.executable, "-m", "pip", "--disable-pip-version-check", "download", *options, name
        )
        _tar(folder, "*.whl", path)


def _installed(base: TreeLayer, packages: TreeLayer, path: Path) -> None:
    """Write the tar of *base* with *packages* in it."""
    with _folder() as folder:
        root = folder / "root"
        (root / "files").mkdir(parents=True)
        _done("tar", "-xf", base.path, "-C", str(root))
        _done("tar", "-xf", packages.path, "-C", f"{root}/files")
        install = (
            "export DEBIAN_FRONTEND=noninteractive; apt-get -qq install -y "
            "--no-install-recommends /files/*.deb && rm -r /files"
        )
        mounts = f'mount -t proc proc "{root}/proc"; mount --rbind /dev "{root}/dev"'
        script = f"{mounts}; exec chroot '{root}' /bin/sh -ec '{install}'"
        _done("unshare", "--mount", "sh", "-ec", script)
        _done("tar", "--sort=name", "-cf", str(path), "-C", str(root), ".")


def _tar(folder: Path, pattern: str, path: Path) -> None:
    with tarfile.open(path, "w") as tar:
        for file in sorted(folder.glob(pattern)):
            # apt's own user has to be able to read it.
            info, data = roots.member(file.name, file.read_bytes())
            tar.addfile(info, io.BytesIO(data))


def _done(*words: str) -> None:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{words[0]}: {(done.stderr or done.stdout).strip()[-500:]}")


@contextmanager
def _folder() -> Iterator[Path]:
    place = Path(mkdtemp(prefix="artificer-bench-"))
    try:
        yield place
    finally:
        _done("rm", "-rf", "--one-file-system", str(place))
