import ssl
from pathlib import Path
from typing import NamedTuple

import pytest

from artificer.http.connection import Connections
from artificer.http.dial import Network
from artificer.http.failure import ConnectionLost
from artificer.http.request import Request, body_of
from artificer.http.tls import (
    CertificateRejected,
    Contexts,
    InvalidCertificate,
    TlsFailed,
    Trust,
)
from artificer.stop import Stop
from tests.http.servers import OK, Peer, always, get, keeping, serving
from tests.parts.certificates import authority, signed_by


class Keys(NamedTuple):
    """An authority, a server's pair and a client's, as files."""

    ca: str
    cert: str
    key: str
    client_cert: str
    client_key: str

    def server(self, *, ask: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if ask:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
        return context


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    names = ("ca.crt", "server.crt", "server.key", "client.cert", "client.key")
    paths = [folder / name for name in names]
    ca = authority("artificer test CA")
    ca.write(paths[0], folder / "ca.key")
    signed_by(ca, "localhost").write(paths[1], paths[2])
    signed_by(ca, "client").write(paths[3], paths[4])
    return Keys(*map(str, paths))


def trusting(trust: Trust) -> Connections:
    return Connections(Network(Stop(), trust=lambda _: trust, timeout=5))


def test_an_own_authority_is_trusted_besides_the_systems(keys: Keys) -> None:
    connections = trusting(Trust((keys.ca,)))
    with serving(always(OK), keys.server()) as server:
        url = f"https://localhost:{server.port}/"
        assert [get(connections, url) for _ in range(3)] == [b"ok"] * 3
        assert server.connections == 1
        assert "Host: localhost:" in server.heads[0]
        connections.close()


def test_roots_take_the_place_of_the_systems(keys: Keys) -> None:
    context = Contexts().of(Trust(roots=keys.ca))

    assert [cert["subject"] for cert in context.get_ca_certs()] == [
        ((("commonName", "artificer test CA"),),)
    ]


def test_trust_is_asked_by_the_name_of_the_host(keys: Keys) -> None:
    asked: list[str] = []

    def trust(netloc: str) -> Trust:
        asked.append(netloc)
        return Trust((keys.ca,))

    connections = Connections(Network(Stop(), trust=trust, timeout=5))
    with serving(always(OK), keys.server()) as server:
        get(connections, f"https://localhost:{server.port}/")
        connections.close()

        assert asked == [f"localhost:{server.port}"]


def test_an_unknown_authority_is_named_with_the_way_out(keys: Keys) -> None:
    with serving(always(OK), keys.server()) as server:
        with pytest.raises(CertificateRejected) as caught:
            get(trusting(Trust()), f"https://localhost:{server.port}/")

        assert caught.value.message.startswith(
            f"localhost:{server.port}: the certificate is not trusted: "
        )
        assert caught.value.hint is not None
        assert "--cacert FILE" in caught.value.hint
        assert f"certs.d/localhost:{server.port}/ca.crt" in caught.value.hint


def test_a_certificate_for_another_name_is_rejected(keys: Keys) -> None:
    with (
        serving(always(OK), keys.server()) as server,
        pytest.raises(CertificateRejected, match="ismatch"),
    ):
        get(trusting(Trust((keys.ca,))), f"https://127.0.0.2:{server.port}/")


def test_without_verifying_any_certificate_will_do(keys: Keys) -> None:
    connections = trusting(Trust(verify=False))
    with serving(always(OK), keys.server()) as server:
        assert get(connections, f"https://localhost:{server.port}/") == b"ok"
        connections.close()


def test_a_client_certificate_is_shown_to_who_asks(keys: Keys) -> None:
    connections = trusting(Trust((keys.ca,), keys.client_cert, keys.client_key))
    with serving(always(OK), keys.server(ask=True)) as server:
        assert get(connections, f"https://localhost:{server.port}/") == b"ok"
        connections.close()


def test_a_missing_client_certificate_is_named(keys: Keys) -> None:
    with (
        serving(always(OK), keys.server(ask=True)) as server,
        pytest.raises((CertificateRejected, ConnectionLost)) as caught,
    ):
        get(trusting(Trust((keys.ca,))), f"https://localhost:{server.port}/")

    if isinstance(caught.value, CertificateRejected):  # the alert may be lost with the connection
        assert "client certificate" in caught.value.message


@pytest.mark.parametrize("answer", [b"HTTP/1.0 400 Bad Request\r\n\r\nuse TLS?", b"no"])
def test_a_plain_server_does_not_agree_on_tls(answer: bytes) -> None:
    def handle(peer: Peer) -> None:
        peer.sock.recv(1000)
        peer.answer(answer)

    with serving(handle) as server, pytest.raises((TlsFailed, ConnectionLost)):
        get(trusting(Trust(verify=False)), f"https://{server.host}/")


def test_a_client_certificate_that_is_none_is_told_before_anybody_is_called(
    keys: Keys, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("-----BEGIN")
    wrong = [
        Trust((str(broken),)),
        Trust((str(tmp_path / "missing"),)),
        Trust(roots=str(broken)),
        Trust(client_cert=keys.client_cert, client_key=keys.key),
        Trust(client_cert=str(tmp_path / "missing")),
    ]
    with serving(always(OK), keys.server()) as server:
        for trust in wrong:
            with pytest.raises(InvalidCertificate, match="cannot use"):
                trusting(trust).send(Request("GET", f"https://{server.host}/"))

        assert server.connections == 0


def test_one_context_serves_equal_trust(keys: Keys) -> None:
    contexts = Contexts()

    assert contexts.of(Trust((keys.ca,))) is contexts.of(Trust((keys.ca,)))
    assert contexts.of(Trust((keys.ca,))) is not contexts.of(Trust(verify=False))


def test_a_large_body_goes_through_tls(keys: Keys) -> None:
    bodies: list[bytes] = []
    data = bytes(range(256)) * 8192
    connections = trusting(Trust((keys.ca,)))
    with serving(keeping(bodies), keys.server()) as server:
        request = Request("PUT", f"https://localhost:{server.port}/", body=body_of(data))
        connections.send(request).close()
        connections.close()

        assert bodies == [data]
