"""Putting images wherever references point: registries together, then everything else."""

from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple, assert_never

from artificer.errors import Misused
from artificer.events import Tagged
from artificer.images.daemon import load_into_daemon
from artificer.images.docker_archive import saved_as, write_docker_archive
from artificer.images.layout import see_layout_writable, write_layout
from artificer.images.named import write_name
from artificer.images.oci_archive import write_oci_archive
from artificer.images.push import THREADS, Delivery, push
from artificer.images.reach import Reach
from artificer.images.rootfs import see_rootfs_writable, write_rootfs
from artificer.images.unwritable import see_file
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
    """Content, and where it is to go.

    *annotations* stand beside its name in the index.json of an OCI layout; no other place has one.
    """

    content: Content
    target: Reference
    annotations: tuple[tuple[str, str], ...] = ()


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
    for order in orders:
        if isinstance(order.target, Named):
            remote.append(Delivery(order.content, order.target))
        else:
            _write(order, docker_host, reach)
            reach.report(Tagged(str(order.target), order.content.digest))
    push(remote, reach, carried=carried, threads=threads)


def see_places(targets: Iterable[Reference]) -> None:
    """Refuse, before there is any work, a file or directory that could not be written at its end.

    Nothing is made, and no registry or engine is asked.
    """
    for target in targets:
        match target:
            case Layout():
                see_layout_writable(target)
            case OciArchive() | DockerArchive():
                see_file(target.path, str(target))
            case RootFs():
                see_rootfs_writable(target)
            case Daemon() | StoreName() | Named() | Scratch():
                pass
            case _:
                assert_never(target)


def _write(  # noqa: C901 - one line a kind
    order: Order, docker_host: str | None, reach: Reach
) -> None:
    content, target, annotations = order
    match target:
        case Layout():
            write_layout(content, target, reach, annotations=dict(annotations))
        case OciArchive():
            write_oci_archive(content, target, reach, annotations=dict(annotations))
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
