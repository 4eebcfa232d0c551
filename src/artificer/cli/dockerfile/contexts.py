"""Contexts of Dockerfile builds, opened: whatever they are, they come to a directory."""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from artificer import limits
from artificer.builder.staged.contexts import Directory, NoContext
from artificer.cli.dockerfile.names import DOCKERFILES, ignore_files, is_remote
from artificer.cli.words import text_file
from artificer.errors import Misused
from artificer.http.request import redacted
from artificer.layers.patterns import ignore_lines
from artificer.sources.git_reference import is_git_reference, parse_git_reference
from artificer.store.lock import LOCKS, lock_shared

if TYPE_CHECKING:
    from artificer.sources.git import Git
    from artificer.sources.url import Web

_CHUNK = 1 << 18
_HEAD = 512


class NoDockerfile(Misused):
    """There is no Dockerfile where one was looked for."""


class Words(NamedTuple):
    """What the command line says: where the *context* is, and the Dockerfile in or beside it."""

    context: str
    file: str | None = None
    ignore_file: str | None = None
    below: str | None = None


class Opened(NamedTuple):
    """A context, and its Dockerfile: what it says, and as what errors name it."""

    files: Directory
    text: bytes
    name: str


class Opener:
    """A handle that opens contexts; what it unpacked is gone when it is closed."""

    def __init__(
        self, folder: str, stdin: BinaryIO, web: "Callable[[], Web]", git: "Callable[[], Git]"
    ) -> None:
        self._folder = folder
        self._stdin = stdin
        self._web = web
        self._git = git
        self._made: dict[str, int | None] = {}
        self._read = ""

    def close(self) -> None:
        """Remove what was unpacked."""
        if not self._made:
            return
        import shutil

        while self._made:
            path, descriptor = self._made.popitem()
            shutil.rmtree(path, ignore_errors=True)
            if descriptor is not None:
                os.close(descriptor)

    def open(self, words: Words) -> Opened:
        """The context and the Dockerfile that *words* name."""
        if words.context == "-" and words.file == "-":
            raise Misused(
                "standard input cannot be the context and the Dockerfile",
                hint="name the context: `artificer build -f - DIR`",
            )
        place = words.context
        if place == "-":
            return self._streamed(self._from_stdin("a context"), words, "standard input")
        if is_git_reference(place):
            return self._inside(self._checked_out(place), words, normal=True)
        if is_remote(place):
            return self._streamed(self._fetched(place), words, redacted(place))
        if os.path.isfile(place):
            return self._streamed(_chunks(place), words, place)
        return self._local(_directory(place), words)

    def files(self, place: str, name: str) -> Directory:
        """The files of a context called *name*, which needs no Dockerfile."""
        if is_git_reference(place):
            return Directory(self._checked_out(place), normal=True)
        if not is_remote(place) and not os.path.isfile(place):
            directory = _directory(place)
            return Directory(directory, _ignored(ignore_files(None, directory)))
        chunks = self._fetched(place) if is_remote(place) else _chunks(place)
        head, chunks = _begun(chunks)
        if not _is_archive(head):
            raise NoContext(
                f"--build-context {name}: {redacted(place)} is neither a directory nor an archive"
            )
        return Directory(self._unpacked(chunks, redacted(place)))

    def _from_stdin(self, what: str) -> Iterator[bytes]:
        if self._read:
            raise Misused(f"standard input cannot be {self._read} and {what}")
        self._read = what
        if self._stdin.isatty():
            raise Misused(
                f"standard input is a terminal, where {what} should come from",
                hint="redirect it: `artificer build - < FILE`",
            )
        return iter(lambda: self._stdin.read(_CHUNK), b"")

    def _fetched(self, url: str) -> Iterator[bytes]:
        from artificer.cli.dockerfile.archive import download

        return download(url, self._web())

    def _checked_out(self, text: str) -> str:
        from artificer.sources.git import checkout, subdirectory

        reference = parse_git_reference(text)
        return subdirectory(checkout(reference, self._git()), reference)

    def _streamed(self, chunks: Iterable[bytes], words: Words, shown: str) -> Opened:
        """What came as one stream: an archive, or a Dockerfile alone."""
        head, chunks = _begun(chunks)
        if _is_archive(head):
            return self._inside(self._unpacked(chunks, shown), words)
        if os.path.isfile(words.context):
            raise NoContext(
                f"{words.context} is neither a directory nor an archive",
                hint=f"a Dockerfile is named by -f: `artificer build -f {words.context} .`",
            )
        if words.file is not None:
            raise Misused(
                f"{shown} is a Dockerfile, and -f names another",
                hint=f"send an archive: `tar c . | artificer build -f {words.file} -`",
            )
        return Opened(Directory(self._fresh()), _text(chunks, shown), shown)

    def _unpacked(self, chunks: Iterable[bytes], shown: str) -> str:
        from artificer.cli.dockerfile.archive import unpack

        path = self._fresh()
        unpack(chunks, path, shown)
        return path

    def _fresh(self) -> str:
        path = os.path.join(self._folder, f"context-{secrets.token_hex(8)}")
        os.mkdir(path, 0o700)
        # A prune takes what nobody holds: what a build left that was killed.
        self._made[path] = descriptor = os.open(path, os.O_RDONLY) if LOCKS else None
        if descriptor is not None:
            lock_shared(descriptor)
        return path

    def _inside(self, directory: str, words: Words, *, normal: bool = False) -> Opened:
        """A context that came from elsewhere: its Dockerfile is in it, and no link leads out."""
        directory = _below(directory, words.below)
        ignored = _ignored((words.ignore_file,) if words.ignore_file else ())
        files = Directory(directory, ignored, normal)
        if words.file == "-":
            text = _text(self._from_stdin("a Dockerfile"), "standard input")
            return Opened(files, text, "Dockerfile")
        names = (words.file,) if words.file is not None else DOCKERFILES
        for name in names:
            path = os.path.realpath(os.path.join(directory, name.lstrip("/")))
            inside = path.startswith(f"{os.path.realpath(directory)}{os.sep}")
            if inside and os.path.isfile(path):
                return Opened(files, _text(_chunks(path), name), name)
        raise _missing(words.context, words.file, directory)

    def _local(self, context: str, words: Words) -> Opened:
        directory = _below(context, words.below)
        if words.file == "-":
            text, path = _text(self._from_stdin("a Dockerfile"), "standard input"), None
        else:
            path = _dockerfile(directory, words)
            text = _text(_chunks(path), path)
        places = (words.ignore_file,) if words.ignore_file else ignore_files(path, directory)
        if words.ignore_file and not os.path.isfile(words.ignore_file):
            raise Misused(
                f"--ignorefile: there is no {words.ignore_file}",
                hint="it is relative to where you are, not to the context",
            )
        return Opened(Directory(directory, _ignored(places)), text, path or "Dockerfile")


def _is_archive(head: bytes) -> bool:
    from artificer.cli.dockerfile.archive import is_archive

    return is_archive(head)


def _begun(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes of *chunks*, and all of them."""
    rest, head = iter(chunks), b""
    while len(head) < _HEAD and (more := next(rest, b"")):
        head += more
    return head, chain((head,), rest)


def _chunks(path: str) -> Iterator[bytes]:
    try:
        with open(path, "rb", buffering=0) as file:
            while data := file.read(_CHUNK):
                yield data
    except OSError as error:
        raise NoContext(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error


def _text(chunks: Iterable[bytes], shown: str) -> bytes:
    """All of a Dockerfile."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > limits.DOCKERFILE_BYTES:
            raise NoDockerfile(f"{shown} is longer than {limits.DOCKERFILE_BYTES} bytes")
    return bytes(data)


def _directory(place: str) -> str:
    if os.path.isdir(place):
        return place
    if not os.path.lexists(place):
        raise NoContext(f"there is no {place}", hint="a context is a directory, mostly `.`")
    raise NoContext(f"{place} is no directory")


def _below(directory: str, below: str | None) -> str:
    if below is None:
        return directory
    path = os.path.realpath(os.path.join(directory, below.lstrip("/")))
    if not f"{path}/".startswith(f"{os.path.realpath(directory).rstrip('/')}/"):
        raise Misused(
            f"--context-sub-path {below} leads out of the context",
            hint="it is relative to the context's root",
        )
    if not os.path.isdir(path):
        raise NoContext(
            f"--context-sub-path: the context has no directory {below}",
            hint="it is relative to the context's root",
        )
    return path


def _dockerfile(directory: str, words: Words) -> str:
    """Where the Dockerfile of a local context is; it may be outside of it."""
    if words.file is None:
        for name in DOCKERFILES:
            if os.path.isfile(path := os.path.join(directory, name)):
                return path
        raise _missing(words.context, None, directory)
    if is_remote(words.file):
        raise Misused(
            f"-f {redacted(words.file)}: a Dockerfile is read from the disk, or from `-`",
            hint=f"`curl -fsSL {redacted(words.file)} | artificer build -f - {words.context}`",
        )
    path = words.file
    if os.path.isdir(path):
        path = os.path.join(path, "Dockerfile")
    if not os.path.isfile(path) and not os.path.exists(path):
        raise _missing(words.context, words.file, directory)
    return path


def _missing(context: str, file: str | None, directory: str) -> NoDockerfile:
    if file is None:
        return NoDockerfile(
            f"there is no Dockerfile in {context}",
            hint="`-f FILE` says where it is; without one, `artificer -b BASE -f FILE… -t TARGET` "
            "builds an image in one line",
        )
    if os.path.isfile(there := os.path.join(directory, file)):
        return NoDockerfile(f"there is no Dockerfile {file}", hint=f"there is `-f {there}`")
    return NoDockerfile(f"there is no Dockerfile {file}", hint="`-f` is relative to where you are")


def _ignored(places: Iterable[str]) -> tuple[str, ...]:
    """The patterns of the first of *places* that is there."""
    for path in places:
        if os.path.isfile(path):
            return tuple(ignore_lines(text_file(path, "ignore file")))
    return ()
