"""What can be written in a Dockerfile instead of a simple command, where none can be run."""

import shlex
from collections.abc import Sequence

_SHELLS = {"sh", "bash", "ash", "dash"}
_CLEVER = ("`", "(", "{")
_OPERATORS = {"&&", ";", "||"}
_INSTEAD = {
    "mkdir": "`WORKDIR {last}` makes a directory",
    "install": "`COPY --chmod=… --chown=…` puts files where they belong",
    "chmod": "`COPY --chmod={first}` gives files their mode",
    "chown": "`COPY --chown={first}` gives files their owner",
    "chgrp": "`COPY --chown=:{first}` gives files their group",
    "ln": "make the link in the context: `COPY` keeps it",
    "touch": "`COPY <<EOF {last}` makes a file",
    "echo": "`COPY <<EOF FILE` writes a file",
    "printf": "`COPY <<EOF FILE` writes a file",
    "cat": "`COPY <<EOF FILE` writes a file",
    "rm": "leave it out from the start: `COPY --exclude={last}`, or a line in .dockerignore",
    "mv": "`COPY` it to where it belongs",
    "cp": "`COPY` it to where it belongs (`COPY --from=IMAGE` for what is in an image)",
    "wget": "`ADD {url} /` fetches a file (with `--checksum=sha256:…`)",
    "curl": "`ADD {url} /` fetches a file (with `--checksum=sha256:…`)",
    "git": "`ADD {url} /src` fetches a repository",
    "tar": "`ADD ARCHIVE /` unpacks an archive of the context",
    "unzip": "unpack it into the context, and `COPY` it",
    "export": "`ENV` sets variables",
    "cd": "`WORKDIR {last}` changes the directory",
    "true": "it does nothing: leave it out",
    ":": "it does nothing: leave it out",
}


def instead(argv: Sequence[str]) -> str | None:
    """Return how to do without *argv* (``/bin/sh -c TEXT``, or words), None if nobody can.

    Of several commands all must be simple ones.
    """
    words = _words(argv)
    if any(mark in word for word in words for mark in _CLEVER):
        return None
    commands: list[list[str]] = [[]]
    for word in words:
        if word in _OPERATORS:
            commands.append([])
        else:
            commands[-1].append(word)
    ways = [_one(command) for command in commands if command]
    if not ways or None in ways:
        return None
    return "; ".join(dict.fromkeys(way for way in ways if way))


def _words(argv: Sequence[str]) -> list[str]:
    if len(argv) == 3 and argv[0].rpartition("/")[2] in _SHELLS and argv[1] == "-c":
        lexer = shlex.shlex(argv[2], posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            return list(lexer)
        except ValueError:
            return []
    return list(argv)


def _one(command: Sequence[str]) -> str | None:
    way = _INSTEAD.get(command[0].rpartition("/")[2])
    if way is None or "|" in command:
        return None
    rest = [word for word in command[1:] if not word.startswith("-")]
    url = next((word for word in rest if "://" in word), "URL")
    first, last = (rest[0], rest[-1]) if rest else ("…", "…")
    return way.format(first=first, last=last, url=url)
