import pytest

from artificer.layers.diff import diff, differences
from artificer.layers.entry import CHAR, DIRECTORY, FILE, HARDLINK, SYMLINK
from artificer.layers.index import File, Index
from artificer.layers.tree import Tree

PLAIN = File("a", FILE, 0o644, 0, 0, 5, 0, 512, content=b"c" * 32)


def tree(*files: File) -> Tree:
    return Tree([Index(files)])


@pytest.mark.parametrize(
    ("after", "what"),
    [
        (PLAIN, ()),
        (PLAIN._replace(offset=9), ()),
        (PLAIN._replace(kind=HARDLINK, link="b"), ()),
        (PLAIN._replace(mode=0o755), ("mode 0644 → 0755",)),
        (PLAIN._replace(uid=1, gid=2), ("owner 0:0 → 1:2",)),
        (PLAIN._replace(size=6, content=b"d" * 32), ("size 5 → 6",)),
        (PLAIN._replace(content=b"d" * 32), ("content",)),
        (PLAIN._replace(mtime=7), ("time 0 → 7",)),
        (PLAIN._replace(xattrs=(("user.a", b""),)), ("extended attributes",)),
        (PLAIN._replace(kind=DIRECTORY), ("file → directory",)),
        (PLAIN._replace(kind=SYMLINK, mode=0), ("file → symbolic link",)),
    ],
)
def test_what_differs_is_named(after: File, what: tuple[str, ...]) -> None:
    assert differences(PLAIN, after) == what


def test_links_differ_in_their_target_only() -> None:
    link = File("l", SYMLINK, 0o777, 0, 0, 0, 0, 0, "a")

    assert differences(link, link._replace(link="b", mode=0o755)) == ("link a → b",)


def test_directories_do_not_differ_in_their_time() -> None:
    directory = File("d", DIRECTORY, 0o755, 0, 0, 0, 0, 0)

    assert differences(directory, directory._replace(mtime=9)) == ()


def test_devices_differ_in_their_number() -> None:
    device = File("d", CHAR, 0o666, 0, 0, 0, 0, 0, device=(1, 3))

    assert differences(device, device._replace(device=(1, 5))) == ("device number",)


def test_a_diff_is_sorted_and_says_added_removed_and_changed() -> None:
    old = [PLAIN._replace(path=path) for path in ("a", "d/gone", "d/kept", "z")]
    new = [PLAIN._replace(path=path) for path in ("a-b", "d/kept", "d/new")]
    new.append(PLAIN._replace(path="z", mode=0o600))

    changes = list(diff(tree(*old), tree(*new)))

    assert [
        (change.path, change.before is None, change.after is None, change.what)
        for change in changes
    ] == [
        ("a", False, True, ()),
        ("a-b", True, False, ()),
        ("d/gone", False, True, ()),
        ("d/new", True, False, ()),
        ("z", False, False, ("mode 0644 → 0600",)),
    ]


def test_equal_images_do_not_differ() -> None:
    assert list(diff(tree(PLAIN), tree(PLAIN))) == []
    assert list(diff(tree(), tree())) == []
    assert [change.after for change in diff(tree(), tree(PLAIN))] == [PLAIN]
