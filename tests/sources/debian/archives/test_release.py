"""Release files: what they list, and how long they are believed."""

from datetime import UTC, datetime

import pytest

from artificer.sources.debian.archives.release import (
    BadRelease,
    Expired,
    NotListed,
    check_listed,
    check_time,
    index_names,
    release_of,
)

SUM = "ab" * 32
NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()


def text(*lines: str, sums: str = f"\n {SUM} 12 main/binary-amd64/Packages.xz") -> bytes:
    return "\n".join([*lines, f"SHA256:{sums}\n"]).encode()


def test_a_release_says_what_it_has() -> None:
    release = release_of(
        text(
            "Suite: stable",
            "Acquire-By-Hash: yes",
            "Architectures: all amd64",
            "Components: main contrib",
            "MD5Sum:\n x 1 y",
        ),
        "Release",
    )

    assert release.by_hash
    assert release.parts_all
    assert release.components == ("main", "contrib")
    assert release.files["main/binary-amd64/Packages.xz"] == (SUM, 12)
    assert "MD5Sum" not in release.fields


def test_the_form_that_is_fastest_to_read_is_the_first() -> None:
    stem = "main/binary-amd64/Packages"
    sums = "".join(f"\n {SUM} 1 {stem}{end}" for end in ("", ".xz", ".gz", ".zst"))
    release = release_of(text(sums=sums), "Release")

    assert [name for name, _ in index_names(release, "main", "amd64")] == [
        f"{stem}{end}" for end in (".zst", ".gz", ".xz", "")
    ]


def test_packages_for_all_may_be_in_every_index() -> None:
    lines = ("Architectures: all amd64", "No-Support-for-Architecture-all: Packages")

    assert not release_of(text(*lines), "Release").parts_all


def test_a_release_that_is_too_old_says_until_when_it_was_valid() -> None:
    release = release_of(text("Valid-Until: Sat, 30 May 2026 10:00:00 UTC"), "x/Release")

    with pytest.raises(Expired) as caught:
        check_time(release, NOW)
    assert caught.value.message == "x/Release was valid until 2026-05-30 10:00 UTC"
    assert "[check-valid-until=no]" in (caught.value.hint or "")


def test_a_release_from_the_future_is_refused() -> None:
    release = release_of(text("Date: Wed, 03 Jun 2026 10:00:00 +0000"), "x/Release")

    with pytest.raises(Expired, match="which is to come") as caught:
        check_time(release, NOW)
    assert "clock" in (caught.value.hint or "")


def test_a_release_that_is_valid_is_taken() -> None:
    lines = ("Date: Sun, 31 May 2026 10:00:00 -0000", "Valid-Until: Mon, 08 Jun 2026 10:00:00 UTC")

    check_time(release_of(text(*lines), "Release"), NOW)


def test_what_a_suite_does_not_have_is_said_with_what_it_has() -> None:
    release = release_of(text("Components: main", "Architectures: amd64 arm64"), "Release")

    with pytest.raises(NotListed, match="no component contrib") as caught:
        check_listed(release, "contrib", "amd64")
    assert caught.value.hint == "it has main"
    with pytest.raises(NotListed, match="no packages of main for s390x") as caught:
        check_listed(release, "main", "s390x")
    assert caught.value.hint == "it is for amd64, arm64"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Suite: x\n", "lists no SHA256 sums"),
        (b"Suite: x\nMD5Sum:\n x 1 y\n", "lists no SHA256 sums, only MD5Sum"),
        (b"", "has 0 stanzas"),
        (text() + b"\nSuite: y\n", "has 2 stanzas"),
        (b"nonsense\n", "not a field"),
        (text(sums="\n abc 12 x"), "not a sum"),
        (text(sums=f"\n {SUM} -1 x"), "not a sum"),
        (text(sums=f"\n {SUM} 1"), "not a sum"),
        (text(sums=f"\n {SUM} 1 ../../etc/passwd"), "leads out of the archive"),
        (text(sums=f"\n {SUM} 1 /etc/passwd"), "leads out of the archive"),
    ],
)
def test_a_release_that_is_wrong_says_so(data: bytes, message: str) -> None:
    with pytest.raises(BadRelease, match=message):
        release_of(data, "Release")


@pytest.mark.parametrize("value", ["soon", "Sat, 99 Foo 2026 10:00:00 UTC", "1"])
def test_a_time_that_is_none_is_an_error(value: str) -> None:
    release = release_of(text(f"Valid-Until: {value}"), "Release")

    with pytest.raises(BadRelease, match="Valid-Until is not a time"):
        check_time(release, NOW)
