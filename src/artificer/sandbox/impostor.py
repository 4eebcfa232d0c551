"""Programs that change their user where there is only one: apt may think so, others may not."""

import errno
import os
import struct

from artificer.sandbox.listener import Call
from artificer.sandbox.tracee import signed

SETTERS = ("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid")
_GETTERS = ("getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid")
ID_CALLS = (*SETTERS, "setgroups", *_GETTERS, "getgroups")
"""The calls that `Impostors` answers."""

# apt gives up its rights to download, and looks whether it did; what it fetches becomes root's
# again before it is used. So nothing in a layer depends on who it was meanwhile.
_APT = ("/usr/lib/apt/", "/usr/bin/apt")
_KEPT = -1
_MOST_GROUPS = 65536


class _Ids:
    __slots__ = ("gid", "groups", "uid")

    def __init__(self) -> None:
        self.uid = 0
        self.gid = 0
        self.groups: tuple[int, ...] = ()


_ROOT = _Ids()
_ROOT.groups = (0,)


class Impostors:
    """Who believes to be somebody else; *caught* are programs that must not, with the id."""

    def __init__(self) -> None:
        self.caught: list[tuple[str, int]] = []
        self._believed: dict[int, _Ids] = {}

    def answer(self, call: Call) -> int | None:
        """Answer one of `ID_CALLS`."""
        if call.name == "setgroups":
            return self._set_groups(call)
        if call.name in SETTERS:
            return self._set(call)
        ids = self._believed.get(call.tracee.process) if self._believed else None
        if ids is None and call.name == "getgroups":
            # Where groups can be set, root has its own and no other; here it has the user's.
            ids = _ROOT
        return None if ids is None else self._get(call, ids)

    def _set(self, call: Call) -> int | None:
        count = {"setuid": 1, "setgid": 1, "setreuid": 2, "setregid": 2}.get(call.name, 3)
        wanted = {signed(word) for word in call.arguments[:count]} - {_KEPT}
        process = call.tracee.process
        known = self._believed.get(process)
        if wanted <= {0} and known is None:
            return None
        name = os.readlink(f"/proc/{process}/exe")
        if not name.startswith(_APT):
            self.caught.append((name, max(wanted)))
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        ids = self._believed.setdefault(process, _Ids())
        if wanted and call.name.endswith("uid"):
            ids.uid = max(wanted)
        elif wanted:
            ids.gid = max(wanted)
        return 0

    def _set_groups(self, call: Call) -> int:
        """It would fail, and changes nothing: to have a group means nothing where none is."""
        count, address = call.arguments[0] & 0xFFFFFFFF, call.arguments[1]
        if 0 < count <= _MOST_GROUPS and not signed(count) < 0:
            data = call.tracee.bytes_at(address, 4 * count)
            process = call.tracee.process
            if os.readlink(f"/proc/{process}/exe").startswith(_APT):
                groups = struct.unpack(f"{count}I", data)
                self._believed.setdefault(process, _Ids()).groups = groups
        return 0

    def _get(self, call: Call, ids: _Ids) -> int:
        if call.name in {"getuid", "geteuid"}:
            return ids.uid
        if call.name in {"getgid", "getegid"}:
            return ids.gid
        if call.name != "getgroups":
            value = struct.pack("I", ids.uid if call.name == "getresuid" else ids.gid)
            for address in call.arguments[:3]:
                call.tracee.write(address, value)
            return 0
        room = signed(call.arguments[0])
        if room == 0:
            return len(ids.groups)
        if room < len(ids.groups):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        call.tracee.write(call.arguments[1], struct.pack(f"{len(ids.groups)}I", *ids.groups))
        return len(ids.groups)
