"""Whatever stands in lists, preferences and Release files, it is read or refused by name."""

from hypothesis import given
from hypothesis import strategies as st

from artificer.http.request import authority
from artificer.sources.debian.archives.preferences import (
    BadPreferences,
    Place,
    pins_of,
    priority_of,
)
from artificer.sources.debian.archives.release import (
    BadRelease,
    check_time,
    index_names,
    release_of,
)
from artificer.sources.debian.archives.sourceslist import BadSources, archives_of
from artificer.sources.debian.deb822 import BadStanza, stanzas
from artificer.sources.debian.values import Archive

WORDS = (
    *("deb", "deb-src", "#", "[", "]", "[]", "[a]", "[arch=x trusted=yes]", "[signed-by=]", '"'),
    *("http://a.example.org", "file:/x", "file:", "cdrom:[x y]/", "http://[", "./", "sid", "main"),
    *(
        "Types:",
        "URIs:",
        "Suites:",
        "Components:",
        "Signed-By:",
        "Enabled: no",
        "Snapshot: x",
        ".",
    ),
    *("Package:", "Pin:", "Pin-Priority:", "release", "version", "origin", "a=x,b", "/(/", "*"),
    *("-1", "99999999999999999999", "1e3", "never", "/x/", "src:", "a:b", "$(ARCH)", "..", "\0"),
    *("SHA256:", "ab" * 32, "Date:", "Valid-Until:", "Sat, 30 May 2026 10:00:00 UTC", "MD5Sum:"),
    *("Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", "main/x", "é", "\r"),
)
TEXTS = st.lists(
    st.tuples(st.sampled_from(WORDS), st.sampled_from([" ", "\n", "\n\n", "\n ", ""])), max_size=25
).map(lambda parts: "".join(word + gap for word, gap in parts).encode())
BYTES = st.binary(max_size=200) | TEXTS


@given(BYTES)
def test_stanzas_are_read_or_refused(data: bytes) -> None:
    try:
        list(stanzas(data))
    except BadStanza:
        return


@given(BYTES, st.sampled_from(["x.list", "x.sources", "x"]))
def test_lists_of_archives_are_read_or_refused(data: bytes, place: str) -> None:
    try:
        archives = archives_of(data, place)
    except BadSources:
        return
    for archive in archives:
        assert archive.uri.startswith("file:///") or authority(archive.uri)
        assert ".." not in archive.suite.split("/")
        assert bool(archive.components) != archive.suite.endswith("/")


@given(BYTES)
def test_preferences_are_read_or_refused(data: bytes) -> None:
    place = Place(Archive("http://a.example.org", "sid", ("main",)), {"Suite": "sid"})
    package = {"Package": "a", "Version": "1", "Architecture": "all"}
    try:
        priority_of(package, place, pins_of(data, "preferences"))
    except BadPreferences:
        return


@given(BYTES)
def test_release_files_are_read_or_refused(data: bytes) -> None:
    try:
        release = release_of(data, "Release")
        check_time(release, 1_700_000_000)
        index_names(release, "main", "amd64")
    except BadRelease:
        return
