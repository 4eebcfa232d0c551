"""A repository is checked out by branch, tag or commit, once, and the same everywhere."""

import base64
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from artificer.errors import ArtificerError, Cancelled, Misused, Unauthorized
from artificer.events import Event
from artificer.sources.git import (
    Git,
    WrongCommit,
    authorization_of,
    checkout,
    commit_of,
    subdirectory,
)
from artificer.sources.git_program import GitFailed, GitMissing, GitTooLarge, NotInGit
from artificer.sources.git_reference import GitReference
from artificer.stop import Stop
from artificer.store.blobs import open_store
from tests.parts.git_server import GitServer, commit, git, serving_git

_ENVIRON = {"PATH": os.environ["PATH"]}
_TOKEN = "Basic " + base64.b64encode(b"x-access-token:secret-token").decode()


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def tool(tmp_path: Path, told: list[Event]) -> Git:
    store = open_store(str(tmp_path / "store"))
    return Git(store, told.append, Stop(), _ENVIRON)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with serving_git(tmp_path / "served") as served:
        yield served


def _files(directory: str) -> dict[str, str]:
    root = Path(directory)
    return {
        str(path.relative_to(root)): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_a_branch_a_tag_and_a_commit_are_checked_out(server: GitServer, tool: Git) -> None:
    first = commit(server.root / "app", {"a": "1"})
    git(server.root / "app", "tag", "-a", "-m", "one", "v1")
    second = commit(server.root / "app", {"a": "2"})
    git(server.root / "app", "branch", "side/way", first)
    url = server.url("app")

    found = {
        ref: checkout(GitReference(url, ref), tool)
        for ref in ("", "main", "v1", "side/way", first, first[:9], "refs/heads/main")
    }

    assert {ref: one.commit for ref, one in found.items()} == {
        "": second,
        "main": second,
        "v1": first,
        "side/way": first,
        first: first,
        first[:9]: first,
        "refs/heads/main": second,
    }
    assert _files(found["v1"].directory) == {"a": "1"}
    assert _files(found["main"].directory) == {"a": "2"}


def test_of_a_commit_that_is_there_nothing_is_fetched(server: GitServer, tool: Git) -> None:
    reference = GitReference(server.url("app"), commit(server.root / "app", {"a": "1"}))

    before = checkout(reference, tool)
    server.asked.clear()
    after = checkout(reference, tool._replace(offline=True))

    assert before == after
    assert server.asked == []


def test_of_a_branch_that_did_not_move_only_its_commit_is_asked(
    server: GitServer, tool: Git
) -> None:
    commit(server.root / "app", {"a": "1"})
    reference = GitReference(server.url("app"), "main")

    before = checkout(reference, tool)
    server.asked.clear()
    after = checkout(reference, tool)

    assert before == after
    assert len(server.asked) == 2
    with pytest.raises(GitFailed, match="offline"):
        checkout(reference, tool._replace(offline=True))


def test_files_are_the_same_whoever_fetched_them(
    server: GitServer, tool: Git, tmp_path: Path
) -> None:
    commit(server.root / "app", {"run": "#!/bin/sh\n", "d/a": "1", "crlf": "a\r\n"})
    os.symlink("d/a", server.root / "app" / "link")
    commit(server.root / "app", {})
    umask = os.umask(0o077)
    try:
        found = checkout(GitReference(server.url("app")), tool)
    finally:
        os.umask(umask)

    seen = {
        str(path.relative_to(found.directory)): (oct(path.lstat().st_mode), path.lstat().st_mtime)
        for path in Path(found.directory).rglob("*")
    }

    assert seen == {
        "run": ("0o100755", 1500000000.0),
        "d": ("0o40755", 1500000000.0),
        "d/a": ("0o100644", 1500000000.0),
        "crlf": ("0o100644", 1500000000.0),
        "link": ("0o120777", 1500000000.0),
    }
    assert Path(found.directory, "crlf").read_bytes() == b"a\r\n"
    left = os.listdir(f"{tool.store.root}/state/git")
    assert {name for name in left if not name.endswith(".lock")} == {found.commit}


def test_the_git_directory_is_kept_if_asked_and_is_the_same_each_time(
    server: GitServer, tool: Git, tmp_path: Path
) -> None:
    commit(server.root / "app", {"a": "1"})
    git(server.root / "app", "tag", "v1")
    url = server.url("app")
    reference = GitReference(url, "v1", keep_git_dir=True)
    other = tool._replace(store=open_store(str(tmp_path / "other")))

    one, two = checkout(reference, tool), checkout(reference, other)

    assert git(Path(one.directory), "describe", "--tags") == "v1"
    assert git(Path(one.directory), "remote", "get-url", "origin") == url
    git(Path(one.directory), "update-index", "--refresh")
    assert git(Path(one.directory), "status", "--porcelain") == ""
    names = [
        {str(path.relative_to(found.directory)) for path in Path(found.directory).rglob("*")}
        for found in (one, two)
    ]
    assert names[0] == names[1]
    plain = checkout(reference._replace(keep_git_dir=None), tool)
    assert not Path(plain.directory, ".git").exists()


def test_submodules_are_fetched_if_asked(server: GitServer, tool: Git) -> None:
    commit(server.root / "library", {"l": "library"})
    app = server.root / "app"
    commit(app, {"a": "1"})
    git(app, "submodule", "--quiet", "add", server.url("library"), "lib")
    commit(app, {})
    reference = GitReference(server.url("app"))

    without = checkout(reference, tool)
    having = checkout(reference._replace(submodules=True), tool)

    assert "lib/l" not in _files(without.directory)
    assert _files(having.directory)["lib/l"] == "library"
    assert not list(Path(having.directory).rglob(".git"))


def test_submodules_of_a_server_are_no_files_of_this_machine(
    server: GitServer, tool: Git, tmp_path: Path
) -> None:
    commit(tmp_path / "private", {"p": "private"})
    app = server.root / "app"
    commit(app, {"a": "1"})
    git(app, "submodule", "--quiet", "add", f"file://{tmp_path}/private", "lib")
    commit(app, {})

    with pytest.raises(GitFailed, match="transport 'file' not allowed"):
        checkout(GitReference(server.url("app"), submodules=True), tool)


def test_a_checksum_is_the_beginning_of_the_commit(server: GitServer, tool: Git) -> None:
    found = commit(server.root / "app", {"a": "1"})
    reference = GitReference(server.url("app"), "main", checksum=found)

    assert checkout(reference._replace(checksum=found[:7]), tool).commit == found
    checkout(reference, tool)
    server.asked.clear()
    assert checkout(reference, tool).commit == found
    assert server.asked == []
    with pytest.raises(WrongCommit, match=f"{found}, not 1234"):
        checkout(reference._replace(checksum="1234"), tool)
    assert commit_of(reference, tool) == found


def test_a_token_is_sent_and_is_in_no_argument_and_no_error(
    tmp_path: Path, tool: Git, told: list[Event]
) -> None:
    commit(tmp_path / "served" / "app", {"a": "1"})
    with serving_git(tmp_path / "served", _TOKEN) as server:
        reference = GitReference(server.url("app"))
        secrets = {"GIT_AUTH_TOKEN.127.0.0.1": "secret-token\n"}
        allowed = tool._replace(authorization=lambda host: authorization_of(secrets, host))

        with pytest.raises(Unauthorized, match="not allowed"):
            checkout(reference, tool)
        found = checkout(reference, allowed)
        inside = reference.url.replace("//", "//x-access-token:secret-token@")
        again = checkout(GitReference(inside, keep_git_dir=True), tool)
        with pytest.raises(ArtificerError) as raised:
            checkout(GitReference(inside.replace("token@", "wrong@")), tool)

    assert found.commit == again.commit
    texts = [str(raised.value), str(raised.value.hint), repr(allowed), *map(str, told)]
    assert not any("secret" in text for text in texts)
    for path in Path(again.directory, ".git").rglob("*"):
        assert path.is_dir() or b"secret" not in path.read_bytes()


def test_headers_come_before_tokens_and_those_of_a_host_before_those_of_all() -> None:
    secrets = {"GIT_AUTH_TOKEN": "all", "GIT_AUTH_HEADER.a": "Bearer one"}

    assert authorization_of(secrets, "a") == "Bearer one"
    assert authorization_of(secrets, "b").startswith("Basic ")
    assert not authorization_of({}, "a")


def test_what_is_not_there_is_told(server: GitServer, tool: Git) -> None:
    commit(server.root / "app", {"a": "1"})
    url = server.url("app")

    with pytest.raises(NotInGit, match="no branch or tag 'nope'"):
        checkout(GitReference(url, "nope"), tool)
    with pytest.raises(NotInGit, match="no commit " + "a" * 40):
        checkout(GitReference(url, "a" * 40), tool)
    with pytest.raises(NotInGit, match="no revision 'abcdef1'"):
        checkout(GitReference(url, "abcdef1"), tool)
    with pytest.raises(NotInGit, match="not found"):
        checkout(GitReference(server.url("nothing")), tool)
    git(server.root, "init", "-q", "empty")
    with pytest.raises(NotInGit, match="empty"):
        checkout(GitReference(server.url("empty")), tool)


def test_without_git_the_error_says_what_to_do(tool: Git, tmp_path: Path) -> None:
    with pytest.raises(GitMissing, match="no program `git`") as raised:
        checkout(GitReference(f"file://{tmp_path}"), tool._replace(environ={"PATH": "/nowhere"}))

    assert "install git" in str(raised.value.hint)


def test_a_commit_on_no_tip_is_found_in_the_whole_history(tool: Git, tmp_path: Path) -> None:
    first = commit(tmp_path / "app", {"a": "1"})
    commit(tmp_path / "app", {"a": "2"})
    git(tmp_path / "app", "config", "protocol.version", "0")

    assert checkout(GitReference(f"file://{tmp_path}/app", first), tool).commit == first
    assert checkout(GitReference(f"{tmp_path}/app", first), tool).commit == first


def test_a_server_of_old_is_asked_for_names_and_then_for_everything(
    server: GitServer, tool: Git
) -> None:
    server.old = True
    first = commit(server.root / "app", {"a": "1"})
    git(server.root / "app", "tag", "-a", "-m", "one", "v1")
    second = commit(server.root / "app", {"a": "2"})
    middle = commit(server.root / "app", {"a": "3"})
    last = commit(server.root / "app", {"a": "4"})
    url = server.url("app")

    found = {ref: checkout(GitReference(url, ref), tool).commit for ref in ("v1", "main", second)}
    git_dir = checkout(GitReference(url, "v1", keep_git_dir=True), tool)

    assert found == {"v1": first, "main": last, second: second}
    assert middle not in git(Path(git_dir.directory), "log", "--format=%H")
    with pytest.raises(NotInGit, match="has no commit"):
        checkout(GitReference(url, "b" * 40), tool)


def test_a_server_that_only_has_files_will_do(server: GitServer, tool: Git) -> None:
    first = commit(server.root / "app", {"a": "1"})
    last = commit(server.root / "app", {"a": "2"})
    git(server.root / "app", "update-server-info")
    handler = partial(SimpleHTTPRequestHandler, directory=str(server.root))
    files = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=files.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{files.server_address[1]}/app/.git"

    found = [checkout(GitReference(url, ref), tool).commit for ref in ("main", "", first)]

    files.shutdown()
    files.server_close()
    thread.join()
    assert found == [last, last, first]


def test_a_server_that_is_too_busy_is_asked_again(server: GitServer, tool: Git) -> None:
    found = commit(server.root / "app", {"a": "1"})
    server.broken = 1

    assert checkout(GitReference(server.url("app")), tool).commit == found


def test_what_ssh_says_is_the_reason(tool: Git) -> None:
    with pytest.raises(ArtificerError) as raised:
        checkout(GitReference("ssh://git@127.0.0.1:1/app"), tool)

    assert "ssh" in raised.value.message.removeprefix("ssh://")


def test_nothing_of_this_machine_is_run(
    server: GitServer, tool: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = tmp_path / "hooks" / "post-checkout"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/run\n")
    hook.chmod(0o755)
    home = tmp_path / "own"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f"[core]\nhooksPath = {hook.parent}\nautocrlf = true\n"
        f'[filter "x"]\nsmudge = touch {tmp_path}/run\n'
    )
    commit(server.root / "app", {"a": "1\n", ".gitattributes": "* filter=x\n"})
    environ = {**_ENVIRON, "HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / ".gitconfig")}
    monkeypatch.setenv("HOME", str(home))

    found = checkout(GitReference(server.url("app")), tool._replace(environ=environ))

    assert Path(found.directory, "a").read_bytes() == b"1\n"
    assert not (tmp_path / "run").exists()


def test_a_commit_that_would_fill_the_disk_is_refused(
    server: GitServer, tool: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(server.root / "app", {"a": "x" * 5000, "b": "x" * 5000})
    monkeypatch.setattr("artificer.limits.GIT_BYTES", 9000)

    with pytest.raises(GitTooLarge, match="10000 bytes"):
        checkout(GitReference(server.url("app")), tool)


def test_git_is_ended_when_it_takes_too_long_or_somebody_stops(
    server: GitServer, tool: Git
) -> None:
    commit(server.root / "app", {"a": "1"})
    reference = GitReference(server.url("app"))
    stop = Stop()
    stop.set()

    with pytest.raises(GitTooLarge, match="in time"):
        checkout(reference, tool._replace(seconds=0.0))
    with pytest.raises(Cancelled):
        checkout(reference, tool._replace(stop=stop))


def test_a_subdirectory_is_inside(server: GitServer, tool: Git) -> None:
    os.makedirs(server.root / "app")
    os.symlink("/etc", server.root / "app" / "out")
    commit(server.root / "app", {"d/a": "1"})
    reference = GitReference(server.url("app"))
    found = checkout(reference, tool)

    assert subdirectory(found, reference) == found.directory
    assert subdirectory(found, reference._replace(subdir="d")).endswith("/d")
    with pytest.raises(Misused, match="leads out"):
        subdirectory(found, reference._replace(subdir="out"))
    with pytest.raises(Misused, match="no directory nope"):
        subdirectory(found, reference._replace(subdir="nope"))
