"""What lands in a layer, and how, as skopeo, umoci and podman see it."""

import bz2
import gzip
import io
import lzma
import os
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable
from contextlib import chdir, closing
from pathlib import Path

import pytest

from tests.cli.outside import Cli, Seen, described
from tests.parts.commands import Command
from tests.parts.images import BaseImage

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def tree(work: Path) -> Path:
    """Some files to be named in many ways."""
    for name in ("bin/server", "conf/a.ini", "conf/sub/b.ini", "dist/a.js", "dist/b.js"):
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    for name in ("dist/.hidden.js", "dist/deep/c.js", "dist/read.me"):
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text(name)
    (work / "empty").mkdir()
    return work


CONF = ["conf/", "conf/a.ini", "conf/sub/", "conf/sub/b.ini"]
INSIDE = ["a.ini", "sub/", "sub/b.ini"]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("bin/server", ["server"]),
        ("./bin//server", ["server"]),
        ("conf", CONF),
        ("conf/", CONF),
        ("./conf", CONF),
        ("./bin/../conf", CONF),
        ("{work}/conf", CONF),
        ("conf/.", INSIDE),
        ("conf/./", INSIDE),
        ("bin/server:/app/run", ["app/", "app/run"]),
        ("bin/server:/run", ["run"]),
        ("bin/server:/app/", ["app/", "app/server"]),
        ("conf:/app", ["app/", "app/a.ini", "app/sub/", "app/sub/b.ini"]),
        ("conf/:/app", ["app/", "app/a.ini", "app/sub/", "app/sub/b.ini"]),
        ("conf:/", CONF),
        ("conf/sub:/app/", ["app/", "app/sub/", "app/sub/b.ini"]),
        ("conf/.:/app", ["app/", "app/a.ini", "app/sub/", "app/sub/b.ini"]),
        ("conf/.:/app/", ["app/", "app/a.ini", "app/sub/", "app/sub/b.ini"]),
        ("conf/sub/..:/app", ["app/", "app/a.ini", "app/sub/", "app/sub/b.ini"]),
        ("bin/server:/", ["server"]),
        ("empty", ["empty/"]),
        ("empty:/app", ["app/"]),
        ("empty:/app/", ["app/", "app/empty/"]),
        ("dist/*.js", ["a.js", "b.js"]),
        ("dist/*.js:/app/", ["app/", "app/a.js", "app/b.js"]),
        ("dist/?.js", ["a.js", "b.js"]),
        ("dist/[!b].js", ["a.js"]),
        ("dist/.*.js", [".hidden.js"]),
        ("dist/**/*.js", ["a.js", "b.js", "deep/", "deep/c.js"]),
        ("dist/**/*.js:/w/", ["w/", "w/a.js", "w/b.js", "w/deep/", "w/deep/c.js"]),
        ("d*/d*", ["deep/", "deep/c.js"]),
        ("conf:/a/b/c/", ["a/", "a/b/", "a/b/c/", *(f"a/b/c/{name}" for name in CONF)]),
        ("bin/server:/./a//b/", ["a/", "a/b/", "a/b/server"]),
    ],
)
def test_a_word_lands_where_the_table_says(
    word: str, found: list[str], cli: Cli, tree: Path, layout: Path, seen: Seen
) -> None:
    cli("-b", "scratch", "-f", word.format(work=tree), "-t", f"oci:{layout}:it")

    assert seen.names(layout) == found


@pytest.mark.parametrize(
    ("word", "code", "error", "hint"),
    [
        ("..", 2, "has no name of its own", ":/DEST"),
        ("bin/..", 2, "has no name of its own", ":/DEST"),
        ("dist/*.js:/app", 2, "may name several files", "`dist/*.js:/app/`"),
        ("dist/*.css", 1, "no file matches dist/*.css", "`**` spans directories"),
        ("dist/**/*.css", 1, "no file matches dist/**/*.css", "`**` spans directories"),
        ("bin/server:/../x", 2, "goes upwards", "without `..`"),
        ("bin/server/", 1, "not a directory", "name it as `bin/server`"),
        (":/x", 2, "no file is named", "SRC:/DEST"),
        ("", 2, "no file is named", "SRC or SRC:/DEST"),
        ("bin/server:app", 1, "no such file or directory", "`bin/server:/app`"),
        ("missing", 1, "missing: no such file or directory", "there is no missing in {work}"),
        ("a/b/c", 1, "a/b/c: no such file or directory", "there is no a in {work}"),
        (
            "dangling",
            1,
            "no such file or directory",
            "dangling is a link to nowhere, which is not there",
        ),
        ("dist/[a.js", 2, "open bracket", "`\\[`"),
        ("bin/server:/x/.wh.y", 2, "not a path for a file", "`--delete`"),
    ],
)
def test_a_word_that_cannot_land_says_why(
    word: str, code: int, error: str, hint: str, *, cli: Cli, tree: Path, layout: Path
) -> None:
    (tree / "dangling").symlink_to("nowhere")

    done = cli("-b", "scratch", "-f", word, "-t", f"oci:{layout}:it", code=code)

    assert error in done.error
    assert hint.format(work=tree) in done.hint
    assert not layout.exists()


def test_several_words_may_follow_one_flag(cli: Cli, tree: Path, layout: Path, seen: Seen) -> None:
    cli("-b", "scratch", "-f", "dist/a.js", "bin", "-f", "empty", "-t", f"oci:{layout}:it")

    assert seen.names(layout) == ["a.js", "bin/", "bin/server", "empty/"]


# Archives.


def tar_of(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    """A tar of *members*: headers, or names with their bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size, info.mode, info.uid, info.mtime = len(member[1]), 0o640, 7, 1234
            tar.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def special(name: str, kind: bytes, **fields: object) -> tarfile.TarInfo:
    """The header of something that has no bytes."""
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    "compress", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("from_stdin", [False, True], ids=["file", "stdin"])
def test_an_archive_is_merged_whatever_compressed_it(
    compress: Callable[[bytes], bytes],
    from_stdin: bool,
    cli: Cli,
    work: Path,
    layout: Path,
    seen: Seen,
) -> None:
    data = compress(tar_of(("./z", b"z"), ("./d/a", b"a" * 100_000)))
    (work / "any-name").write_bytes(data)
    word, stdin = ("-:/opt", data) if from_stdin else ("any-name:/opt", b"")

    cli("-b", "scratch", "--tar", word, "-t", f"oci:{layout}:it", stdin=stdin)

    root = seen.unpacked(layout)
    assert seen.names(layout) == ["opt/", "opt/z", "opt/d/", "opt/d/a"]
    assert (root / "opt/d/a").read_bytes() == b"a" * 100_000
    assert seen.entries(layout)[1].mode == 0o640
    assert (seen.entries(layout)[1].uid, seen.entries(layout)[1].mtime) == (7, 1234)


def test_archives_and_files_are_one_layer(cli: Cli, tree: Path, layout: Path, seen: Seen) -> None:
    (tree / "x.tar").write_bytes(tar_of(("conf/from-tar", b""), ("bin/server", b"bin/server")))

    words = ("-f", "conf", "--tar", "x.tar", "-t", f"oci:{layout}:it")
    cli("-b", "scratch", *words)

    assert len(seen.raw(f"oci:{layout}:it")["layers"]) == 1
    assert seen.names(layout) == [*CONF, "conf/from-tar", "bin/", "bin/server"]


@needs_root
def test_devices_fifos_and_links_of_an_archive_are_kept(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    data = tar_of(
        special("dev/mine", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        special("pipe", tarfile.FIFOTYPE, mode=0o600),
        ("file", b"bytes"),
        special("hard", tarfile.LNKTYPE, linkname="file"),
        special("soft", tarfile.SYMTYPE, linkname="/absolute/../target"),
    )

    cli("-b", "scratch", "--tar", "-", "-t", f"oci:{layout}:it", stdin=data)

    root = seen.unpacked(layout)
    assert os.stat(root / "dev/mine").st_rdev == os.makedev(1, 3)
    assert (root / "pipe").is_fifo()
    assert (root / "hard").samefile(root / "file")
    assert os.readlink(root / "soft") == "/absolute/../target"


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (("../x", b""), ".."),
        (("a/../../x", b""), ".."),
        (special("h", tarfile.LNKTYPE, linkname="/etc/passwd"), "absolute path"),
        (special("h", tarfile.LNKTYPE, linkname="nowhere"), "not before it"),
        ((".wh.x", b""), ".wh."),
        (("a\0b", b""), None),
    ],
)
def test_an_archive_that_leaves_its_place_is_refused_by_name(
    member: tarfile.TarInfo | tuple[str, bytes],
    says: str | None,
    cli: Cli,
    work: Path,
    layout: Path,
) -> None:
    (work / "x.tar").write_bytes(tar_of(member))
    if says is None:  # A NUL ends the name.
        cli("-b", "scratch", "--tar", "x.tar", "-t", f"oci:{layout}:it")
        return

    done = cli("-b", "scratch", "--tar", "x.tar", "-t", f"oci:{layout}:it", code=1)

    assert done.error.startswith("x.tar: ")
    assert says in done.error
    assert not layout.exists()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "nothing in it"),
        (b"no archive at all" * 100, "not a tar"),
        (tar_of(("x", b"x" * 5000))[:3000], "ends in the middle of x"),
        (gzip.compress(tar_of(("x", os.urandom(5000))))[:-900], "ends too early"),
    ],
)
def test_a_broken_archive_is_refused(
    data: bytes, says: str, cli: Cli, work: Path, layout: Path
) -> None:
    (work / "x.tar").write_bytes(data)

    done = cli("-b", "scratch", "--tar", "x.tar", "-t", f"oci:{layout}:it", code=1)

    assert done.error.startswith("x.tar: ")
    assert says in done.error
    assert not layout.exists()


# What has no source on disk, and what is taken away.


def test_links_and_empty_things_are_made(cli: Cli, layout: Path, seen: Seen) -> None:
    words = (
        *("--symlink", "/bin/app=../opt/app", "--symlink", "/l=a=b", "--empty-dir", "/var/x"),
        *("--empty-file", "/etc/mark", "--chmod", "etc/*=0600", "--chown", "var/x=5:6"),
    )
    cli("-b", "scratch", *words, "-t", f"oci:{layout}:it")

    root = seen.unpacked(layout)
    assert os.readlink(root / "bin/app") == "../opt/app"
    assert os.readlink(root / "l") == "a=b"
    assert (root / "var/x").is_dir()
    assert (root / "etc/mark").read_bytes() == b""
    found = {entry.name: entry for entry in seen.entries(layout)}
    assert found["etc/mark"].mode == 0o600
    assert (found["var/x"].uid, found["var/x"].gid) == (5, 6)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--symlink", "/x"), "not a link: '/x'"),
        (("--symlink", "x=y"), "not an absolute path: 'x'"),
        (("--symlink", "/x="), "not a link: '/x='"),
        (("--empty-dir", "x"), "not an absolute path: 'x'"),
        (("--empty-dir", "/"), "the root directory cannot be changed: '/'"),
        (("--empty-file", "/a/../../b"), "a path that goes upwards: '/a/../../b'"),
        (("--empty-dir", "../x"), "a path that goes upwards: '../x'"),
        (("--delete", "etc/passwd"), "not an absolute path: 'etc/passwd'"),
        (("--delete", "/"), "the root directory cannot be changed: '/'"),
        (("--chmod", "999"), "not a mode: '999'"),
        (("--chmod", "bin/*=u+x"), "not a mode: 'u+x'"),
        (("--chown", "root"), "not an owner: 'root' in 'root'"),
        (("--mtime", "yesterday"), "not a time: 'yesterday'"),
        (("--mtime", "2024-02-30T00:00:00Z"), "not a time: '2024-02-30T00:00:00Z'"),
        (("--exclude", "../x"), "a pattern that leaves its directory: '../x'"),
        (("--ignore-file", "missing"), "--ignore-file: cannot read missing"),
        (("--tar", ":/x"), "no archive is named: ':/x'"),
        (("--copy-from", "alpine:3.7"), "--copy-from: no path in 'alpine:3.7'"),
        (("--copy-from", "alpine:3.7:/bin/sh:sh"), "not an absolute path: 'sh'"),
        (("--copy-from", "alpine:3.7:/bin/sh:/../sh"), "a path that goes upwards: '/../sh'"),
        (("--compression-level", "x"), "argument --compression-level: invalid int value: 'x'"),
    ],
)
def test_a_word_for_files_that_makes_no_sense_is_misuse(
    words: tuple[str, ...], error: str, cli: Cli, tree: Path, layout: Path
) -> None:
    done = cli("-b", "scratch", "-f", "conf", *words, "-t", f"oci:{layout}:it", code=2)

    assert error in done.error
    assert not layout.exists()


def test_what_is_deleted_is_gone_for_podman(
    hub: Cli, alpine: BaseImage, fresh_repository: str, podman: Command, seen: Seen
) -> None:
    words = ("--delete", "/etc/passwd", "--delete", "/home", "--delete", "/bin/wget")
    hub("-b", "alpine:3.7", *words, "-t", fresh_repository)

    layout = seen.copied(f"docker://{fresh_repository}")
    assert seen.names(layout) == [".wh.home", "bin/", "bin/.wh.wget", "etc/", "etc/.wh.passwd"]
    said = podman.output("run", "--rm", fresh_repository, "ls", "/", "/etc")
    assert "home" not in said
    assert "passwd" not in said
    assert "os-release" in said


def test_what_is_deleted_and_added_is_an_error(cli: Cli, tree: Path, layout: Path) -> None:
    words = ("-f", "conf:/etc/conf", "--delete", "/etc/conf", "-t", f"oci:{layout}:it")

    done = cli("-b", "scratch", *words, code=1)

    assert "etc/conf" in done.error
    assert "is deleted, but conf brings" in done.error


# Other images.


def test_files_are_copied_out_of_another_image(
    hub: Cli, alpine: BaseImage, layout: Path, seen: Seen
) -> None:
    words = (
        *("--copy-from", "alpine:3.7:/bin/busybox", "--copy-from", "alpine:3.7:/bin/sh:/opt/"),
        *("--copy-from", f"docker://{alpine.reference}:/etc/os-release:/opt/release"),
        *("--copy-from", f"oci:{alpine.layout}:3.7:/tmp", "--copy-from", "alpine:3.7:/etc:/e"),
    )
    hub("-b", "scratch", *words, "-t", f"oci:{layout}:it")

    root, base = seen.unpacked(layout), seen.unpacked(alpine.layout, "3.7")
    assert (root / "bin/busybox").read_bytes() == (base / "bin/busybox").read_bytes()
    assert (root / "opt/sh").read_bytes() == (base / "bin/busybox").read_bytes()
    assert (root / "opt/release").read_text() == (base / "etc/os-release").read_text()
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert sorted(os.listdir(root / "e")) == sorted(os.listdir(base / "etc"))


def test_files_of_an_index_are_copied_for_the_platform_that_is_built(
    hub: Cli, multi: BaseImage, layout: Path, seen: Seen
) -> None:
    words = ("--copy-from", f"{multi.short}:/etc/group", "--platform", "linux/amd64,linux/arm64")
    hub("-b", multi.short, *words, "-t", f"oci:{layout}:it")

    members = seen.raw(f"oci:{layout}:it")["manifests"]
    assert [member["platform"]["architecture"] for member in members] == ["amd64", "arm64"]


def test_a_missing_file_of_another_image_says_what_is_there(
    hub: Cli, alpine: BaseImage, layout: Path
) -> None:
    words = ("-b", "scratch", "--copy-from", "alpine:3.7:/etc/shadow", "-t", f"oci:{layout}:it")

    done = hub(*words, code=1)

    assert "/etc/shadow" in done.error
    assert "passwd" in done.hint


# What is left out.


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("--exclude", "*.js"), ["deep/", "deep/c.js", "read.me"]),
        (("--exclude", "**/*.js"), ["deep/", "read.me"]),
        (("--exclude", "**/*.js", "--exclude", "!deep/c.js"), ["deep/", "deep/c.js", "read.me"]),
        (("--exclude", "deep"), [".hidden.js", "a.js", "b.js", "read.me"]),
        (("--exclude", "deep", "--exclude", "!deep/c.js"), None),
        (("--ignore-file", "ignored"), ["deep/", "deep/c.js"]),
        (("--ignore-file", "ignored", "--exclude", "!a.js"), ["a.js", "deep/", "deep/c.js"]),
    ],
)
def test_what_patterns_name_is_left_out(
    words: tuple[str, ...], left: list[str] | None, cli: Cli, tree: Path, layout: Path, seen: Seen
) -> None:
    (tree / "ignored").write_text("# a comment\n\n*.js\n  /read.me\n")

    cli("-b", "scratch", "-f", "dist/.", *words, "-t", f"oci:{layout}:it")

    if left is None:
        left = [".hidden.js", "a.js", "b.js", "deep/", "deep/c.js", "read.me"]
    assert seen.names(layout) == left


def test_a_named_file_is_taken_whatever_is_excluded(
    cli: Cli, tree: Path, layout: Path, seen: Seen
) -> None:
    cli("-b", "scratch", "-f", "dist/a.js", "--exclude", "*", "-t", f"oci:{layout}:it")

    assert seen.names(layout) == ["a.js"]


# Modes, owners, times.


def test_rules_name_paths_in_the_image_and_the_last_one_wins(
    cli: Cli, tree: Path, layout: Path, seen: Seen
) -> None:
    words = (
        *("--chmod", "0600", "--chmod", "conf/**=0640", "--chmod", "conf/sub=02750"),
        *("--chown", "1000", "--chown", "bin/*=33:44", "--chown", "4294967294:0"),
        *("--chown", "conf=8:9"),
    )
    cli("-b", "scratch", "-f", "conf", "bin", *words, "-t", f"oci:{layout}:it")

    found = {e.name: (e.mode, e.uid, e.gid) for e in seen.entries(layout)}
    assert found == {
        "bin": (0o600, 4294967294, 0),
        "bin/server": (0o600, 4294967294, 0),
        "conf": (0o600, 8, 9),
        "conf/a.ini": (0o640, 4294967294, 0),
        "conf/sub": (0o2750, 4294967294, 0),
        "conf/sub/b.ini": (0o640, 4294967294, 0),
    }


@pytest.mark.parametrize(
    ("words", "environ", "seconds"),
    [
        ((), {}, 0),
        ((), {"SOURCE_DATE_EPOCH": "1700000000"}, 1700000000),
        (("--mtime", "5"), {"SOURCE_DATE_EPOCH": "1700000000"}, 5),
        (("--mtime", "2024-05-01T12:00:00+02:00"), {}, 1714557600),
        (("--mtime", "preserve"), {}, 1234567890),
        (("--mtime", "253402300799"), {}, 253402300799),
    ],
)
def test_times_are_what_was_asked_for(
    words: tuple[str, ...],
    environ: dict[str, str],
    seconds: int,
    *,
    cli: Cli,
    work: Path,
    layout: Path,
    seen: Seen,
) -> None:
    (work / "x").touch()
    os.utime(work / "x", (1234567890.9, 1234567890.9))

    cli("-b", "scratch", "-f", "x", *words, "-t", f"oci:{layout}:it", environ=environ)

    assert [entry.mtime for entry in seen.entries(layout)] == [seconds]


# Kinds of files.


def test_hard_links_are_links_to_the_first_name(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    (work / "t").mkdir()
    (work / "t/b").write_text("bytes")
    (work / "t/a").hardlink_to(work / "t/b")
    (work / "outside").hardlink_to(work / "t/b")

    cli("-b", "scratch", "-f", "t", "outside", "-t", f"oci:{layout}:it")

    root = seen.unpacked(layout)
    assert (root / "t/a").samefile(root / "t/b")
    assert (root / "outside").samefile(root / "t/a")
    assert (root / "outside").read_text() == "bytes"


@needs_root
def test_capabilities_and_user_attributes_are_kept(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    (work / "ping").write_text("x")
    try:
        os.setxattr(work / "ping", "user.note", b"a\0b")
        subprocess.run(["setcap", "cap_net_raw=ep", work / "ping"], check=True)
        os.setxattr(work / "ping", "trusted.hidden", b"x")
    except OSError as error:
        pytest.skip(f"this file system has no attributes: {error}")

    cli("-b", "scratch", "-f", "ping", "-t", f"oci:{layout}:it")

    path = seen.unpacked(layout) / "ping"
    assert os.getxattr(path, "user.note") == b"a\0b"
    assert os.getxattr(path, "security.capability") == os.getxattr(
        work / "ping", "security.capability"
    )
    (entry,) = seen.entries(layout)
    assert sorted(entry.pax_headers) == [
        "SCHILY.xattr.security.capability",
        "SCHILY.xattr.user.note",
    ]


def test_fifos_are_kept_and_sockets_are_skipped(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    (work / "t").mkdir()
    os.mkfifo(work / "t/pipe", 0o600)
    # A socket's path has room for 107 bytes.
    with closing(socket.socket(socket.AF_UNIX)) as server, chdir(work):
        server.bind("t/socket")
        done = cli("-b", "scratch", "-f", "t", "t/pipe:/named", "-t", f"oci:{layout}:it")

    assert (seen.unpacked(layout) / "t/pipe").is_fifo()
    assert seen.names(layout) == ["named", "t/", "t/pipe"]
    assert [line for line in done.lines if "t/socket" in line] == [
        "warning: t/socket is a socket, which no image can hold: skipped"
    ]


@needs_root
def test_a_device_on_disk_is_refused(cli: Cli, work: Path, layout: Path) -> None:
    (work / "t").mkdir()
    os.mknod(work / "t/null", 0o020666, os.makedev(1, 3))

    done = cli("-b", "scratch", "-f", "t", "-t", f"oci:{layout}:it", code=1)

    assert done.error == "a device: t/null"
    assert "--tar" in done.hint


def test_a_sparse_file_has_zeros_in_its_holes(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    with (work / "disk").open("wb") as file:
        file.truncate(20_000_000)
        file.seek(9_999_999)
        file.write(b"data")

    cli("-b", "scratch", "-f", "disk", "-t", f"oci:{layout}:it")

    data = (seen.unpacked(layout) / "disk").read_bytes()
    assert (len(data), data.strip(b"\0"), data.find(b"data")) == (20_000_000, b"data", 9_999_999)


def test_strange_names_come_back_as_they_were(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    strange = [
        b"t/\xff\xfe",
        b"t/" + b"n" * 255,
        b"t/" + b"d" * 200 + b"/" + b"e" * 200 + b"/" + b"f" * 150,
        b"t/new\nline",
        b"t/ space ",
        b"t/-dash",
        b"t/*",
        "t/žluťoučký".encode(),
        b"t/" + b"\xe9" * 120,
    ]
    for name in strange:
        path = os.fsencode(work) + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name)

    cli("-b", "scratch", "-f", "t", "-t", f"oci:{layout}:it")

    root = os.fsencode(seen.unpacked(layout))
    for name in strange:
        with open(root + b"/" + name, "rb") as file:
            assert file.read() == name
    blob = seen.raw(f"oci:{layout}:it")["layers"][0]["digest"].replace(":", "/")
    words = ["tar", "-tzf", layout / "blobs" / blob, "--quoting-style=literal", "--null"]
    listed = subprocess.run(words, capture_output=True, check=True).stdout
    for name in strange:
        assert name in listed


def test_a_named_file_may_have_any_name_and_history_stays_text(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    name = os.fsdecode(b"\xff\x1b[2J")
    (work / name).write_text("x")

    done = cli("-b", "scratch", "-f", f"./{name}", "-t", f"oci:{layout}:it")

    assert os.listdir(os.fsencode(seen.unpacked(layout))) == [b"\xff\x1b[2J"]
    (line,) = seen.config(f"oci:{layout}:it")["history"]
    assert line["created_by"] == "ADD /\\xff\x1b[2J"
    assert "\x1b" not in done.stderr


def test_directories_merge_and_equal_files_are_one(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    for name in ("one/app/x", "two/app/x", "two/app/y"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("same")

    cli("-b", "scratch", "-f", "one/app", "two/app", "two/app/x", "-t", f"oci:{layout}:it")

    assert seen.names(layout) == ["app/", "app/x", "app/y", "x"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("-f", "one", "-f", "two:/one"), "one"),
        (("-f", "one:/x", "--empty-dir", "/x"), "x"),
        (("-f", "one:/x", "--empty-file", "/x/y"), "x"),
        (("--symlink", "/x=a", "--symlink", "/x=b"), "x"),
    ],
)
def test_the_same_path_twice_is_an_error_that_names_both(
    words: tuple[str, ...], error: str, cli: Cli, work: Path, layout: Path
) -> None:
    (work / "one").write_text("1")
    (work / "two").write_text("2")

    done = cli("-b", "scratch", *words, "-t", f"oci:{layout}:it", code=1)

    assert error in done.error
    assert done.hint
    assert not layout.exists()


# In a base.


def test_a_directory_of_the_base_keeps_its_mode_below_what_is_added(
    hub: Cli, alpine: BaseImage, tree: Path, fresh_repository: str, podman: Command, seen: Seen
) -> None:
    words = ("-f", "conf:/tmp/conf", "bin/server:/usr/bin/server")
    hub("-b", "alpine:3.7", *words, "-t", fresh_repository)

    said = podman.output(
        "run", "--rm", fresh_repository, "stat", "-c", "%a %n", "/tmp", "/tmp/conf"
    )
    assert said.splitlines() == ["1777 /tmp", "755 /tmp/conf"]


def test_a_link_of_the_base_to_a_directory_is_followed(
    cli: Cli, tree: Path, layout: Path, seen: Seen
) -> None:
    cli(
        *("-b", "scratch", "--symlink", "/bin=usr/bin", "--empty-dir", "/usr/bin"),
        *("-t", f"oci:{layout}:base"),
    )

    cli("-b", f"oci:{layout}:base", "-f", "bin/server:/bin/", "-t", f"oci:{layout}:it")

    assert seen.names(layout) == ["usr/", "usr/bin/", "usr/bin/server"]
    assert os.readlink(seen.unpacked(layout) / "bin") == "usr/bin"


@pytest.mark.slow
def test_a_program_for_bin_lands_in_debians_merged_usr(
    cli: Cli, debian_base: BaseImage, server_binary: Path, fresh_repository: str, podman: Command
) -> None:
    words = ("-f", f"{server_binary}:/bin/", f"{server_binary}:/var/tmp/", "-c", "server-binary x")
    cli("-b", debian_base.reference, *words, "-t", fresh_repository)

    said = podman.output("run", "--rm", fresh_repository)
    listed = podman.output(
        *("run", "--rm", fresh_repository, "sh", "-c"),
        "readlink /bin; stat -c '%a %n' /var/tmp /usr/bin/server-binary; apt-get --version",
    )
    assert said.endswith("<x>")
    assert listed.splitlines()[:3] == ["usr/bin", "1777 /var/tmp", "755 /usr/bin/server-binary"]


# Large trees, and how layers are compressed.


@pytest.fixture
def large(work: Path) -> Path:
    """More than 128 MiB in 150 files, all but a few bytes of which are holes."""
    for number in range(150):
        path = work / f"big/d{number % 30}/f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(b"%d" % number)
            file.truncate(1_000_000)
    return work / "big"


def test_a_large_tree_is_split_and_is_the_same_when_unpacked(
    cli: Cli, large: Path, layout: Path, seen: Seen
) -> None:
    rules = ("--chmod", "preserve", "--chown", "preserve", "--mtime", "preserve")

    cli("-b", "scratch", "-f", "big/.", *rules, "-t", f"oci:{layout}:it")

    assert 2 <= len(seen.raw(f"oci:{layout}:it")["layers"]) <= 24
    assert described(seen.unpacked(layout)) == described(large)


def test_a_large_tree_is_one_layer_when_asked_for(
    cli: Cli, large: Path, layout: Path, seen: Seen
) -> None:
    cli("-b", "scratch", "-f", "big/.", "--layers", "one", "-t", f"oci:{layout}:it")

    assert len(seen.raw(f"oci:{layout}:it")["layers"]) == 1


@pytest.mark.parametrize(
    ("words", "suffix", "magic"),
    [
        ((), "+gzip", b"\x1f\x8b"),
        (("--compression", "gzip", "--compression-level", "9"), "+gzip", b"\x1f\x8b"),
        (("--compression", "zstd"), "+zstd", b"\x28\xb5\x2f\xfd"),
        (("--compression", "zstd", "--compression-level", "12"), "+zstd", b"\x28\xb5\x2f\xfd"),
        (("--compression", "none"), "", b"text"),
    ],
)
def test_layers_are_compressed_as_asked_for(
    words: tuple[str, ...],
    suffix: str,
    magic: bytes,
    *,
    cli: Cli,
    work: Path,
    layout: Path,
    seen: Seen,
) -> None:
    (work / "text").write_text("".join(f"line {number * 7919 % 1009}\n" for number in range(9999)))

    cli("-b", "scratch", "-f", "text", *words, "-t", f"oci:{layout}:it")

    (layer,) = seen.raw(f"oci:{layout}:it")["layers"]
    blob = layout / "blobs" / layer["digest"].replace(":", "/")
    assert layer["mediaType"] == f"application/vnd.oci.image.layer.v1.tar{suffix}"
    assert blob.read_bytes().startswith(magic)
    seen.copied(f"oci:{layout}:it")  # skopeo verifies what it copies.


def test_a_higher_level_gives_a_smaller_layer(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    (work / "text").write_text("".join(f"line {number * 7919 % 1009}\n" for number in range(9999)))
    sizes = []
    for kind, level in (("gzip", 1), ("gzip", 12), ("zstd", 1), ("zstd", 19)):
        words = ("--compression", kind, "--compression-level", str(level))
        cli("-b", "scratch", "-f", "text", *words, "-t", f"oci:{layout}:{kind}{level}")
        sizes.append(seen.raw(f"oci:{layout}:{kind}{level}")["layers"][0]["size"])

    assert sizes[0] > sizes[1]
    assert sizes[2] > sizes[3]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--compression", "gzip", "--compression-level", "13"), "13"),
        (("--compression", "zstd", "--compression-level", "0"), "0"),
        (("--compression", "none", "--compression-level", "1"), "level"),
        (("--compression", "brotli"), "brotli"),
    ],
)
def test_a_compression_that_cannot_be_is_refused(
    words: tuple[str, ...], says: str, cli: Cli, tree: Path, layout: Path
) -> None:
    done = cli("-b", "scratch", "-f", "conf", *words, "-t", f"oci:{layout}:it", code=2)

    assert says in done.error
    assert not layout.exists()


def test_podman_runs_an_image_with_a_zstd_layer(
    hub: Cli, alpine: BaseImage, tree: Path, fresh_repository: str, podman: Command
) -> None:
    words = ("-f", "conf", "--compression", "zstd", "-c", "cat /conf/a.ini")
    hub("-b", "alpine:3.7", *words, "-t", fresh_repository)

    assert podman.output("run", "--rm", fresh_repository) == "conf/a.ini"


def test_the_digest_is_the_same_on_another_machine_with_another_umask_and_time_zone(
    cli: Cli, tree: Path, layout: Path
) -> None:
    words = ("-b", "scratch", "-f", "conf", "bin", "dist", "-t", f"oci:{layout}:it")
    one = cli.process(*words)
    mask = os.umask(0o077)
    for path in tree.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (time.time(), 1_000_000_000))
    moved = tree.with_name("moved")
    tree.rename(moved)
    other = Cli({**cli.environ, "TZ": "Pacific/Apia"}, moved).machine("other")

    try:
        assert other.process(*words).stdout == one.stdout
    finally:
        os.umask(mask)
