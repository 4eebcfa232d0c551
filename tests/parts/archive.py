"""Small Debian archives made on the spot, signed with throw-away keys; and this machine's own."""

import gzip
import hashlib
import io
import lzma
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self

from backports import zstd

from artificer.sources.debian.values import Archive
from tests.parts.archive_server import Served, served
from tests.parts.openpgp import Key, armoured

TIME = 1_700_000_000
"""When every file of every generated package was changed."""


class File(NamedTuple):
    """A member of a package's data: *link* makes it a symbolic link, a path's "/" a directory."""

    data: bytes = b""
    mode: int = 0o644
    link: str = ""
    owner: tuple[int, int] = (0, 0)
    hard: bool = False


class Made(NamedTuple):
    """A package to be made: ``Made("a", files={"usr/bin/a": "#!/bin/sh"}, Depends="b (>= 2)")``.

    *scripts* are texts of maintainer scripts, and of ``triggers``, ``config``, ``shlibs``,
    ``templates``; *fields* are of the control file, in any number.
    """

    name: str
    version: str
    architecture: str
    fields: Mapping[str, str]
    files: Mapping[str, File]
    scripts: Mapping[str, str]
    conffiles: Sequence[str]

    @property
    def file_name(self) -> str:
        """As archives call it."""
        return (
            f"{self.name}_{self.version.partition(':')[2] or self.version}_{self.architecture}.deb"
        )

    @property
    def control(self) -> str:
        known = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": self.architecture,
            "Maintainer": "Nobody <nobody@example.org>",
            "Installed-Size": str(sum(len(file.data) for file in self.files.values()) // 1024),
            "Section": "misc",
            "Priority": "optional",
            "Description": f"{self.name} of the tests\n It does nothing,\n .\n but well.",
        }
        return _stanza({**known, **self.fields})


def made(
    name: str,
    version: str = "1",
    architecture: str = "all",
    *,
    files: Mapping[str, File] | Mapping[str, str] | Mapping[str, File | str] | None = None,
    scripts: Mapping[str, str] | None = None,
    conffiles: Sequence[str] = (),
    **fields: str,
) -> Made:
    """A package. Fields are written ``Pre_Depends="x"``; a text among *files* is its content.

    It has ``usr/share/doc/NAME/copyright`` unless *files* are given.
    """
    kept = {f"usr/share/doc/{name}/copyright": f"{name} is free\n"} if files is None else files
    return Made(
        name,
        version,
        architecture,
        {field.replace("_", "-"): value for field, value in fields.items()},
        {path: _file(value) for path, value in kept.items()},
        dict(scripts or {}),
        tuple(conffiles),
    )


def _file(value: "File | str") -> File:
    if isinstance(value, File):
        return value
    data = value.encode()
    return File(data, 0o755 if data.startswith(b"#!") else 0o644)


def deb_bytes(package: Made, compression: str = "xz") -> bytes:
    """*package* as a .deb; *compression* is gz, xz, zst or nothing."""
    members = {path: file for path, file in package.files.items() if file.data or not file.link}
    sums = "".join(
        f"{hashlib.md5(file.data, usedforsecurity=False).hexdigest()}  {path}\n"
        for path, file in members.items()
        if not path.endswith("/") and f"/{path}" not in package.conffiles
    )
    control = {"control": File(package.control.encode()), "md5sums": File(sums.encode())}
    for name, text in package.scripts.items():
        plain = name in {"triggers", "templates", "shlibs", "symbols"}
        control[name] = File(text.encode(), 0o644 if plain else 0o755)
    if package.conffiles:
        control["conffiles"] = File("".join(f"{path}\n" for path in package.conffiles).encode())
    end = f".{compression}" if compression else ""
    return ar(
        {
            "debian-binary": b"2.0\n",
            f"control.tar{end}": compressed(_tar(control, parents=False), compression),
            f"data.tar{end}": compressed(_tar(package.files, parents=True), compression),
        }
    )


def _tar(files: Mapping[str, File], *, parents: bool) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        seen = {""}
        _add(tar, "./", File(mode=0o755))
        for path, file in files.items():
            parts = path.rstrip("/").split("/")[:-1] if parents else []
            for parent in ("/".join(parts[: at + 1]) for at in range(len(parts))):
                if parent not in seen:
                    _add(tar, f"./{parent}/", File(mode=0o755))
                    seen.add(parent)
            seen.add(path.rstrip("/"))
            mode = 0o755 if path.endswith("/") and file.mode == 0o644 else file.mode
            _add(tar, f"./{path}", file._replace(mode=mode))
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, file: File) -> None:
    info = tarfile.TarInfo(name.rstrip("/"))
    info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
    if file.link:
        info.type = tarfile.LNKTYPE if file.hard else tarfile.SYMTYPE
        info.linkname = file.link
    info.mode, info.mtime, info.size = file.mode, TIME, len(file.data)
    info.uid, info.gid = file.owner
    info.uname = info.gname = "root"
    tar.addfile(info, io.BytesIO(file.data))


def ar(members: Mapping[str, bytes]) -> bytes:
    """The *members*, as `ar` would put them into one file."""
    parts = [b"!<arch>\n"]
    for name, data in members.items():
        parts.append(f"{name:<16}{TIME:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode())
        parts.append(data + b"\n" * (len(data) % 2))
    return b"".join(parts)


def compressed(data: bytes, compression: str) -> bytes:
    """*data* as gz, xz, zst, or as it is."""
    match compression:
        case "gz":
            return gzip.compress(data, mtime=0)
        case "xz":
            return lzma.compress(data, preset=0)
        case "zst":
            return zstd.compress(data)
        case _:
            return data


def _stanza(fields: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


@lru_cache
def signing_key(algorithm: str = "ed25519") -> Key:
    """The key that generated archives are signed with, the same for the whole session."""
    return Key.make(algorithm, created=TIME)


class SmallArchive:
    """An archive in the directory *root*: `add` packages, `publish` suites, then use it.

    `archive()` gives the value for the library, `line()` what sources.list has; `keyring` is the
    path of the public key. `serve` gives the same by loopback http, with a list of requests.
    """

    def __init__(self, root: Path, key: Key | None = None) -> None:
        self.root = root
        self.key = key or signing_key()
        root.mkdir(parents=True, exist_ok=True)
        self.keyring = root / "archive-keyring.asc"
        self.keyring.write_text(armoured(self.key.public()))
        self._stanzas: dict[str, list[dict[str, str]]] = {}

    def add(
        self, *packages: Made, component: str = "main", compression: str = "xz", **fields: str
    ) -> Self:
        """Put *packages* into the pool, for the next `publish`; *fields* are of the index only."""
        for package in packages:
            data = deb_bytes(package, compression)
            path = f"pool/{component}/{package.name[0]}/{package.name}/{package.file_name}"
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            stanza = {
                **dict(_fields(package.control)),
                "Filename": path,
                "Size": str(len(data)),
                "SHA256": hashlib.sha256(data).hexdigest(),
                **fields,
            }
            self._stanzas.setdefault(component, []).append(stanza)
        return self

    def publish(
        self,
        suite: str = "stable",
        *,
        codename: str = "bookworm",
        architectures: Sequence[str] = ("amd64",),
        compressions: Sequence[str] = ("xz", "gz", "zst"),
        by_hash: bool = True,
        signed: Sequence[str] = ("inline", "detached"),
        **fields: str,
    ) -> Self:
        """Write the indexes of all that was added, and sign them; *fields* are of Release."""
        dists = self.root / "dists" / suite
        shutil.rmtree(dists, ignore_errors=True)
        listed: list[str] = []
        for component, stanzas in (self._stanzas or {"main": []}).items():
            for architecture in architectures:
                text = "\n".join(
                    _stanza(stanza)
                    for stanza in stanzas
                    if stanza["Architecture"] in {"all", architecture}
                )
                name = f"{component}/binary-{architecture}/Packages"
                listed += self._indexes(dists, name, text.encode(), compressions, by_hash)
        release = {
            "Origin": "Test",
            "Label": "Test",
            "Suite": suite,
            "Codename": codename,
            "Date": formatdate(TIME, usegmt=True),
            "Acquire-By-Hash": "yes" if by_hash else "no",
            "Architectures": " ".join(architectures),
            "Components": " ".join(self._stanzas or ["main"]),
            **{name.replace("_", "-"): value for name, value in fields.items()},
            "SHA256": "".join(f"\n {line}" for line in listed),
        }
        self.sign(_stanza(release), suite, signed)
        return self

    def sign(
        self, release: str, suite: str = "stable", signed: Sequence[str] = ("inline", "detached")
    ) -> None:
        """Write *release*, as it is, with signatures of the archive's key."""
        dists = self.root / "dists" / suite
        dists.mkdir(parents=True, exist_ok=True)
        (dists / "Release").write_text(release)
        for name in ("InRelease", "Release.gpg"):
            (dists / name).unlink(missing_ok=True)
        if "inline" in signed:
            (dists / "InRelease").write_text(self.key.cleartext(release))
        if "detached" in signed:
            signature = armoured(self.key.detached(release.encode()), "SIGNATURE")
            (dists / "Release.gpg").write_text(signature)

    def flat(self, *packages: Made, folder: str = ".") -> Self:
        """Publish *packages* as a flat archive: `deb file:… ./`."""
        place = self.root / folder
        place.mkdir(parents=True, exist_ok=True)
        stanzas = []
        for package in packages:
            data = deb_bytes(package)
            (place / package.file_name).write_bytes(data)
            more = {
                "Filename": f"./{package.file_name}",
                "Size": str(len(data)),
                "SHA256": hashlib.sha256(data).hexdigest(),
            }
            stanzas.append(_stanza({**dict(_fields(package.control)), **more}))
        index = "\n".join(stanzas).encode()
        (place / "Packages").write_bytes(index)
        digest = hashlib.sha256(index).hexdigest()
        release = {"Origin": "Flat", "SHA256": f"\n {digest} {len(index)} Packages"}
        (place / "Release").write_text(_stanza(release))
        (place / "InRelease").write_text(self.key.cleartext(_stanza(release)))
        return self

    def archive(self, suite: str = "stable", *components: str, uri: str = "") -> Archive:
        """The value for the library; by `file:` unless *uri* is where it is served."""
        parts = () if suite.endswith("/") else components or ("main",)
        return Archive(uri or f"file://{self.root}", suite, parts, signed_by=(str(self.keyring),))

    def line(self, suite: str = "stable", *components: str, uri: str = "") -> str:
        """The same as a line of sources.list."""
        words = " ".join(components or ("main",))
        return f"deb [signed-by={self.keyring}] {uri or f'file://{self.root}'} {suite} {words}"

    @contextmanager
    def serve(self) -> Iterator[Served]:
        """Serve it on loopback, with Range and ETag, until the block ends."""
        with served(self.root) as place:
            yield place

    @staticmethod
    def _indexes(
        dists: Path, name: str, data: bytes, compressions: Sequence[str], by_hash: object
    ) -> Iterator[str]:
        yield _listed(name, data)
        for compression in compressions:
            packed = compressed(data, compression)
            path = dists / (f"{name}.{compression}" if compression else name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(packed)
            if by_hash:
                hashed = path.parent / "by-hash/SHA256" / hashlib.sha256(packed).hexdigest()
                hashed.parent.mkdir(parents=True, exist_ok=True)
                hashed.write_bytes(packed)
            if compression:
                yield _listed(f"{name}.{compression}", packed)


def _listed(name: str, data: bytes) -> str:
    return f"{hashlib.sha256(data).hexdigest()} {len(data)} {name}"


def _fields(control: str) -> Iterator[tuple[str, str]]:
    name, lines = "", list[str]()
    for line in control.splitlines():
        if line[0] == " ":
            lines.append(line)
            continue
        if name:
            yield name, "\n".join(lines)
        name, _, value = line.partition(": ")
        lines = [value]
    yield name, "\n".join(lines)
