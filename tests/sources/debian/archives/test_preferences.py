"""Pins, as apt_preferences(5) has them."""

import pytest

from artificer.sources.debian.archives.preferences import (
    BadPreferences,
    Place,
    pin_of,
    pins_of,
    priority_of,
)
from artificer.sources.debian.values import Archive, Pin

PLACE = Place(
    Archive("http://archive.example.org/debian", "sid", ("main",)),
    {"Suite": "unstable", "Codename": "sid", "Origin": "Debian", "Component": "main"},
)
NGINX = {"Package": "nginx-core", "Version": "1.22-3", "Architecture": "amd64", "Source": "nginx"}


def test_pins_are_read_in_their_order() -> None:
    data = (
        b"Explanation: why\nPackage: a b\nPin: version 1.2*\nPin-Priority: 1001\n\n"
        b'Package: *\nPin: origin ""\nPin-Priority: -1\n'
    )

    assert pins_of(data, "preferences") == (
        Pin(("a", "b"), "version", "1.2*", 1001),
        Pin(("*",), "origin", "", -1),
    )


@pytest.mark.parametrize(
    "pin",
    [
        "nginx-core 900 version 1.22*",
        "nginx-* 900 1.22-3",
        "/^nginx/ 900 /^1\\.22/",
        "src:nginx 900 release a=unstable",
        "nginx-core:amd64 900 release n=sid, o=Debian",
        "* 900 release unstable",
        "* 900 origin archive.example.org",
        "* 900 release c=main",
    ],
)
def test_a_pin_that_matches_decides(pin: str) -> None:
    assert priority_of(NGINX, PLACE, (pin_of(pin),)) == 900


@pytest.mark.parametrize(
    "pin",
    [
        "nginx 900 version 1.22*",
        "nginx-core 900 version 1.23*",
        "nginx-core:arm64 900 1.22*",
        "src:apache2 900 release a=unstable",
        "* 900 release a=unstable,c=contrib",
        "* 900 origin other.example.org",
    ],
)
def test_a_pin_that_does_not_match_leaves_the_usual(pin: str) -> None:
    assert priority_of(NGINX, PLACE, (pin_of(pin),)) == 500


def test_the_first_pin_of_a_package_is_before_the_first_of_all() -> None:
    pins = [
        pin_of(f"{words} release a=unstable")
        for words in ("* 1", "nginx-core 2", "* 3", "nginx-core 4")
    ]

    assert priority_of(NGINX, PLACE, pins) == 2
    assert priority_of({**NGINX, "Package": "other"}, PLACE, pins) == 1


@pytest.mark.parametrize(
    ("fields", "pin", "priority"),
    [
        ({}, None, 500),
        ({"NotAutomatic": "yes"}, None, 1),
        ({"NotAutomatic": "yes", "ButAutomaticUpgrades": "yes"}, None, 100),
        ({"NotAutomatic": "yes"}, 700, 700),
    ],
)
def test_an_archive_says_how_automatic_it_is(
    fields: dict[str, str], pin: int | None, priority: int
) -> None:
    place = Place(PLACE.archive._replace(pin=pin), fields)

    assert priority_of(NGINX, place, ()) == priority


@pytest.mark.parametrize(
    ("stanza", "message"),
    [
        ("Pin: version 1\nPin-Priority: 1\n", "has no Package"),
        ("Package: a\nPin: frob 1\nPin-Priority: 1\n", "not a Pin: 'frob 1'"),
        ("Package: a\nPin: version 1\nPin-Priority: 0\n", "not a Pin-Priority: '0'"),
        ("Package: a\nPin: version 1\nPin-Priority: 99999\n", "not a Pin-Priority"),
        ("Package: a\nPin: release z=1\nPin-Priority: 1\n", "not a pattern of a release"),
        ("nonsense\n", "not a field"),
    ],
)
def test_preferences_that_are_wrong_say_so(stanza: str, message: str) -> None:
    with pytest.raises(BadPreferences, match=message):
        pins_of(stanza.encode(), "preferences")


def test_a_pin_that_is_wrong_says_how_it_is_written() -> None:
    with pytest.raises(BadPreferences, match="not a pin: 'nginx 5'") as caught:
        pin_of("nginx 5")
    with pytest.raises(BadPreferences, match="not a regular expression"):
        priority_of(NGINX, PLACE, (pin_of("/(/ 5 1"),))

    assert "900 release" in (caught.value.hint or "")
