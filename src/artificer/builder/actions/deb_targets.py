"""What each target with Debian packages yields."""

from typing import assert_never

from artificer.builder.actions import distroless, manifest
from artificer.builder.actions.deb_files import debs_tar, installed, listed_deb
from artificer.builder.actions.packages import lock_file, package_layers
from artificer.builder.package_targets import (
    Certificates,
    Controls,
    Debs,
    DebsLock,
    DebsTar,
    InstalledDebs,
    KeyStore,
    ListedDeb,
    ManifestDebs,
    ManifestLock,
    PackageTarget,
    TarPart,
)
from artificer.builder.products import Product
from artificer.builder.task import Task


def made_of_packages(target: PackageTarget, task: Task) -> Product:
    """What *target* yields."""
    match target:
        case Debs():
            return package_layers(target, task)
        case DebsLock():
            return lock_file(target, task)
        case DebsTar():
            return debs_tar(target, task)
        case InstalledDebs():
            return installed(target, task)
        case ListedDeb():
            return listed_deb(target, task)
        case _:
            return _of_files(target, task)


def _of_files(
    target: ManifestDebs | ManifestLock | TarPart | Certificates | KeyStore | Controls, task: Task
) -> Product:
    """What rules_distroless has."""
    match target:
        case ManifestDebs():
            return manifest.debs(target, task)
        case ManifestLock():
            return manifest.lock(target, task)
        case TarPart():
            return distroless.tar_part(target, task)
        case Certificates():
            return distroless.certificates(target, task)
        case KeyStore():
            return distroless.key_store(target, task)
        case Controls():
            return distroless.controls(target, task)
        case _:
            assert_never(target)
