"""Archives of others, unpacked into a directory: tar of any compression, zip, Debian packages."""

import os
import posixpath
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import BinaryIO, NamedTuple

from artificer import limits
from artificer.errors import ArtificerError, Misused
from artificer.layers.archive import Archives
from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry, Span
from artificer.layers.rules import Rules
from artificer.layers.select import TarFile
from artificer.sources.debian.deb import parts_of

_CHUNK = 1 << 18
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.zst", ".tzst")
_AR = (".deb", ".udeb", ".ar")
_ZIPS = (".zip", ".jar", ".war", ".whl", ".aar")


class UnsafeArchive(ArtificerError):
    """A member of an archive would land outside of its directory, or is no file."""


class _Found(NamedTuple):
    """A member: its path without the stripped prefix, and how to write its bytes."""

    path: str
    kind: str
    mode: int
    link: str
    chunks: Callable[[], Iterator[bytes]]


def unpack_archive(
    path: str, directory: str, spool: Callable[[], BinaryIO], *, strip: str = "", kind: str = ""
) -> tuple[str, ...]:
    """Write the files in the archive *path* below *directory*, which exists; list them sorted.

    *kind* is an extension, for an archive whose name has none. *strip* is a directory that every
    member is in; what is elsewhere is left out, as Bazel does. Links must stay below *directory*.
    """
    with ExitStack() as stack:
        found = list(_members(path, kind or os.path.basename(path), spool, stack))
        inside = [member for one in found if (member := _stripped(one, strip)) is not None]
        if not inside:
            tops = sorted({one.path.partition("/")[0] for one in found})
            raise Misused(
                f"{path} has nothing below {strip!r}",
                hint=f"at its top are {', '.join(tops[:10])}" if tops else "it is empty",
            )
        for member in inside:
            _write(member, directory, path)
    return tuple(sorted(one.path for one in inside if one.kind != DIRECTORY))


def _members(
    path: str, name: str, spool: Callable[[], BinaryIO], stack: ExitStack
) -> Iterator[_Found]:
    lower = name.lower().removeprefix(".")
    if lower.endswith(tuple(end.removeprefix(".") for end in _ZIPS)):
        yield from _zip_members(stack.enter_context(_opened_zip(path)), path)
    elif lower.endswith(tuple(end.removeprefix(".") for end in _TARS)):
        archives = Archives(Rules(mtime=None), lambda: stack.enter_context(spool()))
        for entry in archives.entries(TarFile(path)):
            yield _tar_member(entry)
    elif f".{lower}".endswith(_AR):
        yield from _ar_members(path)
    else:
        known = ", ".join((*_TARS, *_ZIPS, *_AR))
        raise Misused(f"{name} is no archive that can be unpacked", hint=f"it may be {known}")


def _ar_members(path: str) -> Iterator[_Found]:
    """The files that a Debian package is made of, as Bazel unpacks one: its tars stay tars."""
    for name, offset, size in parts_of(path):
        if not name or "/" in name or name in {".", ".."}:
            raise UnsafeArchive(f"{path}: a member without a name: {name!r}")
        yield _Found(name, FILE, 0o644, "", _span_chunks(Span(path, offset), size))


def _tar_member(entry: Entry) -> _Found:
    source = entry.source
    chunks = _span_chunks(source, entry.size) if isinstance(source, Span) else lambda: iter(())
    return _Found(entry.path, entry.kind, entry.mode, entry.link, chunks)


def _span_chunks(span: Span, size: int) -> Callable[[], Iterator[bytes]]:
    def chunks() -> Iterator[bytes]:
        with open(span.path, "rb", buffering=0) as file:
            file.seek(span.offset)
            left = size
            while left and (data := file.read(min(left, _CHUNK))):
                left -= len(data)
                yield data

    return chunks


def _opened_zip(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise UnsafeArchive(f"{path}: not a zip archive: {error}") from error


def _zip_members(archive: zipfile.ZipFile, path: str) -> Iterator[_Found]:
    infos = archive.infolist()
    packed = sum(info.compress_size for info in infos)
    size = sum(info.file_size for info in infos)
    if len(infos) > limits.ENTRIES:
        raise UnsafeArchive(f"{path} has more than {limits.ENTRIES} members")
    if size > max(packed * limits.EXPANSION, limits.EXPANSION_FREE):
        raise UnsafeArchive(f"{path} would become {size} bytes, from {packed}: refused")
    for info in infos:
        mode = info.external_attr >> 16
        name = info.filename.rstrip("/")
        if info.is_dir():
            yield _Found(name, DIRECTORY, 0o755, "", lambda: iter(()))
        elif stat.S_ISLNK(mode):
            link = archive.read(info).decode("utf-8", "surrogateescape")
            yield _Found(name, SYMLINK, 0o777, link, lambda: iter(()))
        else:
            permissions = stat.S_IMODE(mode) or 0o644
            yield _Found(name, FILE, permissions, "", _zip_chunks(archive, info, path))


def _zip_chunks(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str
) -> Callable[[], Iterator[bytes]]:
    def chunks() -> Iterator[bytes]:
        try:
            with archive.open(info) as file:
                while data := file.read(_CHUNK):
                    yield data
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise UnsafeArchive(f"{path}: {info.filename}: {error}") from error

    return chunks


def _stripped(member: _Found, strip: str) -> _Found | None:
    prefix = strip.strip("/")
    path = member.path.removeprefix("./")
    if not prefix:
        return member._replace(path=path) if path else None
    if not path.startswith(f"{prefix}/"):
        return None
    link = member.link
    if member.kind == HARDLINK:
        if not link.startswith(f"{prefix}/"):
            return None
        link = link[len(prefix) + 1 :]
    return member._replace(path=path[len(prefix) + 1 :], link=link)


def _write(member: _Found, directory: str, archive: str) -> None:
    target = os.path.join(directory, _safe(member.path, archive))
    if member.kind == DIRECTORY:
        os.makedirs(target, exist_ok=True)
        return
    if member.kind not in {FILE, SYMLINK, HARDLINK}:
        raise UnsafeArchive(f"{archive}: {member.path} is neither a file nor a link")
    os.makedirs(_real_parent(target, directory, archive), exist_ok=True)
    if member.kind == SYMLINK:
        _check_link(member, archive)
        os.symlink(member.link, target)
    elif member.kind == HARDLINK:
        os.link(
            os.path.join(directory, _safe(member.link, archive)), target, follow_symlinks=False
        )
    else:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        fd = os.open(target, flags, 0o755 if member.mode & 0o111 else 0o644)
        with os.fdopen(fd, "wb", buffering=0) as file:
            for chunk in member.chunks():
                file.write(chunk)


def _safe(path: str, archive: str) -> str:
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "\0" in path or len(parts) > limits.DEPTH:
        raise UnsafeArchive(f"{archive}: {path!r} would land outside of its directory")
    return path


def _real_parent(target: str, directory: str, archive: str) -> str:
    """The directory that *target* lies in, which no link may lead out of *directory*."""
    parent = os.path.dirname(target)
    real, root = os.path.realpath(parent), os.path.realpath(directory)
    if real != root and not real.startswith(f"{root}{os.sep}"):
        raise UnsafeArchive(f"{archive}: {target[len(directory) + 1 :]} leads through a link")
    return parent


def _check_link(member: _Found, archive: str) -> None:
    base = posixpath.dirname(member.path)
    landing = posixpath.normpath(posixpath.join(base, member.link))
    if member.link.startswith("/") or landing == ".." or landing.startswith("../"):
        raise UnsafeArchive(f"{archive}: the link {member.path} leads out, to {member.link}")
