"""Small files of rules_distroless."""

import pytest

from tests.frontends.buildfile.rules.workspaces import Workspace, content_of, members_of

LOAD = 'load("@rules_distroless//distroless:defs.bzl", "group", "home", "os_release", "passwd")\n'


def tar_of(workspace: Workspace, text: str) -> bytes:
    workspace.write({"BUILD": LOAD + text})
    ((name, tar),) = workspace.files("//:x").items()
    assert name == "x.tar"
    return tar


def test_accounts_are_lines_of_their_entries(workspace: Workspace) -> None:
    users = tar_of(
        workspace,
        'passwd(name = "x", entries = [dict(username = "me", uid = 5, gid = 6, home = "/me",\n'
        '    shell = "/bin/sh", gecos = ["I", "room 1"])])\n',
    )
    groups = tar_of(
        workspace,
        'group(name = "x", mode = "0600", entries = [\n'
        '    dict(name = "root", gid = 0, password = "x"), dict(name = "us", gid = 6,\n'
        '    users = ["me", "you"])])\n',
    )

    assert content_of(users, "etc/passwd") == b"me:!:5:6:I,room 1:/me:/bin/sh\n"
    assert members_of(users)["etc/passwd"].mode == 0o644
    assert content_of(groups, "etc/group") == b"root:x:0:\nus:!:6:me,you\n"
    assert members_of(groups)["etc/group"].mode == 0o600


def test_homes_are_of_their_users(workspace: Workspace) -> None:
    text = (
        'home(name = "x", dirs = [dict(home = "/home/me", uid = 5, gid = 6),\n'
        '    dict(home = "/root", uid = 0, gid = 0, mode = "755")])\n'
    )

    found = members_of(tar_of(workspace, text))

    rows = {path: (one.mode, one.uid, one.gid) for path, one in found.items()}
    assert rows["home/me"] == (0o700, 5, 6)
    assert rows["root"] == (0o755, 0, 0)
    assert rows["home"] == (0o755, 0, 0)


def test_a_distribution_says_what_it_is(workspace: Workspace) -> None:
    text = (
        'os_release(name = "x", content = {"NAME": "Debian", "VERSION_ID": "\\"12\\"",\n'
        '    "PRETTY_NAME": "a $b"})\n'
    )

    tar = tar_of(workspace, text)

    assert content_of(tar, "usr/lib/os-release") == (
        b'NAME="Debian"\nVERSION_ID="12"\nPRETTY_NAME="a \\$b"\n'
    )
    assert members_of(tar)["usr/lib/os-release"].mode == 0o555


def test_times_are_those_that_are_said(workspace: Workspace) -> None:
    users = tar_of(workspace, 'passwd(name = "x", entries = [], time = "1672560000.0")\n')
    homes = tar_of(
        workspace, 'home(name = "x", dirs = [dict(home = "/me", uid = 5, gid = 6, time = 7)])\n'
    )

    assert {one.mtime for one in members_of(users).values()} == {1672560000}
    assert members_of(homes)["me"].mtime == 7


@pytest.mark.parametrize(
    "call",
    [
        'passwd(name = "x", entries = ["me"])',
        'passwd(name = "x", entries = [dict(name = "me")])',
        'passwd(name = "x", entries = [dict(username = "a:b")])',
        'group(name = "x", entries = [dict(name = "a\\nb:x:0:")])',
        'home(name = "x", dirs = [dict(home = "/me", uid = "me", gid = 1)])',
        'home(name = "x", dirs = [dict(home = "/../me", uid = 1, gid = 1)])',
        'home(name = "x", dirs = [dict(home = "/me", uid = 1, gid = 1, mode = "rwx")])',
        'os_release(name = "x", content = {}, path = "/../x")',
        'os_release(name = "x", content = {}, time = "now")',
        'home(name = "x", dirs = [dict(home = "/a", uid = 1, gid = 1, time = 1),\n'
        '    dict(home = "/b", uid = 1, gid = 1)])',
    ],
)
def test_what_is_no_account_is_an_error_at_its_line(workspace: Workspace, call: str) -> None:
    workspace.write({"BUILD": f"{LOAD}{call}\n"})

    assert "BUILD:" in workspace.error("//:x").message
