"""Users and groups (RD-38, RD-39)."""

from tests.frontends.buildfile.rules.workspaces import Workspace, content_of, members_of

LOAD = (
    'load("@io_bazel_rules_docker//contrib:passwd.bzl", "passwd_entry", "passwd_file",'
    ' "passwd_tar")\n'
    'load("@io_bazel_rules_docker//contrib:group.bzl", "group_entry", "group_file")\n'
)
ENTRIES = """
passwd_entry(name = "root", username = "root", uid = 0, gid = 0, home = "/root", info = "super")
passwd_entry(name = "me", username = "me", home = "/home/me", shell = "/bin/sh")
passwd_entry(name = "no", username = "nobody", uid = 65534, home = "/none", create_home = False)
"""


def test_users_are_lines_of_a_file(workspace: Workspace) -> None:
    text = 'passwd_file(name = "passwd", entries = [":root", ":me"])\n'
    workspace.write({"BUILD": LOAD + ENTRIES + text})

    assert workspace.files("//:passwd") == {
        "passwd": b"root:x:0:0:super:/root:/bin/bash\nme:x:1000:1000:user:/home/me:/bin/sh\n"
    }


def test_a_tar_of_users_has_their_homes(workspace: Workspace) -> None:
    text = (
        'passwd_tar(name = "users", entries = [":root", ":me", ":no"], '
        'passwd_file_pkg_dir = "etc")\n'
    )
    workspace.write({"BUILD": LOAD + ENTRIES + text})

    ((name, tar),) = workspace.files("//:users").items()
    found = members_of(tar)

    assert name == "users.tar"
    assert content_of(tar, "etc/passwd").startswith(b"root:x:0:0:super:/root:/bin/bash\nme:")
    assert found["etc/passwd"].mode == 0o644
    homes = {path: found[path] for path in ("root", "home/me")}
    rows = {path: (one.mode, one.uid, one.gid) for path, one in homes.items()}
    assert rows == {"root": (0o700, 0, 0), "home/me": (0o700, 1000, 1000)}
    assert found["home"].mode == 0o755
    assert "none" not in found


def test_the_mode_of_the_file_may_be_said(workspace: Workspace) -> None:
    text = 'passwd_tar(name = "users", entries = [":me"], passwd_file_mode = "0o600")\n'
    workspace.write({"BUILD": LOAD + ENTRIES + text})

    (tar,) = workspace.files("//:users.tar").values()

    assert members_of(tar)["etc/passwd"].mode == 0o600


def test_one_user_is_a_file_and_a_tar_as_in_2017(workspace: Workspace) -> None:
    user = 'username = "app", uid = 5, gid = 6, info = "i", home = "/app", shell = "/bin/sh"'
    text = f'passwd_file(name = "passwd", {user})\npasswd_tar(name = "users", {user})\n'
    workspace.write({"BUILD": LOAD + text})

    (line,) = workspace.files("//:passwd").values()
    (tar,) = workspace.files("//:users").values()

    assert line == b"app:x:5:6:i:/app:/bin/sh\n"
    assert content_of(tar, "etc/passwd") == line
    assert "app" not in members_of(tar)


def test_groups_are_lines_of_a_file(workspace: Workspace) -> None:
    text = """
group_entry(name = "wheel", groupname = "wheel", gid = 10, users = ["me", "you"])
group_entry(name = "app", groupname = "app")
group_file(name = "group", entries = [":wheel", ":app"])
"""
    workspace.write({"BUILD": LOAD + text})

    assert workspace.files("//:group") == {"group": b"wheel:x:10:me,you\napp:x:1000:\n"}


def test_an_entry_is_one_of_its_rule(workspace: Workspace) -> None:
    text = 'filegroup(name = "f")\npasswd_file(name = "passwd", entries = [":f"])\n'

    assert ":f is no passwd_entry" in workspace.wrong(LOAD + text, "//:passwd").message
