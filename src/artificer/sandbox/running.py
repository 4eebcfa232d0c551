"""A command in a root that this process can mount things in: from who it is to how it ended."""

import contextlib

from artificer.sandbox.command import Command
from artificer.sandbox.inside import Inside, start
from artificer.sandbox.mounting import Base, Mounts
from artificer.sandbox.points import Points, read_file
from artificer.sandbox.rung import NotPossible, Place
from artificer.sandbox.users import Identity, identity
from artificer.sandbox.waiting import Waiting, Watch


def run_in(base: Base, command: Command, place: Place, watch: Watch, output: int) -> int:
    """Run *command* in ``base.root`` to its end; what was mounted for it is gone again."""
    who = _identity(base, command, place)
    with contextlib.suppress(OSError):
        # A missing working directory is made, as all others do; it stays.
        Points(base.root).make(command.cwd or "/", directory=True)
    mounts = Mounts(base, command)
    try:
        actions = mounts.actions()
        groups = not base.marked
        inside = Inside(base.root, command, who, actions, base.own_pids, groups, watch.install)
        code = Waiting(start(inside, output), watch, place.leash).code()
    finally:
        mounts.release()
    if not place.allow_lost_owners:
        watch.check()
    return code


def _identity(base: Base, command: Command, place: Place) -> Identity:
    passwd, group = (read_file(base.root, path) for path in ("/etc/passwd", "/etc/group"))
    who = identity(command.user, passwd, group)
    if not base.marked or not (who.uid or who.gid):
        return who
    if place.allow_lost_owners:
        return who._replace(uid=0, gid=0, groups=())
    raise NotPossible(
        f"a command cannot run as user {command.user}: there is only one user id here",
        hint="give this user ids in /etc/subuid and /etc/subgid (and install newuidmap), "
        "or build as root or in a pod",
    )
