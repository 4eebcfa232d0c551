"""Lists of archives, as sources.list(5) has them."""

import time

import pytest

from artificer import limits
from artificer.sources.debian.archives.sourceslist import BadSources, archive_of, archives_of
from artificer.sources.debian.values import Archive

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEX\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_a_line_is_an_archive() -> None:
    data = (
        b"# comment\n"
        b"deb [arch=amd64,arm64 signed-by=/k.gpg] http://a.example.org/debian sid main contrib\n"
        b"deb-src http://archive.example.org/debian sid main\n"
        b"deb file:/srv/flat ./ # ours\n"
    )

    assert archives_of(data, "sources.list") == (
        Archive(
            "http://a.example.org/debian",
            "sid",
            ("main", "contrib"),
            ("amd64", "arm64"),
            ("/k.gpg",),
            place="sources.list:2",
        ),
        Archive("file:///srv/flat", "./", place="sources.list:4"),
    )


def test_a_stanza_is_an_archive_for_each_uri_and_suite() -> None:
    data = (
        b"Types: deb deb-src\nURIs: http://a.example.org http://b.example.org\n"
        b"Suites: sid sid-updates\nComponents: main\nSigned-By: /k.gpg\n\n"
        b"Types: deb\nURIs: http://c.example.org\nSuites: x\nComponents: y\nEnabled: no\n"
    )
    archives = archives_of(data, "x.sources")

    assert [(archive.uri, archive.suite) for archive in archives] == [
        ("http://a.example.org", "sid"),
        ("http://a.example.org", "sid-updates"),
        ("http://b.example.org", "sid"),
        ("http://b.example.org", "sid-updates"),
    ]
    assert archives[0].signed_by == ("/k.gpg",)
    assert archives[0].place == "x.sources: stanza 1"


def test_a_stanza_may_hold_its_key() -> None:
    folded = "".join(f"\n {line or '.'}" for line in KEY.splitlines())
    data = f"Types: deb\nURIs: http://a.example.org\nSuites: ./\nSigned-By:{folded}\n"
    (archive,) = archives_of(data.encode(), "x.sources")

    assert archive.signed_by == (KEY,)


def test_stanzas_are_known_by_what_they_say_and_not_only_by_their_name() -> None:
    data = b"# ours\nTypes: deb\nURIs: http://a.example.org\nSuites: ./\n"

    assert len(archives_of(data, "/tmp/ours")) == 1


def test_options_are_obeyed() -> None:
    (archive,) = archive_of(
        "[trusted=yes by-hash=no check-valid-until=no snapshot=20260101T000000Z lang=none]"
        " http://archive.example.org/@SNAPSHOTID@ sid main"
    )

    assert archive.trusted
    assert archive.by_hash is False
    assert not archive.check_valid_until
    assert archive.snapshot == "20260101T000000Z"


def test_architectures_are_added_and_taken_away() -> None:
    (archive,) = archive_of("deb [arch=amd64 arch+=arm64 arch-=amd64] http://a.example.org ./")

    assert archive.architectures == ("arm64",)


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("rpm http://a.example.org x main", "begins with 'rpm'", "write `deb"),
        ("deb http://a.example.org", "a line without a suite", "flat archive"),
        ("deb http://a.example.org sid", "has no components", "most archives have `main`"),
        ("deb http://a.example.org sid/ main", "cannot have components", "leave the components"),
        ("deb cdrom:[x] sid main", "not a URI that can be read", "use http:"),
        ("deb ftp://u:p@a.example.org sid main", "read: ftp://a.example.org", "use http:"),
        ("deb http://a.example.org ../../etc main", "leads out", "name a suite"),
        ("deb [frob=1] http://a.example.org sid main", "unknown option 'frob'", "sources.list"),
        ("deb [trusted=yes http://a.example.org sid main", "end nowhere", "[NAME=VALUE"),
        ("deb [trusted] http://a.example.org sid main", "not an option", "NAME=VALUE"),
        ("deb [trusted=maybe] http://a.example.org sid main", "neither yes nor no", "yes or no"),
        ("deb [allow-weak=yes] http://a.example.org sid main", "not supported", "SHA256"),
        ("deb [snapshot=yes] http://a.example.org sid main", "not the time", "20260101T"),
        ("deb http://[ sid main", "not a URL: 'http://['", "missing"),
        ("deb http:// sid main", "not an http or https URL", "missing"),
        ("deb http://u:p@a.example.org sid main", "with a login", "--archive-auth"),
    ],
)
def test_a_line_that_is_wrong_says_so(line: str, message: str, hint: str) -> None:
    with pytest.raises(BadSources) as caught:
        archives_of(line.encode(), "sources.list")

    assert caught.value.message.startswith("sources.list:1: ")
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("stanza", "message"),
    [
        ("Types: rpm\n", "unknown type 'rpm'"),
        ("URIs: http://a.example.org\nSuites: x\n", "has no Types"),
        ("Types: deb\nSuites: x\n", "has no URIs"),
        ("Types: deb\nURIs: http://a.example.org\n", "has no Suites"),
        ("Types: deb\nnonsense\n", "not a field"),
    ],
)
def test_a_stanza_that_is_wrong_says_so(stanza: str, message: str) -> None:
    with pytest.raises(BadSources, match=message) as caught:
        archives_of(stanza.encode(), "x.sources")

    assert caught.value.message.startswith("x.sources")


def test_a_list_has_a_largest_size_and_length() -> None:
    line = b"deb http://a.example.org sid main\n"

    with pytest.raises(BadSources, match="larger than any list"):
        archives_of(b"#" * (limits.SOURCES_BYTES + 1), "x")
    with pytest.raises(BadSources, match="names more than 1000 archives"):
        archives_of(line * 1001, "x")


def test_a_stanza_is_counted_before_it_is_multiplied() -> None:
    words = b" ".join(b"s%d" % number for number in range(50_000))
    uris = b" ".join(b"http://a.example.org/%d" % number for number in range(1000))
    stanza = b"Types: deb\nComponents: main\nURIs: %b\nSuites: %b\n" % (uris, words)
    before = time.process_time()

    with pytest.raises(BadSources, match="names more than 1000 archives"):
        archives_of(stanza, "x.sources")
    with pytest.raises(BadSources, match="has no Suites"):
        archives_of(b"%bSuites-Remove: %b\n" % (stanza, words), "x.sources")

    assert time.process_time() - before < 5
