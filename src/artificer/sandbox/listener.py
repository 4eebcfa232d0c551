"""Answers the calls that a filter holds back: one supervisor for all processes under it."""

import errno
import fcntl
import os
import select
import struct
from collections.abc import Callable
from typing import NamedTuple

from artificer.sandbox.numbers import CALLS
from artificer.sandbox.tracee import Tracee

_NOTIFICATION = struct.Struct("QIIiIQ6Q")
_ANSWER = struct.Struct("QqiI")
_ADD = struct.Struct("QIIII")


def _ioctl(direction: int, size: int, number: int) -> int:
    return direction << 30 | size << 16 | ord("!") << 8 | number


_RECEIVE = _ioctl(3, _NOTIFICATION.size, 0)
_SEND = _ioctl(3, _ANSWER.size, 1)
_ADD_DESCRIPTOR = _ioctl(1, _ADD.size, 3)
_SET_FLAGS = _ioctl(1, 8, 4)
_SYNC_WAKE_UP = 1
_CONTINUE = 1
_AT_ONCE = 1000

_NAMES = {number: name for name, number in CALLS.items()}


class Call(NamedTuple):
    """A call that waits: *name* with its six *arguments*, of the thread *tracee*."""

    name: str
    arguments: tuple[int, ...]
    tracee: Tracee
    inject: Callable[[int, int], int]
    """inject(descriptor, flags): give the process a copy of ours; return its number there."""


Answer = Callable[[Call], int | None]
"""Return what the call returns, or None: the kernel shall do it. An `OSError` is its errno."""


class Listener:
    """The supervisor's end of a filter. One thread serves it, from a loop of its own."""

    __slots__ = ("_answer", "_buffer", "_id", "_poll", "descriptor", "served")

    def __init__(self, descriptor: int, answer: Answer) -> None:
        self.descriptor = descriptor
        self.served = 0
        self._answer = answer
        self._buffer = bytearray(_NOTIFICATION.size)
        self._id = 0
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        try:
            # Who waits and who answers run one after the other: on one CPU, that is twice as fast.
            fcntl.ioctl(descriptor, _SET_FLAGS, _SYNC_WAKE_UP)
        except OSError:  # Linux < 6.6
            return

    def fileno(self) -> int:
        """The descriptor to poll for reading."""
        return self.descriptor

    def close(self) -> None:
        """Stop answering: whoever still calls gets ENOSYS."""
        os.close(self.descriptor)

    def serve(self) -> bool:
        """Answer what waits now, without waiting for more; say whether more may come."""
        # Not for ever: who serves has other things to look after.
        for _ in range(_AT_ONCE):
            events = self._poll.poll(0)
            if not events:
                return True
            if not events[0][1] & select.POLLIN:
                return False
            self.serve_one()
        return True

    def serve_one(self) -> None:
        """Answer one call; waits for it."""
        buffer = self._buffer
        buffer[:] = bytes(len(buffer))
        try:
            fcntl.ioctl(self.descriptor, _RECEIVE, buffer)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.EINTR}:
                return  # It was killed before we saw it.
            raise
        identifier, tid, _, number, _, _, *arguments = _NOTIFICATION.unpack(buffer)
        self._id = identifier
        self.served += 1
        name = _NAMES.get(number, str(number))
        try:
            call = Call(name, tuple(arguments), Tracee(tid), self._inject)
            value = self._answer(call)
            answer = (identifier, value or 0, 0, _CONTINUE if value is None else 0)
        except OSError as error:
            answer = (identifier, 0, -(error.errno or errno.EIO), 0)
        self._send(_ANSWER.pack(*answer))

    def _send(self, answer: bytes) -> None:
        try:
            fcntl.ioctl(self.descriptor, _SEND, answer)
        except OSError as error:
            if error.errno != errno.ENOENT:  # Killed meanwhile.
                raise

    def _inject(self, descriptor: int, flags: int) -> int:
        wanted = _ADD.pack(self._id, 0, descriptor, 0, flags & os.O_CLOEXEC)
        # A buffer that can be changed: only then the result is the call's, a number.
        return int(fcntl.ioctl(self.descriptor, _ADD_DESCRIPTOR, bytearray(wanted)))
