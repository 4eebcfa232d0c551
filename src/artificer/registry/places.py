"""Where a machine keeps its configuration of registries: found without reading any of it."""

import os
from collections.abc import Mapping

_SYSTEM = "/etc/containers"


def certificate_directories(environ: Mapping[str, str], *, system: str = _SYSTEM) -> list[str]:
    """The ``certs.d`` directories, the user's first."""
    homes = [*_user(environ), system, os.path.join(os.path.dirname(system), "docker")]
    return [os.path.join(home, "certs.d") for home in homes]


def registries_files(environ: Mapping[str, str], *, system: str = _SYSTEM) -> list[str]:
    """The ``registries.conf`` that holds and its drop-ins, in the order of reading.

    ``CONTAINERS_REGISTRIES_CONF`` names the one to take (it must be there), else it is the user's,
    else the system's. Drop-ins of the system come before the user's, each in the order of names.
    """
    homes = _user(environ)
    named = environ.get("CONTAINERS_REGISTRIES_CONF")
    mains = [os.path.join(home, "registries.conf") for home in (*homes, system)]
    main = named or next((path for path in mains if os.path.isfile(path)), None)
    drop_ins = [path for home in (system, *homes) for path in _drop_ins(home)]
    return [main, *drop_ins] if main else drop_ins


def policy_file(environ: Mapping[str, str], *, system: str = _SYSTEM) -> str | None:
    """The user's ``policy.json``, else the system's, else None: everything is allowed."""
    paths = [os.path.join(home, "policy.json") for home in (*_user(environ), system)]
    return next((path for path in paths if os.path.isfile(path)), None)


def _user(environ: Mapping[str, str]) -> list[str]:
    config = environ.get("XDG_CONFIG_HOME")
    if not config and environ.get("HOME"):
        config = os.path.join(environ["HOME"], ".config")
    return [os.path.join(config, "containers")] if config else []


def _drop_ins(home: str) -> list[str]:
    directory = os.path.join(home, "registries.conf.d")
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []  # absent is normal, and of an unreadable one podman says no more
    return [os.path.join(directory, name) for name in names if name.endswith(".conf")]
