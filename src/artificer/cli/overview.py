"""What ``artificer --help`` says: the one line first, then the commands."""

from collections.abc import Mapping

_HEAD = """\
artificer builds container images without Docker: no daemon, no root, no Dockerfile needed.

  artificer -b BASE -f FILE… [-e NAME=VALUE…] [-c CMD] -t TARGET
  artificer --baseimage alpine:3.7 --files server conf/ --cmd /server --target ghcr.io/me/app:v1
  artificer build [-f Dockerfile] -t NAME [--push] CONTEXT

The files land at /; `SRC:/DEST` says where else. TARGET is a name in a registry, or has a
transport: oci:DIR, oci-archive:FILE, docker-archive:FILE, docker-daemon:NAME, store:NAME,
rootfs:DIR. The digest reference goes to standard output, words to standard error.

`artificer -b --help` lists the options of a build. Commands:
"""
_TAIL = """
`artificer COMMAND --help` tells more. Exit codes: 0 done, 1 failed, 2 misused, 69 registry or
network unavailable, 75 try again, 77 not authorised, 130 and 143 cancelled.
"""


def overview(commands: Mapping[str, str]) -> str:
    """The first page that a newcomer sees; *commands* has a summary for each name."""
    width = max(map(len, commands))
    lines = [f"  {name:{width}}  {summary}" for name, summary in commands.items()]
    return _HEAD + "\n".join(lines) + "\n" + _TAIL.rstrip("\n")
