"""What every command finds mounted: /proc, /sys, /dev, and files of the machine's /etc."""

import contextlib
import os

from artificer.sandbox import calls
from artificer.sandbox.command import Command
from artificer.sandbox.inside import bind, mount_at, set_read_only
from artificer.sandbox.rung import HOSTNAME, SCRIPT

FOLDERS = ("/proc", "/sys", "/dev")
FILES = ("/etc/resolv.conf", "/etc/hosts")

_NODES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
)
_QUIET = calls.MS_NOSUID | calls.MS_NOEXEC
# What docker hides, or does not let be written: root in a root is root of the machine there.
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_HIDDEN_FILES = ("/proc/kcore", "/proc/keys", "/proc/timer_list")


def mount_proc(root: str, *, own_pids: bool) -> None:
    """Mount /proc: a new one, or where that may not be, the one there is."""
    if not own_pids:
        bind("/proc", root, "/proc")
        return
    mount_at(root, "/proc", "proc", _QUIET | calls.MS_NODEV)
    for path in _READ_ONLY:
        with contextlib.suppress(FileNotFoundError):
            bind(f"{root}{path}", root, path, read_only=True)
    for path in _HIDDEN_FILES:
        with contextlib.suppress(FileNotFoundError):
            bind("/dev/null", root, path)


def mount_sys(root: str) -> None:
    """Mount /sys, for reading; a machine that does not let us has none in its roots."""
    with contextlib.suppress(OSError):
        bind("/sys", root, "/sys")
        set_read_only(root, "/sys")


def mount_dev(root: str, command: Command) -> None:
    """Mount a /dev of a few devices, which holds the command's script, too."""
    mount_at(root, "/dev", "tmpfs", calls.MS_NOSUID, "mode=755,size=65536k")
    dev = f"{root}/dev"
    for name in _NODES:
        _make_file(f"{dev}/{name}", b"", 0o666)
        bind(f"/dev/{name}", root, f"/dev/{name}")
    for name, target in _LINKS:
        os.symlink(target, f"{dev}/{name}")
    for name in ("shm", "pts", "mqueue"):
        os.mkdir(f"{dev}/{name}", 0o755)
    mount_at(root, "/dev/shm", "tmpfs", _QUIET | calls.MS_NODEV, "mode=1777,size=65536k")  # noqa: S108 - the command's
    _mount_terminals(root)
    if command.script:
        place = f"{root}{SCRIPT}"
        os.mkdir(os.path.dirname(place), 0o755)
        _make_file(place, command.script, 0o755)


def _mount_terminals(root: str) -> None:
    options = "newinstance,ptmxmode=0666,mode=0620"
    # The group "tty" may be no id of this namespace.
    for more in (",gid=5", ""):
        with contextlib.suppress(OSError):
            mount_at(root, "/dev/pts", "devpts", _QUIET, options + more)
            return


def mount_files(root: str, folder: str, command: Command) -> None:
    """Mount /etc/resolv.conf and /etc/hosts; *folder* is on a file system of the command's own."""
    _make_file(f"{folder}/hosts", hosts(command), 0o644)
    _make_file(f"{folder}/resolv.conf", resolv_conf(command), 0o644)
    for path in FILES:
        bind(f"{folder}/{os.path.basename(path)}", root, path)


def hosts(command: Command) -> bytes:
    """Return the text of /etc/hosts for *command*."""
    lines = [
        "127.0.0.1\tlocalhost " + HOSTNAME,
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "ff00::0\tip6-mcastprefix",
        "ff02::1\tip6-allnodes",
        "ff02::2\tip6-allrouters",
        *(f"{address}\t{name}" for name, address in command.hosts),
    ]
    return ("\n".join(lines) + "\n").encode()


def resolv_conf(command: Command) -> bytes:
    """Return the text of /etc/resolv.conf: the machine's, without a network nothing."""
    if command.network == "none":
        return b""
    with contextlib.suppress(OSError), open("/etc/resolv.conf", "rb") as file:
        return file.read()
    return b""


def _make_file(path: str, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(descriptor, mode)
        # What commands see must not depend on the time of day.
        os.utime(descriptor, (0, 0))
