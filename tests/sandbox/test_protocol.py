"""Values that go to the sandbox arrive there as they were."""

import json
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.oci.digest import Digest
from artificer.sandbox import protocol
from artificer.sandbox.command import Bind, Cache, Command, Secret, Socket, Tmpfs, TreeLayer

NAMES = st.text(max_size=20)
CHAINS = st.lists(
    st.builds(
        TreeLayer,
        st.binary(max_size=9).map(Digest.of),
        NAMES,
        st.integers(0, 1 << 40),
        st.integers(0, 1 << 40),
    ),
    max_size=3,
).map(tuple)
MOUNTS = st.one_of(
    st.builds(Bind, NAMES, CHAINS, NAMES, st.booleans()),
    st.builds(Cache, NAMES, NAMES, st.sampled_from(["shared", "private", "locked"]), CHAINS),
    st.builds(Tmpfs, NAMES, st.integers(0, 1 << 40)),
    st.builds(Secret, NAMES, st.binary(max_size=20), st.integers(0, 0o777)),
    st.builds(Socket, NAMES, NAMES),
)
PAIRS = st.lists(st.tuples(NAMES, NAMES), max_size=3).map(tuple)
COMMANDS = st.builds(
    Command,
    st.lists(NAMES, max_size=3).map(tuple),
    PAIRS,
    NAMES,
    NAMES,
    st.lists(MOUNTS, max_size=3).map(tuple),
    st.sampled_from(["default", "none", "host"]),
    PAIRS,
    st.binary(max_size=20),
    st.integers(0, 0o777),
)


@given(COMMANDS)
def test_a_command_arrives_as_it_was(command: Command) -> None:
    words = json.loads(json.dumps(protocol.command_words(command)))

    assert protocol.command_of(words) == command


def test_names_that_are_no_text_arrive_as_they_were() -> None:
    command = Command((os.fsdecode(b"\xff\xfe"),))
    words = json.loads(json.dumps(protocol.command_words(command)))

    assert protocol.command_of(words) == command


def test_frames_arrive_whole_and_with_their_file() -> None:
    one, other = socket.socketpair()
    read, write = os.pipe()
    with one, other:
        protocol.send(one, protocol.RUN, {"a": [1, "ü"]}, descriptor=write)
        protocol.send(one, protocol.DONE, None)
        first, descriptor = protocol.receive(other)
        second, nothing = protocol.receive(other)
        os.write(descriptor, b"through")

        assert first == (protocol.RUN, {"a": [1, "ü"]})
        assert second == (protocol.DONE, None)
        assert nothing == -1
        assert os.read(read, 100) == b"through"
    for number in (read, write, descriptor):
        os.close(number)


def test_the_end_is_told() -> None:
    one, other = socket.socketpair()
    with one:
        other.close()
        with pytest.raises(protocol.Hung):
            protocol.receive(one)
        with pytest.raises(protocol.Hung):
            protocol.send(one, protocol.DONE, None)


def test_half_a_frame_is_no_frame() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(b"K\0\0\0\x05nu")
        one.shutdown(socket.SHUT_WR)
        with pytest.raises(protocol.Hung):
            protocol.receive(other)


def test_a_secret_does_not_show_what_it_holds() -> None:
    assert "hunter2" not in repr(Command(("x",), mounts=(Secret("/s", b"hunter2"),)))
