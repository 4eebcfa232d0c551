"""What a build leaves for whoever called it: the digest on standard output, and files."""

import json
import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from artificer.builder.build import Built
from artificer.cli.session import Made, Session
from artificer.errors import ArtificerError, reason
from artificer.oci.digest import Digest
from artificer.oci.document import dump
from artificer.oci.image import Image, Index
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
    write_files(built.content, built.images, references, args, base=built.base.document())
    tell_surroundings(built.content, digests, session)
    for line in digests:
        session.out(line)


def write_files(
    content: Image | Index,
    images: Sequence[Image],
    references: Sequence[Reference],
    args: Namespace,
    *,
    base: Mapping[str, Any] | None = None,
) -> None:
    """Write the files about *content*, an index of *images* or the one, that *args* name."""
    digests = list(dict.fromkeys(by_digest(one, content.digest) for one in references))
    for path, text in (
        (args.digest_file, content.digest),
        (args.iidfile, image_id(content)),
        (args.image_refs, "".join(f"{line}\n" for line in digests)),
    ):
        if path is not None:
            write(path, text)
    if args.dotenv is not None or args.results_dir is not None:
        from artificer.cli.conventions import write_conventions

        write_conventions(made(content, digests), args.dotenv, args.results_dir, write)
    if args.metadata_file is not None:
        metadata = _metadata(content, images, references, digests)
        if base is not None:
            metadata["artificer.base"] = base
        write(args.metadata_file, json.dumps(metadata, indent=2) + "\n")


def tell_surroundings(content: Image | Index, digests: Sequence[str], session: Session) -> None:
    """Tell GitHub and Kubernetes, where they are, what was built; and whoever runs us in a pod."""
    session.made += made(content, digests)
    _tell_github(content, session.environ)
    _tell_kubernetes(content, digests)


def made(content: Image | Index, digests: Sequence[str]) -> list[Made]:
    """*content* under each of its references by digest; without a name if there is none."""
    return [Made(name, content.digest, _size(content)) for name in digests or [""]]


def _size(content: Image | Index) -> int:
    """The bytes of all blobs, each once."""
    images = [content] if isinstance(content, Image) else content.members
    sizes = {
        blob.digest: blob.descriptor.size
        for image in images
        if isinstance(image, Image)
        for blob in image.blobs
    }
    return sum(sizes.values())


def image_id(content: Image | Index) -> str:
    """The image ID: its config's digest; of an index, its own."""
    return content.config_descriptor.digest if isinstance(content, Image) else content.digest


def write(path: str, text: str) -> None:
    """Write *text* to *path*: to a new or a plain file all of it or nothing."""
    try:
        if not _replaced(path, text):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise Unwritable(
            f"cannot write {path}: {reason(error)}",
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
    content: Image | Index,
    images: Sequence[Image],
    references: Sequence[Reference],
    digests: Sequence[str],
) -> dict[str, Any]:
    """The keys that buildx writes, so that what reads those reads these."""
    return {
        "containerimage.digest": content.digest,
        "containerimage.config.digest": image_id(content),
        "containerimage.descriptor": content.descriptor.document,
        "image.name": ",".join(str(reference) for reference in references),
        "artificer.refs": list(digests),
        "artificer.images": [
            {
                "platform": str(image.platform),
                "digest": image.digest,
                "config": image.config_descriptor.digest,
                "layers": [layer.descriptor.document for layer in image.layers],
            }
            for image in images
        ],
    }


def _tell_github(content: Image | Index, environ: Mapping[str, str]) -> None:
    path = environ.get("GITHUB_OUTPUT")
    if not path:
        return
    lines = f"digest={content.digest}\nimageid={image_id(content)}\n"
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(lines)
    except OSError as error:
        raise Unwritable(f"cannot write GITHUB_OUTPUT {path}: {reason(error)}") from error


def _tell_kubernetes(content: Image | Index, digests: Sequence[str]) -> None:
    if not os.path.isfile(TERMINATION_LOG) or not os.access(TERMINATION_LOG, os.W_OK):
        return
    message = dump({"schema": 1, "digest": content.digest, "images": list(digests)})
    if len(message) <= _TERMINATION_BYTES:
        with open(TERMINATION_LOG, "wb") as file:
            file.write(message)
