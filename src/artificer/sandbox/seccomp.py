"""Filters of system calls, assembled and installed without a library."""

import ctypes
import os
import struct
from collections.abc import Iterable
from typing import NamedTuple

from artificer.sandbox.numbers import AUDIT, CALLS, MACHINE, calls_of

ALLOW = 0x7FFF0000
NOTIFY = 0x7FC00000
_ERRNO = 0x00050000

_SET_MODE_FILTER = 1
_NEW_LISTENER = 1 << 3
_WAIT_KILLABLE = 1 << 5
_NO_NEW_PRIVS = 38
_ENOSYS = 38

# Classic BPF: load a word of the call's description, mask it, compare, return.
_LOAD = 0x20
_AND = 0x54
_EQUAL = 0x15
_AT_LEAST = 0x35
_RETURN = 0x06
_NUMBER = 0
_ARCHITECTURE = 4
_ARGUMENTS = 16
_X32 = 0x40000000


def error(number: int) -> int:
    """Return the action that lets a call fail with *number*; 0 lets it seem to have worked."""
    return _ERRNO | number


class When(NamedTuple):
    """Whether the low 32 bits of an argument, masked, are one of *values* (or none of them)."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF
    among: bool = True


class Rule(NamedTuple):
    """What is done with *call* when all *conditions* hold; otherwise the next rule is asked."""

    call: str
    action: int
    conditions: tuple[When, ...] = ()


def program(rules: Iterable[Rule], *, machine: str = MACHINE, foreign: int = ALLOW) -> bytes:
    """Assemble *rules*; what none of them takes is allowed.

    Calls that *machine* does not have are left out. *foreign* is done with programs of another
    architecture (i386 on x86_64): their numbers mean something else.
    """
    numbers = calls_of(machine)
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, AUDIT[machine]),
        (_RETURN, 0, 0, foreign),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, foreign),
    ]
    for rule in rules:
        if rule.call in numbers:
            code += _rule(rule, numbers[rule.call])
    code.append((_RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def _rule(rule: Rule, number: int) -> list[tuple[int, int, int, int]]:
    """One rule. Where a condition fails, it jumps to what reloads the number for the next rule."""
    checks: list[tuple[int, int, int, int]] = []
    if rule.conditions:
        # Backwards, since a jump counts what lies behind it: the return and the other conditions.
        tail = 1
        for condition in reversed(rule.conditions):
            piece = _condition(condition, tail)
            checks = piece + checks
            tail += len(piece)
    body = [*checks, (_RETURN, 0, 0, rule.action)]
    if rule.conditions:
        body.append((_LOAD, 0, 0, _NUMBER))
    return [(_EQUAL, 0, len(body), number), *body]


def _condition(condition: When, behind: int) -> list[tuple[int, int, int, int]]:
    """One condition: it falls through when it holds, else it jumps over *behind* instructions."""
    code = [(_LOAD, 0, 0, _ARGUMENTS + 8 * condition.argument), (_AND, 0, 0, condition.mask)]
    count = len(condition.values)
    for place, value in enumerate(condition.values):
        left = count - 1 - place
        if condition.among:
            code.append((_EQUAL, left, 0 if left else behind, value))
        else:
            code.append((_EQUAL, left + behind, 0, value))
    return code


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


_libc = ctypes.CDLL(None, use_errno=True)


def install(code: bytes, *, no_new_privileges: bool = True) -> None:
    """Put this process, and all it starts, under the filter *code*."""
    if no_new_privileges:
        _checked(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
    _install(code, 0)


def install_listened(code: bytes, *, no_new_privileges: bool = True) -> int:
    """Do the same; return the descriptor from which `NOTIFY` is read.

    There can be one such filter only: a second one is EBUSY.
    """
    if no_new_privileges:
        _checked(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
    try:
        # A call that was received is then not interrupted and repeated by signals (Linux 5.19).
        return _install(code, _NEW_LISTENER | _WAIT_KILLABLE)
    except OSError:
        return _install(code, _NEW_LISTENER)


def _install(code: bytes, flags: int) -> int:
    buffer = ctypes.create_string_buffer(code, len(code))
    wrapped = _Program(len(code) // 8, ctypes.addressof(buffer))
    if "seccomp" not in CALLS:
        raise OSError(_ENOSYS, f"seccomp: unknown machine {MACHINE}")
    return _checked(
        _libc.syscall(CALLS["seccomp"], _SET_MODE_FILTER, flags, ctypes.byref(wrapped))
    )


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")
    return result
