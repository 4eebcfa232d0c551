from artificer.builder.debian.layering import Cut, Part, line_of, parts
from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, Entry
from artificer.layers.merge import by_components
from artificer.layers.whiteout import whiteout
from artificer.sources.debian.values import Locked

PACKAGES = [
    Locked("nginx", "1", "amd64", (), "0", 1, "nginx"),
    Locked("nginx-common", "1", "all", (), "0", 1, "nginx", auto=True),
    Locked("libc6", "2", "amd64", (), "0", 1, "glibc", auto=True),
    Locked("tiny", "3", "all", (), "0", 1, auto=True),
]
OWNERS = {
    "usr/sbin/nginx": "nginx",
    "etc/nginx.conf": "nginx-common",
    "usr/lib/libc.so": "libc6:amd64",
    "usr/lib/libc.so.6": "libc6:amd64",
    "usr/share/tiny": "tiny",
}


def file(path: str, size: int = 1) -> Entry:
    return Entry(path, FILE, 0o644, 0, 0, size, 5, "", b"x" * size)


def folder(path: str, mtime: int = 5) -> Entry:
    return Entry(path, DIRECTORY, 0o755, 0, 0, 0, mtime, "", None)


ENTRIES = [
    whiteout("etc/gone", 0),
    *by_components(
        [
            *(folder(path) for path in ("etc", "usr", "usr/lib", "usr/sbin", "usr/share", "var")),
            file("usr/sbin/nginx", 3000),
            file("etc/nginx.conf"),
            file("usr/lib/libc.so", 5000),
            file("usr/lib/libc.so.6")._replace(
                kind=HARDLINK, link="usr/lib/libc.so", size=0, source=None
            ),
            file("usr/share/tiny"),
            file("var/status", 100),
        ]
    ),
]


def cut(layering: str, most: int = 100) -> Cut:
    return Cut(layering, most, "DEBS nginx", 9)  # type: ignore[arg-type]


def told(found: list[Part]) -> dict[str, list[str]]:
    return {
        part.line: [one.path for one in part.entries if one.kind != DIRECTORY] for part in found
    }


def test_one_layer_has_everything_as_it_is() -> None:
    assert parts(ENTRIES, {}, PACKAGES, cut("one")) == [Part("DEBS nginx", ENTRIES)]


def test_nothing_is_no_layer() -> None:
    assert parts([], {}, PACKAGES, cut("one")) == []
    assert parts([], {}, PACKAGES, cut("by-package")) == []


def test_each_source_package_has_a_layer_and_the_rest_is_the_last() -> None:
    assert told(parts(ENTRIES, OWNERS, PACKAGES, cut("by-package"))) == {
        "DEBS of glibc": ["usr/lib/libc.so", "usr/lib/libc.so.6"],
        "DEBS of nginx": ["etc/nginx.conf", "usr/sbin/nginx"],
        "DEBS of tiny": ["usr/share/tiny"],
        "DEBS nginx (configuration)": ["etc/.wh.gone", "var/status"],
    }


def test_what_a_script_has_changed_is_with_the_rest() -> None:
    owners = {path: name for path, name in OWNERS.items() if path != "etc/nginx.conf"}

    found = told(parts(ENTRIES, owners, PACKAGES, cut("by-package")))

    assert found["DEBS of nginx"] == ["usr/sbin/nginx"]
    assert "etc/nginx.conf" in found["DEBS nginx (configuration)"]


def test_with_a_budget_the_smallest_share_a_layer() -> None:
    assert told(parts(ENTRIES, OWNERS, PACKAGES, cut("budget", 3))) == {
        "DEBS of glibc": ["usr/lib/libc.so", "usr/lib/libc.so.6"],
        "DEBS 2 source packages": ["etc/nginx.conf", "usr/sbin/nginx", "usr/share/tiny"],
        "DEBS nginx (configuration)": ["etc/.wh.gone", "var/status"],
    }
    assert len(parts(ENTRIES, OWNERS, PACKAGES, cut("budget", 2))) == 2
    assert len(parts(ENTRIES, OWNERS, PACKAGES, cut("budget", 1))) == 1


def test_every_layer_has_the_directories_above_its_files_with_one_time() -> None:
    for part in parts(ENTRIES, OWNERS, PACKAGES, cut("by-package")):
        paths = [one.path for one in part.entries]
        assert {path.rpartition("/")[0] for path in paths if ".wh." not in path} <= {"", *paths}
        assert {one.mtime for one in part.entries if one.kind == DIRECTORY} == {9}


def test_a_layer_of_a_package_is_the_same_beside_other_packages() -> None:
    alone = [one for one in ENTRIES if one.path.startswith("usr/lib") or one.path == "usr"]
    libc = [one for one in PACKAGES if one.name == "libc6"]

    first = parts([one._replace(mtime=7) for one in alone], OWNERS, libc, cut("by-package"))
    files = [one for one in first[0].entries if one.kind == DIRECTORY]

    every = parts(ENTRIES, OWNERS, PACKAGES, cut("by-package"))
    assert files == [one for one in every[0].entries if one.kind == DIRECTORY]


def test_history_names_what_was_asked_for() -> None:
    assert line_of(("nginx", "curl"), PACKAGES) == "DEBS nginx curl"
    assert line_of((), PACKAGES) == "DEBS nginx"
    assert line_of((), PACKAGES[2:]) == "DEBS libc6 tiny"
    assert len(line_of(("x" * 300,), PACKAGES)) == 200
