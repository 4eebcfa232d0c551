"""Directories that commands make or are given: their files, links, and what has nothing in it."""

import os
from collections.abc import Iterator
from typing import Literal

from artificer.builder.actions.fetched import stored_file
from artificer.builder.actions.run import CommandFailed
from artificer.builder.inputs import link_within
from artificer.builder.products import File
from artificer.builder.task import Task


def stage_other(file: File, path: str) -> None:
    """Have *file*, a link or an empty directory, at *path*."""
    if file.kind == "directory":
        os.makedirs(path, exist_ok=True)
        return
    with open(file.path, "rb") as opened:
        os.symlink(opened.read(), os.fsencode(path))


def directory_files(path: str, out: str, root: str, task: Task) -> Iterator[File]:
    """What the directory *path*, made below *root*, has in it, as files of the tree *out*.

    Links stay links, but for those to the command's inputs and work: these are what they lead to.
    """
    for folder, folders, names in os.walk(path):
        folders.sort(key=os.fsencode)
        short = f"{out}{folder[len(path) :]}"
        if not folders and not names:
            yield _kept(b"", short, out, "directory", task)
        links = [name for name in folders if os.path.islink(f"{folder}/{name}")]
        for name in sorted((*names, *links), key=os.fsencode):
            link = _link(f"{folder}/{name}", path, root, task)
            if link is not None:
                yield _kept(os.fsencode(link), f"{short}/{name}", out, "link", task)
                continue
            real = os.path.realpath(f"{folder}/{name}")
            if os.path.isfile(real):
                yield stored_file(real, f"{short}/{name}", task)._replace(tree=out)
            elif name in links or not os.path.exists(real):
                raise CommandFailed(
                    f"the command made a link {short}/{name} that leads to what is gone later",
                    hint="copy what is meant, or let it lead to something beside it",
                )


def _link(path: str, top: str, root: str, task: Task) -> str | None:
    """What the link at *path* leads to, if it is to be a link there, too."""
    if not os.path.islink(path):
        return None
    if link_within(path, top) is None:
        real = os.path.realpath(path)
        ours = (os.path.realpath(root), os.path.realpath(task.reach.store.root))
        if any(real == one or real.startswith(f"{one}/") for one in ours):
            return None
    return os.readlink(path)


def _kept(
    data: bytes, short: str, out: str, kind: Literal["link", "directory"], task: Task
) -> File:
    digest = task.reach.store.put(data)
    return File(task.reach.store.blob_path(digest), short, digest, tree=out, kind=kind)
