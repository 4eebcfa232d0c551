"""The base image: 40 MB of Debian, or a heap of this machine's programs of that weight."""

import hashlib
import io
import json
import shutil
import tarfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.contents import MIB, programs
from tests.parts import images

TAG = "bookworm"
LARGE = 300_000_000
NAME = "base"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Debian's own slim images go without these too.
LEFT_OUT = ("./usr/share/doc/", "./usr/share/locale/", "./usr/share/man/")


def base_layout(cache: Path) -> Path:
    """An OCI layout with the base as `TAG`, kept in *cache*: compressing it takes a while."""
    return _layout(cache / "base", lambda: _debian() or _programs(105 * MIB))


def large_layout(cache: Path) -> Path:
    """Another base, of 300 MB before compression."""
    return _layout(cache / "large", _large)


def _layout(folder: Path, tar: Callable[[], bytes]) -> Path:
    if not (folder / "index.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        layer = images.layer_of(tar())
        layout = images.Layout(folder)
        layout.name(layout.image(layer, config={"Env": [PATH], "Cmd": ["bash"]}), TAG)
    return folder


def _debian() -> bytes | None:
    try:
        path = images.debian_tar()
    except (pytest.skip.Exception, pytest.fail.Exception):
        return None
    buffer = io.BytesIO()
    with tarfile.open(path) as whole, tarfile.open(fileobj=buffer, mode="w") as slim:
        for member in whole:
            if not f"./{member.name.removeprefix('./')}".startswith(LEFT_OUT):
                slim.addfile(member, whole.extractfile(member) if member.isreg() else None)
    return buffer.getvalue()


def _large() -> bytes:
    debian = _debian() or b""
    return _programs(LARGE - len(debian), debian)


def _programs(size: int, before: bytes = b"") -> bytes:
    buffer = io.BytesIO(before)
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        for number, (name, data) in enumerate(programs(size)):
            info = tarfile.TarInfo(f"usr/lib/{number}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def publish(folder: Path, host: str) -> str:
    """Push the layout's image to the registry at *host*; return its name there."""
    index = json.loads((folder / "index.json").read_text())
    descriptor = index["manifests"][0]
    data = _blob(folder, descriptor)
    manifest = json.loads(data)
    url = f"http://{host}/v2/{NAME}"
    for blob in (manifest["config"], *manifest["layers"]):
        with _request("POST", f"{url}/blobs/uploads/", b"") as answer:
            location = answer.headers["Location"]
        _request("PUT", f"{location}&digest={blob['digest']}", _blob(folder, blob)).close()
    _request("PUT", f"{url}/manifests/1", data, descriptor["mediaType"]).close()
    return f"{host}/{NAME}:1"


def _blob(folder: Path, descriptor: dict[str, Any]) -> bytes:
    data = folder.joinpath("blobs", *descriptor["digest"].split(":")).read_bytes()
    if hashlib.sha256(data).hexdigest() != descriptor["digest"].partition(":")[2]:
        raise ValueError(f"{folder} is damaged: remove it")
    return data


def _request(method: str, url: str, data: bytes, kind: str = "application/octet-stream") -> Any:
    headers = {"Content-Type": kind}
    return urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method))
