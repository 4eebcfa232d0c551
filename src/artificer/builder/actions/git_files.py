"""Repositories of git as files of the store."""

import os
from collections.abc import Iterator

from artificer.builder.actions.fetched import Offline, stored_file
from artificer.builder.products import Files
from artificer.builder.targets import GitTree
from artificer.builder.task import Task, WrongInput
from artificer.sources.git import Checkout, checkout
from artificer.sources.git_reference import GitReference, shown_url


def git_files(target: GitTree, task: Task) -> Files:
    """The files of *target*'s commit, each a blob of the store. Links within it are followed."""
    git = task.tools.options.git
    if git is None:
        raise Offline(f"{shown_url(target.remote)} cannot be fetched: nothing may be")
    reference = GitReference(
        target.remote, target.commit or target.ref, submodules=target.submodules
    )
    found = checkout(reference, git)
    if not reference.commit:
        task.warn(
            f"{reference} has no commit: whatever is there now was taken",
            f'pin it with commit = "{found.commit}", or by `artificer lock`',
        )
    root = os.path.realpath(found.directory)
    files = [stored_file(path, name, task) for name, path in _inside(root, target, found, task)]
    return Files(tuple(files))


def _inside(root: str, target: GitTree, found: Checkout, task: Task) -> Iterator[tuple[str, str]]:
    """The files below what is stripped, sorted: the name of each, and where it is."""
    top = os.path.realpath(os.path.join(root, target.strip)) if target.strip else root
    if not os.path.isdir(top) or not f"{top}/".startswith(f"{root}/"):
        names = ", ".join(sorted(os.listdir(root))[:10])
        raise WrongInput(
            f"{shown_url(target.remote)} has no directory {target.strip}",
            hint=f"at its top are {names}",
        )
    for folder, folders, names_ in os.walk(top):
        folders.sort(key=os.fsencode)
        links = [name for name in folders if os.path.islink(f"{folder}/{name}")]
        for name in sorted((*names_, *links), key=os.fsencode):
            path = os.path.realpath(f"{folder}/{name}")
            short = f"{folder}/{name}"[len(top) + 1 :]
            if os.path.islink(f"{folder}/{name}") and not f"{path}/".startswith(f"{root}/"):
                task.warn(f"{short} of {found.commit[:12]} leads out of it: left out")
            elif os.path.isfile(path):
                yield short, path
