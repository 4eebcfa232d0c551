"""Logins of archives go where their entry says, and nowhere else."""

from pathlib import Path

import pytest

from artificer.http.redirect import redirecting
from artificer.http.request import Request, Response
from artificer.sources.logins import (
    InvalidLogins,
    Logins,
    logged_in,
    logins_of,
    named_logins,
    usual_logins,
)

BASIC = "Basic bWU6c2VjcmV0"  # me:secret


def found(machine: str, url: str) -> bool:
    (login,) = logins_of(f"machine {machine} login me password secret")
    return login.fits(url)


@pytest.mark.parametrize(
    ("machine", "url"),
    [
        ("a.example", "https://a.example/debian/pool/x.deb"),
        ("a.example", "https://A.example:8443/"),
        ("a.example:8443", "https://a.example:8443/"),
        ("a.example/deb", "https://a.example/deb/dists/sid/InRelease"),
        ("a.example/deb/", "https://a.example/deb"),
        ("https://a.example", "https://a.example/"),
        ("http://a.example", "http://a.example/"),
        ("[::1]:8443", "https://[::1]:8443/"),
    ],
)
def test_a_login_is_for_its_host_port_and_path(machine: str, url: str) -> None:
    assert found(machine, url)


@pytest.mark.parametrize(
    ("machine", "url"),
    [
        ("a.example", "http://a.example/"),
        ("a.example", "https://b.a.example/"),
        ("a.example", "https://a.example.org/"),
        ("a.example:443", "https://a.example:8443/"),
        ("a.example/deb", "https://a.example/debian/"),
        ("a.example/deb", "https://a.example/deb/../other"),
        ("a.example/deb", "https://a.example/deb/%2e%2e/other"),
        ("http://a.example", "https://a.example/"),
    ],
)
def test_a_login_is_for_nobody_else(machine: str, url: str) -> None:
    assert not found(machine, url)


def test_the_form_is_that_of_apt_and_of_netrc() -> None:
    logins = logins_of(
        "# a comment\n"
        "machine one.example login me password secret\n"
        "machine two.example\n\tlogin me\n\taccount x password #secret\n"
        'machine three.example login me password "with \\"blank"\n'
        "macdef init\nmachine four.example login me password secret\n\n"
        "machine five.example login me unknown\n"
        "default login anybody password guess\n"
        "machine six.example"
    )
    assert [(one.host, one.password) for one in logins] == [
        ("one.example", "secret"),
        ("two.example", "#secret"),
        ("three.example", 'with "blank'),
        ("five.example", ""),
    ]


def test_a_login_is_never_shown() -> None:
    (login,) = logins_of("machine a.example login me password secret")
    assert "secret" not in repr(login)
    assert "secret" not in str([login])


def test_the_first_entry_counts(tmp_path: Path) -> None:
    (tmp_path / "auth").write_text(
        "machine a.example/x login me password secret\nmachine a.example login you password other"
    )
    logins = Logins(named_logins(str(tmp_path / "auth"), "--archive-auth", ""))

    inner, outer = logins.find("https://a.example/x/y"), logins.find("https://a.example/")
    assert inner is not None
    assert inner.header == BASIC
    assert outer is not None
    assert outer.user == "you"


def test_every_hop_of_a_redirect_is_looked_up_for_itself(tmp_path: Path) -> None:
    (tmp_path / "auth").write_text("machine a.example/in login me password secret")
    seen: list[tuple[str, str]] = []
    moved = {
        "https://a.example/in/1": "https://a.example/out/2",
        "https://a.example/out/2": "https://b.example/in/3",
        "https://b.example/in/3": "https://a.example/in/4",
    }

    def send(request: Request) -> Response:
        seen.append((request.url, request.headers.get("Authorization", "")))
        to = moved.get(request.url)
        return Response.of(302 if to else 200, {"Location": to} if to else {}, url=request.url)

    logins = Logins(named_logins(str(tmp_path / "auth"), "--archive-auth", ""))
    redirecting(logged_in(send, logins))(Request("GET", "https://a.example/in/1"))

    assert [header for _, header in seen] == [BASIC, "", "", BASIC]


def test_where_a_login_was_looked_for_is_told(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine b.example login me password secret")
    logins = Logins(usual_logins(None, str(tmp_path)))

    told = logins.told("https://a.example/x")
    assert "no login for a.example" in told
    assert "~/.netrc (no entry)" in told
    assert "/etc/apt/auth.conf" in told
    assert "not enough" in logins.told("https://b.example/x")
    assert "`machine http://a.example login" in logins.told("http://a.example/x")


def test_a_file_that_is_named_has_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("nothing here")
    for name, told in (("absent", "no such file"), ("empty", "has no login")):
        logins = Logins(named_logins(str(tmp_path / name), "--archive-auth", str(tmp_path)))
        with pytest.raises(InvalidLogins, match=told) as caught:
            logins.find("https://a.example/")
        assert f"~/{name} (--archive-auth)" in caught.value.message


def test_the_netrc_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("machine a.example login me password secret")
    assert Logins(usual_logins(str(tmp_path / "mine"), "/")).find("https://a.example/") is not None
