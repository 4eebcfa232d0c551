"""What one user id cannot set is recorded, shown to whoever asks, and nothing else is."""

import pytest

from artificer.sandbox.client import Root, Sandbox
from artificer.sandbox.command import TreeLayer
from artificer.sandbox.rung import NotPossible
from tests.sandbox import roots


@pytest.fixture
def single(_boxes: dict[str, Sandbox]) -> Sandbox:
    """A sandbox of a user without subordinate ids."""
    return _boxes["single-map"]


def said(root: Root, script: str) -> list[str]:
    done = roots.ran(root, script)
    assert done.code == 0, done.said
    return done.said.splitlines()


def test_what_was_set_is_seen_by_every_way_to_look(single: Sandbox, base: TreeLayer) -> None:
    with single.at((base,)) as root:
        seen = said(
            root,
            "touch /a; chown 33:77 /a; stat -c '%u %g' /a; cd /; stat -c '%u %g' a; "
            "stat -L -c '%u %g' /proc/self/fd/9 9</a; find /a -user web -group extra; "
            "ln -s a /l; chown -h 5:6 /l; stat -c '%u %g' /l; stat -L -c '%u %g' /l",
        )

    assert seen == ["33 77", "33 77", "33 77", "/a", "5 6", "33 77"]


def test_a_directory_given_away_keeps_it_when_renamed(single: Sandbox, base: TreeLayer) -> None:
    with single.at((base,)) as root:
        assert said(root, "mkdir /d; chown 9:9 /d; mv /d /e; stat -c %u /e") == ["9"]


def test_giving_back_to_root_is_recorded_as_well(single: Sandbox, base: TreeLayer) -> None:
    with single.at((base,)) as root:
        done = roots.ran(root, "chown 0:0 /srv/owned")

    assert (done.members["srv/owned"].uid, done.members["srv/owned"].gid) == (0, 0)


def test_a_device_looks_like_one(single: Sandbox, base: TreeLayer) -> None:
    with single.at((base,)) as root:
        script = "mknod -m 640 /d c 5 1; stat -c '%F %t %T %a' /d; test -c /d; ls -l /d"
        seen = said(root, script)

    assert seen[0] == "character special file 5 1 640"
    assert seen[1].startswith("crw-r-----")


def test_a_capability_is_gone_when_the_owner_changes(single: Sandbox, base: TreeLayer) -> None:
    with single.at((base,)) as root:
        done = roots.ran(root, "cp /bin/busybox /b; setcap cap_net_raw+ep /b; chown 7 /b")

    assert done.members["b"].uid == 7
    assert "SCHILY.xattr.security.capability" not in done.members["b"].pax_headers


def test_marks_are_no_attributes_for_commands(single: Sandbox, base: TreeLayer) -> None:
    with single.at((base,)) as root:
        done = roots.ran(root, "touch /a; chown 33 /a; cp -a /a /b; tar -cf /t /a; tar -xf /t")

    assert done.members["b"].uid == 33
    assert b"artificer" not in done.bytes_of("t")


def test_a_chown_that_cannot_be_fails_as_ever(single: Sandbox, base: TreeLayer) -> None:
    with single.at((base,)) as root:
        done = roots.ran(root, "chown web /nothing; chown web /proc/self/stat; chown web ''")

    assert done.said.count("chown: ") == 3


def test_a_program_that_changes_its_user_is_refused(single: Sandbox, base: TreeLayer) -> None:
    with single.at((base,)) as root, pytest.raises(NotPossible) as refused:
        roots.ran(root, "busybox su web -c 'touch /tmp/mine' || true")

    assert "user 33" in refused.value.message
    assert "/etc/subuid" in (refused.value.hint or "")


def test_to_become_who_one_is_already_is_no_change(single: Sandbox, base: TreeLayer) -> None:
    with single.at((base,)) as root:
        assert said(root, "busybox su root -c 'id -u'") == ["0"]


def test_many_threads_and_children_are_answered(single: Sandbox, base: TreeLayer) -> None:
    script = "for i in $(seq 20); do (touch /f$i; chown $i /f$i; stat -c %u /f$i) & done; wait"
    with single.at((base,)) as root:
        seen = said(root, script)

    assert sorted(map(int, seen)) == list(range(1, 21))


def test_nothing_of_ours_is_open_in_a_command(single: Sandbox, base: TreeLayer) -> None:
    with single.at((base,)) as root:
        assert said(root, "ls /proc/self/fd | wc -l") == ["4"]
