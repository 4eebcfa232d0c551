"""What rules_distroless makes out of packages' files: certificates, locales, lists of packages."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import BinaryIO

from artificer import limits
from artificer.builder.package_targets import Certificates, Controls, KeyStore, TarPart
from artificer.builder.products import File, Files
from artificer.builder.task import Task, WrongInput
from artificer.errors import ArtificerError
from artificer.layers.archive import Archives
from artificer.layers.encode import encoder
from artificer.layers.entry import DIRECTORY, FILE, Entry
from artificer.layers.parents import outer
from artificer.layers.rules import Rules
from artificer.layers.select import TarFile
from artificer.layers.write import write_layer
from artificer.oci.digest import Digest
from artificer.sources.certificates import Certificate, certificates_in
from artificer.sources.debian.deb import (
    Package,
    PieceNames,
    is_package,
    read_control,
    read_deb,
    status_entries,
)
from artificer.sources.debian.equivalents.keystore import key_store as store_of
from artificer.sources.debian.installing.unpack import bytes_of

_CERTIFICATES = "usr/share/ca-certificates"
_STATUS = "var/lib/dpkg/status"
_INSTALLED = b"Status: install ok installed\n"


def tar_part(target: TarPart, task: Task) -> Files:
    """The part of an archive that *target* names, with the directories above it."""
    file = task.file(target.archive)
    with ExitStack() as spools:
        entries = _entries(file, task, spools)
        kept: set[str] = set()
        for path in target.paths:
            found = {one.path for one in entries if f"{one.path}/".startswith(f"{path}/")}
            if not found:
                raise _missing(file, path, entries)
            kept |= found
        above = {folder for path in kept for folder in outer(path)}
        part = [
            one
            for one in entries
            if one.path in kept or (one.kind == DIRECTORY and one.path in above)
        ]
        return _file(_tar(part, task), target.name, task)


def _missing(file: File, path: str, entries: Iterable[Entry]) -> WrongInput:
    folder = path.rpartition("/")[0]
    beside = sorted(
        one.path.rpartition("/")[2] for one in entries if one.path.rpartition("/")[0] == folder
    )
    hint = f"/{folder} has {', '.join(beside[:10])}" if beside else None
    return WrongInput(f"{file.short} has no /{path}", hint=hint)


def certificates(target: Certificates, task: Task) -> Files:
    """All certificates that a package has, in the order of their paths."""
    file = task.file(target.package)
    with ExitStack() as spools:
        found = [
            one
            for one in _entries(file, task, spools)
            if one.kind == FILE and one.path.startswith(f"{_CERTIFICATES}/")
        ]
        if not found:
            raise WrongInput(
                f"{file.short} has no certificates below /{_CERTIFICATES}",
                hint="name the data of the package ca-certificates",
            )
        if sum(one.size for one in found) > limits.KEYRING_BYTES:
            raise WrongInput(f"{file.short} has more than any bundle of certificates")
        found.sort(key=lambda one: one.path.split("/"))
        parts = (b"".join(bytes_of(one)) for one in found)
        data = b"".join(one if one.endswith(b"\n") else one + b"\n" for one in parts)
        return _file(task.reach.store.put(data), target.name, task)


def key_store(target: KeyStore, task: Task) -> Files:
    """A key store of the certificates in some files."""
    found: list[Certificate] = []
    for source in target.certificates:
        for file in task.files(source):
            with open(file.path, "rb") as opened:
                data = opened.read(limits.KEYRING_BYTES + 1)
            found += certificates_in(data, file.short)
    if sum(len(one.der) for one in found) > limits.KEYRING_BYTES:
        raise WrongInput(f"{task.label}: more certificates than any key store has")
    return _file(task.reach.store.put(store_of(found)), target.name, task)


def controls(target: Controls, task: Task) -> Files:
    """What packages are known by, as dpkg's status or in status.d."""
    found = [(file, _control(file)) for source in target.controls for file in task.files(source)]
    if target.package:
        return _file(_tar(_pieces(target, found), task), target.name, task)
    data = b"".join(_stanza(one) for file, one in found if not is_package(file.path))
    status = Entry(_STATUS, FILE, 0o644, 0, 0, len(data), 0, "", data)
    names = PieceNames()
    pieces = [
        entry
        for file, one in found
        if is_package(file.path)
        for entry in status_entries(one, 0, names.of(one))
    ]
    return _file(_tar([status, *pieces] if data else pieces, task), target.name, task)


def _pieces(target: Controls, found: Sequence[tuple[File, Package]]) -> list[Entry]:
    if len(found) != 1:
        raise WrongInput(f"{target.package}: {len(found)} control archives where one is needed")
    return list(status_entries(found[0][1], 0, target.package))


def _control(file: File) -> Package:
    try:
        return read_control(file.path)
    except ArtificerError as error:
        raise WrongInput(error.message.replace(file.path, file.short), hint=error.hint) from error


def _stanza(package: Package) -> bytes:
    first, _, rest = package.control.strip(b"\n").partition(b"\n")
    return b"".join((first, b"\n", _INSTALLED, rest, b"\n\n"))


def _entries(file: File, task: Task, spools: ExitStack) -> Sequence[Entry]:
    """The files of a tar, or of a package."""

    def spool() -> BinaryIO:
        return spools.enter_context(task.reach.store.spool())

    try:
        if is_package(file.path):
            return read_deb(file.path, spool).entries
        return Archives(Rules(mtime=None), spool).entries(TarFile(file.path))
    except ArtificerError as error:
        raise WrongInput(error.message.replace(file.path, file.short), hint=error.hint) from error


def _tar(entries: Sequence[Entry], task: Task) -> Digest:
    whole = [*entries]
    named = {one.path for one in whole if one.kind == DIRECTORY}
    above = dict.fromkeys(folder for one in whole for folder in outer(one.path))
    made = [
        Entry(path, DIRECTORY, 0o755, 0, 0, 0, 0, "", None) for path in above if path not in named
    ]
    store = task.reach.store
    return write_layer([*made, *whole], encoder("none"), store, stop=task.reach.stop).digest


def _file(digest: Digest, name: str, task: Task) -> Files:
    return Files((File(task.reach.store.blob_path(digest), task.below(name), digest),))
