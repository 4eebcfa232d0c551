"""A push that breaks anywhere ends in the same digest or in a clear error, never in half a tag."""

import itertools
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import pytest

from artificer.registry.server.serving import serve
from artificer.store.blobs import open_store
from tests.parts.registries import Registry
from tests.registry.faulty import Fault, faulty_registry
from tests.risks.breaking import Break, Breaker, answer, breaking
from tests.risks.machines import Done, Machine, together
from tests.risks.whole import tagged

MIB = 1 << 20
SMALL, LARGE = 300_000, 33 * MIB  # one PUT; one PATCH, as it is above 32 MiB
_NUMBERS = itertools.count(1)

HTML = b"<html><head><title>502 Bad Gateway</title></head><body>\x1b[31mnginx</body></html>"
JSON = b'{"errors":[{"code":"UNKNOWN","message":"\\u001b[2J it broke"}]}'


class Built(NamedTuple):
    """A machine that has built both images, and their digests: what is tested is the push."""

    machine: Machine
    digests: dict[str, str]

    def words(self, size: str, host: str, repository: str) -> tuple[str, ...]:
        words = ("-b", "scratch", "-f", size, "--compression", "none")
        return (*words, "-t", f"{host}/{repository}:1")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    machine = Machine(tmp_path_factory.mktemp("built"))
    rng = random.Random(1)
    digests = {}
    for name, size in (("small", SMALL), ("large", LARGE)):
        (machine.work / name).write_bytes(rng.randbytes(size))
        words = ("-b", "scratch", "-f", name, "--compression", "none", "-t", f"store:{name}")
        digests[name] = machine(*words).digest
    return Built(machine, digests)


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that keeps what a broken upload has brought: ours."""
    with serve(open_store(str(tmp_path_factory.mktemp("keeping")))) as server:
        server.start()
        yield server.address


Upstream = Callable[[str], str]


@pytest.fixture(scope="module")
def upstream(open_registry: Registry, keeping: str) -> Upstream:
    """The host of a registry: ``keeping``, or ``forgetting`` (distribution)."""
    return {"keeping": keeping, "forgetting": open_registry.host}.__getitem__


def blob_of(size: str) -> tuple[str, int]:
    """The request that carries the layer, and how large it is at least."""
    return ("PUT upload", SMALL) if size == "small" else ("PATCH upload", LARGE)


def breaks(size: str) -> list[Break]:
    """A break at every class of bytes of every request of a push."""
    kind, least = blob_of(size)
    places = [
        *(Break(kind, place, least=least) for place in ("line", "head", "unanswered", "answer")),
        *(Break(kind, "body", byte, least) for byte in (0, 1, least // 2, -1, 1 << 62)),
    ]
    if size == "large":
        return [*places, *(Break("PUT upload", place) for place in ("head", "unanswered"))]
    for other in ("HEAD manifest", "HEAD blob", "POST upload", "PUT manifest"):
        places.extend(Break(other, place) for place in ("line", "head", "unanswered", "answer"))
    return [*places, Break("PUT manifest", "body", 100)]


class Pushed(NamedTuple):
    """How a push ended, what it took, and what the registry then has."""

    broken: Break
    done: Done
    breaker: Breaker
    tagged: str | None


def pushed(built: Built, size: str, host: str, broken: Break, *, afresh: bool = False) -> Pushed:
    number = next(_NUMBERS)
    repository = f"upload/{number}"
    with breaking(host) as breaker:
        breaker.breaks.append(broken)
        line = built.words(size, breaker.host, repository)
        if afresh:
            line = (*line, "--store", str(built.machine.folder / f"store-{number}"))
        done = built.machine.start(*line).done()
        return Pushed(broken, done, breaker, tagged(host, repository))


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("kind", ["keeping", "forgetting"])
def test_a_reset_at_any_byte_is_mended(
    built: Built, upstream: Upstream, kind: str, size: str
) -> None:
    runs = together(partial(pushed, built, size, upstream(kind), one) for one in breaks(size))

    for run in runs:
        is_whole(run, built, size)


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_reset_is_mended_also_where_the_layer_is_sent_ahead(
    built: Built, keeping: str, size: str
) -> None:
    """What is made is sent while the build goes on; nothing else is known of it yet."""
    kind, least = blob_of(size)
    places = [
        *(Break(kind, place, least=least) for place in ("head", "unanswered")),
        Break(kind, "body", least // 2, least),
        *(Break(other, "unanswered") for other in ("HEAD blob", "POST upload", "PUT manifest")),
    ]

    runs = together(partial(pushed, built, size, keeping, one, afresh=True) for one in places)

    for run in runs:
        is_whole(run, built, size)


PASSING = [
    answer("429 Too Many Requests", JSON, Retry_After="1"),
    answer("500 Internal Server Error", JSON),
    answer("502 Bad Gateway", HTML, Content_Type="text/html"),
    answer("503 Service Unavailable", Retry_After="0"),
]


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_refusal_that_passes_is_mended_also_amid_a_body(
    built: Built, upstream: Upstream, size: str
) -> None:
    kind, least = blob_of(size)
    places = [Break(kind, "body", least // 2, least), Break(kind, "head", 0, least)]
    if size == "small":
        others = ("HEAD manifest", "HEAD blob", "POST upload", "PUT manifest")
        places.extend(Break(other, "head") for other in others)
    broken = [place._replace(answer=data) for place in places for data in PASSING]

    runs = together(partial(pushed, built, size, upstream("keeping"), one) for one in broken)

    for run in runs:
        is_whole(run, built, size)


def is_whole(run: Pushed, built: Built, size: str) -> None:
    total = SMALL if size == "small" else LARGE
    told = f"{run.broken}: {run.done}"
    assert run.breaker.broken == 1, told
    assert run.done.code == 0, told
    assert run.done.digest == built.digests[size], told
    assert run.tagged == built.digests[size], told
    assert run.breaker.received < 2 * total + 100_000, told


FORBIDDEN = b'{"errors":[{"code":"DENIED","message":"not for you"}]}'
LASTING = [
    (b"", 75),
    (answer("429 Too Many Requests", JSON, Retry_After="1"), 75),
    (answer("429 Too Many Requests", JSON, Retry_After="600"), 75),
    (answer("502 Bad Gateway", HTML, Content_Type="text/html"), 69),
    (answer("503 Service Unavailable"), 69),
    (answer("401 Unauthorized", WWW_Authenticate='Basic realm="x"'), 77),
    (answer("401 Unauthorized"), 77),
    (answer("403 Forbidden", FORBIDDEN), 77),
    (answer("200 OK", b"not HTTP"[::-1])[9:], 69),
]


def test_what_does_not_pass_is_a_clear_error_and_no_tag(built: Built, keeping: str) -> None:
    """The exit code says whether trying again later may help."""
    kinds = itertools.cycle(("POST upload", "PUT upload", "PUT manifest", "HEAD blob"))
    cases = [
        (Break(next(kinds), "head", answer=data, times=1000), code)
        for data, code in [*LASTING, *LASTING, *LASTING]
    ]

    runs = together((partial(pushed, built, "small", keeping, one) for one, _ in cases), 30)

    for run, (_, code) in zip(runs, cases, strict=True):
        told = f"{run.broken} {run.broken.answer[:30]!r}: {run.done}"
        assert run.done.code == code, told
        assert run.done.stdout == "", told
        assert run.tagged is None, told
        error = run.done.stderr.splitlines()[-2:]
        assert error[0].startswith("error: ") or error[1].startswith("error: "), told
        assert "127.0.0.1" in run.done.stderr, told
        assert "\x1b" not in run.done.stderr, told
        assert "Traceback" not in run.done.stderr, told


@pytest.mark.parametrize("at", ["HEAD blob", "POST upload", "PUT upload", "PUT manifest"])
def test_a_token_that_ends_in_the_middle_is_renewed(built: Built, at: str) -> None:
    with faulty_registry() as faulty:
        faulty.auth, faulty.password = "token", "me:secret"
        faulty.faults.append(Fault(at, expire=True))
        line = built.words("small", faulty.host, "team/app")

        done = built.machine(*line, "--creds", "me:secret")

        assert done.digest == built.digests["small"]
        assert faulty.tags["team/app"]["1"] == built.digests["small"]
        assert "secret" not in done.stderr + done.stdout


class Restarted(NamedTuple):
    """A push that was killed, and the one that took over."""

    broken: Break
    killed: Done
    between: str | None
    sent: int
    again: Pushed


def killed(built: Built, size: str, host: str, place: Break) -> Restarted:
    repository = f"killed/{next(_NUMBERS)}"
    with breaking(host) as breaker:
        line = built.words(size, breaker.host, repository)
        running = built.machine.start(*line)
        breaker.breaks.append(place._replace(then=running.kill))
        done = running.done()
        between, sent = tagged(host, repository), breaker.received
        breaker.received = 0
        again = built.machine.start(*line).done()
        return Restarted(
            place, done, between, sent, Pushed(place, again, breaker, tagged(host, repository))
        )


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("kind", ["keeping", "forgetting"])
def test_a_killed_push_leaves_no_tag_and_the_next_one_goes_on_where_it_broke(
    built: Built, upstream: Upstream, kind: str, size: str
) -> None:
    blob, least = blob_of(size)
    places = [
        *(Break(blob, "body", byte, least) for byte in (0, least // 2, -1)),
        Break(blob, "unanswered", least=least),
        *(Break("PUT manifest", place) for place in ("line", "unanswered")),
    ]

    runs = together(partial(killed, built, size, upstream(kind), one) for one in places)

    total = SMALL if size == "small" else LARGE
    for run in runs:
        told = f"{run.broken}: {run.killed}\n{run.again.done}"
        done = run.broken.at == "PUT manifest" and run.broken.place == "unanswered"
        assert run.killed.code == -9, told
        assert run.between == (built.digests[size] if done else None), told
        assert run.again.done.code == 0, told
        assert run.again.tagged == built.digests[size], told
        if kind == "keeping" and size == "large":
            # What stood in the sockets' buffers is lost.
            assert run.sent + run.again.breaker.received < total + 8 * MIB, told
        else:
            assert run.again.breaker.received < total + 100_000, told


@pytest.mark.slow
def test_two_gigabytes_take_no_memory_and_are_read_twice_at_most(machine: Machine) -> None:
    size = 2 << 30
    with open(machine.work / "zeros", "wb") as file:
        file.truncate(size)
    with faulty_registry() as faulty:
        faulty.counting = True
        faulty.faults.append(Fault("PATCH upload", reset=size // 2))
        words = ("-b", "scratch", "-f", "zeros", "--compression", "none", "--layers", "one")

        done = machine(*words, "-t", f"{faulty.host}/team/app:1")

        assert faulty.tags["team/app"]["1"] == done.digest
        assert size < faulty.received < size + 4096
        assert faulty.seen("PATCH") == ["PATCH upload"] * 2
        assert done.peak < 150 * MIB
