"""Filters do what their rules say, on every machine; the kernel agrees for this one."""

import errno
import os
import struct

import pytest

from artificer.sandbox.numbers import AUDIT, CALLS, calls_of
from artificer.sandbox.seccomp import ALLOW, NOTIFY, Rule, When, error, install, program

DENIED = error(errno.EPERM)


def verdict(code: bytes, call: int, arguments: tuple[int, ...], architecture: int) -> int:
    """What a filter returns: the kernel's machine in twenty lines."""
    data = struct.pack("<IIQ6Q", call, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    program_ = list(struct.iter_unpack("HBBI", code))
    at = word = 0
    while True:
        operation, true, false, value = program_[at]
        at += 1
        if operation == 0x20:
            word = struct.unpack_from("<I", data, value)[0]
        elif operation == 0x54:
            word &= value
        elif operation == 0x15:
            at += true if word == value else false
        elif operation == 0x35:
            at += true if word >= value else false
        else:
            assert operation == 0x06
            return int(value)


RULES = (
    Rule("chown", DENIED),
    Rule("fchown", DENIED, (When(1, (0,), among=False),)),
    Rule("mknodat", NOTIFY, (When(2, (0o020000, 0o060000), mask=0o170000),)),
    Rule("openat", NOTIFY, (When(0, (0xFFFFFF9C,)), When(2, (0o300,), mask=0o300, among=False))),
    Rule("openat", DENIED),
    Rule("setgroups", error(0)),
)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("fchown", (3, 5), DENIED),
        ("fchown", (3, 0), ALLOW),
        ("mknodat", (3, 1, 0o020644), NOTIFY),
        ("mknodat", (3, 1, 0o060600), NOTIFY),
        ("mknodat", (3, 1, 0o010600), ALLOW),
        ("openat", (-100 & 0xFFFFFFFFFFFFFFFF, 1, 0), NOTIFY),
        ("openat", (0xFFFFFF9C, 1, 0o300), DENIED),
        ("openat", (0xFFFFFF9C, 1, 0o100), NOTIFY),
        ("openat", (5, 1, 0), DENIED),
        ("setgroups", (1, 2), 0x50000),
        ("statx", (), ALLOW),
    ],
)
def test_a_rule_takes_the_calls_that_meet_its_conditions(
    machine: str, call: str, arguments: tuple[int, ...], expected: int
) -> None:
    code = program(RULES, machine=machine)

    assert verdict(code, calls_of(machine)[call], arguments, AUDIT[machine]) == expected


def test_calls_that_a_machine_does_not_have_are_left_out() -> None:
    assert "chown" not in calls_of("aarch64")
    assert len(program(RULES, machine="aarch64")) < len(program(RULES, machine="x86_64"))


def test_programs_of_another_architecture_are_told_apart() -> None:
    code = program(RULES, machine="x86_64", foreign=DENIED)

    assert verdict(code, 92, (), AUDIT["aarch64"]) == DENIED
    assert verdict(code, 0x40000000 | 92, (), AUDIT["x86_64"]) == DENIED


def test_the_kernel_takes_a_filter_and_keeps_to_it() -> None:
    answers = in_child(lambda: install(program((Rule("uname", DENIED), Rule("sync", error(0))))))

    assert answers == "PermissionError"


def in_child(before: object) -> str:
    """The error that uname has in a process that did something *before*."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        told = "nothing"
        try:
            assert callable(before)
            before()
            os.uname()
        except OSError as failure:
            told = type(failure).__name__
        finally:
            os.write(write, told.encode())
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as file:
        return file.read()


def test_no_number_is_used_twice() -> None:
    for machine in ("x86_64", "aarch64"):
        numbers = calls_of(machine)
        assert len(set(numbers.values())) == len(numbers)
    assert calls_of("riscv64") == {}
    assert CALLS
