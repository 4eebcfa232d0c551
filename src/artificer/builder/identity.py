"""What of a target's inputs is part of its key: their content, never where it lies."""

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from artificer.builder.dependencies import references
from artificer.builder.keys import Part
from artificer.builder.products import Done, Files, Images, Layers, Passed, Product
from artificer.builder.targets import Output, SourceFile, Stamped
from artificer.builder.task import Task, files_called, told
from artificer.oci.image import Image, Index

_STABLE = ("STABLE_", "BUILD_EMBED_LABEL", "BUILD_HOST", "BUILD_USER")


def inputs_of(value: Any, task: Task) -> tuple[tuple[str, Part], ...]:
    """Everything outside *value* that it depends on: how it is called, and its content."""
    found: list[tuple[str, Part]] = []
    for one in references(value):
        match one:
            case SourceFile():
                found.append((one.short, identity_of(Files(task.tools.inputs.files(one)))))
            case Output():
                product = task.products[one.target]
                if one.name and isinstance(product, Files):
                    product = Files(files_called(product, one))
                found.append((told(one), identity_of(product)))
            case Stamped(template):
                found.append((template, stamps_part([template], task)))
            case _:
                found.append((told(one), identity_of(task.products[one])))
    return tuple(found)


def identities(value: Any, task: Task) -> tuple[Part, ...]:
    """`inputs_of`, without the names."""
    return tuple(part for _, part in inputs_of(value, task))


def identity_of(product: Product) -> Part:
    """What two equal products have in common."""
    match product:
        case Files(files):
            return [
                (one.short, one.digest, one.executable, one.tree)
                + (() if one.kind == "file" else (one.kind,))
                for one in files
            ]
        case Layers(layers, lines, env, scripts):
            told = [(layer.blob.digest, layer.diff_id) for layer in layers]
            return ("layers", told, lines, env, scripts)
        case Image() | Index():
            return product.digest
        case Images(images):
            return [(name, image.digest) for name, image in images]
        case Passed(passed):
            return passed
        case Done(lines):
            return lines
        case _:
            assert_never(product)


def stamps_part(templates: Iterable[str], task: Task) -> Part:
    """What of the status counts for a target with *templates*.

    The values of stable names; of those of time or commit only that they are there, and whether
    they are stamped or the same everywhere: else nothing with a time would ever be unchanged.
    """
    texts = list(templates)
    options = task.tools.options
    used = {
        name: value
        for name, value in sorted(options.stamps.items())
        if any(f"{{{name}}}" in text for text in texts)
    }
    return _part(used, options.stamped)


def all_stamps_part(task: Task) -> Part:
    """The same for a command that has all values in its environment."""
    return _part(dict(sorted(task.tools.options.stamps.items())), task.tools.options.stamped)


def _part(used: Mapping[str, str], stamped: str) -> Part:
    stable = [(name, value) for name, value in used.items() if name.startswith(_STABLE)]
    others = [name for name in used if not name.startswith(_STABLE)]
    return (stable, others, stamped if others else "")
