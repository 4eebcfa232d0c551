"""Commands in an image: what they change is a layer, and a file of the result can be taken out."""

from typing import NamedTuple

from artificer.builder.actions.image import base_image
from artificer.builder.actions.layer import line_of
from artificer.builder.actions.run import CommandFailed
from artificer.builder.kind import Kind, kind_of
from artificer.builder.products import File, Files, Layers
from artificer.builder.recipe import Compress
from artificer.builder.staged.running import chain_of
from artificer.builder.targets import Command, Source
from artificer.builder.task import Task
from artificer.errors import ArtificerError
from artificer.events import CommandOutput
from artificer.images.files import read_file
from artificer.layers.write import Tar, write_tar
from artificer.oci.edit import EPOCH, Stamp, appended
from artificer.oci.image import Image, Layer, Stored
from artificer.sandbox import command as sandboxed

_FILE = 512 * 1024 * 1024
_LINE = 4096


class NoSandbox(ArtificerError):
    """A command is to be run in an image, and nothing may do so."""


class _Changed(NamedTuple):
    """What a command made of an image: a layer, unless it changed nothing."""

    layers: tuple[Layer, ...]
    image: Image


def ran(target: Command, source: Source, task: Task) -> Files | Layers | Image:
    """What becomes of the image *source* when *target*'s command is run in it."""
    image = base_image(source, task.id.platform, task)
    changed = _changed(target, image, task)
    match target.yields:
        case "image":
            return changed.image
        case "layer":
            lines = tuple(line_of(task) for _ in changed.layers)
            return Layers(changed.layers, lines, target.env)
        case "files":
            return Files((_extracted(target, changed.image, task),))


def _changed(target: Command, image: Image, task: Task) -> _Changed:
    sandbox = task.tools.options.sandbox
    if sandbox is None:
        raise NoSandbox(f"{task.label}: a command in an image needs a sandbox")
    with sandbox().at(chain_of(image.layers, task.reach)) as root:
        said = _Said(task)
        code = root.run(_command(target, image), said.take)
        said.end()
        if code:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise CommandFailed(f"the command failed with {how}: {said.last}")
        found = root.changes()
        tar = Tar(found.tar_size, found.chunks, found.entries)
        # Docker's images keep their format; a layer for others is of OCI's, as all layers are.
        kind = kind_of(Compress(), image.format if target.yields == "image" else "oci")
        layer = _written(tar, kind, task)
        root.adopt(layer.diff_id)
    if not found.entries:
        return _Changed((), image)
    stamp = Stamp(EPOCH, None)
    return _Changed((layer,), appended(image, (layer,), (line_of(task),), stamp))


def _command(target: Command, image: Image) -> sandboxed.Command:
    settings = image.settings
    env = dict(str(line).partition("=")[::2] for line in settings.get("Env") or ())
    env |= dict(target.env)
    cwd = str(settings.get("WorkingDir") or "/")
    user = target.user or str(settings.get("User") or "")
    words = ("/bin/sh", "-c", target.command)
    return sandboxed.Command(words, tuple(env.items()), cwd, user)


def _written(tar: Tar, kind: Kind, task: Task) -> Layer:
    reach = task.reach
    made = write_tar(tar, kind.encoder, reach.store, known=lambda _: None, stop=reach.stop)
    origin = Stored(reach.store.blob_path(made.digest))
    return kind.layer(made.digest, made.size, made.diff_id, origin)


def _extracted(target: Command, image: Image, task: Task) -> File:
    data = read_file(image, target.extract, _FILE, task.reach)
    digest = task.reach.store.put(data)
    return File(task.reach.store.blob_path(digest), task.below(target.outs[0]), digest)


class _Said:
    """Tells what a command says by lines, and keeps the last."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._rest = b""
        self.last = "it wrote nothing"

    def take(self, data: bytes) -> None:
        """Take the next bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(line)
        while len(self._rest) > _LINE:
            self._tell(self._rest[:_LINE])
            self._rest = self._rest[_LINE:]

    def end(self) -> None:
        """Tell what has no end of line."""
        if self._rest:
            self._tell(self._rest)

    def _tell(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        self.last = text.strip()[:300] or self.last
        self._task.reach.report(CommandOutput(self._task.label, text))
