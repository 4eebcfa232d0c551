"""The server around the protocol: connections, credentials, restarts, and what breaks."""

import base64
import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from artificer.events import Event, Note, Warned
from artificer.oci.digest import Digest
from artificer.registry.server.dispatch import Credentials
from artificer.registry.server.serving import AddressInUse, Server, serve
from artificer.store.blobs import Store, open_store
from artificer.store.files import HOUR
from artificer.store.prune import prune
from tests.parts.waiting import PATIENCE, wait_until
from tests.registry.server.asking import Asking, path_of

BLOB = bytes(range(256)) * 4096  # 1 MiB
DIGEST = Digest.of(BLOB)


def raw(server: Server, text: str) -> socket.socket:
    """A connection on which *text* was sent."""
    host, _, port = server.address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(text.encode("latin-1"))
    return connection


def answer(connection: socket.socket) -> str:
    """All that comes until the server closes."""
    with connection, connection.makefile("rb") as file:
        return file.read().decode("latin-1")


def test_it_listens_on_loopback_unless_told_otherwise(server: Server) -> None:
    assert server.address.startswith("127.0.0.1:")


def test_it_listens_on_ipv6_too(store: Store) -> None:
    with serve(store, "::1") as server:
        server.start()

        assert server.address.startswith("[::1]:")
        asking = Asking(server.address)
        assert asking("GET", "/v2/").status == 200
        asking.close()


def test_a_port_that_is_taken_is_a_clear_error(store: Store, server: Server) -> None:
    port = int(server.address.rpartition(":")[2])

    with pytest.raises(AddressInUse, match=f"cannot listen on 127.0.0.1:{port}") as caught:
        serve(store, port=port)

    assert "port" in str(caught.value.hint)


def test_one_connection_serves_many_requests(ask: Asking) -> None:
    ask.push("app", BLOB)
    before = ask.connection.sock

    for _ in range(3):
        assert ask("GET", f"/v2/app/blobs/{DIGEST}").body == BLOB
        assert ask("GET", "/v2/none/tags/list").status == 404
        assert ask("PUT", "/v2/app/manifests/x", b"x" * 1000).status == 400

    assert ask.connection.sock is before


def test_who_greets_by_tls_is_hung_up_on_at_once(server: Server) -> None:
    host, _, port = server.address.rpartition(":")
    context = ssl.create_default_context()

    with (
        socket.create_connection((host, int(port)), timeout=PATIENCE) as connection,
        pytest.raises(OSError, match=r"EOF|reset"),
    ):
        context.wrap_socket(connection, server_hostname="localhost")


def test_many_clients_push_the_same_blob_at_once(server: Server, store: Store) -> None:
    def push() -> None:
        asking = Asking(server.address)
        asking.push("app", BLOB)
        asking.close()

    threads = [threading.Thread(target=push) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.has(DIGEST) == len(BLOB)
    assert os.listdir(f"{store.root}/uploads") == []


def test_every_request_is_told_without_what_could_harm_a_terminal(store: Store) -> None:
    told: list[Event] = []
    with serve(store, report=told.append) as server:
        server.start()
        answer(raw(server, "GET /v2/\x1b[2J?secret=1 HTTP/1.0\r\n\r\n"))

    assert told == [Note(r"GET /v2/\x1b[2J 404")]


HUGE = "9" * 5000


@pytest.mark.parametrize(
    ("target", "header", "status"),
    [
        ("//[", "", 404),
        ("http://[/v2/", "", 400),
        ("/v2/app/tags/list?n=" + HUGE, "", 400),
        ("/v2/app/tags/list?n=-1", "", 400),
        ("/v2/app/tags/list?n=%D9%A1", "", 400),
        ("/v2/?" + "a=b&" * 2000, "", 400),
        (f"/v2/app/blobs/{DIGEST}", f"Range: bytes=0-{HUGE}", 200),
        (f"/v2/app/blobs/{DIGEST}", f"Range: bytes={HUGE}-", 200),
        ("/v2/", f"Content-Length: {HUGE}", 400),
        ("/v2/%ff%fe/tags/list", "", 400),
        ("/v2/app%0d%0aX:%20y/tags/list", "", 404),
        ("/v2/" + "a/" * 20_000 + "tags/list", "", 400),
        ("/v2/" + "-" * 60_000 + "/tags/list", "", 400),
    ],
)
def test_strange_requests_are_answered(
    store: Store, target: str, header: str, status: int
) -> None:
    told: list[Event] = []
    with serve(store, report=told.append) as server:
        server.start()
        asking = Asking(server.address)
        asking.push("app", BLOB)
        asking.close()
        text = f"GET {target} HTTP/1.1\r\nConnection: close\r\n{header}".rstrip()

        assert answer(raw(server, text + "\r\n\r\n")).startswith(f"HTTP/1.1 {status} ")
    assert not [event for event in told if isinstance(event, Warned)]


def test_an_error_of_our_own_is_told_and_ends_one_connection(store: Store) -> None:
    told: list[Event] = []

    def broken(event: Event) -> None:
        told.append(event)
        if isinstance(event, Note):
            raise RuntimeError("a report that raises")

    with serve(store, report=broken) as server:
        server.start()
        assert answer(raw(server, "GET /v2/ HTTP/1.1\r\n\r\n")).startswith("HTTP/1.1 200")
        assert answer(raw(server, "GET /v2/ HTTP/1.1\r\n\r\n")).startswith("HTTP/1.1 200")

    assert [type(event) for event in told] == [Note, Warned, Note, Warned]


# uploads that break


def broken_patch(server: Server, location: str, *, sent: int) -> None:
    """Send *sent* bytes of a longer chunk, then go away."""
    head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BLOB)}\r\n\r\n"
    connection = raw(server, head)
    connection.sendall(BLOB[:sent])
    connection.close()


def came_to(ask: Asking, location: str, size: int) -> bool:
    wait_until(lambda: ask("GET", location).headers["Range"] == f"0-{size - 1}")
    return True


def test_an_upload_that_broke_goes_on_where_it_broke(server: Server, ask: Asking) -> None:
    location = ask.start("app")
    broken_patch(server, location, sent=700_000)
    assert came_to(ask, location, 700_000)

    rest = {"Content-Range": f"700000-{len(BLOB) - 1}"}
    told = ask("PATCH", location, BLOB[700_000:], rest)

    assert told.status == 202
    assert ask("PUT", f"{location}?digest={DIGEST}", b"").status == 201
    assert ask("GET", f"/v2/app/blobs/{DIGEST}").body == BLOB


def test_an_upload_goes_on_after_a_restart(store: Store) -> None:
    with serve(store) as server:
        server.start()
        asking = Asking(server.address)
        location = asking.start("app")
        asking("PATCH", location, BLOB[:1000], {"Content-Range": "0-999"})
        asking.close()

    with serve(store) as server:
        server.start()
        asking = Asking(server.address)
        assert asking("GET", location).headers["Range"] == "0-999"
        asking("PATCH", location, BLOB[1000:], {"Content-Range": f"1000-{len(BLOB) - 1}"})
        told = asking("PUT", f"{location}?digest={DIGEST}", b"")
        asking.close()

    assert told.status == 201


def test_a_put_that_broke_can_be_finished(server: Server, ask: Asking) -> None:
    location = ask.start("app")
    head = f"PUT {location}?digest={DIGEST} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BLOB)}"
    connection = raw(server, f"{head}\r\n\r\n")
    connection.sendall(BLOB[:5000])
    connection.close()
    assert came_to(ask, location, 5000)

    rest = {"Content-Range": f"5000-{len(BLOB) - 1}"}

    assert ask("PUT", f"{location}?digest={DIGEST}", BLOB[5000:], rest).status == 201


@pytest.mark.parametrize(
    "body", ["5\r\n01234\r\n", "5\r\n012345\r\n0\r\n\r\n", "x\r\n", "-1\r\n", "5\r\n012"]
)
def test_chunks_that_are_none_end_the_connection(server: Server, ask: Asking, body: str) -> None:
    location = ask.start("app")
    head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection = raw(server, head + body)
    connection.shutdown(socket.SHUT_WR)

    assert answer(connection) == ""
    assert ask("GET", location).status == 204


def test_a_chunked_body_may_have_trailers(server: Server, ask: Asking) -> None:
    location = ask.start("app")
    head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    body = "5;name=x\r\n01234\r\n0\r\nX-Sum: 1\r\n\r\n"
    connection = raw(server, f"{head}Connection: close\r\n\r\n{body}")

    assert answer(connection).startswith("HTTP/1.1 202")


def test_a_length_that_is_no_number_is_400(server: Server) -> None:
    connection = raw(server, "PUT /v2/app/manifests/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n")

    assert answer(connection).startswith("HTTP/1.1 400")


def test_a_refusal_is_not_lost_while_a_large_body_is_sent(server: Server) -> None:
    connection = http.client.HTTPConnection(server.address, timeout=10)
    connection.request("PATCH", "/v2/app/blobs/uploads/none", b"x" * 20_000_000)
    response = connection.getresponse()

    assert response.status == 404
    assert response.headers["Connection"] == "close"
    connection.close()


def test_who_waits_for_100_continue_is_told_to_go_on(server: Server, ask: Asking) -> None:
    location = ask.start("app")
    head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    connection = raw(server, f"{head}Connection: close\r\nExpect: 100-continue\r\n\r\n")
    with connection, connection.makefile("rb") as file:
        assert file.readline() == b"HTTP/1.1 100 Continue\r\n"
        connection.sendall(b"01234")
        assert b"HTTP/1.1 202" in file.read()


def test_who_waits_for_100_continue_is_refused_before_sending(server: Server) -> None:
    head = "PATCH /v2/app/blobs/uploads/none HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n"
    connection = raw(server, f"{head}Expect: 100-continue\r\n\r\n")
    connection.shutdown(socket.SHUT_WR)

    assert answer(connection).startswith("HTTP/1.1 404")


# who may do what


@pytest.fixture
def locked(store: Store) -> Iterator[Asking]:
    with serve(store, credentials=Credentials("me", "pass:word")) as server:
        server.start()
        asking = Asking(server.address)
        yield asking
        asking.close()


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_with_credentials_a_stranger_is_asked_for_them(locked: Asking) -> None:
    told = locked("GET", "/v2/")

    assert (told.status, told.codes) == (401, ["UNAUTHORIZED"])
    assert told.headers["WWW-Authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize(
    "header",
    [basic("me:wrong"), basic("you:pass:word"), {"Authorization": "Basic !"},
     {"Authorization": "Bearer x"}, {"Authorization": "Basic"}, basic("mé:pass:word")],
)  # fmt: skip
def test_wrong_credentials_are_refused(locked: Asking, header: dict[str, str]) -> None:
    assert locked("GET", "/v2/", headers=header).status == 401


def test_right_credentials_are_let_in(locked: Asking) -> None:
    assert locked("GET", "/v2/", headers=basic("me:pass:word")).status == 200


def test_credentials_do_not_show(locked: Asking) -> None:
    assert "pass" not in repr(Credentials("me", "pass:word"))


def test_a_read_only_registry_gives_but_does_not_take(store: Store, server: Server) -> None:
    asking = Asking(server.address)
    asking.push("app", BLOB)
    asking.close()
    with serve(store, read_only=True) as reader:
        reader.start()
        asking = Asking(reader.address)

        assert asking("GET", f"/v2/app/blobs/{DIGEST}").body == BLOB
        for method, path in (
            ("POST", "/v2/app/blobs/uploads/"),
            ("PUT", "/v2/app/manifests/v1"),
            ("DELETE", f"/v2/app/blobs/{DIGEST}"),
        ):
            told = asking(method, path, b"")
            assert (told.status, told.codes) == (405, ["UNSUPPORTED"])
        asking.close()


# beside others


def test_a_blob_of_the_store_is_not_served_until_a_repository_has_it(
    store: Store, ask: Asking
) -> None:
    store.put(BLOB)

    assert ask("HEAD", f"/v2/app/blobs/{DIGEST}").status == 404
    ask.push("app", BLOB)
    assert ask("HEAD", f"/v2/app/blobs/{DIGEST}").status == 200


def test_a_prune_of_a_served_store_spares_images_and_what_is_new(
    store: Store, ask: Asking
) -> None:
    manifest = ask.image("app", b"layer")
    ask.put("app", "v1", manifest)
    location = ask.start("app")
    cached = store.put(b"cached")

    pruned = prune(open_store(store.root), everything=False, older_than=0)

    assert not pruned.alone
    assert store.has(cached) is not None
    assert ask("GET", f"/v2/app/blobs/{Digest.of(b'layer')}").status == 200
    assert ask("GET", location).status == 204


def test_an_old_image_stays_and_an_old_unlisted_blob_goes(store: Store, ask: Asking) -> None:
    ask.put("app", "v1", ask.image("app", b"layer"))
    ask.push("app", b"unlisted")

    prune(store, clock=lambda: time.time() + 2 * HOUR)

    assert ask("GET", "/v2/app/manifests/v1").status == 200
    assert ask("GET", f"/v2/app/blobs/{Digest.of(b'layer')}").status == 200
    assert ask("GET", f"/v2/app/blobs/{Digest.of(b'unlisted')}").status == 404


def test_a_blob_that_the_disk_lost_is_404(store: Store, ask: Asking) -> None:
    ask.push("app", BLOB)
    store.discard(DIGEST)

    assert ask("GET", f"/v2/app/blobs/{DIGEST}").status == 404


def test_a_store_that_broke_is_500(store: Store, ask: Asking) -> None:
    Path(store.root, "uploads").write_text("no folder")

    told = ask("POST", "/v2/app/blobs/uploads/", b"")

    assert (told.status, told.codes) == (500, ["UNKNOWN"])


def test_closing_cuts_idle_connections_and_lets_go_of_the_store(store: Store) -> None:
    server = serve(store)
    server.start()
    asking = Asking(server.address)
    asking("GET", "/v2/")
    assert asking.connection.sock is not None

    server.close()

    # It has not waited for the client, which is still there.
    assert asking.connection.sock.recv(1) == b""
    assert prune(store).alone
    asking.close()


def test_a_server_that_never_served_can_be_closed(store: Store) -> None:
    serve(store).close()

    assert prune(store).alone


def test_a_location_stays_valid_after_a_mount_from_nowhere(ask: Asking) -> None:
    told = ask("POST", f"/v2/app/blobs/uploads/?mount={DIGEST}&from=none", b"")

    assert ask("PUT", f"{path_of(told)}?digest={DIGEST}", BLOB).status == 201
