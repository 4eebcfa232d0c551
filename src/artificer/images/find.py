"""Finding what a reference names, wherever it points."""

from typing import NamedTuple, assert_never

from artificer.images.daemon import find_in_daemon
from artificer.images.docker_archive import find_in_docker_archive
from artificer.images.fetch import Pull, find_in_registry
from artificer.images.layout import find_in_layout
from artificer.images.memory import found_image
from artificer.images.named import find_in_store
from artificer.images.oci_archive import find_in_oci_archive
from artificer.images.place import Found
from artificer.images.reach import Reach
from artificer.images.rootfs import image_of_rootfs
from artificer.layers.encode import Encoder, encoder
from artificer.oci.edit import empty
from artificer.oci.platform import LINUX_AMD64, Platform
from artificer.oci.reference import (
    Daemon,
    DockerArchive,
    Layout,
    Named,
    OciArchive,
    Reference,
    RootFs,
    Scratch,
    StoreName,
)


class Wishes(NamedTuple):
    """What matters to some kinds of reference only.

    *pull* to a registry's, *docker_host* to a daemon's; *platform* and *encoder* to a root
    filesystem's, which states no platform and has to be made a layer of.
    """

    pull: Pull = "always"
    docker_host: str | None = None
    platform: Platform = LINUX_AMD64
    encoder: Encoder | None = None


PLAIN = Wishes()


def find(  # noqa: C901, PLR0911 - one line a kind
    reference: Reference, reach: Reach, wishes: Wishes = PLAIN
) -> Found:
    """Return what *reference* names: documents at hand, layers where they are."""
    match reference:
        case Named():
            return find_in_registry(reference, reach, pull=wishes.pull)
        case Layout():
            return find_in_layout(reference)
        case OciArchive():
            return find_in_oci_archive(reference, reach)
        case DockerArchive():
            return find_in_docker_archive(reference, reach)
        case Daemon():
            return find_in_daemon(reference, wishes.docker_host, reach)
        case StoreName():
            return find_in_store(reference, reach.store)
        case RootFs():
            chosen = wishes.encoder or encoder("gzip")
            image = image_of_rootfs(reference, wishes.platform, chosen, reach)
            return found_image(str(reference), image)
        case Scratch():
            return found_image("scratch", empty(wishes.platform, "oci"))
        case _:
            assert_never(reference)
