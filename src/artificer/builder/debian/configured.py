"""Whether packages are configured, by what dpkg has noted and not by what it answered."""

from collections.abc import Iterable, Sequence

from artificer import limits
from artificer.layers.entry import FILE, Entry
from artificer.sources.debian.deb822 import BadStanza
from artificer.sources.debian.installing.actions import ScriptFailed
from artificer.sources.debian.installing.database import STATUS
from artificer.sources.debian.installing.unpack import bytes_of
from artificer.sources.debian.listing import installed
from artificer.sources.debian.values import Locked

_SHOWN = 5


def see_configured(packages: Iterable[Locked], entries: Sequence[Entry]) -> None:
    """Raise unless the database among *entries* has all of *packages* as installed.

    A script may have put another program in dpkg's place, which says yes to everything.
    """
    found = next((one for one in entries if one.path == STATUS and one.kind == FILE), None)
    if found is not None and found.size > limits.STATUS_BYTES:
        raise BadStanza(
            f"/{STATUS} has {found.size} bytes once scripts have run",
            hint=f"{limits.STATUS_BYTES} is the limit",
        )
    status = b"" if found is None else b"".join(bytes_of(found))
    states = {(one.name, one.architecture): one.status for one in installed({STATUS: status})}
    told = [(one.name, states.get((one.name, one.architecture), "not there")) for one in packages]
    left = [f"{name} is {state}" for name, state in told if state != "installed"]
    if left:
        more = f", and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        raise ScriptFailed(
            f"dpkg has not configured all packages: {', '.join(left[:_SHOWN])}{more}",
            hint="no image was made; has a script changed /var/lib/dpkg, or dpkg itself? Leave "
            "its package out with `--deb-exclude`",
        )
