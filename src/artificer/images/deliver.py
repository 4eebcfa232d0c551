"""Putting images wherever references point: registries together, then everything else."""

from collections.abc import Container, Sequence
from typing import NamedTuple, assert_never

from artificer.errors import Misused
from artificer.events import Tagged
from artificer.images.daemon import load_into_daemon
from artificer.images.docker_archive import saved_as, write_docker_archive
from artificer.images.layout import write_layout
from artificer.images.named import write_name
from artificer.images.oci_archive import write_oci_archive
from artificer.images.push import THREADS, Delivery, push
from artificer.images.reach import Reach
from artificer.images.rootfs import write_rootfs
from artificer.oci.digest import Digest
from artificer.oci.image import Content
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


class Order(NamedTuple):
    """Content, and where it is to go."""

    content: Content
    target: Reference


def deliver(
    orders: Sequence[Order],
    reach: Reach,
    *,
    docker_host: str | None = None,
    carried: Container[Digest] = (),
    threads: int = THREADS,
) -> None:
    """Carry out *orders*. Files and names of this machine come first: they fail cheaply.

    Registries get all of theirs in one go, so that their tags come last of all; all of them have
    the blobs that were *carried* before.
    """
    remote = []
    for content, target in orders:
        if isinstance(target, Named):
            remote.append(Delivery(content, target))
        else:
            _write(content, target, docker_host, reach)
            reach.report(Tagged(str(target), content.digest))
    push(remote, reach, carried=carried, threads=threads)


def _write(  # noqa: C901 - one line a kind
    content: Content, target: Reference, docker_host: str | None, reach: Reach
) -> None:
    match target:
        case Layout():
            write_layout(content, target, reach)
        case OciArchive():
            write_oci_archive(content, target, reach)
        case DockerArchive(path, name):
            write_docker_archive([saved_as(content, name)], path, reach)
        case Daemon():
            load_into_daemon(content, target, docker_host, reach)
        case StoreName():
            write_name(content, target, reach)
        case RootFs():
            write_rootfs(content, target, reach)
        case Scratch():
            raise Misused("scratch is a base, not a place to put an image")
        case Named():
            push([Delivery(content, target)], reach)
        case _:
            assert_never(target)
