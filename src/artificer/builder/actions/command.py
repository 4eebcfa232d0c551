"""Commands: inputs in a clean directory, a clean environment, and the declared outputs kept."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import NamedTuple

from artificer.builder.actions.directory import directory_files, stage_other
from artificer.builder.actions.fetched import stored_file
from artificer.builder.actions.make_words import Words, expanded
from artificer.builder.actions.run import CommandFailed, Process, run, umask_of
from artificer.builder.actions.scratch import cache, scratch
from artificer.builder.products import File, Files, Passed
from artificer.builder.targets import Command, Program, Written
from artificer.builder.task import Task, told
from artificer.events import CommandOutput
from artificer.layers.entry import Stat, stat_of
from artificer.oci.digest import Digest

_COPIED = 16 * 1024 * 1024
"""Larger inputs are linked to: a command that writes to one is found out."""

_MOMENT = 946_684_800
"""The time of all inputs: 2000-01-01. Zip has no 1970."""

_OWN_LOCKS = {"GOCACHE", "GOMODCACHE", "CCACHE_DIR", "SCCACHE_DIR"}
"""Caches whose users lock what they write by themselves."""

_VARIABLES = {"COMPILATION_MODE": "fastbuild", "TARGET_CPU": "k8", "CC": "cc"}


class Room(NamedTuple):
    """Where a command runs: *root* has the inputs, *linked* those that are not copies."""

    root: str
    home: str
    linked: tuple[tuple[File, Stat], ...]


def command_files(target: Command, task: Task) -> Files:
    """What *target*'s command makes of its inputs."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch(task.tools.state))
        room = staged(_inputs(target, task), folder)
        outs = [_join(target.package, out) for out in target.outs]
        for out in outs:
            os.makedirs(os.path.dirname(f"{room.root}/{out}"), exist_ok=True)
        environ = _environ(target, room, task)
        for name, variable in target.caches:
            shared = variable in _OWN_LOCKS
            environ[variable] = stack.enter_context(cache(task.tools.state, name, shared=shared))
        text = expanded(target.command, _words(target, outs, task))
        _run(text, room, environ, target.timeout, task)
        _check_links(room, task)
        return Files(tuple(_collected(outs, target, room, task)))


def tested(target: Program, task: Task) -> Passed:
    """Whether the program of *target* ends with 0."""
    files = [*task.files(target.source), *(f for one in target.data for f in task.files(one))]
    with scratch(task.tools.state) as folder:
        room = staged(files, folder)
        environ = {**_clean(room, task), "TEST_SRCDIR": room.root, "TEST_TMPDIR": room.home}
        environ |= {**dict(target.env), "TEST_TARGET": task.declared.id.label}
        words = [f"./{files[0].short}", *target.args]
        lines: list[str] = []
        ended = run(Process(words, room.root, environ, 300.0), lines.append, task.reach.stop)
    return Passed(ended.code == 0, "\n".join(lines))


def written(target: Written, task: Task) -> Files:
    """A file whose text is known."""
    digest = task.reach.store.put(target.text.encode("utf-8", "surrogateescape"))
    path = task.reach.store.blob_path(digest)
    return Files((File(path, task.below(target.name), digest, target.executable),))


def staged(files: Iterable[File], folder: str) -> Room:
    """*files* at their paths below a directory of *folder*, as copies where they are not huge."""
    root, home = f"{folder}/root", f"{folder}/home"
    os.mkdir(root)
    os.mkdir(home)
    linked = []
    for file in {one.short: one for one in files}.values():
        path = f"{root}/{file.short}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if file.kind != "file":
            stage_other(file, path)
            continue
        status = os.stat(file.path)
        if status.st_size > _COPIED and not file.executable:
            os.symlink(file.path, path)
            linked.append((file, stat_of(status)))
            continue
        shutil.copyfile(file.path, path)
        os.chmod(path, 0o755 if file.executable else 0o644)
        os.utime(path, (_MOMENT, _MOMENT))
    return Room(root, home, tuple(linked))


def _inputs(target: Command, task: Task) -> Iterator[File]:
    for source in (*target.sources, *target.tools, *(one for _, one in target.locations)):
        yield from task.files(source)


def _words(target: Command, outs: Sequence[str], task: Task) -> Words:
    options = task.tools.options
    located: dict[str, list[str]] = {}
    for label, source in target.locations:
        located[label] = _shorts(task.files(source))
    for source in (*target.sources, *target.tools):
        located.setdefault(told(source), _shorts(task.files(source)))
    return Words(
        _shorts(file for source in target.sources for file in task.files(source)),
        outs,
        target.package,
        located,
        {**_VARIABLES, **options.variables},
    )


def _shorts(files: Iterable[File]) -> list[str]:
    return list(dict.fromkeys(file.tree or file.short for file in files))


def _environ(target: Command, room: Room, task: Task) -> dict[str, str]:
    environ = _clean(room, task)
    folders = dict.fromkeys(
        os.path.dirname(f"{room.root}/{file.short}")
        for tool in target.tools
        for file in task.files(tool)
        if file.executable
    )
    environ["PATH"] = ":".join((*folders, environ["PATH"]))
    environ |= dict(target.env)
    if target.stamped:
        environ |= dict(task.tools.options.stamps)
    return environ


def _clean(room: Room, task: Task) -> dict[str, str]:
    return {
        "PATH": task.tools.options.path,
        "HOME": room.home,
        "TMPDIR": room.home,
        "LANG": "C.UTF-8",
        "SOURCE_DATE_EPOCH": "0",
    }


def _run(text: str, room: Room, environ: Mapping[str, str], timeout: float, task: Task) -> None:
    bash = shutil.which("bash", path=environ["PATH"])
    words = [bash, "-euo", "pipefail", "-c", text] if bash else ["/bin/sh", "-euc", text]
    label, report = task.label, task.reach.report
    umask = umask_of(strange=task.tools.options.strange)
    process = Process(words, room.root, environ, timeout, umask)
    try:
        ended = run(process, lambda line: report(CommandOutput(label, line)), task.reach.stop)
    except CommandFailed as error:
        raise CommandFailed(f"the command failed: {error.message}", hint=error.hint) from error
    if ended.code:
        how = f"signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
        last = next((line for line in reversed(ended.lines) if line.strip()), "it wrote nothing")
        raise CommandFailed(f"the command failed with {how}: {last.strip()[:300]}")


def _check_links(room: Room, task: Task) -> None:
    for file, before in room.linked:
        if stat_of(os.stat(file.path)) == before:
            continue
        if file.path.startswith(task.reach.store.root):
            task.reach.store.discard(Digest(file.digest))
        raise CommandFailed(
            f"the command wrote to its input {file.short}", hint="let it write to a copy"
        )


def _collected(outs: Sequence[str], target: Command, room: Room, task: Task) -> Iterator[File]:
    for out in outs:
        path = f"{room.root}/{out}"
        if os.path.isdir(path):
            if not target.directories:
                raise CommandFailed(
                    f"the command made a directory of {out}, which is declared as a file"
                )
            yield from directory_files(path, out, room.root, task)
            continue
        real = os.path.realpath(path)
        if not os.path.isfile(real):
            raise CommandFailed(f"the command did not make {out}", hint=_made_instead(out, room))
        file = stored_file(real, out, task)
        yield file._replace(executable=file.executable or target.executable)


def _made_instead(out: str, room: Room) -> str | None:
    names: list[str] = []
    with suppress(FileNotFoundError):
        names = sorted(os.listdir(os.path.dirname(f"{room.root}/{out}")))
    there = ", ".join(names[:10])
    return f"beside it there is {there}" if there else "write to $@, or to $(location NAME)"


def _join(package: str, name: str) -> str:
    return f"{package}/{name}" if package else name
