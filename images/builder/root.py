"""The files of the builder's image out of what packages ship: less of that, and byte code.

As a program: ``root.py IMAGE.tar WHEELS.tar SOURCE ROOT.tar``, run by a Python of the version
that the image has, since byte code is that version's own.
"""

import io
import json
import marshal
import posixpath
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path

PYTHON = (3, 11)
LIBRARY = "usr/lib/python3/dist-packages"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"

# git needs perl for what no build asks of it, Python some libraries for modules that nobody loads.
_LEFT_OUT = re.compile(
    r"usr/(?:bin|lib/[^/]+)/(?:perl|gconv|lib(?:perl|db-|gdbm|sqlite|ncurses|readline|panel|nsl))"
    r"|usr/(?:share|lib)/(?:[^/]+/)?perl|usr/bin/[a-z]*(?:perl|dpkg|debconf|xsubpp|pod2|json_pp)"
    r"|usr/share/(?:doc|man|info|locale|lintian|bash-completion|git-core/contrib|gitweb|debconf)"
    r"|usr/share/(?:perl|dpkg|polkit-1|bug|pixmaps|apport|gitk|git-gui|libc-bin|gcc)"
    r"|usr/lib/git-core/git-(?:http-backend|daemon|imap-send|http-push|cvs|svn|p4|send-email|shell)"
    r"|usr/lib/git-core/git-(?:add--interactive|archimport|instaweb|gui|citool|request-pull)"
    r"|usr/bin/(?:scalar|git-shell|git-upload|git-receive|gitk|openssl|c_rehash|ssh-(?:add|agent))"
    r"|usr/bin/(?:ssh-argv0|ssh-copy-id|ssh-keyscan|sftp|scp|slogin|pdb|pydoc|pygettext|py(?:3)?c)"
    r"|usr/lib/openssh/(?:ssh-keysign|ssh-sk|agent)|usr/sbin|usr/lib/ssl/misc|var/|etc/(?:cron|perl)"
    r"|etc/(?:apt|dpkg|logrotate|init|systemd|alternatives|debconf|X11|bash_completion|default)"
    r"|usr/lib/systemd|usr/lib/python3\.11/(?:idlelib|lib2to3|pydoc_data|turtledemo|tkinter|ensurepip"
    r"|test|unittest|distutils|sqlite3|asyncio|multiprocessing|pydoc|curses|dbm|wsgiref|xmlrpc|config-|__phello__)"
    r"|usr/lib/python3\.11/lib-dynload/(?:_sqlite3|_curses|_dbm|_gdbm|readline|nis|_test|_xx|ossaudio)"
    r"|usr/lib/git-core/(?:scalar|git-http-fetch|git-gui)|usr/bin/(?:tar|rmt)|usr/lib/[^/]+/security"
    r"|usr/lib/[^/]+/(?:libmvec|libsepol|libpam|libaudit|libdebconf)|usr/lib/openssh/ssh-pkcs11"
    r"|.*/__pycache__/"
)
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\n"
    "artificer:x:1000:1000:artificer:/home/artificer:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n",
    "etc/group": "root:x:0:\nartificer:x:1000:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_PROGRAM = """\
#!/usr/bin/python3 -sP
from artificer.cli.main import command
command()
"""
# What git's own scripts call, by one program.
_BUSYBOX = (
    *("sh", "sed", "grep", "cut", "cat", "basename", "dirname", "uname", "tr", "wc", "expr"),
    *("test", "[", "mkdir", "rm", "ls", "env", "printf", "echo", "true", "false", "sort"),
)

Files = dict[str, tuple[tarfile.TarInfo, bytes]]


def main(image: str, wheels: str, source: str, result: str) -> None:
    """Write *result*."""
    if sys.version_info[:2] != PYTHON:
        raise SystemExit(f"byte code is made by Python {PYTHON[0]}.{PYTHON[1]}, which is not here")
    found = {name: one for name, one in packaged(image) if not _LEFT_OUT.match(name)}
    certificates = [
        one[1]
        for name, one in sorted(found.items())
        if name.startswith("usr/share/ca-certificates/")
    ]
    found = {
        name: one
        for name, one in found.items()
        if not name.startswith("usr/share/ca-certificates")
    }
    _put(found, CERTIFICATES, b"".join(certificates))
    for name, text in _ACCOUNTS.items():
        _put(found, name, text.encode())
    for name, data in libraries(wheels, Path(source)):
        _put(found, f"{LIBRARY}/{name}", data)
    _put(found, "usr/bin/artificer", _PROGRAM.encode(), 0o755)
    _link(found, "usr/bin/bazel", "artificer")
    for name in _BUSYBOX:
        _link(found, f"usr/bin/{name}", "busybox")
    _add_byte_code(found)
    for name in ("home/artificer", "tmp", "workspace"):
        one = tarfile.TarInfo(name)
        one.type, one.mode = tarfile.DIRTYPE, 0o1777
        found[name] = (one, b"")
    _write(found, result)


def packaged(image: str) -> Iterator[tuple[str, tuple[tarfile.TarInfo, bytes]]]:
    """What the layers of *image*, as docker saves it, hold."""
    with tarfile.open(image) as outer:
        manifest = json.loads(_read(outer, "manifest.json"))
        for layer in manifest[0]["Layers"]:
            with tarfile.open(fileobj=io.BytesIO(_read(outer, layer))) as tar:
                for one in tar:
                    held = tar.extractfile(one) if one.isreg() or one.islnk() else None
                    data = held.read() if held else b""
                    name = one.name.removeprefix("./")
                    if one.islnk():  # its file may be left out
                        one.type, one.linkname, one.size = tarfile.REGTYPE, "", len(data)
                    yield name, (one, data)


def libraries(wheels: str, source: Path) -> Iterator[tuple[str, bytes]]:
    """What wheels hold, and the project itself, below ``dist-packages``."""
    with tarfile.open(wheels) as tar:
        for name in sorted(tar.getnames()):
            if not name.endswith(".whl"):
                continue
            with zipfile.ZipFile(io.BytesIO(_read(tar, name))) as wheel:
                for one in wheel.namelist():
                    if not one.endswith("/") and ".data/" not in one:
                        yield one, wheel.read(one)
    for path in sorted(source.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(source)), path.read_bytes()


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    held = tar.extractfile(name)
    if held is None:
        raise SystemExit(f"there is no file {name} in an archive")
    return held.read()


def _put(found: Files, name: str, data: bytes, mode: int = 0o644) -> None:
    one = tarfile.TarInfo(name)
    one.size, one.mode = len(data), mode
    found[name] = (one, data)


def _link(found: Files, name: str, target: str) -> None:
    one = tarfile.TarInfo(name)
    one.type, one.linkname, one.mode = tarfile.SYMTYPE, target, 0o777
    found.setdefault(name, (one, b""))


def _add_byte_code(found: Files) -> None:
    """Byte code that is believed whatever the times of files are (PEP 552, unchecked)."""
    for name, (one, data) in list(found.items()):
        if not name.endswith(".py") or not one.isreg():
            continue
        try:
            code = compile(data, f"/{name}", "exec", dont_inherit=True, optimize=0)
        except SyntaxError:
            continue  # a template, or for another Python
        folder, file = posixpath.split(name)
        cached = f"{folder}/__pycache__/{file[:-3]}.cpython-311.pyc"
        head = MAGIC_NUMBER + (0b01).to_bytes(4, "little") + source_hash(data)
        _put(found, cached, head + marshal.dumps(code))


def _write(found: Files, result: str) -> None:
    kept: dict[bytes, str] = {}
    with tarfile.open(result, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, (one, data) in sorted(found.items()):
            one.name, one.uid, one.gid, one.mtime = name, 0, 0, 0
            one.uname = one.gname = ""
            one.pax_headers = {}
            # git has one program under many names.
            if one.isreg() and len(data) > 1 << 16 and data in kept:
                one.type, one.linkname, one.size = tarfile.LNKTYPE, kept[data], 0
                tar.addfile(one)
                continue
            if one.isreg():
                kept[data] = name
            tar.addfile(one, io.BytesIO(data))


if __name__ == "__main__":
    main(*sys.argv[1:])
