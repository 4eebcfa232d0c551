"""What a container is started with: merged in order, nothing lost."""

import pytest

from artificer.errors import Misused
from artificer.oci.settings import Settings, applied, env_pair, expanded, port, stop_signal

BASE = {
    "Env": ["PATH=/bin", "A=1"],
    "Cmd": ["sh"],
    "Entrypoint": ["/init"],
    "Labels": {"a": "1"},
    "ExposedPorts": {"80/tcp": {}},
    "Unknown": [1],
}


def test_nothing_asked_changes_nothing() -> None:
    assert applied(Settings(), BASE) == (BASE, [])


def test_env_is_merged_in_order_and_expanded_from_the_base_and_earlier_ones() -> None:
    settings = Settings(env=(("PATH", "/app:$PATH"), ("B", "${A}2"), ("C", "$B$$")))

    config, lines = applied(settings, BASE)

    assert config["Env"] == ["PATH=/app:/bin", "A=1", "B=12", "C=12$"]
    assert lines == ["ENV PATH=/app:/bin", "ENV B=12", "ENV C=12$"]


def test_clear_env_drops_the_bases_and_leaves_the_rest() -> None:
    config, _ = applied(Settings(env=(("B", "2"),), clear_env=True), BASE)

    assert config["Env"] == ["B=2"]
    assert applied(Settings(clear_env=True), BASE)[0]["Env"] == []


def test_an_entrypoint_clears_an_inherited_command_unless_told_otherwise() -> None:
    assert applied(Settings(entrypoint=("/x",)), BASE)[0]["Cmd"] is None
    assert applied(Settings(entrypoint=("/x",), keep_cmd=True), BASE)[0]["Cmd"] == ["sh"]
    assert applied(Settings(entrypoint=("/x",), cmd=("y",)), BASE)[0]["Cmd"] == ["y"]


def test_an_empty_command_resets() -> None:
    config, _ = applied(Settings(cmd=(), entrypoint=()), BASE)

    assert (config["Cmd"], config["Entrypoint"]) == (None, None)


def test_unknown_fields_survive_and_the_base_is_not_touched() -> None:
    before = repr(BASE)

    config, _ = applied(
        Settings(labels=(("b", "2"),), ports=("53/udp",), volumes=("/d",), user="1"), BASE
    )

    assert config["Unknown"] == [1]
    assert config["Labels"] == {"a": "1", "b": "2"}
    assert config["ExposedPorts"] == {"80/tcp": {}, "53/udp": {}}
    assert config["Volumes"] == {"/d": {}}
    assert repr(BASE) == before


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A", "1"),
        ("${A}x", "1x"),
        ("$$A", "$A"),
        (r"\$A", "$A"),
        ("${N:-d}", "d"),
        ("${A:-d}", "1"),
        ("${A:+t}", "t"),
        ("${N:+t}", ""),
        ("$PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("a b", "a b"),
    ],
)
def test_variables_are_expanded(text: str, value: str) -> None:
    assert expanded(text, {"A": "1"}, "X") == value


@pytest.mark.parametrize("text", ["$N", "${N}", "cost: 5$", "${", "$-", "${A"])
def test_a_dollar_that_names_nothing_known_is_an_error_with_a_way_out(text: str) -> None:
    with pytest.raises(Misused) as caught:
        expanded(text, {"A": "1"}, "X")

    assert "$$" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["A", "=1", "", "A\0=1"])
def test_what_is_no_variable_is_misuse(text: str) -> None:
    with pytest.raises(Misused):
        env_pair(text)


def test_a_variable_may_be_empty_and_hold_equal_signs() -> None:
    assert env_pair("A=") == ("A", "")
    assert env_pair("A=b=c") == ("A", "b=c")


def test_ports_have_a_protocol_and_may_be_ranges() -> None:
    assert port("80") == ["80/tcp"]
    assert port("53/UDP") == ["53/udp"]
    assert port("8000-8002/tcp") == ["8000/tcp", "8001/tcp", "8002/tcp"]


@pytest.mark.parametrize("text", ["", "x", "0", "65536", "80/", "80/icmp", "9-8", "-1"])
def test_what_is_no_port_is_misuse(text: str) -> None:
    with pytest.raises(Misused):
        port(text)


def test_signals_are_names_or_numbers() -> None:
    for text in ("SIGRTMIN+3", "RTMAX-1", "SIGTERM", "USR1", "9"):
        assert stop_signal(text) == text
    for text in ("sigterm please", "SIGFOO", "SIGTERM+1", "SIG9", "1000"):
        with pytest.raises(Misused):
            stop_signal(text)
