"""Which file to change: a small one in the largest layer that a build pushed."""

import gzip
import json
import shutil
import tarfile
import urllib.request
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MANIFESTS = f"{MANIFEST}, application/vnd.docker.distribution.manifest.v2+json"
SMALL = range(500, 5000)


def small_file_in_largest_layer(host: str, repository: str, folder: Path) -> str | None:
    """A file of *folder* in the largest layer that has a small one; None if no layer has."""
    url = f"http://{host}/v2/{repository}"
    layers = _manifest(f"{url}/manifests/1")["layers"]
    for layer in sorted(layers, key=lambda layer: -int(layer["size"])):
        small = [name for name in _names(url, layer) if _is_small(folder / name)]
        if small:
            return sorted(small)[len(small) // 2]
    return None


def _is_small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size in SMALL


def _manifest(url: str) -> Any:
    request = urllib.request.Request(url, headers={"Accept": MANIFESTS})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def _names(url: str, layer: dict[str, Any]) -> list[str]:
    if not layer["mediaType"].endswith("gzip"):
        return []
    with TemporaryFile() as file:
        with urllib.request.urlopen(f"{url}/blobs/{layer['digest']}") as answer:
            shutil.copyfileobj(answer, file)
        file.seek(0)
        return _regular(file)


def _regular(file: IO[bytes]) -> list[str]:
    # tarfile reads only the first member of a gzip stream.
    with gzip.open(file) as inflated, tarfile.open(fileobj=inflated, mode="r|") as tar:
        return [member.name for member in tar if member.isreg()]
