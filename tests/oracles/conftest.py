"""Debian's own packages as files, and images that artificer has made of them, once a session."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.commands import SEARCH, Command, command
from tests.parts.flat_archive import FlatArchive, flat_archive
from tests.parts.images import debian_layout

LARGE = (
    *("apache2", "ca-certificates-java", "dbus", "default-jre-headless", "fontconfig"),
    *("fonts-dejavu-core", "gnupg", "install-info", "iputils-ping", "locales", "logrotate"),
    *("man-db", "openssh-server", "postgresql", "python3-venv", "rsyslog", "ssl-cert", "sudo"),
    *("tzdata", "udev", "vim"),
)
PACKAGES = (*LARGE, "adduser", "ca-certificates", "cron", "curl", "less", "nginx", "openssl")
EPOCH = "1700000000"


@pytest.fixture(scope="session")
def archive() -> FlatArchive:
    """An archive of all that the tests install, from nothing and upon a base."""
    return flat_archive(*PACKAGES)


@pytest.fixture(scope="session")
def artificer(parts_folder: Path) -> Cli:
    """The command, with a store that lasts as long as the session."""
    folder = parts_folder / "oracles"
    (folder / "home").mkdir(parents=True)
    environ = {
        "ARTIFICER_STORE": str(folder / "store"),
        "CONTAINERS_REGISTRIES_CONF": os.devnull,
        "HOME": str(folder / "home"),
        "LC_ALL": "C.UTF-8",
        "PATH": SEARCH,
        "SOURCE_DATE_EPOCH": EPOCH,
        "XDG_RUNTIME_DIR": str(folder / "home"),
    }
    return Cli(environ, folder)


class Images:
    """Images by their names, in one OCI layout; each is built when it is first asked for."""

    def __init__(self, artificer: Cli, archive: FlatArchive) -> None:
        self.artificer = artificer
        self.archive = archive
        self.folder = artificer.directory / "images"
        self._built: dict[str, str] = {}

    def build(self, name: str, words: Sequence[str], base: str = "scratch") -> str:
        """Install the packages of *words* (and options) upon *base*; return the reference."""
        if name not in self._built:
            reference = f"oci:{self.folder}:{name}"
            self.artificer("-b", base, "--archive", self.archive.line, *words, "-t", reference)
            self._built[name] = reference
        return self._built[name]


@pytest.fixture(scope="session")
def images(artificer: Cli, archive: FlatArchive) -> Images:
    """Where images are built: `.build("web", ("--apt", "nginx"))`."""
    return Images(artificer, archive)


@pytest.fixture(scope="session")
def web(images: Images) -> str:
    """nginx, configured, from nothing, with apt."""
    return images.build("web", ("--apt", "nginx", "apt"))


@pytest.fixture(scope="session")
def minbase(artificer: Cli) -> str:
    """A Debian that mmdebstrap has made."""
    debian_layout(artificer.directory / "minbase")
    return f"oci:{artificer.directory}/minbase:bookworm"


@pytest.fixture(scope="session")
def pulled(podman: Command) -> Callable[[str], str]:
    """Bring an image into the storage of podman and buildah; return its name there."""
    skopeo = command("skopeo", environ=podman.environ)
    names: dict[str, str] = {}

    def pull(reference: str) -> str:
        if reference not in names:
            name = f"localhost/oracles:{reference.rpartition(':')[2]}"
            skopeo.run("copy", "-q", reference, f"containers-storage:{name}")
            names[reference] = name
        return names[reference]

    return pull
