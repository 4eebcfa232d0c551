import pytest

from artificer.http.request import (
    Authority,
    Headers,
    InvalidUrl,
    Request,
    Response,
    authority,
    body_of,
    redacted,
)


@pytest.mark.parametrize(
    ("url", "found", "netloc"),
    [
        ("https://R.Example/x", Authority("https", "r.example", 443), "r.example"),
        ("https://r.example:443", Authority("https", "r.example", 443), "r.example"),
        ("http://r.example:443/", Authority("http", "r.example", 443), "r.example:443"),
        ("http://[::1]:5000/?a", Authority("http", "::1", 5000), "[::1]:5000"),
        ("http://[::1]", Authority("http", "::1", 80), "[::1]"),
        ("https://me:pw@r.example/", Authority("https", "r.example", 443), "r.example"),
    ],
)
def test_a_url_says_who_is_spoken_to(url: str, found: Authority, netloc: str) -> None:
    assert authority(url) == found
    assert found.netloc == netloc


@pytest.mark.parametrize(
    "url", ["", "r.example", "//r.example", "ftp://r/", "https://", "https://r:x/", "http://a b/"]
)
def test_what_is_no_url_is_an_error(url: str) -> None:
    with pytest.raises(InvalidUrl):
        authority(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://r/v2/a/blobs/uploads/?digest=d&_state=s",
            "https://r/v2/a/blobs/uploads/?digest=d&_state=…",
        ),
        ("https://me:pw@r/x", "https://r/x"),
        ("https://me:p/w@r/x", "https://r/x"),
        ("https://r/?token", "https://r/?…"),
        ("https://r/?mount=a&from=b#f", "https://r/?mount=a&from=b"),
        ("https://r/x#access_token=s", "https://r/x"),
        ("https://r:5000/@scope/x", "https://r:5000/@scope/x"),
        ("https://r/@scope/x", "https://r/@scope/x"),
        ("https://[::1]/@scope/x", "https://[::1]/@scope/x"),
        ("https://me:pw@r/@scope/x", "https://r/@scope/x"),
        ("not a url", "not a url"),
        ("https://r/?from=a?b=s", "https://r/?from=a?b=s"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_a_request_takes_headers_in_any_case() -> None:
    request = Request("GET", "https://r/", {"Accept": "a", "Range": "r"})

    assert request.having({"accept": "b"}).headers == {"accept": "b", "Range": "r"}
    assert request.headers == {"Accept": "a", "Range": "r"}


def test_headers_are_found_in_any_case_and_keep_their_order() -> None:
    headers = Headers([("A", " 1 "), ("b", "2"), ("a", "3")])

    assert (headers["a"], headers.get("B"), headers.get("c", "no")) == ("1", "2", "no")
    assert headers.all("A") == ("1", "3")
    assert "B" in headers
    assert "c" not in headers
    assert list(headers.without("a")) == [("b", "2")]
    assert "1" not in repr(headers)
    with pytest.raises(KeyError):
        headers["c"]


def test_a_body_of_bytes_opens_at_any_offset() -> None:
    assert b"".join(body_of(b"hello").open(2)) == b"llo"


def test_an_answer_at_hand_is_read_like_any_other() -> None:
    assert Response.of(200, {}, b"hello").read(5) == b"hello"
    assert list(Response.of(200, {}, b"hello").chunks(2)) == [b"he", b"ll", b"o"]
