from pathlib import Path

import pytest

from artificer.errors import ArtificerError
from artificer.oci.image import Image
from tests.builder.staged.kit import Workshop
from tests.images.made import DIR, image_of, link, tar_of


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def base(shop: Workshop) -> Image:
    passwd = b"root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n"
    tar = tar_of(
        ("etc", DIR),
        ("etc/passwd", passwd),
        ("etc/group", b"root:x:0:\nwheel:x:10:\n"),
        ("tmp", {**DIR, "mode": 0o1777}),
        ("usr", DIR),
        ("usr/bin", {**DIR, "uid": 3, "gid": 4, "mtime": 5}),
        ("bin", link("usr/bin")),
        ("usr/bin/sh", b"#!"),
        ("data", link("/srv/data")),
        ("srv", DIR),
        ("srv/data", {**DIR, "mode": 0o700}),
        ("file-link", link("etc/passwd")),
    )
    return image_of(shop.reach.store, tar)


def copied(shop: Workshop, text: str) -> dict[str, str]:
    image = shop.image(text)
    return shop.tree(image)


SCRATCH = {
    "COPY a /x": {"x": "644 0:0 1"},
    "COPY a /x/": {"x": "755 0:0 /", "x/a": "644 0:0 1"},
    "COPY a b /x/": {"x": "755 0:0 /", "x/a": "644 0:0 1", "x/b": "600 0:0 2"},
    "COPY a .": {"a": "644 0:0 1"},
    "COPY d /": {"e": "700 0:0 /", "e/f": "755 0:0 1", "g": "-> e/f"},
    "COPY d/e /x": {"x": "755 0:0 /", "x/f": "755 0:0 1"},
    "COPY --chown=5 d/e /x": {"x": "755 5:5 /", "x/f": "755 5:5 1"},
    "COPY --chown=5:6 a /x/y": {"x": "755 5:6 /", "x/y": "644 5:6 1"},
    "COPY --chmod=640 a /x/y": {"x": "755 0:0 /", "x/y": "640 0:0 1"},
    "COPY --chmod=u+x,go=r b /y": {"y": "744 0:0 2"},
    "COPY --chmod=a=rX d /": {"e": "555 0:0 /", "e/f": "555 0:0 1", "g": "-> e/f"},
    "COPY --parents d/e/f /x": {
        "x": "755 0:0 /",
        "x/d": "755 0:0 /",
        "x/d/e": "700 0:0 /",
        "x/d/e/f": "755 0:0 1",
    },
    "COPY --exclude=**/f --exclude=g d /x": {"x": "755 0:0 /", "x/e": "700 0:0 /"},
    "COPY nothing* /x/": {},
    "COPY [ab] /x/": {"x": "755 0:0 /", "x/a": "644 0:0 1", "x/b": "600 0:0 2"},
    "COPY <<EOF /x\nhello\nEOF": {"x": "644 0:0 6"},
    "COPY <<one <<two a /x/\n1\none\n22\ntwo": {
        "x": "755 0:0 /",
        "x/a": "644 0:0 1",
        "x/one": "644 0:0 2",
        "x/two": "644 0:0 3",
    },
    "WORKDIR /w\nCOPY a x": {"w": "755 0:0 /", "w/x": "644 0:0 1"},
    "COPY empty /x": {"x": "755 0:0 /"},
    "COPY --link a /x/y": {"x": "755 0:0 /", "x/y": "644 0:0 1"},
}


@pytest.mark.parametrize("line", SCRATCH)
def test_files_land_in_an_empty_image_as_docker_puts_them(shop: Workshop, line: str) -> None:
    fill(shop)

    assert copied(shop, f"FROM scratch\n{line}") == SCRATCH[line]


def fill(shop: Workshop) -> None:
    shop.write("a", "1")
    shop.write("b", "22", 0o600)
    shop.write("d/e/f", "3", 0o755)
    (shop.context / "d/e").chmod(0o700)
    (shop.context / "d/g").symlink_to("e/f")
    (shop.context / "d").chmod(0o755)
    (shop.context / "empty").mkdir(mode=0o711)


BASED = {
    "COPY a /bin/": {"usr": "755 0:0 /", "usr/bin": "755 3:4 /", "usr/bin/a": "644 0:0 1"},
    "COPY a /bin": {"usr": "755 0:0 /", "usr/bin": "755 3:4 /", "usr/bin/a": "644 0:0 1"},
    "COPY a /tmp": {"tmp": "1777 0:0 /", "tmp/a": "644 0:0 1"},
    "COPY a /data/x/y": {
        "srv": "755 0:0 /",
        "srv/data": "700 0:0 /",
        "srv/data/x": "755 0:0 /",
        "srv/data/x/y": "644 0:0 1",
    },
    "COPY d/e /data": {
        "srv": "755 0:0 /",
        "srv/data": "700 0:0 /",
        "srv/data/f": "755 0:0 1",
    },
    "COPY root /": {
        "usr": "755 0:0 /",
        "usr/bin": "700 0:0 /",
        "usr/bin/tool": "644 0:0 1",
        "tmp": "700 0:0 /",
    },
    "COPY a /file-link": {"etc": "755 0:0 /", "etc/passwd": "644 0:0 1"},
    "COPY a /etc/passwd": {"etc": "755 0:0 /", "etc/passwd": "644 0:0 1"},
    "COPY --chown=app a /x": {"x": "644 1000:1001 1"},
    "COPY --chown=app:wheel a /x": {"x": "644 1000:10 1"},
    "COPY --chown=7:wheel a /x": {"x": "644 7:10 1"},
    "COPY --link a /bin/x": {"bin": "755 0:0 /", "bin/x": "644 0:0 1"},
    "COPY --link --chown=app a /x": {"x": "644 1000:1001 1"},
}


@pytest.mark.parametrize("line", BASED)
def test_files_land_on_a_base_through_its_links_below_its_directories(
    shop: Workshop, line: str
) -> None:
    fill(shop)
    shop.write("root/bin/tool", "1")
    (shop.context / "root/bin").chmod(0o700)
    (shop.context / "root/tmp").mkdir(mode=0o700)
    shop.images["base"] = base(shop)

    image = shop.image(f"FROM base\n{line}")

    own = Workshop.tree(shop, image_of_layer(image))
    assert own == BASED[line]


def image_of_layer(image: Image) -> Image:
    from artificer.oci.edit import Stamp, appended, empty
    from artificer.oci.platform import LINUX_AMD64

    return appended(empty(LINUX_AMD64, "oci"), [image.layers[-1]], ["x"], Stamp())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("COPY a /etc/passwd/", "is a file, not a directory"),
        ("COPY a /etc/passwd/x", "is not a directory"),
        ("COPY d /etc/passwd", "is a file, not a directory"),
        ("COPY overlay /", "a file cannot be copied over the directory /etc"),
        ("COPY over /", "a directory cannot be copied over the file /etc/passwd"),
        ("COPY --chown=nobody a /x", "no user called nobody"),
        ("COPY --chown=0:staff a /x", "no group called staff"),
        ("COPY [ab] /x", "both go to /x"),
        ("COPY missing /x", "there is no /missing"),
        ("COPY --chmod=u+q a /x", "mode"),
    ],
)
def test_what_cannot_be_copied_is_an_error_with_its_line(
    shop: Workshop, line: str, says: str
) -> None:
    fill(shop)
    shop.write("overlay/etc", "1")
    shop.write("over/etc/passwd/x", "1")
    shop.images["base"] = base(shop)

    with pytest.raises(ArtificerError, match=says) as caught:
        shop.image(f"FROM base\n{line}")

    assert caught.value.message.startswith("Dockerfile:2")


def test_files_of_a_stage_keep_owners_modes_times_and_links(shop: Workshop) -> None:
    fill(shop)
    shop.images["base"] = base(shop)

    image = shop.image(
        "FROM base AS one\nCOPY --chown=9:9 d /d\nFROM scratch\n"
        "COPY --from=one /d /x\nCOPY --from=one /bin /bin\nCOPY --from=base /usr /u\n"
        "COPY --from=0 --chown=1:1 /d/e/f /y"
    )

    assert shop.tree(image) == {
        "bin": "755 0:0 /",
        "bin/sh": "644 0:0 2",
        "u": "755 0:0 /",
        "u/bin": "755 3:4 /",
        "u/bin/sh": "644 0:0 2",
        "x": "755 0:0 /",
        "x/e": "700 9:9 /",
        "x/e/f": "755 9:9 1",
        "x/g": "-> e/f",
        "y": "755 1:1 1",
    }
    assert shop.layer(image, -2)["u/bin"].mtime == 5


def test_hard_links_in_a_context_stay_hard_links(shop: Workshop) -> None:
    first = shop.write("d/z", "1")
    (shop.context / "d/a").hardlink_to(first)

    layer = shop.layer(shop.image("FROM scratch\nCOPY d /"))

    assert layer["z"].islnk()
    assert layer["z"].linkname == "a"


def test_files_of_the_context_have_the_epoch_for_their_time(shop: Workshop) -> None:
    fill(shop)

    layer = shop.layer(shop.image("FROM scratch\nCOPY d /x/"))

    assert {member.mtime for member in layer.values()} == {0}


def test_a_layer_is_made_for_every_instruction_and_the_config_is_the_stages(
    shop: Workshop,
) -> None:
    fill(shop)

    image = shop.image('FROM scratch\nENV A=b\nCOPY a /\nWORKDIR /w\nCMD ["x"]\nLABEL l=m')

    assert [(line["created_by"], line.get("empty_layer", False)) for line in image.history] == [
        ("ENV A=b", True),
        ("COPY a / # buildkit", False),
        ("WORKDIR /w", False),
        ('CMD ["x"]', True),
        ("LABEL l=m", True),
    ]
    assert image.settings["WorkingDir"] == "/w"
    assert image.settings["Cmd"] == ["x"]
    assert len(image.layers) == 2


@pytest.mark.parametrize(
    ("user", "expected"),
    [("", "755 0:0 /"), ("USER app\n", "755 1000:1001 /"), ("USER 5\n", "755 5:5 /")],
)
def test_a_working_directory_is_made_for_the_user(
    shop: Workshop, user: str, expected: str
) -> None:
    shop.images["base"] = base(shop)

    image = shop.image(f"FROM base\n{user}WORKDIR /bin/w/x")

    tree = shop.tree(image)
    assert tree["usr/bin/w/x"] == expected
    assert tree["usr/bin/w"] == expected
    assert tree["usr/bin"] == "755 3:4 /"


def test_a_working_directory_that_is_there_stays_as_it_is(shop: Workshop) -> None:
    shop.images["base"] = base(shop)

    image = shop.image("FROM base\nUSER app\nWORKDIR /data")

    assert shop.layer(image) == {}
    assert shop.tree(image) == shop.tree(shop.images["base"])
