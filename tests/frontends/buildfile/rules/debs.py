"""Debian packages by name."""

import gzip

from tests.sources.test_deb import PACKS, ar, tar


def deb_of(package: str, packed: str = ".xz", **control: bytes) -> bytes:
    """A package with the one file ``usr/share/PACKAGE``; *control* are its scripts and sums."""
    about = f"Package: {package}\nVersion: 1\nArchitecture: amd64\nDescription: x\n".encode()
    return ar(
        **{
            "debian-binary": b"2.0\n",
            "control.tar.gz": gzip.compress(tar(control=about, **control), mtime=0),
            f"data.tar{packed}": PACKS[packed](tar(**{f"usr/share/{package}": b"data"})),
        }
    )
