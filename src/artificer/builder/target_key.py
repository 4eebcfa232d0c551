"""The key of a target: its words, its inputs' content, and whatever else decides about bytes."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from artificer import __version__
from artificer.builder.dependencies import described, described_fields
from artificer.builder.identity import all_stamps_part, inputs_of
from artificer.builder.keys import Part
from artificer.builder.keys import key as key_of
from artificer.builder.package_targets import Controls, Debs, InstalledDebs
from artificer.builder.targets import Archive, Command, ImageTarget, LayerTarget, Program
from artificer.builder.task import Task
from artificer.layers.encode import encoder

_FORMAT = "target-2"


class Key(NamedTuple):
    """A key, and what it is made of: *inputs* from outside, *surroundings* by name."""

    text: str
    task: Task
    inputs: tuple[tuple[str, Part], ...]
    surroundings: tuple[tuple[str, Part], ...]

    def parts(self) -> dict[str, str]:
        """Everything in it, each part hashed on its own: to tell which one has changed."""
        fields = described_fields(self.task.declared.target)
        found = {f"attribute {name}": key_of(text)[:16] for name, text in fields.items()}
        found |= {f"input {name}": key_of(part)[:16] for name, part in self.inputs}
        return found | {name: key_of(part)[:16] for name, part in self.surroundings}


def target_key(task: Task) -> Key:
    """The key of what *task* makes: equal keys yield equal products, on any machine."""
    target = task.declared.target
    inputs = inputs_of(target, task)
    around = tuple(_surroundings(task))
    kind = type(target).__name__
    platform = str(task.id.platform or "")
    text = key_of(_FORMAT, kind, platform, described(target), inputs, around)
    return Key(text, task, inputs, around)


def _surroundings(task: Task) -> Iterator[tuple[str, Part]]:
    yield "version of artificer", __version__
    target, options = task.declared.target, task.tools.options
    # Lines of history name the target, and its files are put below its package.
    yield "label", task.declared.id.label
    if isinstance(target, ImageTarget | LayerTarget | Debs | InstalledDebs | Archive):
        yield "encoders", (encoder("gzip").identity, encoder("zstd").identity)
    if isinstance(target, Controls):
        yield "form", "status.d"
    if isinstance(target, Command | Program):
        yield "machine", os.uname().machine
        yield "PATH", options.path
    if isinstance(target, Command):
        used = sorted(name for name in options.variables if f"({name})" in target.command)
        yield "variables", [(name, options.variables[name]) for name in used]
        if target.stamped:
            yield "stamps", all_stamps_part(task)
