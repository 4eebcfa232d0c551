"""References to git are read as BuildKit reads them, and told without secrets."""

import pytest

from artificer.sources.git_reference import (
    GitReference,
    InvalidGitReference,
    checked_ref,
    checked_url,
    is_git_reference,
    parse_git_reference,
    without_user,
)

URL = "https://host.example/team/app.git"


@pytest.mark.parametrize(
    "text",
    [
        URL,
        f"{URL}#main",
        f"{URL}?branch=main",
        "http://host.example/app.git#v1:sub/dir",
        "git://host.example/app",
        "ssh://git@host.example:22/app",
        "git@host.example:team/app.git#main",
        "github.com/team/app",
    ],
)
def test_these_are_references_to_git(text: str) -> None:
    assert is_git_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://host.example/team/app",
        "https://host.example/app.tar.gz#x.git",
        "https://host.example/get?file=app.git",
        "https://host.git",
        "app.git",
        "./git@host",
        "ext::sh -c id",
        "file:///srv/app.git",
        "name:tag",
    ],
)
def test_these_are_something_else(text: str) -> None:
    assert not is_git_reference(text)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        (URL, GitReference(URL)),
        (f"{URL}#v1", GitReference(URL, "v1")),
        (f"{URL}#v1:a/b/", GitReference(URL, "v1", "a/b")),
        (f"{URL}#:a", GitReference(URL, "", "a")),
        (f"{URL}#refs/pull/1/head", GitReference(URL, "refs/pull/1/head")),
        (f"{URL}?ref=v1&subdir=a", GitReference(URL, "v1", "a")),
        (f"{URL}?tag=v1", GitReference(URL, "refs/tags/v1")),
        (f"{URL}?branch=refs/heads/b", GitReference(URL, "refs/heads/b")),
        (
            f"{URL}?ref=v1&checksum=ABCDEF12&keep-git-dir=true&submodules=false",
            GitReference(URL, "v1", "", "abcdef12", keep_git_dir=True, submodules=False),
        ),
        (f"{URL}?keep-git-dir", GitReference(URL, keep_git_dir=True)),
        (f"{URL}?commit={'a' * 40}&mtime=commit", GitReference(URL, checksum="a" * 40)),
        (
            f"{URL}?ref=v1&checksum={'a' * 40}&fetch-by-commit=1",
            GitReference(URL, "a" * 40, checksum="a" * 40),
        ),
        ("github.com/team/app#b", GitReference("https://github.com/team/app", "b")),
        ("git@h.example:a/b.git#c", GitReference("git@h.example:a/b.git", "c")),
        ("file:///srv/a.git#b", GitReference("file:///srv/a.git", "b")),
    ],
)
def test_a_reference_is_read(text: str, reference: GitReference) -> None:
    assert parse_git_reference(text) == reference


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{URL}?branch=a&tag=b", "several revisions"),
        (f"{URL}?ref=a#b", "several revisions"),
        (f"{URL}?subdir=a#:b", "two directories"),
        (f"{URL}?subdir=../a", "leads out"),
        (f"{URL}#a:../b", "leads out"),
        (f"{URL}?depth=1", "'depth'"),
        (f"{URL}?ref=a&ref=b", "twice"),
        (f"{URL}?checksum=nothex", "hexadecimal"),
        (f"{URL}?submodules=maybe", "true or false"),
        (f"{URL}?mtime=checkout", "mtime=checkout"),
        (f"{URL}?fetch-by-commit=1&checksum=abcd", "whole commit"),
        (f"{URL}#--upload-pack=id", "not a branch"),
        (f"{URL}#a b", "not a branch"),
        (f"{URL}#a..b", "not a branch"),
        ("ext::sh -c id", "not a repository"),
        ("-oProxyCommand=id@host:x", "not a repository"),
    ],
)
def test_what_cannot_be_checked_out_is_an_error(text: str, why: str) -> None:
    with pytest.raises(InvalidGitReference, match=why):
        parse_git_reference(text)


def test_an_error_shows_no_password() -> None:
    with pytest.raises(InvalidGitReference) as raised:
        parse_git_reference("https://u:secret@host.example/a.git?token=secret")

    assert "secret" not in raised.value.message


def test_only_a_whole_hash_is_a_commit() -> None:
    assert GitReference(URL, "a" * 40).commit == "a" * 40
    assert GitReference(URL, "a" * 64).commit == "a" * 64
    assert not GitReference(URL, "a" * 39).commit
    assert not GitReference(URL, "v1", checksum="a" * 40).commit


def test_the_host_is_that_of_either_form() -> None:
    assert GitReference("git@Host.example:a/b").host == "host.example"
    assert GitReference("https://u@Host.example:8443/a").host == "host.example"
    assert not GitReference("/srv/a").host


def test_a_password_is_taken_off_a_url_and_the_user_of_ssh_stays() -> None:
    assert without_user("https://u:p%40w@h/a.git") == ("https://h/a.git", "u:p@w")
    assert without_user("ssh://git:x@h/a.git") == ("ssh://git@h/a.git", "")
    assert without_user(URL) == (URL, "")
    assert str(GitReference("https://u:p@h/a.git", "v1", "d")) == "https://h/a.git#v1:d"
    assert str(GitReference("ssh://git@h/a.git")) == "ssh://git@h/a.git"


@pytest.mark.parametrize("ref", ["-x", "a..b", "a~1", "a:b", "a.lock", "a/", "/a", "@", "a@{1}"])
def test_what_git_would_not_have_as_a_name_is_none(ref: str) -> None:
    with pytest.raises(InvalidGitReference):
        checked_ref(ref)


@pytest.mark.parametrize("url", ["ext::sh", "a/b", "--x", "ftp://h/a", "https://h/a b", "/a::b"])
def test_what_git_must_not_be_given_is_no_repository(url: str) -> None:
    with pytest.raises(InvalidGitReference):
        checked_url(url)
