"""Platforms are normalised, and the best of an index is chosen."""

import pytest

from artificer.errors import Misused
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.media import OCI_MANIFEST
from artificer.oci.platform import Platform, select


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("arm64", "linux/arm64"),
        ("arm64/v8", "linux/arm64"),
        ("aarch64", "linux/arm64"),
        ("arm/v6", "linux/arm/v6"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("windows/amd64:10.0.17763.1", "windows/amd64:10.0.17763.1"),
        ("linux/amd64/v3", "linux/amd64/v3"),
    ],
)
def test_a_platform_is_normalised(text: str, normal: str) -> None:
    assert str(Platform.parse(text)) == normal


@pytest.mark.parametrize(
    "text", ["", "linux/", "a/b/c/d", "linux amd64", "/amd64", "linux", "amd46", "arm64/v8/x"]
)
def test_what_is_no_platform_is_misuse(text: str) -> None:
    with pytest.raises(Misused):
        Platform.parse(text)


def entry(name: str, platform: dict[str, str] | None) -> Descriptor:
    return Descriptor.make(OCI_MANIFEST, Digest.of(name.encode()), 1, platform=platform)


def test_the_exact_variant_is_chosen_before_an_older_one() -> None:
    v6 = entry("v6", {"os": "linux", "architecture": "arm", "variant": "v6"})
    v7 = entry("v7", {"os": "linux", "architecture": "arm", "variant": "v7"})
    v5 = entry("v5", {"os": "linux", "architecture": "arm", "variant": "v5"})

    assert select([v5, v6, v7], Platform.parse("linux/arm/v7")) == v7
    assert select([v5, v6], Platform.parse("linux/arm/v7")) == v6
    assert select([v7], Platform.parse("linux/arm/v6")) is None


def test_attestations_and_entries_without_platform_are_never_chosen() -> None:
    unknown = entry("att", {"os": "unknown", "architecture": "unknown"})

    assert select([unknown, entry("x", None)], Platform.parse("linux/amd64")) is None


def test_the_first_of_equals_is_chosen() -> None:
    one = entry("1", {"os": "linux", "architecture": "amd64"})
    two = entry("2", {"os": "linux", "architecture": "amd64"})

    assert select([one, two], Platform.parse("linux/amd64")) == one


def test_a_windows_version_matches_its_builds() -> None:
    old = entry("o", {"os": "windows", "architecture": "amd64", "os.version": "10.0.14393.1"})
    new = entry("n", {"os": "windows", "architecture": "amd64", "os.version": "10.0.17763.9"})

    assert select([old, new], Platform.parse("windows/amd64:10.0.17763")) == new
