"""What update-rc.d(8) makes where there is no insserv(8): links by the runlevels of a script."""

import re
from collections.abc import Sequence

from artificer.sources.debian.equivalents.files import Files

_SCRIPTS = "etc/init.d"
_BEGIN, _END = "### BEGIN INIT INFO", "### END INIT INFO"
_LEVELS = re.compile("[0-9S]")


def runlevels(files: Files, words: Sequence[str]) -> None:
    """Link the script, the first of *words*; another word keeps it from being started."""
    script, starts = words[0], len(words) == 1
    if not files.is_file(f"{_SCRIPTS}/{script}") or _is_linked(files, script):
        return
    text = files.text(f"{_SCRIPTS}/{script}") or ""
    for level in _levels(text, "Default-Start"):
        _link(files, level, "S" if starts else "K", script)
    for level in _levels(text, "Default-Stop"):
        _link(files, level, "K", script)


def _link(files: Files, level: str, letter: str, script: str) -> None:
    path = f"etc/rc{level}.d/{letter}01{script}"
    if files.itself(path) is None:
        files.put_link(path, f"../init.d/{script}")


def _is_linked(files: Files, script: str) -> bool:
    pattern = re.compile(rf"[SK][0-9][0-9]{re.escape(script)}")
    folders = (f"etc/{name}" for name in files.listdir("etc") if re.fullmatch(r"rc.\.d", name))
    return any(pattern.fullmatch(name) for folder in folders for name in files.listdir(folder))


def _levels(text: str, field: str) -> list[str]:
    """The runlevels of *field*, as the comments that are for insserv(8) have it last."""
    lines = [line.rstrip() for line in text.split("\n")]
    head = lines[lines.index(_BEGIN) + 1 :] if _BEGIN in lines else []
    told = head[: head.index(_END)] if _END in head else []
    start = f"# {field}:"
    found = [line for line in told if line.startswith(start)]
    words = found[-1].removeprefix(start).split() if found else []
    return [word for word in words if _LEVELS.fullmatch(word)]
