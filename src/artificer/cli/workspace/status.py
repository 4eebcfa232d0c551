"""The workspace's status: what ``{NAME}`` stands for in texts that are stamped."""

import os
import subprocess
import time
from argparse import Namespace
from collections.abc import Mapping

from artificer.errors import ArtificerError

_SECONDS = 300


class StatusFailed(ArtificerError):
    """The command that tells the status did not."""


def stamps_of(args: Namespace, root: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The values: with ``--stamp`` of here and now, else the same on every machine.

    What ``--workspace-status-command`` prints comes on top, stamped or not.
    """
    epoch = environ.get("SOURCE_DATE_EPOCH", "")
    seconds = int(epoch) if epoch.isdecimal() else int(time.time()) if args.stamp else 0
    values = {
        "BUILD_EMBED_LABEL": args.embed_label or "",
        "BUILD_HOST": os.uname().nodename if args.stamp else "redacted",
        "BUILD_USER": (environ.get("USER") or str(os.getuid())) if args.stamp else "redacted",
        "BUILD_TIMESTAMP": str(seconds),
    }
    if args.workspace_status_command:
        values.update(_told(args.workspace_status_command, root, environ))
    return values


def moment_of(args: Namespace, environ: Mapping[str, str]) -> str:
    """Of when the values are that change all the time: "" if they are the same everywhere."""
    epoch = environ.get("SOURCE_DATE_EPOCH", "")
    return f"SOURCE_DATE_EPOCH {epoch}" if epoch.isdecimal() else "stamped" if args.stamp else ""


def _told(program: str, root: str, environ: Mapping[str, str]) -> dict[str, str]:
    path = os.path.join(root, program)
    words = [path if os.path.exists(path) else program]
    try:
        said = subprocess.run(  # noqa: S603 - the user names the program
            words, cwd=root, env=dict(environ), capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StatusFailed(f"--workspace-status-command {program}: {error}") from error
    if said.returncode:
        told = " ".join(said.stderr.decode("utf-8", "replace").split())[-300:]
        raise StatusFailed(
            f"--workspace-status-command {program} failed ({said.returncode}): {told}"
        )
    lines = said.stdout.decode("utf-8", "replace").splitlines()
    pairs = (line.partition(" ") for line in lines if line.strip())
    return {name: value.strip() for name, _, value in pairs}
