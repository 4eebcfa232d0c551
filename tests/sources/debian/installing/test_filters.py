"""Which files are left out, by dpkg's own rules."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.layers.entry import DIRECTORY, FILE, SYMLINK
from artificer.sources.debian.installing.filters import Filters, Rule
from artificer.sources.debian.installing.install import installation
from artificer.sources.debian.installing.installation import Options
from artificer.sources.debian.installing.profiles import MINIMAL
from artificer.sources.debian.values import Profile
from tests.parts.archive import File, made
from tests.sources.debian.workbench import Bench, put

DOCS: tuple[Rule, ...] = (
    ("exclude", "/usr/share/doc/*"),
    ("include", "/usr/share/doc/*/copyright"),
)


@pytest.mark.parametrize(
    ("path", "kind", "excluded"),
    [
        ("/usr/share/doc/a/readme", FILE, True),
        ("/usr/share/doc/a/copyright", FILE, False),
        ("/usr/share/doc/a/b/copyright", FILE, False),
        ("/usr/share/doc/a", DIRECTORY, False),
        ("/usr/share/doc/a", SYMLINK, False),
        ("/usr/share/doc", DIRECTORY, False),
        ("/usr/bin/a", FILE, False),
    ],
)
def test_the_last_pattern_that_matches_decides(path: str, kind: str, *, excluded: bool) -> None:
    assert Filters(DOCS).excludes(path, kind) is excluded


def test_sets_of_letters_and_escapes_are_patterns() -> None:
    filters = Filters((("exclude", "/a[!bc]"), ("exclude", r"/x\*y"), ("exclude", "/q?")))

    excluded = [
        path for path in ("/ad", "/ab", "/x*y", "/xzy", "/q1") if filters.excludes(path, FILE)
    ]
    assert excluded == ["/ad", "/x*y", "/q1"]


@given(st.text("ab*?[]!\\/-^", max_size=12), st.text("ab/", max_size=8))
def test_any_text_is_a_pattern(pattern: str, path: str) -> None:
    Filters((("exclude", pattern),)).excludes(f"/{path}", FILE)


def test_dpkg_leaves_out_the_same_files(bench: Bench) -> None:
    package = made(
        "many",
        files={
            "usr/share/doc/many/copyright": "free",
            "usr/share/doc/many/examples/one": "1",
            "usr/share/doc/link": File(link="many"),
            "usr/share/man/man1/many.1": "man",
            "usr/share/locale/de/LC_MESSAGES/many.mo": "mo",
            "usr/share/locale/locale.alias": "alias",
            "usr/bin/many": "bin",
        },
    )
    root = bench.root("dpkg")
    words = [f"--path-{kind}={pattern}" for kind, pattern in MINIMAL.filters]

    bench.dpkg(root, *words, "--unpack", *bench.paths(package))
    value = installation(bench.debs(package), None, Options(profile=MINIMAL))

    theirs = {str(one.relative_to(root)) for one in Path(root).rglob("usr/share/**/*")}
    ours = {one.path for one in value.entries if one.path.startswith("usr/share/")}
    assert ours == theirs


def test_a_hard_link_to_what_is_left_out_becomes_the_file(bench: Bench) -> None:
    package = made(
        "linked",
        files={
            "usr/share/doc/first": "bytes",
            "usr/share/second": File(link="./usr/share/doc/first", hard=True),
            "usr/share/third": File(link="./usr/share/doc/first", hard=True),
        },
    )
    options = Options(profile=Profile((("exclude", "/usr/share/doc/first"),)))

    value = installation(bench.debs(package), None, options)

    kinds = {one.path: (one.kind, one.link) for one in value.entries}
    assert kinds["usr/share/second"] == (FILE, "")
    assert kinds["usr/share/third"][0] in {"1", FILE}


def test_dpkg_misses_nothing_that_was_left_out(bench: Bench) -> None:
    docs = {"usr/share/doc/many/news": "n", "usr/share/man/man1/a.1": "m", "usr/bin/a": "a"}
    own = made("dpkg", files={"usr/bin/dpkg": "x"})
    root = bench.root("root")

    packages = bench.debs(own, made("many", files=docs))
    value = installation(packages, None, Options(profile=MINIMAL))
    put(root, [one for one in value.entries if one.path not in value.temporary])
    bench.dpkg(root, "--configure", "-a")

    assert bench.dpkg(root, "--verify") == ""
    assert not (root / "usr/share/doc/many/news").exists()
    settings = (root / "etc/dpkg/dpkg.cfg.d/path-filters").read_text()
    assert "path-include /usr/share/doc/*/copyright\n" in settings
