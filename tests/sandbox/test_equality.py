"""A command changes a root in the same way on every rung, down to the bytes of the layer."""

import tarfile
from collections.abc import Callable

import pytest

from artificer.sandbox.client import Sandbox
from artificer.sandbox.command import Bind, Cache, Secret, Tmpfs, TreeLayer
from artificer.sandbox.rung import NotPossible
from tests.sandbox import roots

SCRIPTS = {
    "nothing": "true",
    "new file": "echo hello > /new",
    "owner": "chown web:extra /srv/f0; chown 7 /srv/f1; chgrp 9 /srv/f2",
    "owner of a tree": "chown -R 1000:1000 /srv/dir",
    "owner of a link": "ln -s f0 /srv/l; chown -h web:web /srv/l; chown -h 5:6 /srv/link",
    "mode": "chmod 600 /srv/f0; chmod 4755 /srv/f1; chmod 2755 /srv/dir; chmod 1777 /srv/web",
    "owner takes setuid away": "chown web /srv/suid; ls -l /srv/suid",
    "directories": "mkdir -p /a/b/c; mkdir -m 700 /private; install -d -o 33 -g 33 /www",
    "removed file": "rm /srv/f0",
    "removed tree": "rm -r /srv/dir",
    "removed content": "rm -r /srv/dir/*",
    "made anew": "rm -r /srv/dir; mkdir /srv/dir; echo z > /srv/dir/z",
    "made anew with the same": "cp -a /srv/dir /t; rm -r /srv/dir; mv /t /srv/dir",
    "made anew within": "rm -r /srv/dir; mkdir -p /srv/dir/sub; echo c > /srv/dir/sub/c",
    "renamed directory": "mv /srv/dir /srv/other",
    "renamed owned directory": "mv /srv/web /srv/renamed",
    "renamed new directory": "mkdir /d1; echo x > /d1/x; mv /d1 /d2",
    "swapped": "mv /srv/f0 /srv/t; mv /srv/f1 /srv/f0; mv /srv/t /srv/f1",
    "hard link to old": "ln /srv/f0 /srv/f0-again",
    "hard links of new": "echo 1 > /h1; ln /h1 /h2; mkdir /hd; ln /h1 /hd/h0",
    "capability": "cp /bin/busybox /b; setcap cap_net_bind_service=+ep /b",
    "capability of old": "/sbin/setcap cap_net_raw,cap_chown=eip /srv/suid",
    "devices": "mknod /c c 5 1; mknod -m 640 /b b 8 0; mkfifo /p; chown web /c /p",
    "link to directory": "rm /srv/link; mkdir /srv/link; echo x > /srv/link/x",
    "directory to link": "rm -r /srv/dir; ln -s web /srv/dir",
    "file to directory": "rm /srv/f0; mkdir /srv/f0",
    "directory to file": "rm -r /srv/dir; echo x > /srv/dir",
    "link to other link": "ln -snf web /srv/to-dir",
    "future": "touch -d @4070908800 /srv/f0 /n; mkdir /m; touch -d @4039372800 /m",
    "past": "touch -d @641952672 /srv/f0 /srv/dir; mkdir /e; touch -h -d @662688000 /e",
    "touched": "touch /srv/f0",
    "same mode": "chmod 644 /srv/f0; chown root:root /srv/f1; chmod 755 /srv/dir",
    "opened for writing": ": >> /srv/f0; : >> /srv/owned",
    "same bytes again": "cp -p /srv/f0 /t; cat /t > /srv/f0; touch -r /t /srv/f0; rm /t",
    "appended": "echo more >> /srv/owned",
    "truncated": ": > /srv/owned",
    "made and removed": "echo x > /srv/t; rm /srv/t; mkdir /srv/dir/u; rmdir /srv/dir/u",
    "copied with owners": "cp -a /srv/web /srv/owned /srv/web-link /",
    "what is seen": "stat -c '%n %a %u %g %F %s' /srv/* /srv/web/x > /seen",
    "found by owner": "find /srv -user web | sort > /seen; find /srv -group 77 >> /seen",
    "archived": "cd /srv; tar -cf - owned suid web f0 | tar -tvf - > /seen",
    "names": "touch '/a b' /ümlaut '/new\nline' \"/quo'te\"; mkdir /$(printf 'd%.0s' $(seq 99))",
    "sparse": "dd if=/dev/zero of=/sp bs=1 count=1 seek=3000000 2>/dev/null",
    "environment": "env | sort > /env; umask > /u; pwd > /pwd; hostname > /h; cp /etc/hosts /e",
    "who": "id > /id; whoami >> /id; grep Cap /proc/self/status > /caps",
    "machine": "ls /dev > /devs; test -c /dev/null; echo x > /dev/null; ls /dev/fd/0",
    "process substitution": "cat /proc/self/stat > /dev/null; readlink /proc/self/exe > /exe",
    "files of /etc": "ls -a /etc > /names; touch /etc/new; rm -f /etc/resolv.conf; true",
    "group bit": "mkdir /srv/web/in; echo x > /srv/web/y; ls -l /srv/web > /seen",
    "links in between": "echo x > /srv/to-dir/through; rm /srv/to-dir/a",
    "deep": "p=/deep; for i in $(seq 60); do p=$p/$i; done; mkdir -p $p; echo x > $p/x",
    "many": "mkdir /many; for i in $(seq 200); do echo $i > /many/$i; done; rm /many/1??",
}

DOUBTFUL = {("single-map", "group bit")}
"""What a rung cannot know, and so refuses."""

DENIED = {
    ("proot", name)
    for name in ("capability", "capability of old", "devices", "environment", "who")
}
"""What root may not do where this rung is tried, and its commands are told so."""

TarOf = Callable[[str], bytes]


@pytest.fixture(scope="module")
def tar_as_root(_boxes: dict[str, Sandbox], base: TreeLayer) -> TarOf:
    def tar_of(script: str) -> bytes:
        with _boxes["root"].at((base,)) as root:
            return roots.ran(root, script).tar

    return tar_of


CASES = [
    (rung, name) for rung in roots.EVERYWHERE[1:] for name in SCRIPTS if (rung, name) not in DENIED
]


@pytest.mark.parametrize(("rung", "name"), CASES, indirect=["rung"])
def test_a_command_gives_the_same_layer_as_with_root(
    name: str, rung: str, box: Sandbox, base: TreeLayer, tar_as_root: TarOf
) -> None:
    expected = tar_as_root(SCRIPTS[name])

    with box.at((base,)) as root:
        if (rung, name) in DOUBTFUL:
            with pytest.raises(NotPossible, match="only one group id"):
                roots.ran(root, SCRIPTS[name])
            return
        done = roots.ran(root, SCRIPTS[name])

    if done.tar != expected:
        told = roots.Ran("", 0, expected)
        assert listing(done) == listing(told), done.said
    assert done.tar == expected


@pytest.mark.parametrize("rung", roots.EVERYWHERE, indirect=True)
def test_what_is_mounted_leaves_no_trace(rung: str, box: Sandbox, base: TreeLayer) -> None:
    mounts = (
        Secret("/srv/secrets/token", b"hush"),
        Tmpfs("/srv/dir/memory"),
        Cache("/srv/web/cache", f"trace-{rung}"),
        Bind("/srv/bound", (base,), "srv/dir"),
    )
    command = roots.shell("cat /srv/secrets/token > /dev/null && echo x > /new", mounts=mounts)

    with box.at((base,)) as root:
        done = roots.ran(root, command)

    assert done.code == 0, done.said
    assert list(done.members) == ["new"]


def listing(done: roots.Ran) -> dict[str, object]:
    """All that a tar says, for people."""
    return {
        name: (*_words(info), done.bytes_of(name) if info.isreg() else None)
        for name, info in done.members.items()
    }


def _words(info: tarfile.TarInfo) -> tuple[object, ...]:
    times = info.mtime, info.pax_headers
    return info.type, oct(info.mode), info.uid, info.gid, info.size, info.linkname, times
