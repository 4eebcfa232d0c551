"""Roots for tests: a small base with a shell, and a sandbox on each rung, as whoever has it."""

import hashlib
import io
import os
import pwd
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from artificer.oci.digest import Digest
from artificer.sandbox.client import Root, Sandbox, SandboxOptions
from artificer.sandbox.command import Command, TreeLayer
from artificer.stop import Stop
from tests.parts.images import alone, cache_folder
from tests.sandbox import pods

WITH_IDS, WITHOUT_IDS = "u1", "u2"
LONG_AGO = 1_000_000_000
USERS = {
    "root": "",
    "full-map": "",
    "range-map": WITH_IDS,
    "single-map": WITHOUT_IDS,
    "range-map-directory": WITH_IDS,
}
PODS = {"chroot": "root", "proot": "crio"}
RUNGS = tuple(USERS)
EVERYWHERE = (*RUNGS, *PODS)

_PASSWD = (
    "root:x:0:0:root:/root:/bin/sh\n"
    "web:x:33:33:web:/var/www:/bin/sh\n"
    "nobody:x:65534:65534::/:/bin/sh\n"
)
_GROUP = "root:x:0:\nweb:x:33:\nextra:x:77:other,web\n"


class Ran(NamedTuple):
    """What a command said, its exit code, and the tar of what it changed."""

    said: str
    code: int
    tar: bytes

    @property
    def members(self) -> dict[str, tarfile.TarInfo]:
        """The members of the tar."""
        with tarfile.open(fileobj=io.BytesIO(self.tar)) as tar:
            return {member.name: member for member in tar}

    def bytes_of(self, name: str) -> bytes:
        """What is in a file of the tar."""
        with tarfile.open(fileobj=io.BytesIO(self.tar)) as tar:
            found = tar.extractfile(name)
            assert found is not None
            return found.read()


def member(name: str, data: bytes = b"", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a layer: a file, unless `type` says otherwise."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = len(data), LONG_AGO, 0o644
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def directory(name: str, mode: int = 0o755, **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A directory of a layer."""
    return member(name, type=tarfile.DIRTYPE, mode=mode, **more)


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    """A symbolic link of a layer."""
    return member(name, type=tarfile.SYMTYPE, linkname=target, mode=0o777)


def layer(folder: Path, members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> TreeLayer:
    """Write a layer below *folder*."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    digest = Digest("sha256:" + hashlib.sha256(buffer.getvalue()).hexdigest())
    path = folder / f"{digest.hex}.tar"
    path.write_bytes(buffer.getvalue())
    return TreeLayer(digest, str(path))


def base(folder: Path) -> TreeLayer:
    """A base: busybox, setcap and perl, users, and some files to be changed."""
    names = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True)
    programs = [(path, "bin/" + os.path.basename(path)) for path in (_found("busybox"),)]
    programs += [(_found("setcap"), "sbin/setcap"), (_found("perl"), "bin/perl")]
    return layer(
        folder,
        [
            *(directory(name) for name in ("bin", "etc", "lib", "lib64", "root", "sbin", "var")),
            directory("tmp", 0o1777),
            *(member(name, Path(path).read_bytes(), mode=0o755) for path, name in programs),
            *(
                member(path.lstrip("/"), Path(path).read_bytes(), mode=0o755)
                for path in sorted({*_libraries(_found("setcap")), *_libraries(_found("perl"))})
            ),
            *(
                link(f"bin/{name}", "busybox")
                for name in names.stdout.split()
                if name != "busybox"
            ),
            member("etc/passwd", _PASSWD.encode()),
            member("etc/group", _GROUP.encode()),
            *_files(),
        ],
    )


def _files() -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    yield directory("srv")
    for number in range(4):
        yield member(f"srv/f{number}", b"file %d\n" % number)
    yield member("srv/owned", b"owned\n", uid=33, gid=77, mode=0o640)
    yield member("srv/suid", b"#!/bin/sh\n", mode=0o4755)
    yield link("srv/link", "f0")
    owned = link("srv/web-link", "f1")
    owned[0].uid = owned[0].gid = 33
    yield owned
    yield directory("srv/dir")
    for name in ("a", "b", "sub/c", "sub/d"):
        yield member(f"srv/dir/{name}", name.encode() * 100)
    yield directory("srv/web", 0o2770, uid=33, gid=33)
    yield member("srv/web/x", b"x", uid=33, gid=33)
    yield link("srv/to-dir", "dir")


def _found(name: str) -> str:
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert path is not None, name
    return path


def _libraries(program: str) -> Iterator[str]:
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    for word in told.stdout.split():
        if word.startswith("/"):
            yield word


def add_users() -> None:
    """Make the users that hold rungs, if they are not there: one has subordinate ids."""
    if os.geteuid():
        pytest.skip("only root can be others")
    folder = cache_folder() / "users"
    folder.mkdir(exist_ok=True)
    # Two who write a file anew at once lose a line of each other's.
    with alone(folder):
        for name in (WITH_IDS, WITHOUT_IDS):
            _add_user(name)
        for path in ("/etc/subuid", "/etc/subgid"):
            text = Path(path).read_text()
            assert re.search(f"^{WITH_IDS}:", text, re.MULTILINE)
            if re.search(f"^{WITHOUT_IDS}:", text, re.MULTILINE):
                subprocess.run(["sed", "-i", f"/^{WITHOUT_IDS}:/d", path], check=True)


def _add_user(name: str) -> None:
    for _ in range(50):
        try:
            pwd.getpwnam(name)
        except KeyError:
            # Somebody else may be adding users at the same time.
            subprocess.run(["useradd", "--no-create-home", name], check=False, capture_output=True)
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"user {name} cannot be made")


def launcher(rung: str) -> tuple[str, ...]:
    """Words that start a program as who has *rung*: a user, or root in a pod.

    A user may read what Python is made of, but not more.
    """
    if rung in PODS:
        return pods.launcher(PODS[rung])
    user = USERS[rung]
    if not user:
        return ()
    own = ("--reuid", user, "--regid", user, "--clear-groups")
    reading = "+dac_read_search"
    # The others are what setuid programs (newuidmap) may have.
    kept = f"-all,{reading},+setuid,+setgid,+setfcap,+chown,+dac_override,+fowner,+sys_admin"
    capabilities = ("--inh-caps", reading, "--ambient-caps", reading, "--bounding-set", kept)
    return ("setpriv", *own, *capabilities)


def options(rung: str, **more: Any) -> SandboxOptions:
    """Options of a build that began now, on *rung*, as who has it."""
    plain = SandboxOptions(rung=rung, started=time.time_ns(), launcher=launcher(rung))
    return plain._replace(**more)


def state_of(rung: str, folder: Path) -> str:
    """A directory below *folder* that whoever has *rung* may write."""
    state = folder / f"state-{rung}"
    state.mkdir(exist_ok=True)
    if USERS.get(rung):
        owner = pwd.getpwnam(USERS[rung])
        os.chown(state, owner.pw_uid, owner.pw_gid)
    return str(state)


@contextmanager
def sandbox(rung: str, folder: Path, **more: Any) -> Iterator[Sandbox]:
    """A sandbox on *rung*, whose state is below *folder*."""
    with Sandbox(state_of(rung, folder), options(rung, **more), Stop()) as box:
        yield box


def shell(script: str, **more: Any) -> Command:
    """A command of the root's shell."""
    return Command(("/bin/sh", "-c", script), **more)


def ran(root: Root, command: Command | str) -> Ran:
    """Run a command and return all there is to know of it."""
    said = bytearray()
    wanted = shell(command) if isinstance(command, str) else command
    code = root.run(wanted, said.extend)
    tar = b"".join(root.changes().chunks)
    return Ran(said.decode("utf-8", "surrogateescape"), code, tar)


def adopted(root: Root, done: Ran) -> TreeLayer:
    """Let the root keep what *done* changed; the layer has no file."""
    diff_id = Digest("sha256:" + hashlib.sha256(done.tar).hexdigest())
    root.adopt(diff_id)
    return TreeLayer(diff_id, "/nonexistent")
