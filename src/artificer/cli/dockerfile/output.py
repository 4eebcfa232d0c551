"""Where a Dockerfile build's image goes: ``-t``, ``--push``, ``--load`` and ``-o``, as values."""

import os
from argparse import Namespace
from typing import NamedTuple

from artificer.cli.dockerfile.words import fields, told
from artificer.errors import Misused
from artificer.oci.media import Format
from artificer.oci.reference import (
    DockerArchive,
    Layout,
    Named,
    OciArchive,
    Reference,
    parse_name,
    parse_reference,
)

_TRANSPORTS = (
    "docker",
    "oci",
    "oci-archive",
    "docker-archive",
    "docker-daemon",
    "store",
    "rootfs",
)
_KINDS = ("local", "tar", "oci", "docker", "image", "registry", "cacheonly")
_USUAL = {"unpack": ("false",), "store": ("true",), "platform-split": ("true",)}
"""What may be said of an output because it is so anyway."""
_YES, _NO = frozenset({"", "1", "true"}), frozenset({"0", "false"})


class Outputs(NamedTuple):
    """Where it goes: places for images, directories and tars for files (``-`` is stdout)."""

    references: tuple[Reference, ...] = ()
    loaded: tuple[Named, ...] = ()
    directories: tuple[str, ...] = ()
    tars: tuple[str, ...] = ()
    format: Format | None = None
    compression: str | None = None
    level: int | None = None


class _Found:
    """What is gathered from the options, one after the other."""

    def __init__(self, args: Namespace) -> None:
        self.names: list[str] = list(args.tag)
        self.push: bool = args.push
        self.load: bool = args.load
        self.references: list[Reference] = []
        self.directories: list[str] = []
        self.tars: list[str] = []
        self.format: Format | None = args.format
        self.compression: str | None = args.compression
        self.level: int | None = args.compression_level


def outputs_of(args: Namespace) -> Outputs:
    """What the options say; a place that makes no sense is refused before anything is built."""
    found = _Found(args)
    for text in args.output:
        _read(text, found)
    names = [one for text in found.names for one in text.split(",") if one]
    plain = [one for one in names if not _has_transport(one)]
    placed = [parse_reference(one) for one in names if _has_transport(one)]
    if found.push and not plain and not any(isinstance(one, Named) for one in placed):
        raise Misused("--push, but no name of a registry", hint="add `-t REGISTRY/NAME:TAG`")
    if found.load and not plain:
        raise Misused("--load, but the image has no name", hint="add `-t NAME`")
    references = [*map(_pushed if found.push else _stored, plain), *placed, *found.references]
    if (
        any(isinstance(one, Layout | OciArchive) for one in references)
        and found.format != "docker"
    ):
        found.format = "oci"
    if found.tars.count("-") > 1:
        raise Misused(
            "two outputs to standard output", hint="name a file: `-o type=tar,dest=FILE`"
        )
    return Outputs(
        tuple({str(one): one for one in references}.values()),
        tuple(map(parse_name, plain)) if found.load else (),
        tuple(found.directories),
        tuple(found.tars),
        found.format,
        found.compression,
        found.level,
    )


def _has_transport(name: str) -> bool:
    transport, colon, rest = name.partition(":")
    if not colon or transport not in _TRANSPORTS:
        return False
    # `store:1.0` without a path could be a name and its tag: as everywhere, the transport wins.
    return transport != "docker" or rest.startswith("//")


def _pushed(name: str) -> Reference:
    return parse_name(name)


def _stored(name: str) -> Reference:
    parse_name(name)
    return parse_reference(f"store:{name}")


def _read(text: str, found: _Found) -> None:
    """Add what one ``-o`` says."""
    if "=" not in text:
        # docker's short form: a directory, or `-` for a tar on standard output.
        (found.tars if text == "-" else found.directories).append(text)
        return
    given = fields(text, "--output")
    kind = given.pop("type", "local" if "dest" in given else "")
    if kind not in _KINDS:
        raise Misused(f"-o {text}: no such type: {kind!r}", hint=f"one of {told(_KINDS)}")
    dest = given.pop("dest", None)
    _common(given, text, found)
    names = [one for one in given.pop("name", "").split(",") if one]
    if kind in {"local", "tar"}:
        _files(kind, dest, text, found)
    elif kind in {"oci", "docker"}:
        _archive(kind, dest, names, given, found)
    else:
        found.names.extend(names)
        found.push = found.push or kind == "registry" or _true(given.pop("push", "false"), text)
    for key, value in given.items():
        if value.lower() not in _USUAL.get(key, ()):
            raise Misused(
                f"-o {text}: {key}={value} is refused: it has no meaning here",
                hint=f"leave {key} out",
            )


def _common(given: dict[str, str], text: str, found: _Found) -> None:
    """What is said of the image, wherever it goes."""
    kind = given.pop("compression", None)
    if kind is not None:
        if kind not in {"gzip", "zstd"}:
            raise Misused(f"-o {text}: compression {kind} is refused", hint="gzip or zstd")
        found.compression = kind
    level = given.pop("compression-level", None)
    if level is not None:
        if not level.isdecimal():
            raise Misused(f"-o {text}: compression-level is a number")
        found.level = int(level)
    oci = given.pop("oci-mediatypes", None)
    if oci is not None:
        found.format = "oci" if _true(oci, text) else "docker"


def _files(kind: str, dest: str | None, text: str, found: _Found) -> None:
    if kind == "local":
        if not dest or dest == "-":
            raise Misused(f"-o {text}: it needs a directory", hint="write type=local,dest=DIR")
        found.directories.append(dest)
    else:
        found.tars.append(dest or "-")


def _archive(
    kind: str, dest: str | None, names: list[str], given: dict[str, str], found: _Found
) -> None:
    directory = not _true(given.pop("tar", "true"), "tar")
    first = next(iter([*names, *found.names]), None)
    if kind == "docker":
        if dest is None:
            found.load = True
            found.names.extend(names)
            return
        found.references.append(
            DockerArchive(_file(dest), parse_name(first) if first is not None else None)
        )
    elif dest is None:
        raise Misused("-o type=oci: it needs a file", hint="write type=oci,dest=FILE")
    else:
        tag = (parse_name(first).tag or "latest") if first is not None else None
        found.references.append(Layout(dest, tag) if directory else OciArchive(_file(dest), tag))


def _file(dest: str) -> str:
    if dest == "-":
        raise Misused(
            "an archive of an image cannot go to standard output", hint="name a file: dest=FILE"
        )
    if os.path.isdir(dest):
        raise Misused(f"{dest} is a directory", hint="name a file: dest=FILE")
    return dest


def _true(value: str, text: str) -> bool:
    if value.lower() not in _YES | _NO:
        raise Misused(f"-o {text}: {value!r} is neither true nor false")
    return value.lower() in _YES
