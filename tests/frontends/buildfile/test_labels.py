import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.frontends.buildfile.labels import (
    InvalidLabel,
    Label,
    PackageId,
    Pattern,
    parse_label,
    parse_pattern,
)

HERE = PackageId("", "a/b")
THERE = PackageId("repo", "x")
_part = st.text(string.ascii_letters + string.digits + "_-.+=", min_size=1).filter(
    lambda text: text not in {".", "..", "..."}
)
_path = st.lists(_part, min_size=1, max_size=3).map("/".join)
_labels = st.builds(
    Label, st.sampled_from(["", "repo", "r_1.x"]), st.one_of(st.just(""), _path), _path
)


@pytest.mark.parametrize(
    ("text", "here", "label"),
    [
        (":c", HERE, "//a/b:c"),
        ("c", HERE, "//a/b:c"),
        ("c/d.txt", HERE, "//a/b:c/d.txt"),
        ("//c", HERE, "//c:c"),
        ("//c/d", HERE, "//c/d:d"),
        ("//:c", HERE, "//:c"),
        ("//c:d", HERE, "//c:d"),
        ("@r", HERE, "@r//:r"),
        ("@r//c", HERE, "@r//c:c"),
        ("@@r//c:d", HERE, "@r//c:d"),
        ("@r//image:image.tar", HERE, "@r//image:image.tar"),
        ("@r//:sub/file.tar.gz", HERE, "@r//:sub/file.tar.gz"),
        ("@//c", THERE, "//c:c"),
        ("@@//c", THERE, "//c:c"),
        ("//c", THERE, "@repo//c:c"),
        ("c", THERE, "@repo//x:c"),
        ("@r.a-b+1~2//c:d", HERE, "@r.a-b+1~2//c:d"),
        (".", HERE, "//a/b:."),
        ("a b.txt", HERE, "//a/b:a b.txt"),
    ],
)
def test_a_label_is_read_as_bazel_reads_it(text: str, here: PackageId, label: str) -> None:
    assert str(parse_label(text, here)) == label


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "//a:", "..", "../x", "a/../b", "a//b", "/etc/passwd", "//a/../b:c", "///a"),
        *("//a:/b", "//a:b/", "a\nb", "@bad name//x", "//a/:b", "//a//b:c", "a/./b", "x\0", "//"),
    ],
)
def test_what_leaves_its_package_is_no_label(text: str) -> None:
    with pytest.raises(InvalidLabel, match="not a label"):
        parse_label(text, HERE)


def test_a_long_text_is_shown_in_part() -> None:
    with pytest.raises(InvalidLabel) as caught:
        parse_label("../" * 1000, HERE)

    assert len(caught.value.message) < 400


@given(_labels)
def test_the_text_of_a_label_is_that_label(label: Label) -> None:
    assert parse_label(str(label), PackageId("", "")) == label


@given(st.text())
def test_any_text_is_a_label_or_says_that_it_is_none(text: str) -> None:
    try:
        label = parse_label(text, HERE)
    except InvalidLabel:
        return

    assert ".." not in label.name.split("/")
    assert parse_label(str(label), HERE) == label


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("//...", Pattern(PackageId("", ""), below=True)),
        ("...", Pattern(HERE, below=True)),
        ("//x/...", Pattern(PackageId("", "x"), below=True)),
        ("x/...", Pattern(PackageId("", "a/b/x"), below=True)),
        ("//x/...:all", Pattern(PackageId("", "x"), below=True)),
        ("//x/...:*", Pattern(PackageId("", "x"), below=True, files=True)),
        ("//x:all", Pattern(PackageId("", "x"), below=False)),
        ("//x:*", Pattern(PackageId("", "x"), below=False, files=True)),
        (":all", Pattern(HERE, below=False)),
        ("@r//...", Pattern(PackageId("r", ""), below=True)),
        ("x", Label("", "a/b/x", "x")),
        ("x:y", Label("", "a/b/x", "y")),
        ("//x", Label("", "x", "x")),
        (":y", Label("", "a/b", "y")),
        ("@r//x:y", Label("r", "x", "y")),
    ],
)
def test_a_pattern_is_read_as_on_bazels_command_line(text: str, pattern: object) -> None:
    assert parse_pattern(text, HERE) == pattern
