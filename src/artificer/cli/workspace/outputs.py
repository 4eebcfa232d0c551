"""Files below ``artificer-bin``: written when they are other ones, and never half."""

import hashlib
import json
import os
import secrets
import shutil
from argparse import Namespace
from typing import Any, NamedTuple

from artificer.builder.products import File, Files
from artificer.errors import ArtificerError, reason
from artificer.events import Report, Warned
from artificer.oci.digest import Digest

_BOOK = "outputs.json"


class BadOutput(ArtificerError):
    """An output that cannot be written where its name says."""


class OutputPlace(NamedTuple):
    """Where outputs are kept (*base*), and the *link* to them in the workspace, if any."""

    base: str
    link: str | None

    @property
    def bin(self) -> str:
        """The directory that the link points to."""
        return f"{self.base}/bin"


def place_of_outputs(root: str, store: str, args: Namespace) -> OutputPlace:
    """Where the outputs of the workspace at *root* go."""
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:32]
    base = os.path.abspath(args.output_base) if args.output_base else f"{store}/outputs/{name}"
    prefix = args.symlink_prefix or "artificer-"
    return OutputPlace(base, None if prefix == "/" else os.path.join(root, f"{prefix}bin"))


class Outputs:
    """A handle on the outputs of a workspace. `finish` keeps what is known of them."""

    def __init__(self, place: OutputPlace) -> None:
        self.place = place
        self._book: dict[str, list[Any]] = _read(f"{place.base}/{_BOOK}")
        self._changed = False

    def put(self, name: str, file: File) -> str:
        """Have *file* as *name*; the path of it."""
        path = self._path(name)
        if file.kind != "file":
            self._unlink_above(name)
            put_other(file, path)
            return path
        identity = f"{file.digest}{'+x' if file.executable else ''}"
        if not self._is_there(name, path, identity):
            self._unlink_above(name)
            copy(file.path, path, executable=file.executable)
            self._wrote(name, path, identity)
        return path

    def write(self, name: str, data: bytes, *, executable: bool = False) -> str:
        """Have *data* as *name*; the path of it."""
        path = self._path(name)
        identity = f"{Digest.of(data)}{'+x' if executable else ''}"
        if not self._is_there(name, path, identity):
            self._unlink_above(name)
            with _fresh(path) as file:
                file.write(data)
                os.fchmod(file.fileno(), 0o755 if executable else 0o644)
            self._wrote(name, path, identity)
        return path

    def finish(self, report: Report) -> None:
        """Keep what was written, and link to it from the workspace."""
        if self._changed:
            data = json.dumps(self._book, separators=(",", ":")).encode()
            with _fresh(f"{self.place.base}/{_BOOK}") as file:
                file.write(data)
        self._link(report)

    def _link(self, report: Report) -> None:
        link = self.place.link
        if link is None or (os.path.islink(link) and os.readlink(link) == self.place.bin):
            return
        if os.path.exists(link) and not os.path.islink(link):
            report(Warned(f"{link} is in the way of the link to {self.place.bin}"))
            return
        fresh = f"{link}.{secrets.token_hex(4)}"
        try:
            os.symlink(self.place.bin, fresh)
            os.replace(fresh, link)
        except OSError as error:
            report(Warned(f"no {link}: {reason(error)}", f"outputs are in {self.place.bin}"))

    def _path(self, name: str) -> str:
        if name.startswith("/") or ".." in name.split("/"):
            raise BadOutput(f"an output that is not below its package: {name}")
        return f"{self.place.bin}/{name}"

    def _unlink_above(self, name: str) -> None:
        """Remove links of earlier outputs where directories of *name* are to be."""
        parts = name.split("/")
        for count in range(1, len(parts)):
            path = f"{self.place.bin}/{'/'.join(parts[:count])}"
            if os.path.islink(path):
                os.unlink(path)

    def _is_there(self, name: str, path: str, identity: str) -> bool:
        known = self._book.get(name)
        if known is None or known[0] != identity:
            return False
        try:
            status = os.stat(path)
        except OSError:
            return False
        return known[1:] == [status.st_size, status.st_mtime_ns]

    def _wrote(self, name: str, path: str, identity: str) -> None:
        status = os.stat(path)
        self._book[name] = [identity, status.st_size, status.st_mtime_ns]
        self._changed = True


def copy(source: str, path: str, *, executable: bool) -> None:
    """Make *path* a copy of *source*, whole or not at all."""
    with open(source, "rb") as file, _fresh(path) as made:
        shutil.copyfileobj(file, made, 1 << 20)
        os.fchmod(made.fileno(), 0o755 if executable else 0o644)


def put_other(file: File, path: str) -> None:
    """Have *file*, a link or an empty directory, at *path*."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if file.kind == "directory":
        if os.path.islink(path) or os.path.isfile(path):
            os.unlink(path)
        os.makedirs(path, exist_ok=True)
        return
    with open(file.path, "rb") as opened:
        link = opened.read()
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    fresh = f"{path}.{secrets.token_hex(4)}.tmp"
    os.symlink(link, os.fsencode(fresh))
    os.replace(fresh, path)


class _fresh:  # noqa: N801 - used as a function
    """A file that takes the place of *path* at the end."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._new = f"{path}.{secrets.token_hex(4)}.tmp"

    def __enter__(self) -> Any:
        folder = os.path.dirname(self._path)
        try:
            os.makedirs(folder, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise BadOutput(
                f"{folder} is a file of an earlier build",
                hint="`artificer clean` removes all outputs",
            ) from error
        if os.path.isdir(self._path) and not os.path.islink(self._path):
            shutil.rmtree(self._path)
        self._file = open(self._new, "wb")
        return self._file

    def __exit__(self, kind: object, *error: object) -> None:
        self._file.close()
        if kind is None:
            os.replace(self._new, self._path)
        else:
            os.unlink(self._new)


def _read(path: str) -> dict[str, list[Any]]:
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def tree_of(files: Files, folder: str) -> str:
    """A directory below *folder* that has *files*, made once for the same files."""
    rows = "\n".join(f"{one.short}\0{one.digest}\0{one.executable}" for one in files.files)
    path = f"{folder}/{hashlib.sha256(os.fsencode(rows)).hexdigest()[:32]}"
    if os.path.isdir(path):
        return path
    building = f"{path}.{secrets.token_hex(4)}"
    try:
        os.makedirs(building)
        for one in files.files:
            copy(one.path, f"{building}/{one.short}", executable=one.executable)
        os.rename(building, path)
    except OSError:
        # Another build was faster.
        if not os.path.isdir(path):
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return path
