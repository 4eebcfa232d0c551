"""What tags and URLs stood for is kept in a file that merges well."""

from pathlib import Path

import pytest

from artificer.builder.lock import (
    EMPTY,
    InvalidLock,
    Lock,
    NotLocked,
    read_lock,
    write_lock,
)
from artificer.oci.digest import Digest
from artificer.oci.reference import parse_name

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")
LOCK = Lock({"docker.io/library/alpine:3.7": ONE}, {"https://x/y": TWO})


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_lock(str(tmp_path), LOCK)

    assert read_lock(str(tmp_path)) == LOCK
    assert list(tmp_path.iterdir()) == [tmp_path / "artificer.lock"]


def test_each_pin_has_a_line_of_its_own_and_they_are_sorted(tmp_path: Path) -> None:
    write_lock(str(tmp_path), Lock({"b:1": ONE, "a:1": TWO}))

    lines = (tmp_path / "artificer.lock").read_text().splitlines()

    assert [line.split('"')[1] for line in lines if "sha256" in line] == ["a:1", "b:1"]


def test_a_tag_is_pinned_and_a_digest_stays() -> None:
    assert LOCK.pinned(parse_name("alpine:3.7")) == parse_name(f"alpine:3.7@{ONE}")
    assert LOCK.pinned(parse_name(f"alpine:3.7@{TWO}")) == parse_name(f"alpine:3.7@{TWO}")
    assert LOCK.pinned(parse_name("alpine:3.8")) == parse_name("alpine:3.8")
    assert LOCK.sha256("https://x/y") == TWO.hex


def test_only_what_is_locked_may_be_used() -> None:
    only = LOCK._replace(only=True)

    with pytest.raises(NotLocked):
        only.pinned(parse_name("alpine:3.8"))
    with pytest.raises(NotLocked):
        only.sha256("https://x/z")


def test_no_lock_is_an_empty_one_unless_it_is_wanted(tmp_path: Path) -> None:
    assert read_lock(str(tmp_path)) == EMPTY
    with pytest.raises(NotLocked):
        read_lock(str(tmp_path), only=True)


def test_differences_are_told_a_line_each() -> None:
    other = Lock({"docker.io/library/alpine:3.7": TWO, "x:1": ONE})

    assert list(LOCK.differences(other)) == [
        f"~ docker.io/library/alpine:3.7 {ONE.short} → {TWO.short}",
        f"+ x:1 {ONE}",
        f"- https://x/y {TWO}",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2}',
        '{"version": 1, "images": []}',
        '{"version": 1, "images": {"a": "b"}}',
        "<<<<<<< HEAD\n{",
        "[" * 100_000,
    ],
)
def test_what_is_no_lock_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "artificer.lock").write_text(text)

    with pytest.raises(InvalidLock, match=r"artificer\.lock"):
        read_lock(str(tmp_path))
