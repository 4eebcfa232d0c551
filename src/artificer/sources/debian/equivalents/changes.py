"""Files, directories and links as scripts make them by themselves."""

import struct
from collections.abc import Sequence

from artificer.layers.entry import DIRECTORY, SYMLINK
from artificer.sources.debian.equivalents.accounts import numbers
from artificer.sources.debian.equivalents.files import Files, InTheWay

_OLD_LIBRARIES = ("lib64", "lib32", "libo32", "libx32")
_SETCAP = "usr/sbin/setcap"
_CAPABILITY = "security.capability"
# As the kernel has it: of the second version, in effect at once, CAP_NET_RAW.
_NET_RAW = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
_DIVERSIONS = "var/lib/dpkg/diversions"
_OVERRIDES = "var/lib/dpkg/statoverride"


def directory(files: Files, words: Sequence[str]) -> None:
    """Make a directory, unless there is something: path, mode, owner, group."""
    path, mode, owner, group = (*words, *("0755", "root", "root")[len(words) - 1 :])
    uid, gid = numbers(files, owner, group)
    if files.itself(path) is None:
        files.put_directory(path, int(mode, 8), uid or 0, gid or 0)


def link(files: Files, words: Sequence[str]) -> None:
    """Make a symbolic link, unless there is something: path, target."""
    if files.itself(words[0]) is None:
        files.put_link(words[0], words[1])


def link_instead(files: Files, words: Sequence[str]) -> None:
    """Put a link in the place of an empty directory: path, target."""
    there = files.itself(words[0])
    if there is not None and there.kind == DIRECTORY and not files.listdir(words[0]):
        files.remove(words[0])
        files.put_link(words[0], words[1])


def text(files: Files, words: Sequence[str]) -> None:
    """Make a file, unless there is something: path, and what it holds."""
    if files.itself(words[0]) is None:
        files.put(words[0], "".join(words[1:]))


def copy(files: Files, words: Sequence[str]) -> None:
    """Copy a file, unless there is something: path, the file; another word keeps its time.

    Where the path is a directory, the copy is in it.
    """
    path, source = words[:2]
    if files.is_directory(path):
        path = f"{path}/{source.rpartition('/')[2]}"
    files.copy(path, source, timed=len(words) > 2)


def owner(files: Files, words: Sequence[str]) -> None:
    """Change who owns a file: path, user, group; another word: and all below."""
    uid, gid = numbers(files, words[1], words[2])
    files.change(words[0], uid=uid, gid=gid)
    below = files.below(words[0]) if len(words) > 3 and files.is_directory(words[0]) else ()
    for path in below:
        there = files.itself(path)
        if there is not None and there.kind != SYMLINK:
            files.change(path, uid=uid, gid=gid)


def mode(files: Files, words: Sequence[str]) -> None:
    """Change what may be done with a file: path, mode."""
    files.change(words[0], mode=int(words[1], 8))


def network_capability(files: Files, words: Sequence[str]) -> None:
    """Let a program open raw sockets: by its capability where setcap(8) is, else as root."""
    there = files.lookup(words[0])
    if there is None:
        return
    if files.is_file(_SETCAP):
        files.mark(words[0], _CAPABILITY, _NET_RAW)
    else:
        files.change(words[0], mode=there.mode | 0o4000)


def compiled(files: Files, words: Sequence[str]) -> None:
    """Say no where there is what has to be compiled: a directory, the end of the names in it."""
    for name in files.listdir(words[0]):
        if name.endswith(words[1]):
            raise InTheWay(f"{words[0]}/{name}".strip("/"), "has to be compiled")


def remove(files: Files, words: Sequence[str]) -> None:
    """Remove a file: path."""
    there = files.itself(words[0])
    if there is not None and there.kind != DIRECTORY:
        files.remove(words[0])


def diverted(files: Files, words: Sequence[str]) -> None:
    """Note that a path of others goes elsewhere: path, where, for whom. Nothing is moved."""
    known = files.text(_DIVERSIONS) or ""
    line = "".join(f"{word}\n" for word in words)
    if f"\n{words[0]}\n" not in f"\n{known}":
        files.put(_DIVERSIONS, known + line)


def native_architecture(files: Files, _: object = ()) -> None:
    """Note which architecture dpkg itself is of: the first of those that it knows."""
    known = (files.text("var/lib/dpkg/arch") or "").partition("\n")[0]
    if known:
        files.put("var/lib/dpkg/arch-native", f"{known}\n")


def merged_usr(files: Files, _: object = ()) -> None:
    """Remove links to directories of other word sizes that nobody has anything in."""
    for name in _OLD_LIBRARIES:
        if files.itself(name) is not None and not files.listdir(name):
            files.remove(name)
            files.remove(f"usr/{name}")


def overridden(files: Files, words: Sequence[str]) -> None:
    """Note who is to own a file, for good, and change it: path, user, group, mode."""
    path, user, group, bits = words
    line = f"{user} {group} {bits.lstrip('0') or '0'} {path}\n"
    known = files.text(_OVERRIDES) or ""
    if f" {path}\n" not in known and files.itself(path) is not None:
        files.put(_OVERRIDES, known + line)
        owner(files, (path, user, group))
        mode(files, (path, bits))
