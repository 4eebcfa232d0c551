"""What of a target's inputs is part of its key: their content, never where it lies."""

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
                found.append((template, _stable(template, task)))
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
            return [(one.short, one.digest, one.executable, one.tree) for one in files]
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


def _stable(template: str, task: Task) -> tuple[tuple[str, str], ...]:
    """The values in *template* whose change is a change: not those of time, commit or host."""
    return tuple(
        (name, value)
        for name, value in sorted(task.tools.options.stamps.items())
        if name.startswith(_STABLE) and f"{{{name}}}" in template
    )
