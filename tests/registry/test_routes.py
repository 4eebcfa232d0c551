from pathlib import Path

import pytest

from artificer.http.tls import Trust
from artificer.oci.reference import Repository
from artificer.registry.certificates import Certificates, InvalidCertificates
from artificer.registry.routes import (
    Blocked,
    Endpoint,
    InvalidRoute,
    Mirror,
    Routes,
    Rule,
    mirrored,
)

ALPINE = Repository("docker.io", "library/alpine")


def test_writing_never_goes_to_a_mirror_nor_to_another_location() -> None:
    routes = Routes([Rule("r.example", "elsewhere.example", mirrors=(Mirror("m.example"),))])
    repository = Repository("r.example", "a")

    assert routes.write(repository) == Endpoint("https://r.example", repository)


def test_writing_to_a_blocked_registry_is_an_error() -> None:
    routes = Routes([Rule("r.example", blocked=True)])
    with pytest.raises(Blocked, match=r"r\.example/a: r\.example is blocked"):
        routes.write(Repository("r.example", "a"))


def test_docker_hub_has_another_host_than_its_name() -> None:
    assert Routes().write(ALPINE) == Endpoint("https://registry-1.docker.io", ALPINE)


@pytest.mark.parametrize(
    ("netloc", "schemes"),
    [
        ("r.example", ("https",)),
        ("r.example:5000", ("https",)),
        ("localhost", ("http", "https")),
        ("localhost:5000", ("http", "https")),
        ("127.8.8.8:5000", ("http", "https")),
        ("[::1]:5000", ("http", "https")),
        ("localhost.example", ("https",)),
        ("10.0.0.1:5000", ("https",)),
        ("plain.example", ("https", "http")),
        ("PLAIN.example:443", ("https", "http")),
        ("plain.example:5000", ("https",)),
        ("a.lan", ("https", "http")),
        ("a.lan:5000", ("https", "http")),
        ("192.168.7.7:5000", ("https", "http")),
        ("[fd00::7]:5000", ("https", "http")),
        ("192.169.7.7:5000", ("https",)),
    ],
)
def test_plain_http_is_only_for_loopback_and_those_who_are_named(
    netloc: str, schemes: tuple[str, ...]
) -> None:
    routes = Routes(insecure=["plain.example", "*.lan", "192.168.0.0/16", "fd00::/8"])

    assert routes.schemes(netloc) == schemes
    assert routes.plain(netloc) == ("http" in schemes)


def test_only_an_insecure_host_is_not_verified() -> None:
    rules = [Rule("a.example/x", "b.example/x", insecure=True, mirrors=(Mirror("m.example/y"),))]
    routes = Routes(rules, insecure=["c.example:5000"])

    assert [
        host
        for host in ("a.example", "b.example", "c.example", "c.example:5000", "m.example")
        if not routes.trust(host).verify
    ] == ["b.example", "c.example:5000"]


@pytest.mark.parametrize("name", ["http://r.example", "r.example/a", "10.0.0.0/99"])
def test_an_insecure_registry_is_a_host_or_a_network(name: str) -> None:
    with pytest.raises(InvalidRoute, match="not an insecure registry"):
        Routes(insecure=[name])


def names(rules: tuple[Rule, ...], repository: Repository = ALPINE) -> list[str]:
    return [str(e.repository) for e in Routes(rules).read(repository, by_digest=False)]


def test_mirrors_of_the_command_line_come_first_and_in_order() -> None:
    rules = [Rule("docker.io", "docker.io", mirrors=(Mirror("old.example"),))]

    assert names(mirrored(rules, ["docker.io=a.example/hub", "b.example:5000"])) == [
        "a.example/hub/library/alpine",
        "b.example:5000/library/alpine",
        "old.example/library/alpine",
        "docker.io/library/alpine",
    ]


def test_a_mirror_of_a_host_mirrors_its_longer_prefixes_too() -> None:
    rules = [Rule("docker.io/library", "q.example/lib")]

    assert names(mirrored(rules, ["docker.io=a.example"])) == [
        "a.example/library/alpine",
        "q.example/lib/alpine",
    ]


def test_a_mirror_of_a_path_keeps_what_held_for_its_host() -> None:
    rules = [Rule("docker.io", "q.example", mirrors=(Mirror("old.example"),))]
    found = mirrored(rules, ["docker.io/library=a.example"])

    assert names(found) == [
        "a.example/alpine",
        "old.example/library/alpine",
        "q.example/library/alpine",
    ]
    assert names(found, Repository("docker.io", "x/y")) == ["old.example/x/y", "q.example/x/y"]


@pytest.mark.parametrize("word", ["", "=", "docker.io=", "=m", "docker.io=https://m"])
def test_what_is_no_mirror_is_an_error(word: str) -> None:
    with pytest.raises(InvalidRoute, match="not a mirror"):
        mirrored([], [word])


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    for name in ("user/r.example:5000/ca.crt", "system/r.example:5000/other.crt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("")
    return tmp_path


def kept(certs: Path) -> Certificates:
    return Certificates([str(certs / "user"), str(certs / "system")], ca_files=["/own.crt"])


def test_the_first_directory_of_a_host_decides(certs: Path) -> None:
    directory = certs / "user" / "r.example:5000"
    for name in ("b.crt", "client.cert", "client.key", "README"):
        (directory / name).write_text("")

    assert kept(certs).trust("r.example:5000") == Trust(
        ("/own.crt", str(directory / "b.crt"), str(directory / "ca.crt")),
        str(directory / "client.cert"),
        str(directory / "client.key"),
    )
    assert kept(certs).trust("r.example") == Trust(("/own.crt",))


def test_a_directory_may_name_the_port_that_a_url_does_not(certs: Path) -> None:
    (certs / "user" / "s.example:443").mkdir()

    assert kept(certs).kept("s.example")
    assert not kept(certs).kept("s.example:5000")


@pytest.mark.parametrize("name", ["client.cert", "client.key"])
def test_half_a_pair_is_an_error(certs: Path, name: str) -> None:
    (certs / "user" / "r.example:5000" / name).write_text("")
    with pytest.raises(InvalidCertificates, match=f"has {name}, but no client"):
        kept(certs).trust("r.example:5000")


def test_two_client_certificates_are_an_error(certs: Path) -> None:
    for name in ("a.cert", "a.key", "b.cert", "b.key"):
        (certs / "user" / "r.example:5000" / name).write_text("")
    with pytest.raises(InvalidCertificates, match="2 client certificates"):
        kept(certs).trust("r.example:5000")


def test_a_client_certificate_of_the_command_line_wins_everywhere(certs: Path) -> None:
    certificates = Certificates([str(certs / "user")], client=("/c", "/k"), roots="/r")

    assert certificates.trust("x.example") == Trust((), "/c", "/k", roots="/r")


def test_loopback_with_a_certificate_of_its_own_is_never_plain(certs: Path) -> None:
    (certs / "user" / "localhost:5000").mkdir()

    assert Routes(certificates=kept(certs)).schemes("localhost:5000") == ("https",)
    assert Routes(certificates=kept(certs)).schemes("localhost:5001") == ("http", "https")
