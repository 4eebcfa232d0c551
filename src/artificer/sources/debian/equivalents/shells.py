"""What update-shells(8) makes: /etc/shells, and its memory of what packages have."""

from collections.abc import Sequence

from artificer.sources.debian.equivalents.files import Files

_TEMPLATE = "usr/share/debianutils/shells"
_FOLDER = "usr/share/debianutils/shells.d"
_STATE = "var/lib/shells.state"
_LIST = "etc/shells"


def update_shells(files: Files, _: object = ()) -> None:
    """Name the shells of packages, and no more those that packages had."""
    shipped = _shipped(files)
    known = set(_names(files.text(_STATE)))
    lines, there = [], set()
    for line in _lines(files.text(_LIST if files.is_file(_LIST) else _TEMPLATE)):
        shell = line.partition("#")[0]
        if shell and ((shell not in shipped and shell in known) or shell in there):
            continue
        there.add(shell)
        lines.append(line)
    lines += [shell for shell in shipped if shell not in there and shell not in known]
    mode = files.lookup(_LIST if files.is_file(_LIST) else _TEMPLATE)
    files.put(_LIST, _text(lines), mode.mode if mode is not None else None)
    files.put(_STATE, _text(list(shipped)))


def add_shells(files: Files, words: Sequence[str]) -> None:
    """Name the shells *words*, as add-shell(8)."""
    lines = _lines(files.text(_LIST))
    both = [one for shell in words for one in (shell, f"/{files.real(shell)}")]
    there = set(lines)
    files.put(_LIST, _text([*lines, *(one for one in dict.fromkeys(both) if one not in there)]))


def _shipped(files: Files) -> dict[str, None]:
    """The shells of packages, each also by where it really is, in the order of files."""
    found: dict[str, None] = {}
    folder = [f"{_FOLDER}/{name}" for name in files.listdir(_FOLDER)]
    for path in (_TEMPLATE, *folder):
        for shell in _names(files.text(path)):
            found[shell] = None
            above, _, name = shell.rpartition("/")
            found[f"/{files.resolve(above)}/{name}"] = None
    return found


def _names(text: str | None) -> list[str]:
    return [name for line in _lines(text) if (name := line.partition("#")[0])]


def _lines(text: str | None) -> list[str]:
    return text.split("\n")[:-1] if text else []


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
