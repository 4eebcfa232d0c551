"""Note in the table of maintainer scripts those of newer packages than Debian 12 has.

    python -m tools.debian_later DEB...

They are judged as `tools/debian_scripts.py` has it, but for what is another effect since then.
"""

import json
import sys
from collections.abc import Iterator, Sequence

from artificer.sources.debian.deb import Package, read_package
from artificer.sources.debian.resolving.versions import satisfies
from tools import debian_scripts

PLACES = {
    "amd64": {"TRIPLET": "x86_64-linux-gnu", "LOADER": "/lib64/ld-linux-x86-64.so.2"},
    "arm64": {"TRIPLET": "aarch64-linux-gnu", "LOADER": "/lib/ld-linux-aarch64.so.1"},
}
READLINE = ("libhistory.so.8", "libhistory.so.8.2", "libreadline.so.8", "libreadline.so.8.2")
TIRPC = ("libtirpc.so.3", "libtirpc.so.3.0.0")
NOTHING = (
    "dash/preinst gzip/preinst gzip/postinst login.defs/postinst "
    "libpython3.13-minimal/postinst python3.13-minimal/postinst python3.13/postinst "
    "python3.13-venv/postinst openssh-server/preinst systemd/preinst udev/preinst"
)


def _aside(path: str, package: str) -> list[str]:
    """What keeps the files of others from where a path was before /usr was merged."""
    folder, _, name = path.rpartition("/")
    hidden = path if folder else f"/.{name}"
    return ["divert", path, f"{hidden}.usr-is-merged", package]


LATER: dict[str, tuple[str, Sequence[Sequence[str]]]] = {
    **dict.fromkeys(NOTHING.split(), ("0", ())),
    "base-files/postinst": (
        "13",
        [*debian_scripts.BASE, ["directory", "/usr/local/libexec", "0755"]],
    ),
    "base-files/preinst": (
        "13",
        [_aside(path, "base-files") for path in ("/lib32", "/libo32", "/libx32")],
    ),
    "dash/postinst": ("0.5.12-12", ()),
    "dbus-system-bus-common/postinst": (
        "1.16",
        [
            # Where there is no systemd-sysusers.
            ["group", "messagebus"],
            ["user", "messagebus", "", "messagebus", "/nonexistent", "/usr/sbin/nologin"],
        ],
    ),
    "dpkg/postinst": ("1.22", [["architecture"]]),
    "libc6/preinst": ("2.41", [["divert", "LOADER", "LOADER.usr-is-merged", "libc6"]]),
    "libreadline8t64/preinst": (
        "8.2",
        [_aside(f"/lib/TRIPLET/{name}", "libreadline8t64") for name in READLINE],
    ),
    "libtirpc3t64/preinst": (
        "1.3.6",
        [_aside(f"/lib/TRIPLET/{name}", "libtirpc3t64") for name in TIRPC],
    ),
    "tzdata/postinst": ("2024b-5", debian_scripts.ZONE[:1]),
}
"""By package and script: since which version, and what."""


def main(paths: Sequence[str]) -> None:
    """Note what is judged of the packages at *paths*."""
    known = dict(debian_scripts.JUDGED)
    for path in paths:
        debian_scripts.JUDGED.update(known)
        debian_scripts.JUDGED.update(_later(read_package(path)))
        debian_scripts.main([path])


def _later(package: Package) -> Iterator[tuple[str, list[list[str]]]]:
    for name, (since, effects) in LATER.items():
        if name.startswith(f"{package.name}/") and satisfies(package.version, ">=", since):
            words = json.dumps([list(effect) for effect in effects])
            for word, place in PLACES.get(package.architecture, {}).items():
                words = words.replace(word, place)
            yield name, json.loads(words)


if __name__ == "__main__":
    main(sys.argv[1:])
