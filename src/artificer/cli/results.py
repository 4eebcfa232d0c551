"""What a build leaves for whoever called it: the digest on standard output, and files."""

import json
import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from artificer.builder.build import Built
from artificer.cli.session import Session
from artificer.errors import ArtificerError
from artificer.oci.digest import Digest
from artificer.oci.document import dump
from artificer.oci.image import Image
from artificer.oci.reference import Named, Reference

TERMINATION_LOG = "/dev/termination-log"
_TERMINATION_BYTES = 4096


class Unwritable(ArtificerError):
    """The image is done, but a file about it could not be written."""


def digest_reference(reference: Reference, built: Built) -> str:
    """*reference* by digest: what to deploy."""
    return by_digest(reference, built.content.digest)


def by_digest(reference: Reference, digest: Digest) -> str:
    """*reference*, which names *digest*, by that digest."""
    if isinstance(reference, Named):
        return f"{reference.repository}@{digest}"
    return f"{reference}@{digest}"


def tell(built: Built, references: Sequence[Reference], args: Namespace, session: Session) -> None:
    """Print each reference by digest, and write the files that *args* name."""
    # Two tags of a repository are one reference by digest.
    digests = list(dict.fromkeys(digest_reference(one, built) for one in references))
    for path, text in (
        (args.digest_file, built.content.digest),
        (args.iidfile, image_id(built)),
        (args.image_refs, "".join(f"{line}\n" for line in digests)),
    ):
        if path is not None:
            write(path, text)
    if args.metadata_file is not None:
        metadata = _metadata(built, references, digests)
        write(args.metadata_file, json.dumps(metadata, indent=2) + "\n")
    _tell_github(built, session.environ)
    _tell_kubernetes(built, digests)
    for line in digests:
        session.out(line)


def image_id(built: Built) -> str:
    """The image ID: its config's digest; of an index, its own."""
    content = built.content
    return content.config_descriptor.digest if isinstance(content, Image) else content.digest


def write(path: str, text: str) -> None:
    """Write *text* to *path*: to a new or a plain file all of it or nothing."""
    try:
        if not _replaced(path, text):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise Unwritable(
            f"cannot write {path}: {(error.strerror or str(error)).lower()}",
            hint="the image is done, only this file is not",
        ) from error


def _replaced(path: str, text: str) -> bool:
    """Put a new file in the place of *path*; not of a pipe, a link, or what is mounted there."""
    if os.path.islink(path) or (os.path.exists(path) and not os.path.isfile(path)):
        return False
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        if os.path.exists(temporary):
            os.unlink(temporary)
        if not os.path.exists(path):
            raise
        return False  # As /dev/termination-log in a pod: it can be written, but not replaced.
    return True


def _metadata(
    built: Built, references: Sequence[Reference], digests: Sequence[str]
) -> dict[str, Any]:
    """The keys that buildx writes, so that what reads those reads these."""
    return {
        "containerimage.digest": built.content.digest,
        "containerimage.config.digest": image_id(built),
        "containerimage.descriptor": built.content.descriptor.document,
        "image.name": ",".join(str(reference) for reference in references),
        "artificer.refs": list(digests),
        "artificer.base": built.base.document(),
        "artificer.images": [
            {
                "platform": str(image.platform),
                "digest": image.digest,
                "config": image.config_descriptor.digest,
                "layers": [layer.descriptor.document for layer in image.layers],
            }
            for image in built.images
        ],
    }


def _tell_github(built: Built, environ: Mapping[str, str]) -> None:
    path = environ.get("GITHUB_OUTPUT")
    if not path:
        return
    lines = f"digest={built.content.digest}\nimageid={image_id(built)}\n"
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(lines)
    except OSError as error:
        raise Unwritable(f"cannot write GITHUB_OUTPUT {path}: {error.strerror}") from error


def _tell_kubernetes(built: Built, digests: Sequence[str]) -> None:
    if not os.path.isfile(TERMINATION_LOG) or not os.access(TERMINATION_LOG, os.W_OK):
        return
    message = dump({"schema": 1, "digest": built.content.digest, "images": list(digests)})
    if len(message) <= _TERMINATION_BYTES:
        with open(TERMINATION_LOG, "wb") as file:
            file.write(message)
