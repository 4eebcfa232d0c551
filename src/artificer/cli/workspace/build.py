"""``artificer build //pkg:name …``: targets of BUILD files, made, and their digests printed."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from shlex import quote

from artificer.builder.outcome import Outcome
from artificer.builder.products import Done, File, Files, Images, Layers, Passed, Product
from artificer.builder.running import typed
from artificer.builder.targets import Declared, Push, TargetId
from artificer.cli.command import run_command
from artificer.cli.grammar import Parser
from artificer.cli.results import made
from artificer.cli.session import Session
from artificer.cli.workspace.open import Workspace, opened
from artificer.cli.workspace.options import check_patterns, spelled, target_parser
from artificer.cli.workspace.outputs import Outputs
from artificer.frontends.buildfile.graph import Loaded
from artificer.frontends.buildfile.labels import Label, PackageId, parse_label
from artificer.oci.image import Image, Index

_ABOUT = """\
Make targets of BUILD files, and all that they need. TARGET is a label (//nginx:nginx,
//nginx:nginx.tar) or a pattern (//..., //nginx:all); `-//old/...` after `--` takes some away.

The digest of each target goes to standard output. Files are below artificer-bin/: for an image
NAME (a program that loads it), NAME.digest and NAME.json, and NAME.tar when that is asked for.
"""
_SCRIPT = """\
#!/bin/sh
# Loads {label} into a container engine; made by artificer.
cd {root} && exec {python} -m artificer run {options}{label} -- "$@"
"""


def run(words: Sequence[str], session: Session) -> int:
    """Build the targets in *words*."""
    return run_command(parser(), spelled(words), session, _build)


def parser() -> Parser:
    """The words that it takes."""
    made = target_parser("build", "TARGET… [options]", _ABOUT)
    made.add_argument("targets", nargs="*", metavar="TARGET")
    return made


def _build(args: Namespace, session: Session) -> int:
    check_patterns(args.targets, "build")
    with opened(args, session) as workspace:
        loaded = workspace.load(args.targets)
        outcome = workspace.make(loaded.roots, loaded.graph)
        tell(loaded, outcome, workspace)
        outcome.check()
    return 0


def tell(loaded: Loaded, outcome: Outcome, workspace: Workspace) -> None:
    """Write the outputs of what was made, and print what it is."""
    outputs = Outputs(workspace.outputs)
    for one in loaded.roots:
        product = outcome.products.get(one)
        if product is not None:
            for line in _lines(loaded.graph[one], product, outputs, workspace):
                workspace.session.out(line)
    outputs.finish(workspace.session.report)
    made = sum(not timing.why for timing in outcome.timings)
    known = len(outcome.timings) - made
    targets, steps = _counted(len(loaded.roots), "target"), _counted(made, "step")
    workspace.session.say(f"{targets}: {steps} made, {known} unchanged.")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _lines(
    declared: Declared, product: Product, outputs: Outputs, workspace: Workspace
) -> Iterator[str]:
    label = parse_label(declared.id.label, PackageId("", ""))
    shown = str(declared.id)
    match product:
        case Image() | Index():
            _write_image(label, declared.id, product, outputs, workspace)
            workspace.session.made += made(product, ())
            yield f"{shown} {product.digest}"
        case Images(images):
            if isinstance(declared.target, Push):
                # What is pushed may be of another format than what was built.
                form = declared.target.format
                images = tuple((name, typed(content, form)) for name, content in images)
            yield from (f"{shown} {content.digest} {name}".rstrip() for name, content in images)
            digests = {content.digest for _, content in images}
            if len(digests) == 1:
                outputs.write(f"{output_name(label)}.digest", digests.pop().encode())
        case Files(files):
            yield from _file_lines(label, shown, files, outputs, workspace)
        case Layers(layers):
            yield from (f"{shown} {layer.blob.digest}" for layer in layers)
        case Passed() | Done():
            return


def _write_image(
    label: Label, one: TargetId, image: Image | Index, outputs: Outputs, workspace: Workspace
) -> None:
    name = output_name(label)
    if one.platform is not None:
        name += "-" + str(one.platform).replace("/", "-")
    options = f"--platform {one.platform} " if one.platform else ""
    store = workspace.args.store or workspace.session.environ.get("ARTIFICER_STORE")
    if store:
        options += f"--store {quote(store)} "
    script = _SCRIPT.format(
        label=quote(one.label),
        root=quote(workspace.root),
        python=quote(sys.executable),
        options=options,
    )
    outputs.write(name, script.encode(), executable=True)
    outputs.write(f"{name}.digest", image.digest.encode())
    outputs.write(f"{name}.json", image.config if isinstance(image, Image) else image.manifest)


def _file_lines(
    label: Label, shown: str, files: tuple[File, ...], outputs: Outputs, workspace: Workspace
) -> Iterator[str]:
    for file in files:
        # What lies in the workspace is there already.
        if not file.path.startswith(f"{workspace.root}/"):
            outputs.put(_file_name(label, file, alone=len(files) == 1), file)
        yield f"{shown} {file.digest} {file.short}"


def output_name(label: Label) -> str:
    """Where the output called as its target is, below ``artificer-bin``."""
    below = f"external/{label.repository}" if label.repository else ""
    return "/".join(filter(None, (below, label.package, label.name)))


def _file_name(label: Label, file: File, *, alone: bool) -> str:
    name = output_name(label)
    if alone and file.short.rpartition("/")[2] == label.name.rpartition("/")[2]:
        return name
    folder = name.removesuffix(label.name).rstrip("/")
    inside = not folder or file.short.startswith((f"{folder}/", "external/"))
    return file.short if inside else f"{folder}/{file.short}"
