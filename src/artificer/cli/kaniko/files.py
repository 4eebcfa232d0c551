"""Files that kaniko writes about an image, besides those that every build may write."""

from artificer.cli.kaniko.asked import Asked
from artificer.cli.results import write
from artificer.images.docker_archive import saved_as, write_docker_archive
from artificer.images.reach import Reach
from artificer.oci.image import Image, Index
from artificer.oci.reference import parse_name


def write_kaniko_files(asked: Asked, content: Image | Index, reach: Reach) -> None:
    """Write the archive, and the files of names, that *asked* names."""
    names = [parse_name(text) for text in asked.names]
    if asked.archive is not None:
        saved = [saved_as(content, name) for name in names] or [saved_as(content, None)]
        write_docker_archive(saved, asked.archive, reach)
    pushed = [parse_name(text) for text in asked.pushed]
    for path, lines in (
        (asked.name_file, [f"{name.repository}@{content.digest}" for name in pushed]),
        (
            asked.name_tag_file,
            [f"{name.repository}:{name.tag or 'latest'}@{content.digest}" for name in pushed],
        ),
    ):
        if path is not None:
            write(path, "".join(f"{line}\n" for line in lines))
