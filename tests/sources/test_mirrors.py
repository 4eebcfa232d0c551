"""Mirrors are asked first, and are never believed for that."""

import pytest

from artificer.errors import ArtificerError
from artificer.events import Event, Note, Warned
from artificer.http.failure import Unreachable
from artificer.sources.mirrors import BadMirror, Mirrors, mirrors_of

URL = "https://deb.example.org/debian/pool/a.deb"


def places(url: str, *words: str) -> list[str]:
    return list(Mirrors(mirrors_of(words)).places(url))


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("deb.example.org=http://ci", "http://ci/debian/pool/a.deb"),
        ("deb.example.org/=http://ci/", "http://ci/debian/pool/a.deb"),
        ("deb.example.org/debian=https://ci:8443/d", "https://ci:8443/d/pool/a.deb"),
        ("https://deb.example.org/debian=http://ci/d?x=y", "http://ci/d?x=y/pool/a.deb"),
        ("deb.example.org=/srv/mirror", "file:///srv/mirror/debian/pool/a.deb"),
        ("deb.example.org=file:///srv/mirror", "file:///srv/mirror/debian/pool/a.deb"),
    ],
)
def test_what_is_below_an_address_is_asked_of_its_mirror_first(word: str, place: str) -> None:
    assert places(URL, word) == [place, URL]


@pytest.mark.parametrize(
    "word",
    [
        "deb.example.org/deb=http://ci",
        "http://deb.example.org/debian=http://ci",
        "example.org=http://ci",
        "deb.example.org=https://deb.example.org",
    ],
)
def test_what_is_elsewhere_is_not_asked_of_a_mirror(word: str) -> None:
    assert places(URL, word) == [URL]


def test_files_of_this_machine_have_no_mirrors() -> None:
    assert places("file:///srv/a.deb", "srv=http://ci") == ["file:///srv/a.deb"]


def test_several_mirrors_are_asked_in_their_order() -> None:
    found = places(URL, "deb.example.org=http://a", "deb.example.org/debian=http://b")
    assert found == ["http://a/debian/pool/a.deb", "http://b/pool/a.deb", URL]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("mirror.example.com", "not a mirror"),
        ("deb.example.org=mirror.example.com", "FROM=TO"),
        ("deb.example.org=ftp://mirror.example.com", "FROM=TO"),
        ("deb.example.org=http://u:secret@ci", "with a login"),
        ("deb.example.org=http://", "not a mirror"),
        ("deb.example.org=http:///x", "not an http"),
    ],
)
def test_what_is_no_mirror_is_refused(word: str, told: str) -> None:
    with pytest.raises(BadMirror) as caught:
        mirrors_of([word])
    assert told in f"{caught.value.message} {caught.value.hint}"
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"


def test_a_mirror_that_is_away_is_asked_once_and_that_is_told_once() -> None:
    mirrors = Mirrors(mirrors_of(["deb.example.org=http://ci"]))
    heard: list[Event] = []
    place = next(iter(mirrors.places(URL)))

    mirrors.failed(place, URL, Unreachable("ci: nobody there"), heard.append)
    mirrors.failed(place, URL, Unreachable("ci: nobody there"), heard.append)

    assert list(mirrors.places(URL)) == [URL]
    assert [type(event) for event in heard] == [Warned]


def test_a_mirror_that_lacks_one_file_is_asked_for_others() -> None:
    mirrors = Mirrors(mirrors_of(["deb.example.org=http://ci"]))
    heard: list[Event] = []
    place = next(iter(mirrors.places(URL)))

    mirrors.failed(place, URL, ArtificerError("answered 404"), heard.append)

    assert list(mirrors.places(URL)) == [place, URL]
    assert isinstance(heard[0], Note)
    assert "http://ci" in heard[0].text
