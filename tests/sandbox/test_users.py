"""Who a command is, by the files of its root."""

import pytest

from artificer.sandbox.users import Identity, UnknownUser, identity

PASSWD = (
    b"root:x:0:0:root:/root:/bin/sh\n"
    b"# a comment:x:9:9::/:\n"
    b"web:x:33:34:web:/var/www:/bin/sh\n"
    b"web:x:35:35:again:/no:/bin/sh\n"
    b"77:x:1077:1077:a name of digits:/digits:/bin/sh\n"
    b"broken:x:notanumber:1::/:\n"
    b"short:x:50\n"
)
GROUP = b"root:x:0:\nweb:x:34:web\nextra:x:90:other,web\nmore:x:91:web,\nodd:x:no:web\n"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", Identity(0, 0, (0,), "/root")),
        ("root", Identity(0, 0, (0,), "/root")),
        ("0", Identity(0, 0, (0,), "/root")),
        ("web", Identity(33, 34, (34, 90, 91), "/var/www")),
        ("33", Identity(33, 34, (34, 90, 91), "/var/www")),
        ("web:extra", Identity(33, 90, (90,), "/var/www")),
        ("web:", Identity(33, 34, (34, 90, 91), "/var/www")),
        ("web:5", Identity(33, 5, (5,), "/var/www")),
        ("4000", Identity(4000, 0, (0,), "/")),
        ("4000:4001", Identity(4000, 4001, (4001,), "/")),
        ("77", Identity(1077, 1077, (1077,), "/digits")),
        ("short", Identity(50, 0, (0,), "/")),
    ],
)
def test_a_user_is_found_by_name_or_number(user: str, expected: Identity) -> None:
    assert identity(user, PASSWD, GROUP) == expected


@pytest.mark.parametrize("user", ["nobody", "broken", "web:nothing", "-1", "4294967296", "1.5"])
def test_a_user_who_is_not_there_is_an_error(user: str) -> None:
    with pytest.raises(UnknownUser):
        identity(user, PASSWD, GROUP)


def test_without_files_root_is_known() -> None:
    assert identity("", b"", b"") == Identity(0, 0, (0,), "/root")
    assert identity("0:0", b"", b"") == Identity(0, 0, (0,), "/root")
