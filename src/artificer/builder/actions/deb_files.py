"""Debian packages as files: one of a list, a tar of all that some need, such a tar installed."""

import io
import re
from contextlib import ExitStack
from difflib import get_close_matches
from typing import BinaryIO

from artificer import limits
from artificer.builder.actions.image import base_image
from artificer.builder.actions.layer import line_of
from artificer.builder.actions.packages import ground_of, step_of, tools_of
from artificer.builder.actions.scratch import scratch
from artificer.builder.debian.chosen import resolved
from artificer.builder.debian.stack import debs_stack
from artificer.builder.debian.tools import architecture_of
from artificer.builder.debian.upon import usual_keys
from artificer.builder.kind import kind_of
from artificer.builder.package_targets import DebsTar, InstalledDebs, ListedDeb
from artificer.builder.products import File, Files
from artificer.builder.recipe import AddDebs, Compress
from artificer.builder.task import Task, WrongInput
from artificer.builder.work import Work
from artificer.errors import ArtificerError
from artificer.images.inflate import inflated
from artificer.layers.encode import encoder
from artificer.layers.entry import FILE, Entry
from artificer.layers.write import write_layer
from artificer.oci.edit import EPOCH, Stamp, appended
from artificer.oci.image import Image
from artificer.oci.platform import LINUX_AMD64
from artificer.sources.archive import unpack_archive
from artificer.sources.debian.archives.acquire import acquire
from artificer.sources.debian.deb822 import stanzas
from artificer.sources.debian.resolving.versions import version_key
from artificer.sources.debian.values import Locked, Wanted
from artificer.sources.url import fetch, wanted

_CHUNK = 1 << 18
_NAME = re.compile(rb"^Package: *([^\n]*)$", re.MULTILINE)


class NotListed(ArtificerError):
    """A list of packages has none of a name."""


def listed_deb(target: ListedDeb, task: Task) -> Files:
    """The file of the one package that *target* names."""
    name, _, version = target.package.partition("=")
    found: list[tuple[dict[str, str], str]] = []
    names: set[str] = set()
    for source, prefix in target.indexes:
        data = _plain(task.file(source))
        names |= {one.decode("utf-8", "replace").strip() for one in _NAME.findall(data)}
        found += [
            (one, prefix)
            for one in stanzas(data, task.file(source).short)
            if one.get("Package") == name and version in {"", one.get("Version")}
        ]
    if not found:
        raise _not_listed(target.package, name in names, names)
    fields, prefix = max(found, key=lambda one: version_key(one[0].get("Version", "")))
    path, sha256 = fields.get("Filename", ""), fields.get("SHA256", "")
    if not path or ".." in path.split("/") or not sha256:
        raise NotListed(f"the list says neither where {name} is nor what it hashes to")
    url = f"{prefix.rstrip('/')}/{path.removeprefix('./')}"
    file = fetch(wanted([url], sha256=sha256), tools_of(task).web)
    return Files((File(file.path, task.below(target.name), file.digest),))


def _not_listed(package: str, known: object, names: set[str]) -> NotListed:
    near = get_close_matches(package, sorted(names), 3)
    hint = f"do you mean {' or '.join(near)}?" if near and not known else None
    return NotListed(f"no list has the package {package}", hint=hint)


def _plain(file: File) -> bytes:
    with open(file.path, "rb") as opened:
        data = bytearray()
        for chunk in inflated(iter(lambda: opened.read(_CHUNK), b"")):
            data += chunk
            if len(data) > limits.PACKAGES_BYTES:
                raise WrongInput(f"{file.short} is larger than any list of packages")
    return bytes(data)


def debs_tar(target: DebsTar, task: Task) -> Files:
    """The packages with what they need upon the base, and a table of names and versions."""
    image = ground_of(target.debs, task)
    step = step_of(target.debs, image, task)
    if target.more:
        # As in apt: keys that the image trusts for everything, or for its own archives.
        keys = tuple(dict.fromkeys(key for one in step.archives for key in one.signed_by))
        keys = usual_keys(image, task.reach) or keys
        more = (one if one.signed_by else one._replace(signed_by=keys) for one in target.more)
        step = step._replace(archives=(*step.archives, *more))
    architecture = architecture_of(image.platform or LINUX_AMD64)
    tools = tools_of(task)
    chosen = resolved(step, image, architecture, task.reach, tools).packages
    paths = acquire(chosen, tools.web)
    entries = [_entry(one, paths[one]) for one in chosen]
    written = write_layer(entries, encoder("none"), task.reach.store, stop=task.reach.stop)
    rows = sorted(f"{one.name},{one.version}\n" for one in chosen)
    table = task.reach.store.put("".join(("Name,Version\n", *rows)).encode())
    store = task.reach.store
    return Files(
        (
            File(
                store.blob_path(written.digest), task.below(f"{target.name}.tar"), written.digest
            ),
            File(store.blob_path(table), task.below(f"{target.name}_metadata.csv"), table),
        )
    )


def _entry(package: Locked, path: str) -> Entry:
    version = package.version.replace(":", "%3a")
    name = f"{package.name}_{version}_{package.architecture}.deb"
    return Entry(name, FILE, 0o644, 0, 0, _size(path), 0, "", path)


def _size(path: str) -> int:
    with open(path, "rb") as file:
        return file.seek(0, io.SEEK_END)


def installed(target: InstalledDebs, task: Task) -> Image:
    """The base with the packages of a tar, configured as dpkg would."""
    image = base_image(target.base, task.id.platform, task)
    kind = kind_of(Compress(), image.format)
    work = Work(kind, task.reach, task.tools.known, None, task.tools.fresh)
    archive = task.file(target.archive)
    with scratch(task.tools.state) as folder:
        with ExitStack() as spools:

            def spool() -> BinaryIO:
                return spools.enter_context(task.reach.store.spool())

            names = unpack_archive(archive.path, folder, spool, kind="tar")
        debs = tuple(f"{folder}/{name}" for name in sorted(names) if name.endswith(".deb"))
        if not debs:
            raise WrongInput(f"{archive.short} has no .deb file")
        step = AddDebs(Wanted(files=debs), after=target.after)
        if target.after:
            step = step._replace(scripts="run")
        stack = debs_stack(step, image, work, lambda: tools_of(task))
    return appended(image, stack.layers, [line_of(task)] * len(stack.layers), Stamp(EPOCH))
