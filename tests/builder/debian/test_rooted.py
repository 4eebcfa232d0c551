"""What scripts see of the files that are put in place for them."""

from pathlib import Path

from artificer.builder.debian.rooted import answering, restored
from artificer.layers.entry import FILE, HARDLINK, Entry, Span

REAL = b"\x7fELF it is"


def file(path: str, data: bytes) -> Entry:
    return Entry(path, FILE, 0o755, 0, 0, len(data), 7, "", data)


PROGRAM = file("usr/bin/ischroot", REAL)
OTHER = file("usr/bin/other", b"other")


def test_scripts_are_told_that_there_is_no_init() -> None:
    seen, other = answering([PROGRAM, OTHER])

    assert other == OTHER
    assert isinstance(seen.source, bytes)
    assert seen.source.startswith(b"#!/bin/sh\nexit 0")
    assert seen == PROGRAM._replace(source=seen.source, size=len(seen.source))


def test_a_program_that_a_script_moves_is_itself_in_the_layer(tmp_path: Path) -> None:
    (seen,) = answering([PROGRAM])
    assert isinstance(seen.source, bytes)
    (tmp_path / "spool").write_bytes(b"xx" + seen.source)
    moved = seen._replace(
        path="usr/bin/ischroot.real", mtime=9, source=Span(str(tmp_path / "spool"), 2)
    )

    found = restored([OTHER, moved], [OTHER, PROGRAM])

    assert found == [OTHER, moved._replace(source=REAL, size=len(REAL))]


def test_what_scripts_put_in_its_place_stays() -> None:
    own = file("usr/bin/ischroot", b"#!/bin/sh\nexit 1\n")
    link = Entry("usr/bin/x", HARDLINK, 0o755, 0, 0, 0, 0, "usr/bin/ischroot", None)

    assert restored([own, link], [PROGRAM]) == [own, link]


def test_where_no_package_has_the_program_nothing_is_looked_at() -> None:
    unreadable = OTHER._replace(source=Span("/nonexistent", 0))

    assert restored([unreadable], [OTHER]) == [unreadable]
    assert answering([OTHER]) == [OTHER]
