"""A directory on this machine as an artifact in a registry: what `job --context` sends, too."""

import os
from collections.abc import Iterator

from artificer.cli.words import text_file, today
from artificer.errors import Misused
from artificer.images.reach import Reach
from artificer.images.used import mark_used
from artificer.layers.patterns import Ignored, ignore_lines, ignored
from artificer.layers.rules import Rules
from artificer.layers.select import LocalPath, entries_of
from artificer.oci.image import Artifact
from artificer.oci.reference import Named
from artificer.sources.context import packed, send

IGNORE_FILES = (".artificerignore", ".dockerignore", ".containerignore")
# A build needs these, whatever is left out of its images.
_KEPT = ("Dockerfile", "Containerfile", *IGNORE_FILES)
_NAMED = "context-"


def pack(directory: str, name: Named, reach: Reach, *, ignore_file: str | None = None) -> str:
    """Send *directory* to the repository of *name*; return the reference by digest.

    Without a tag of its own it gets one that tells what it is, for what no tag names is removed
    by many a registry.
    """
    if name.digest is not None:
        raise Misused(f"{name}: a digest cannot be chosen", hint="name a repository, or a tag")
    content = _content(directory, reach, ignore_file)
    target = name if name.tag else name._replace(tag=f"{_NAMED}{content.digest.hex[:40]}")
    send(content, target, reach)
    mark_used(target, content.blobs[0].descriptor, today(), reach)
    return f"{name.repository}@{content.digest}"


def _content(directory: str, reach: Reach, ignore_file: str | None) -> Artifact:
    if not os.path.isdir(directory):
        raise Misused(f"{directory} is no directory", hint="name the directory with the files")
    leave_out = _ignored(directory, ignore_file)
    sources = [LocalPath(f"{directory}/."), *_kept(directory, leave_out)]
    entries = entries_of(sources, Rules(excluded=leave_out), report=reach.report)
    return packed(entries, reach)


def _ignored(directory: str, ignore_file: str | None) -> Ignored:
    if ignore_file is not None and not os.path.isfile(ignore_file):
        raise Misused(f"--ignorefile: there is no {ignore_file}")
    places = [ignore_file] if ignore_file else [f"{directory}/{name}" for name in IGNORE_FILES]
    for path in places:
        if os.path.isfile(path):
            return ignored(ignore_lines(text_file(path, "ignore file")))
    return Ignored()


def _kept(directory: str, leave_out: Ignored) -> Iterator[LocalPath]:
    for name in _KEPT:
        if leave_out(name) and os.path.isfile(path := f"{directory}/{name}"):
            yield LocalPath(path, f"/{name}")
