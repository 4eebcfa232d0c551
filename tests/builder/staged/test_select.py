import os
from pathlib import Path

import pytest

from artificer.builder.staged.disk import DiskFiles, View
from artificer.builder.staged.ignore import Ignore
from artificer.builder.staged.select import Manner, NoSuchSource, Source, selected
from artificer.events import Event, SocketSkipped, unheard


def context(folder: Path, files: dict[str, str], ignore: tuple[str, ...] = ()) -> View:
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            place.symlink_to(text[3:])
        else:
            place.write_text(text)
    return View(DiskFiles(str(folder), Ignore(ignore), unheard))


def told(sources: list[Source]) -> list[tuple[str, list[str]]]:
    return [(source.name, [one.below for one in source.picked]) for source in sources]


TREE = {
    "a.txt": "a",
    "b.txt": "b",
    ".hidden.txt": "h",
    "src/main.c": "m",
    "src/lib/x.c": "x",
    "src/lib/x.h": "x",
    "docs/a.md": "a",
    "link": "-> src",
    "file-link": "-> a.txt",
    "src/out": "-> ../a.txt",
    "above": "-> ../../a.txt",
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.txt", [("a.txt", [""])]),
        ("/a.txt", [("a.txt", [""])]),
        ("../a.txt", [("a.txt", [""])]),
        ("src", [("", ["lib", "lib/x.c", "lib/x.h", "main.c", "out"])]),
        ("src/", [("", ["lib", "lib/x.c", "lib/x.h", "main.c", "out"])]),
        ("src/lib/..", [("", ["lib", "lib/x.c", "lib/x.h", "main.c", "out"])]),
        ("link/lib", [("", ["x.c", "x.h"])]),
        ("link", [("", ["lib", "lib/x.c", "lib/x.h", "main.c", "out"])]),
        ("file-link", [("file-link", [""])]),
        ("above", [("above", [""])]),
        ("*.txt", [(".hidden.txt", [""]), ("a.txt", [""]), ("b.txt", [""])]),
        ("src/*/x.?", [("x.c", [""]), ("x.h", [""])]),
        ("link/*.c", [("main.c", [""])]),
        ("s*c/lib", [("", ["x.c", "x.h"])]),
        ("**/x.c", []),
        ("[ab].txt", [("a.txt", [""]), ("b.txt", [""])]),
        ("nothing*", []),
        ("a\\.txt", [("a.txt", [""])]),
    ],
)
def test_a_source_names_files_as_docker_reads_it(
    tmp_path: Path, pattern: str, expected: list[tuple[str, list[str]]]
) -> None:
    files = context(tmp_path, TREE)

    assert told(selected(files, [pattern], Manner())) == expected


def test_a_wildcard_in_brackets_escaped_is_a_name(tmp_path: Path) -> None:
    files = context(tmp_path, {"a[1].txt": "x", "a1.txt": "y"})

    assert told(selected(files, ["a[[]1].txt"], Manner())) == [("a[1].txt", [""])]
    assert told(selected(files, ["a\\[1\\].txt"], Manner())) == [("a[1].txt", [""])]


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("missing", "/ has .hidden.txt, a.txt"),
        ("src/lib/y.c", "/src/lib has x.c, x.h"),
        ("gone", "/gone is a link to nowhere, which is not there"),
        ("a.txt/x", ""),
    ],
)
def test_a_path_that_is_missing_is_an_error(tmp_path: Path, pattern: str, hint: str) -> None:
    files = context(tmp_path, {**TREE, "gone": "-> nowhere"})

    with pytest.raises(NoSuchSource, match="there is no /") as caught:
        selected(files, [pattern], Manner())

    assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize(
    ("pattern", "exclude", "expected"),
    [
        (".", ["*.txt", "docs"], [("", ["above", "file-link", "link", "src"])]),
        (
            "src",
            ["lib", "!lib/*.h"],
            [("", ["lib", "lib/x.h", "main.c", "out"])],
        ),
        ("src", ["**/x.*"], [("", ["lib", "main.c", "out"])]),
        ("*.txt", ["b*"], [(".hidden.txt", [""]), ("a.txt", [""])]),
    ],
)
def test_exclude_is_relative_to_the_source(
    tmp_path: Path, pattern: str, exclude: list[str], expected: list[tuple[str, list[str]]]
) -> None:
    files = context(tmp_path, TREE)

    found = told(selected(files, [pattern], Manner(exclude=Ignore(exclude))))

    assert [
        (name, [one for one in below if "/" not in one or name or pattern != "."])
        for name, below in found
    ] == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("src/lib/x.c", ["src", "src/lib", "src/lib/x.c"]),
        ("src/./lib/x.c", ["lib", "lib/x.c"]),
        ("./src/lib", ["src", "src/lib", "src/lib/x.c", "src/lib/x.h"]),
        ("src/**/*.h", ["src", "src/lib", "src/lib/x.h"]),
        ("**/x.c", ["src", "src/lib", "src/lib/x.c"]),
        ("./s*/./**/x.h", ["lib", "lib/x.h"]),
        ("src/./**/x.h", ["lib", "lib/x.h"]),
        ("*.md", None),
        ("file-link", ["file-link"]),
    ],
)
def test_parents_are_kept_from_the_pivot_on(
    tmp_path: Path, pattern: str, expected: list[str] | None
) -> None:
    files = context(tmp_path, TREE)

    found = told(selected(files, [pattern], Manner(parents=True)))

    assert found == ([] if expected is None else [("", expected)])


def test_a_missing_path_with_parents_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoSuchSource):
        selected(context(tmp_path, TREE), ["src/none"], Manner(parents=True))


def test_only_what_is_named_is_looked_at(tmp_path: Path) -> None:
    files = context(tmp_path, TREE)
    os.chmod(tmp_path / "docs", 0)

    selected(files, ["src/main.c"], Manner())
    os.chmod(tmp_path / "docs", 0o700)

    assert list(files.touched) == ["src/main.c"]


def test_what_is_ignored_is_not_there(tmp_path: Path) -> None:
    files = context(tmp_path, TREE, ignore=("src", "!src/lib/*.h", "*.txt"))

    assert told(selected(files, ["."], Manner()))[0][1] == [
        "above", "docs", "docs/a.md", "file-link", "link", "src", "src/lib", "src/lib/x.h",
    ]  # fmt: skip
    with pytest.raises(NoSuchSource):
        selected(files, ["src/main.c"], Manner())
    with pytest.raises(NoSuchSource):
        selected(files, ["file-link"], Manner())


def test_directories_that_are_looked_through_for_what_is_taken_in_again_are_told(
    tmp_path: Path,
) -> None:
    files = context(tmp_path, {"a/b/c": "x", "d/e": "y"}, ignore=("a", "d", "!a/b/k*"))

    assert told(selected(files, ["."], Manner())) == [("", [])]
    assert set(files.touched) == {"", "a", "a/b"}


def test_links_never_leave_the_context(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    files = context(tmp_path / "c", {"up": "-> ../secret", "root": "-> /etc/passwd"})

    for name in ("up", "root", "../secret"):
        with pytest.raises(NoSuchSource):
            selected(files, [name], Manner())


def test_a_socket_is_skipped_and_told(tmp_path: Path) -> None:
    heard: list[Event] = []
    os.mknod(tmp_path / "socket", 0o140644)
    files = View(DiskFiles(str(tmp_path), Ignore(), heard.append))

    assert told(selected(files, ["."], Manner())) == [("", [])]
    assert heard == [SocketSkipped(f"{tmp_path}/socket")]
