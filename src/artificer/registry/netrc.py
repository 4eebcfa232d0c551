"""Logins from a netrc file, as curl and git have them."""

import netrc
import os
from collections.abc import Iterable

from artificer.limits import AUTH_FILE_BYTES
from artificer.registry.authfile import InvalidAuthFile


def netrc_login(path: str, shown: str, machines: Iterable[str]) -> tuple[str, str, str] | None:
    """The first of *machines* that the file knows: its name, user and password.

    ``default`` is no machine: what is meant for any server would go to every registry.
    """
    if os.stat(path).st_size > AUTH_FILE_BYTES:
        raise InvalidAuthFile(f"{shown}: larger than {AUTH_FILE_BYTES} bytes")
    try:
        hosts = netrc.netrc(path).hosts
    except netrc.NetrcParseError as error:
        # Neither the message nor the cause is passed on: they cite a word, maybe a password.
        raise InvalidAuthFile(f"{shown}:{error.lineno}: not a netrc file") from None
    except UnicodeDecodeError:
        raise InvalidAuthFile(f"{shown}:1: not UTF-8 text") from None
    for machine in machines:
        if machine in hosts and machine != "default":
            username, _, password = hosts[machine]
            return machine, username, password or ""
    return None
