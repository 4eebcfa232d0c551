"""Where the image of a Dockerfile's build goes, and what is told of it."""

import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from artificer.builder.recipe import Annotation
from artificer.cli.dockerfile.build import Result
from artificer.cli.dockerfile.output import Outputs
from artificer.cli.dockerfile.request import Request
from artificer.cli.oneline.main import see_targets, send
from artificer.cli.results import by_digest, tell_surroundings, write_files
from artificer.cli.session import Session
from artificer.errors import Misused
from artificer.events import Event, Report, Tagged, Warned
from artificer.images.named import write_name
from artificer.images.reach import Reach
from artificer.oci.image import Image, Index
from artificer.oci.platform import Platform
from artificer.oci.reference import Layout, OciArchive, Reference, StoreName

_STDOUT = "-"


class _Loading(NamedTuple):
    """What loading into an engine has to know: a `engines.Build`."""

    args: Namespace
    session: Session
    reach: Reach
    host: Platform


def check_outputs(request: Request) -> None:
    """Refuse, before anything is built, what no output could do."""
    outputs = request.outputs
    several = len(request.platforms) > 1
    if several and outputs.tars:
        raise Misused(
            "a tar has the files of one platform, not of several",
            hint="choose one with `--platform`, or write directories: `-o DIR`",
        )
    told = [one for one in request.annotations if one.scope == "index-descriptor"]
    if told and not any(isinstance(one, Layout | OciArchive) for one in outputs.references):
        raise Misused(
            f"an annotation of the index-descriptor ({told[0].key}), but no output has one",
            hint="it stands in the index.json of `-t oci:DIR`; `index:` is for the index itself",
        )
    lost = [one for one in request.annotations if _needs_index(one)]
    if lost and not several:
        raise Misused(
            f"an annotation of the {lost[0].scope} ({lost[0].key}), but there is no index",
            hint="one platform gives an image, several give an index; leave the scope out",
        )


def _needs_index(one: Annotation) -> bool:
    return one.scope in {"index", "manifest-descriptor"}


def see_outputs(outputs: Outputs) -> None:
    """Refuse, before anything is built, what could not be written at the end of it."""
    see_targets(outputs.references)
    if outputs.directories or outputs.tars:
        from artificer.images.unwritable import see_directory, see_file

        for path in outputs.directories:
            see_directory(path, path)
        for path in outputs.tars:
            if path != _STDOUT:
                see_file(path, path)


def deliver(
    result: Result, request: Request, args: Namespace, reach: Reach, session: Session
) -> None:
    """Send *result* wherever it should go, write the files about it, and print what it is."""
    outputs, content = request.outputs, result.content
    told = tuple(
        (one.key, one.value) for one in request.annotations if one.scope == "index-descriptor"
    )
    for path, image in _directories(outputs.directories, result):
        from artificer.images.unpack import unpack

        # As with docker, what is written into a directory belongs to whoever builds.
        unpack(image, path, reach._replace(report=_but_owners(reach)), owners=False, over=True)
    for path in outputs.tars:
        _write_tar(path, result.images[0], reach, session)
    _keep(content, outputs.references, reach)
    others = [(content, one) for one in outputs.references if not isinstance(one, StoreName)]
    if others:
        send(others, reach, session, told=told)
    if outputs.loaded:
        _load(result, request, args, reach, session)
    write_files(content, result.images, outputs.references, args)
    digests = list(dict.fromkeys(by_digest(one, content.digest) for one in outputs.references))
    tell_surroundings(content, digests, session)
    if _STDOUT in outputs.tars:
        return
    for line in digests or [str(content.digest)]:
        session.out(line)
    if not digests and not args.output and not args.kaniko:
        session.say("hint: the image has no name; `-t NAME` keeps it")


def _keep(content: Image | Index, references: Sequence[Reference], reach: Reach) -> None:
    """Give names of the store: by far the most builds do, and need no other kind of place."""
    for one in references:
        if isinstance(one, StoreName):
            write_name(content, one, reach)
            reach.report(Tagged(str(one), content.digest))


def _directories(paths: tuple[str, ...], result: Result) -> Iterator[tuple[str, Image]]:
    """Where the files of which image go: of several platforms each has a directory of its own."""
    for path in paths:
        for image in result.images:
            below = str(image.platform).replace("/", "_") if len(result.images) > 1 else ""
            yield os.path.join(path, below) if below else path, image


def _but_owners(reach: Reach) -> Report:
    def report(event: Event) -> None:
        if not isinstance(event, Warned) or not event.text.startswith("owners of "):
            reach.report(event)

    return report


def _write_tar(path: str, image: Image, reach: Reach, session: Session) -> None:
    from artificer.images.flatten import exported
    from artificer.images.unwritable import writing
    from artificer.images.written import write_file

    if path == _STDOUT:
        session.write(exported(image, reach))
        return
    with writing(path):
        write_file(path, exported(image, reach))


def _load(
    result: Result, request: Request, args: Namespace, reach: Reach, session: Session
) -> None:
    from artificer.cli.engines import Engines

    args = Namespace(**{**vars(args), "engine": None, "namespace": "default", "cluster": "kind"})
    engines = Engines(_Loading(args, session, reach, request.options.build_platform))
    for name in request.outputs.loaded:
        engines.load(result.content, name)
