"""Chains: layers upon layers, what is adopted, and roots that never depend on what was kept."""

import gzip
import hashlib
import os
import sys
import tarfile
from pathlib import Path

import pytest

from artificer.oci.digest import Digest
from artificer.sandbox.client import Sandbox, SandboxFailed
from artificer.sandbox.command import TreeLayer
from tests.sandbox import roots

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SHOW = (
    "find / -xdev | sort | grep -v '^/bin\\|^/lib\\|^/proc\\|^/sys\\|^/dev' | while read -r f; do "
    'stat -c \'%n %A %u %g %F %Y %h\' "$f"; test -f "$f" && md5sum < "$f"; done; true'
)


def kept(folder: Path, done: roots.Ran) -> TreeLayer:
    """Write what was changed to a file, as a layer."""
    digest = Digest("sha256:" + hashlib.sha256(done.tar).hexdigest())
    path = folder / f"{digest.hex}.tar"
    path.write_bytes(done.tar)
    return TreeLayer(digest, str(path))


@pytest.fixture
def elsewhere(rung: str, sandbox_folder: Path, tmp_path: Path, users: None) -> Path:
    """A folder for a state in which nothing is kept yet."""
    folder = sandbox_folder / f"elsewhere-{rung}-{tmp_path.name}"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "script",
    [
        "rm -r /srv/dir; mkdir /srv/dir; echo x > /srv/dir/x",
        "echo x > /srv/dir/new; touch -d @981158400 /srv/dir/sub/c; rm /srv/dir/sub/d",
        "mv /srv/dir /srv/moved; ln /srv/f0 /srv/f0-again; chown -R web /srv/moved",
        "rm /srv/link; mkdir /srv/link; rm -r /srv/web; ln -s dir /srv/web",
        "mknod /null c 1 3; mkfifo /p; ln -s x /l; chown -h web /l; chmod 4711 /srv/f1",
        ": >> /srv/owned; touch /srv/owned; cp -a /srv/web /srv/web2",
        "mkdir -m 1777 /var/new; echo > /var/new/x; rm -r /root",
    ],
)
def test_what_is_adopted_looks_like_what_is_unpacked(
    script: str, box: Sandbox, base: TreeLayer, sandbox_folder: Path, elsewhere: Path, rung: str
) -> None:
    with box.at((base,)) as root:
        done = roots.ran(root, script)
        roots.adopted(root, done)
        adopted = roots.ran(root, SHOW)

    layer = kept(sandbox_folder, done)
    with roots.sandbox(rung, elsewhere) as other, other.at((base, layer)) as root:
        unpacked = roots.ran(root, SHOW)

    assert adopted.said == unpacked.said
    assert adopted.members == {}


def test_a_layer_can_be_put_upon_a_root(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    more = roots.layer(sandbox_folder, [roots.member("srv/dir/more", b"more\n")])
    with box.at((base,)) as root:
        done = roots.ran(root, "echo one > /one")
        roots.adopted(root, done)
        root.extend((more,))
        later = roots.ran(root, "cat /one /srv/dir/more; rm /one")

    assert later.said == "one\nmore\n"
    assert set(later.members) == {".wh.one"}


def test_directories_that_a_layer_does_not_name_look_like_those_below(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    more = roots.layer(
        sandbox_folder,
        [roots.member("tmp/x"), roots.member("srv/web/y"), roots.member("fresh/z")],
    )
    other = roots.layer(
        sandbox_folder, [roots.directory("tmp", 0o700), *_shell(), roots.directory("srv", 0o711)]
    )
    show = "stat -c '%n %a %u %g %Y' /tmp /srv /srv/web /fresh"
    with box.at((base, more)) as root:
        first = roots.ran(root, show)
    # The same layer upon others.
    with box.at((other, more)) as root:
        second = roots.ran(root, show)
    with box.at((base, more)) as root:
        third = roots.ran(root, show)

    assert first.said.splitlines() == [
        "/tmp 1777 0 0 1000000000",
        "/srv 755 0 0 1000000000",
        "/srv/web 2770 33 33 1000000000",
        "/fresh 755 0 0 0",
    ]
    assert second.said.splitlines() == [
        "/tmp 700 0 0 1000000000",
        "/srv 711 0 0 1000000000",
        "/srv/web 755 0 0 0",
        "/fresh 755 0 0 0",
    ]
    assert third.said == first.said


def _shell() -> list[tuple[tarfile.TarInfo, bytes]]:
    programs = [roots.link(f"bin/{name}", "busybox") for name in ("sh", "stat", "ls", "cat")]
    busybox = roots.member("bin/busybox", Path("/bin/busybox").read_bytes(), mode=0o755)
    return [roots.directory("bin"), busybox, *programs]


def test_whiteouts_hide_what_is_below_and_only_that(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    more = roots.layer(
        sandbox_folder,
        [
            roots.member("srv/.wh.f0"),
            roots.member("srv/dir/.wh..wh..opq"),
            roots.member("srv/dir/own", b"own\n"),
            roots.member("srv/.wh.web"),
            roots.directory("srv/web"),
            roots.member("srv/web/new", b"new\n"),
            roots.member("srv/f1", b"other\n"),
            roots.member("srv/.wh.f1"),
        ],
    )
    with box.at((base, more)) as root:
        done = roots.ran(root, "cd /srv; ls -R . ; cat f1; rmdir dir/x; rm -r dir; mkdir dir")

    lines = done.said.split()
    assert "f0" not in lines
    assert {"own", "new", "other"} <= set(lines)
    assert not {"a", "sub", "x"} & set(lines)
    assert set(done.members) == {"srv", "srv/dir", "srv/dir/.wh.own"}


def test_an_opaque_root_hides_everything(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    fresh = roots.layer(sandbox_folder, [roots.member(".wh..wh..opq"), *_shell()])
    with box.at((base, fresh)) as root:
        done = roots.ran(root, "ls /; rm -r /bin/cat /srv")

    assert done.said.split()[:2] == ["bin", "dev"]
    assert "srv" not in done.said.split()[:5]


def test_a_root_has_up_to_127_layers(box: Sandbox, base: TreeLayer, sandbox_folder: Path) -> None:
    layers = [
        roots.layer(sandbox_folder, [roots.member(f"layers/{number}", b"%d\n" % number)])
        for number in range(126)
    ]
    with box.at((base, *layers)) as root:
        done = roots.ran(root, "ls /layers | wc -l; cat /layers/0 /layers/125; rm /layers/7")

    assert done.said == "126\n0\n125\n"
    assert "layers/.wh.7" in done.members


def test_a_compressed_layer_somewhere_in_a_file_is_unpacked(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path
) -> None:
    plain = Path(base.path).read_bytes()
    for name, data in (("gz", gzip.compress(plain, 1)), ("zst", zstd.compress(plain))):
        path = sandbox_folder / f"inside.{name}"
        path.write_bytes(b"x" * 700 + data + b"y" * 900)
        layer = TreeLayer(base.diff_id, str(path), 700, len(data))
        marked = roots.layer(sandbox_folder, [roots.member(name)])
        with box.at((marked, layer)) as root:
            assert roots.ran(root, "cat /srv/f0").said == "file 0\n"


def test_a_layer_with_another_digest_is_refused_and_not_kept(
    box: Sandbox, base: TreeLayer, sandbox_folder: Path, rung: str
) -> None:
    wrong = roots.layer(sandbox_folder, [roots.member("wrong", rung.encode())])
    claimed = base._replace(diff_id=Digest("sha256:" + hashlib.sha256(rung.encode()).hexdigest()))
    for _ in range(2):
        with (
            pytest.raises(SandboxFailed, match="does not hash to its diff_id"),
            box.at((claimed._replace(path=wrong.path),)),
        ):
            pass


def test_two_roots_at_once_do_not_see_each_other(box: Sandbox, base: TreeLayer) -> None:
    with box.at((base,)) as one, box.at((base,)) as two:
        first = roots.ran(one, "echo 1 > /one; rm /srv/f0")
        second = roots.ran(two, "ls / /srv")

    assert "one" not in second.said.split()
    assert "f0" in second.said.split()
    assert set(first.members) == {"one", "srv", "srv/.wh.f0"}


def test_nothing_is_left_of_a_root(rung: str, base: TreeLayer, elsewhere: Path) -> None:
    with roots.sandbox(rung, elsewhere) as box, box.at((base,)) as root:
        roots.ran(root, "mkdir -m 0 /locked; mkdir /locked/in; chown -R 5 /locked")
        state = Path(roots.state_of(rung, elsewhere))

    left = [*state.glob("work/*/*"), *state.glob("roots/*/work-*")]
    assert left == []
    assert state.as_posix() not in Path("/proc/self/mountinfo").read_text()


def test_the_same_command_gives_the_same_layer_again(box: Sandbox, base: TreeLayer) -> None:
    tars = []
    for _ in range(2):
        with box.at((base,)) as root:
            script = "mkdir -p /a/b; date > /dev/null; for i in 3 1 2; do echo $i > /a/b/$i; done"
            tars.append(roots.ran(root, script).tar)

    assert tars[0] == tars[1]


def test_times_are_kept_when_asked(
    rung: str, base: TreeLayer, sandbox_folder: Path, users: None
) -> None:
    with (
        roots.sandbox(rung, sandbox_folder, preserve_mtime=True) as box,
        box.at((base,)) as root,
    ):
        done = roots.ran(root, "touch /new; touch -d @1234567890 /old")

    assert done.members["new"].mtime > 1_700_000_000
    assert done.members["old"].mtime == 1234567890


def test_new_files_have_the_epoch_that_was_asked_for(
    rung: str, base: TreeLayer, sandbox_folder: Path, users: None
) -> None:
    with roots.sandbox(rung, sandbox_folder, epoch=42) as box, box.at((base,)) as root:
        done = roots.ran(root, "touch /new; rm /srv/f0")

    assert {member.mtime for member in done.members.values()} == {42}


def test_a_root_without_layers_is_empty(box: Sandbox) -> None:
    with box.at(()) as root:
        assert roots.ran(root, "true").code == 127


def test_the_helper_sees_nothing_of_our_environment(
    box: Sandbox, base: TreeLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    with box.at((base,)):
        process = box._process
        assert process is not None
        words = Path(f"/proc/{process.pid}/environ").read_bytes()

    assert b"hunter2" not in words
    assert os.environ["SECRET_TOKEN"] == "hunter2"


def test_a_layer_may_come_again(box: Sandbox, base: TreeLayer, sandbox_folder: Path) -> None:
    one = roots.layer(
        sandbox_folder, [roots.directory("srv"), roots.member("srv/f0", b"one"), whiteout("f1")]
    )
    other = roots.layer(
        sandbox_folder, [roots.directory("srv"), roots.member("srv/f1", b"2"), whiteout("f0")]
    )

    with box.at((base, one, one)) as root:
        done = roots.ran(root, "cat /srv/f0; test ! -e /srv/f1")
        assert (done.said, done.code) == ("one", 0)
        root.extend((other, one))
        done = roots.ran(root, "cat /srv/f0; test ! -e /srv/f1")
        assert (done.said, done.code) == ("one", 0)


def whiteout(name: str) -> tuple[tarfile.TarInfo, bytes]:
    """What says that a file of a lower layer's /srv is gone."""
    return roots.member(f"srv/.wh.{name}")
