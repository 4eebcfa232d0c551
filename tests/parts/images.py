"""Base images made on the spot, for want of a hub."""

import fcntl
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.parts.commands import found, missing

OCI = "application/vnd.oci.image"
MANIFEST = f"{OCI}.manifest.v1+json"
CONFIG = f"{OCI}.config.v1+json"
LAYER = f"{OCI}.layer.v1.tar+gzip"
INDEX = f"{OCI}.index.v1+json"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CREATED = "2018-01-09T21:10:58.579708634Z"
FOLDERS = ("bin", "dev", "etc", "home", "proc", "root", "sbin", "sys", "tmp", "usr", "var")
OS_RELEASE = """NAME="Artificer's test base"
ID=artificer-tests
VERSION_ID=3.7.0
PRETTY_NAME="Artificer's test base 3.7"
"""
GO = "/usr/lib/go-1.19/pkg"
LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/go-1.19/test/*",
    "/usr/share/go-1.19/src/cmd/*",
    "/usr/bin/*-lto-dump-12",
    "/usr/lib/gcc/*/lto1",
    "/usr/lib/gcc/*/lib?san.*",
    f"{GO}/linux_amd64/cmd/*",
    *(
        f"{GO}/tool/linux_amd64/{name}"
        for name in ("trace", "pprof", "vet", "api", "cover", "doc")
    ),
)
# What programs in Go are linked with: else each build of one would take seconds to compile it.
COMPILED = (
    "export CGO_ENABLED=0 GOCACHE=/tmp/go && cd / && "
    "go install -trimpath $(go list -deps bufio fmt os) && rm -rf /tmp/go"
)
TEXTS = {
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/os-release": OS_RELEASE,
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
}


class Layer(NamedTuple):
    """A layer: its tar, and the same as gzip."""

    tar: bytes
    blob: bytes


class Layout(NamedTuple):
    """An OCI layout on disk, into which images are put."""

    path: Path

    def blob(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        """Store *data*; return its descriptor."""
        digest = hashlib.sha256(data).hexdigest()
        folder = self.path / "blobs" / "sha256"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / digest).write_bytes(data)
        name = f"sha256:{digest}"
        return {"mediaType": media_type, "digest": name, "size": len(data), **more}

    def document(self, document: Mapping[str, Any], media_type: str) -> dict[str, Any]:
        """Store a JSON document; return its descriptor."""
        return self.blob(json.dumps(document, separators=(",", ":")).encode(), media_type)

    def image(self, layer: Layer, *, media_type: str = LAYER, **config: Any) -> dict[str, Any]:
        """Store an image of one layer; return its manifest's descriptor."""
        document = {
            "architecture": "amd64",
            "config": {"Env": [PATH], "Cmd": ["/bin/sh"]},
            "created": CREATED,
            "history": [
                {"created": CREATED, "created_by": "/bin/sh -c #(nop) ADD file:0 in / "},
                {"created": CREATED, "created_by": '#(nop)  CMD ["/bin/sh"]', "empty_layer": True},
            ],
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer.tar)]},
            **config,
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.document(document, CONFIG),
            "layers": [self.blob(layer.blob, media_type)],
        }
        return self.document(manifest, MANIFEST)

    def name(self, descriptor: Mapping[str, Any], tag: str) -> None:
        """Let *tag* be *descriptor*, and complete the layout."""
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        index = self.path / "index.json"
        old = json.loads(index.read_text())["manifests"] if index.exists() else []
        named = {**descriptor, "annotations": {"org.opencontainers.image.ref.name": tag}}
        index.write_text(json.dumps({"schemaVersion": 2, "manifests": [*old, named]}))


class BaseImage(NamedTuple):
    """An image in the open registry, and the layout that it came from."""

    reference: str
    """HOST/library/NAME:TAG, as typed for the registry itself."""
    short: str
    """NAME:TAG, as typed where `registries_conf` maps docker.io to loopback."""
    digest: str
    layout: Path
    tag: str


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def layer_of(tar: bytes, *, level: int = 6) -> Layer:
    """The tar as a layer, the same bytes every time."""
    return Layer(tar, gzip.compress(tar, level, mtime=0))


def busybox_tar() -> bytes:
    """A root filesystem round Debian's static busybox, with all its applets."""
    path = found("busybox")
    data = Path(path).read_bytes()
    if b"/ld-linux" in data[:4096]:
        missing("busybox is not static: apt-get install busybox-static")
    listed = subprocess.run([path, "--list-full"], check=True, capture_output=True, text=True)
    applets = sorted(set(listed.stdout.split()) - {"bin/busybox"})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder in (*FOLDERS, "usr/bin", "usr/sbin"):
            _add(tar, folder, tarfile.DIRTYPE, mode=0o1777 if folder == "tmp" else 0o755)
        _add(tar, "bin/busybox", data=data, mode=0o755)
        for applet in applets:
            if applet.rpartition("/")[0] in {"bin", "sbin", "usr/bin", "usr/sbin"}:
                _add(tar, applet, tarfile.SYMTYPE, link="/bin/busybox", mode=0o777)
        for name, text in TEXTS.items():
            _add(tar, name, data=text.encode())
    return buffer.getvalue()


def _add(
    tar: tarfile.TarFile,
    name: str,
    kind: bytes = tarfile.REGTYPE,
    *,
    data: bytes = b"",
    link: str = "",
    mode: int = 0o644,
) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname, info.mode = kind, len(data), link, mode
    tar.addfile(info, io.BytesIO(data))


def base_layout(folder: Path) -> Layout:
    """The busybox base as `3.7`."""
    layout = Layout(folder)
    layout.name(layout.image(layer_of(busybox_tar())), "3.7")
    return layout


def multi_layout(folder: Path) -> Layout:
    """An index as `1`: linux/amd64, linux/arm64/v8, and an attestation as BuildKit writes it."""
    layout, layer = Layout(folder), layer_of(busybox_tar())
    amd64 = layout.image(layer)
    arm64 = layout.image(
        layer,
        architecture="arm64",
        variant="v8",
        config={"Env": [PATH, "ARCH=arm64"], "Cmd": ["/bin/sh"]},
    )
    members = [
        {**amd64, "platform": {"architecture": "amd64", "os": "linux"}},
        {**arm64, "platform": {"architecture": "arm64", "os": "linux", "variant": "v8"}},
        {
            **_attestation(layout),
            "annotations": {
                "vnd.docker.reference.digest": amd64["digest"],
                "vnd.docker.reference.type": "attestation-manifest",
            },
            "platform": {"architecture": "unknown", "os": "unknown"},
        },
    ]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": members}
    layout.name(layout.document(index, INDEX), "1")
    return layout


def _attestation(layout: Layout) -> dict[str, Any]:
    statement = b'{"_type":"https://in-toto.io/Statement/v0.1","subject":[],"predicate":{}}'
    config = {
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [_digest(statement)]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.document(config, CONFIG),
        "layers": [layout.blob(statement, "application/vnd.in-toto+json")],
    }
    return layout.document(manifest, MANIFEST)


def cache_folder() -> Path:
    """Where things that take long to make are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(base) / "artificer-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other test processes out until the block ends."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def debian_tar() -> Path:
    """A bookworm minbase made by mmdebstrap from this machine's own sources; cached."""
    return _debian("bookworm-minbase")


def tools_tar() -> Path:
    """A bookworm with a compiler for C, Go and Python, and without what nobody needs of them."""
    packages = "gcc,libc6-dev,make,golang-go,python3-minimal"
    left_out = [f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT]
    compiled = f"--customize-hook=chroot \"$1\" sh -c '{COMPILED}'"
    return _debian("bookworm-compiled", f"--include={packages}", *left_out, compiled)


def _debian(name: str, *words: str) -> Path:
    folder = cache_folder()
    path = folder / f"{name}.tar"
    with alone(folder):
        if not path.exists():
            partial = folder / f"partial-{os.getpid()}.tar"
            words = ("--variant=minbase", *words, "bookworm", str(partial), _sources())
            environ = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
            done = subprocess.run(
                [found("mmdebstrap"), *words],
                check=False,
                capture_output=True,
                text=True,
                env=environ,
            )
            if done.returncode:
                partial.unlink(missing_ok=True)
                missing(f"mmdebstrap makes no base here: {done.stderr[-2000:]}")
            partial.rename(path)
    return path


def _sources() -> str:
    """The apt sources of this machine, which know the mirror to use here."""
    names = ("sources.list.d/debian.sources", "sources.list")
    path = next((p for name in names if (p := Path("/etc/apt") / name).exists()), None)
    if path is None:
        missing("no apt sources: a Debian base can only be made on Debian")
    return str(path)


def debian_layout(folder: Path) -> Layout:
    """The Debian base as `bookworm`, compressed once and kept between runs."""
    tar = debian_tar()
    kept = cache_folder() / f"bookworm-layout-{tar.stat().st_mtime_ns}"
    with alone(cache_folder()):
        if not kept.exists():
            partial = Layout(kept.with_name(f"partial-{os.getpid()}"))
            shutil.rmtree(partial.path, ignore_errors=True)
            layer = layer_of(tar.read_bytes(), level=1)
            config = {"Env": [PATH], "Cmd": ["bash"]}
            partial.name(partial.image(layer, config=config), "bookworm")
            partial.path.rename(kept)
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    return Layout(folder)


def tools_layout(folder: Path) -> None:
    """The Debian base with tools as `1`, its layer not compressed."""
    layout, tar = Layout(folder), tools_tar().read_bytes()
    config = {"Env": [PATH], "Cmd": ["bash"]}
    plain = LAYER.removesuffix("+gzip")
    layout.name(layout.image(Layer(tar, tar), media_type=plain, config=config), "1")
