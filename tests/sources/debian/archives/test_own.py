"""What the apt of an image is configured with."""

from collections.abc import Iterable

import pytest

from artificer.layers.entry import FILE
from artificer.layers.index import File, Index
from artificer.layers.tree import Tree
from artificer.sources.debian.archives.own import NoArchives, Own, own_of, usual_keyrings
from tests.parts.archive import signing_key
from tests.parts.openpgp import armoured

KEY = signing_key().public()
TEXT = armoured(KEY)


def own(files: dict[str, str | bytes]) -> Own:
    data = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    tree = tree_of(data)

    def read(paths: Iterable[str]) -> dict[str, bytes]:
        return {path: data[path] for path in paths}

    return own_of(tree, read, "it")


def tree_of(files: dict[str, bytes]) -> Tree:
    rows = [File(path, FILE, 0o644, 0, 0, len(data), 0, 0) for path, data in files.items()]
    return Tree([Index(rows)])


def test_lines_and_stanzas_of_an_image_are_its_archives() -> None:
    found = own(
        {
            "etc/apt/sources.list": "deb http://deb.example.org/debian stable main\n",
            "etc/apt/sources.list.d/more.sources": "Types: deb\nURIs: http://x.example.org\n"
            "Suites: testing\nComponents: main\n",
            "etc/apt/sources.list.d/off.list.disabled": "not read\n",
            "etc/apt/trusted.gpg.d/a.asc": TEXT,
        }
    )

    assert [(one.uri, one.suite) for one in found.archives] == [
        ("http://deb.example.org/debian", "stable"),
        ("http://x.example.org", "testing"),
    ]
    assert found.archives[0].place.startswith("it:/etc/apt/sources.list")


def test_a_keyring_of_the_image_becomes_the_keys_themselves() -> None:
    files: dict[str, str | bytes] = {
        "etc/apt/sources.list": "deb [signed-by=/usr/share/keyrings/k.gpg] http://x s main\n",
        "usr/share/keyrings/k.gpg": KEY,
    }

    (signer,) = own(files).archives[0].signed_by

    assert signer.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")


def test_without_a_name_the_usual_keyrings_sign() -> None:
    files: dict[str, str | bytes] = {
        "etc/apt/sources.list": "deb http://x s main\n",
        "etc/apt/trusted.gpg.d/a.gpg": KEY,
        "etc/apt/trusted.gpg.d/b.asc": TEXT,
        "etc/apt/trusted.gpg.d/c.txt": "no keyring",
    }

    assert len(own(files).archives[0].signed_by) == 2
    assert usual_keyrings(tree_of(dict.fromkeys(files, b"x"))) == [
        "etc/apt/trusted.gpg.d/a.gpg",
        "etc/apt/trusted.gpg.d/b.asc",
    ]


def test_preferences_of_the_image_are_pins() -> None:
    found = own(
        {
            "etc/apt/sources.list": "deb http://x s main\n",
            "etc/apt/trusted.gpg": KEY,
            "etc/apt/preferences.d/hold": "Package: nginx\nPin: version 1.*\nPin-Priority: 900\n",
            "etc/apt/preferences.d/odd.orig": "not read",
        }
    )

    assert [(pin.packages, pin.priority) for pin in found.pins] == [(("nginx",), 900)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "names no archive in /etc/apt"),
        ({"etc/apt/sources.list": "# nothing\n"}, "names no archive in /etc/apt"),
        ({"etc/apt/sources.list": "deb file:/srv/debian s main\n"}, "directory of a container"),
        ({"etc/apt/sources.list": "deb [trusted=yes] http://x s main\n"}, "without a signature"),
        ({"etc/apt/sources.list": "deb http://x s main\n"}, "no keyring is named"),
        (
            {"etc/apt/sources.list": "deb [signed-by=/etc/passwd.gpg] http://x s main\n"},
            "no keyring /etc/passwd.gpg",
        ),
    ],
)
def test_what_an_image_may_not_decide_is_refused(
    files: dict[str, str | bytes], message: str
) -> None:
    with pytest.raises(NoArchives, match=message) as error:
        own(files)

    assert "--archive" in str(error.value.hint)


@pytest.mark.parametrize("pattern", ["/(a+)+$/", "/a*a*a*a*b/", "/(a)\\1/", "/(a|a){9}/"])
def test_an_image_cannot_have_us_match_for_ever(pattern: str) -> None:
    files: dict[str, str | bytes] = {
        "etc/apt/sources.list": "deb http://x s main\n",
        "etc/apt/trusted.gpg.d/a.gpg": KEY,
        "etc/apt/preferences.d/p": f"Package: {pattern}\nPin: version 1\nPin-Priority: 1\n",
    }

    with pytest.raises(NoArchives, match="may take for ever"):
        own(files)
    files["etc/apt/preferences.d/p"] = "Package: /^lib.*-dev$/\nPin: version *\nPin-Priority: 1\n"
    assert len(own(files).pins) == 1
