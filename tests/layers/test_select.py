import os
from pathlib import Path

import pytest

from artificer import limits
from artificer.errors import ArtificerError
from artificer.layers import merge
from artificer.layers.entry import DIRECTORY, FILE, SYMLINK, Entry
from artificer.layers.merge import Conflict, TooLarge, merged
from artificer.layers.patterns import ignored
from artificer.layers.rules import (
    InvalidRule,
    Rules,
    parse_chmod,
    parse_chown,
    parse_mtime,
)
from artificer.layers.select import (
    Delete,
    EmptyDir,
    EmptyFile,
    InvalidSource,
    LocalPath,
    Source,
    SymlinkTo,
    TarFile,
    destination,
    entries_of,
    image_path,
    parse_files_word,
    parse_symlink_word,
    parse_tar_word,
)
from artificer.layers.walk import Group, Unreadable


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of files, which is the current one."""
    for path in (
        "server", ".env", "a/conf/x", "conf/a", "conf/b/c", "dist/a.js", "dist/b.js",
        "dist/b.js.map", "dist/.hidden.js", "dist/sub/c.js", "odd[1].txt", "x:y",
    ):  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "link-to-conf").symlink_to("conf")
    (tmp_path / "link-to-server").symlink_to("server")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(*words: str, rules: Rules | None = None) -> list[str]:
    entries = entries_of(map(parse_files_word, words), rules or Rules())
    return [f"{entry.path}/" if entry.kind == DIRECTORY else entry.path for entry in entries]


CONF = ["conf/", "conf/a", "conf/b/", "conf/b/c"]


@pytest.mark.parametrize("word", ["server", "./server", "a/../server"])
def test_a_file_lands_at_the_root_by_its_name(word: str) -> None:
    assert paths(word) == ["server"]


def test_a_file_in_a_directory_lands_at_the_root_too() -> None:
    assert paths("a/conf/x") == ["x"]
    assert paths(os.path.abspath("conf/b/c")) == ["c"]


@pytest.mark.parametrize("word", ["conf", "conf/", "./conf", "./conf/", "conf//", "a/../conf"])
def test_a_directory_lands_at_the_root_by_its_name(word: str) -> None:
    assert paths(word) == CONF


def test_only_the_last_part_of_a_directorys_path_is_kept() -> None:
    assert paths("a/conf") == ["conf/", "conf/x"]
    assert paths(os.path.abspath("conf")) == CONF


@pytest.mark.parametrize("word", ["conf/.", "./conf/.", "conf/./"])
def test_the_contents_of_a_directory_land_at_the_root(word: str) -> None:
    assert paths(word) == ["a", "b/", "b/c"]


@pytest.mark.parametrize("word", [".", "./"])
def test_the_current_directorys_contents_land_at_the_root(
    word: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "conf")

    assert paths(word) == ["a", "b/", "b/c"]


def test_dot_files_keep_their_dot() -> None:
    assert ".env" in paths(".")
    assert paths(".env") == [".env"]


@pytest.mark.parametrize("word", ["..", "../", "conf/..", "../.."])
def test_a_directory_without_a_name_is_refused(word: str) -> None:
    with pytest.raises(InvalidSource, match="no name of its own") as caught:
        parse_files_word(word)

    assert caught.value.exit_code == 2
    assert caught.value.hint is not None
    assert "/DEST" in caught.value.hint


def test_a_directory_without_a_name_may_say_where_it_goes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "conf/b")

    assert paths("..:/app") == ["app/a", "app/b/", "app/b/c"]
    assert paths("..:/app/") == ["app/a", "app/b/", "app/b/c"]
    assert paths("../a") == ["a"]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("server:/app", ["app"]),
        ("server:/app/", ["app/server"]),
        ("server:/app/run", ["app/run"]),
        ("server:/", ["server"]),
        ("server://app//run", ["app/run"]),
        ("conf:/app", ["app/a", "app/b/", "app/b/c"]),
        ("conf/:/app", ["app/a", "app/b/", "app/b/c"]),
        ("conf/.:/app", ["app/a", "app/b/", "app/b/c"]),
        ("conf/.:/app/", ["app/a", "app/b/", "app/b/c"]),
        ("conf:/app/", ["app/conf/", "app/conf/a", "app/conf/b/", "app/conf/b/c"]),
        ("conf:/", CONF),
        ("empty:/app/data", ["app/data/"]),
        ("empty", ["empty/"]),
        ("empty/.", []),
        ("dist/*.js:/app/", ["app/a.js", "app/b.js"]),
        ("dist/*.js:/", ["a.js", "b.js"]),
        ("dist/**/*.js:/app/", ["app/a.js", "app/b.js", "app/sub/c.js"]),
        ("x:y", ["x:y"]),
    ],
)
def test_a_word_may_say_where_it_goes(word: str, found: list[str]) -> None:
    assert paths(word) == found


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("dist/*.js", ["a.js", "b.js"]),
        ("dist/.*", [".hidden.js"]),
        ("dist/[ab].js", ["a.js", "b.js"]),
        ("c*", CONF),
        ("dist/s*", ["sub/", "sub/c.js"]),
        ("dist/**", ["a.js", "b.js", "b.js.map", "sub/c.js"]),
        ("**/*.js", ["dist/a.js", "dist/b.js", "dist/sub/c.js"]),
        ("odd[1].txt", ["odd[1].txt"]),
    ],
)
def test_quoted_patterns_are_expanded(word: str, found: list[str]) -> None:
    assert paths(word) == found


@pytest.mark.parametrize("word", ["dist/*.css", "nothing/*", "dist/**/*.css", "odd[1].tx?[x]"])
def test_a_pattern_without_a_match_is_an_error(word: str) -> None:
    with pytest.raises(Unreadable, match="no file matches"):
        paths(word)


def test_a_pattern_needs_a_directory_to_go_to() -> None:
    with pytest.raises(InvalidSource, match="several files"):
        parse_files_word("dist/*.js:/app")


def test_a_named_link_is_followed() -> None:
    (file,) = entries_of([LocalPath("link-to-server")], Rules())

    assert (file.path, file.kind, file.size) == ("link-to-server", FILE, len("server"))
    assert paths("link-to-conf") == [path.replace("conf", "link-to-conf", 1) for path in CONF]
    assert paths("link-to-conf/.") == ["a", "b/", "b/c"]


@pytest.mark.parametrize(
    ("word", "message", "hint"),
    [
        ("missing", "missing: no such file", None),
        ("server/", "server/: not a directory", None),
        ("server/x", "not a directory", None),
        ("~/x", "~/x: no such file", "`~`"),
        ("~", "~: no such file", "`~`"),
    ],
)
def test_what_is_not_there_is_named(word: str, message: str, hint: str | None) -> None:
    with pytest.raises(Unreadable, match=message) as caught:
        paths(word)

    assert (hint or "") in (caught.value.hint or "")


@pytest.mark.parametrize("word", ["", ":/app"])
def test_a_word_needs_a_file(word: str) -> None:
    with pytest.raises(InvalidSource, match="no file is named"):
        parse_files_word(word)


@pytest.mark.parametrize("text", ["/../a", "/a/..", "/a/../b", "/a\0", "/a/.wh.b", "relative"])
def test_destinations_stay_inside(text: str) -> None:
    with pytest.raises(InvalidSource):
        destination(text)


def test_destinations_are_put_in_order() -> None:
    assert destination("/") == destination("//") == destination("/./") == ""
    assert (destination("/a//b/"), destination("/a/./b")) == ("a/b/", "a/b")
    assert image_path("/a/b/") == "a/b"
    with pytest.raises(InvalidSource, match="root directory"):
        image_path("/")


def test_files_called_like_whiteouts_are_refused(project: Path) -> None:
    (project / ".wh.a").touch()

    with pytest.raises(ArtificerError, match=r"\.wh\."):
        paths(".wh.a")
    assert paths(".wh.a:/a") == ["a"]


def test_links_directories_and_files_can_be_made() -> None:
    sources: list[Source] = [
        SymlinkTo("bin/sh", "/busybox"),
        EmptyDir("var/cache", 0o700),
        EmptyFile("etc/ready"),
    ]

    found = entries_of(sources, Rules(mtime=3, chown=(parse_chown("var/*=5"),)))

    assert [entry[:9] for entry in found] == [
        ("bin/sh", SYMLINK, 0o777, 0, 0, 0, 3, "/busybox", None),
        ("etc/ready", FILE, 0o644, 0, 0, 0, 3, "", b""),
        ("var/cache", DIRECTORY, 0o700, 5, 5, 0, 3, "", None),
    ]


def test_a_link_is_written_link_is_target() -> None:
    assert parse_symlink_word("/bin/sh=/a=b") == SymlinkTo("bin/sh", "/a=b")
    for word in ("/a", "/a=", "a=b", "/=b"):
        with pytest.raises(InvalidSource):
            parse_symlink_word(word)


def test_a_tar_may_say_where_it_goes() -> None:
    assert parse_tar_word("a.tar") == TarFile("a.tar")
    assert parse_tar_word("-") == TarFile("-")
    assert parse_tar_word("-:/app/") == TarFile("-", "app")
    with pytest.raises(InvalidSource):
        parse_tar_word(":/app")


def test_whiteouts_come_first_and_without_their_parents() -> None:
    sources: list[Source] = [LocalPath("conf"), Delete("etc/motd"), Delete("a")]

    found = [entry.path for entry in entries_of(sources, Rules())]

    assert found == [".wh.a", "etc/.wh.motd", "conf", "conf/a", "conf/b", "conf/b/c"]


def test_a_path_cannot_be_deleted_and_added() -> None:
    with pytest.raises(Conflict, match="/server is deleted, but server brings /server"):
        entries_of([LocalPath("server"), Delete("server")], Rules())
    with pytest.raises(Conflict, match="/app is deleted, but server brings /app/x"):
        entries_of([LocalPath("server", "app/x"), Delete("app")], Rules())
    assert len(entries_of([LocalPath("server", "apple"), Delete("app")], Rules())) == 2


def test_archives_come_last_in_their_own_order(project: Path) -> None:
    (project / "1").touch()
    (project / "2").touch()

    def archive(tar: TarFile) -> list[Entry]:
        return [Entry(f"{tar.path}/{name}", FILE, 0, 0, 0, 0, 0, "", b"") for name in "zb"]

    sources: list[Source] = [TarFile("2"), TarFile("1"), LocalPath("server"), LocalPath("conf")]
    found = [entry.path for entry in entries_of(sources, Rules(), archive=archive)]

    assert found == [*(path.rstrip("/") for path in CONF), "server", "2/z", "2/b", "1/z", "1/b"]
    assert len(entries_of(sources, Rules())) == 5


def test_the_order_of_the_words_does_not_matter() -> None:
    assert paths("server", "conf", "a/conf/x") == paths("a/conf/x", "conf", "server")


def test_names_that_are_not_ascii_are_sorted_as_bytes_over_all_words(project: Path) -> None:
    for name in ("é", "z", "\udcff", "中"):
        (project / name).touch()

    assert paths("\udcff", "é", "中", "z") == ["z", "é", "中", "\udcff"]


def test_whiteouts_of_directories_of_ours_are_no_conflict_for_others() -> None:
    assert len(entries_of([Delete("a/b"), EmptyDir("a"), EmptyFile("a/c")], Rules())) == 3


def test_no_word_gives_no_entry() -> None:
    assert paths() == []


def test_equal_files_at_one_path_are_one(project: Path) -> None:
    (project / "a/server").write_text("server")

    assert paths("server", "server", "a/server") == ["server"]


def test_directories_at_one_path_are_merged() -> None:
    assert paths("conf", "a/conf") == [*CONF, "conf/x"]


def test_the_later_of_two_directories_gives_its_attributes() -> None:
    sources: list[Source] = [LocalPath("conf"), EmptyDir("conf", 0o700)]

    assert entries_of(sources, Rules())[0].mode == 0o700
    assert entries_of(sources[::-1], Rules())[0].mode == 0o755


@pytest.mark.parametrize(
    "other",
    [
        EmptyFile("server"),
        EmptyDir("server"),
        SymlinkTo("server", "x"),
        LocalPath("conf/a", "server"),
    ],
)
def test_different_files_at_one_path_are_a_conflict(other: Source) -> None:
    with pytest.raises(Conflict, match="/server comes from server and from") as caught:
        entries_of([LocalPath("server"), other], Rules())

    assert caught.value.hint is not None


def test_files_of_one_size_are_compared_by_their_bytes(project: Path) -> None:
    (project / "a/server").write_text("servex")
    with pytest.raises(Conflict, match="from server and from a/server"):
        paths("server", "a/server")


def test_a_source_may_contradict_itself() -> None:
    first = Entry("a", FILE, 0o644, 0, 0, 1, 0, "", b"1")
    with pytest.raises(Conflict, match=r"/a comes twice from x\.tar"):
        merged([Group("x.tar", [first, first._replace(source=b"2")], {}, archive=True)])
    assert merged([Group("x.tar", [first, first._replace(mtime=7)], {}, archive=True)]) == [first]


@pytest.mark.parametrize("file", [EmptyFile("conf"), SymlinkTo("conf", "elsewhere")])
def test_a_file_cannot_be_where_another_needs_a_directory(file: Source) -> None:
    with pytest.raises(Conflict, match=r"/conf of .* is not a directory, but /conf/deep/a of"):
        entries_of([file, LocalPath("server", "conf/deep/a")], Rules())


def test_an_image_has_at_most_a_million_files(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.ENTRIES == 1_000_000
    monkeypatch.setattr(limits, "ENTRIES", 4)
    assert len(paths("conf")) == 4
    with pytest.raises(TooLarge, match="more than 4"):
        paths("conf", "server")


def test_a_path_has_at_most_4096_bytes_and_255_components() -> None:
    merge.check_path("é" * 2048)
    merge.check_path("/".join("a" * limits.DEPTH))
    for path in ("é" * 2048 + "e", "/".join("a" * (limits.DEPTH + 1))):
        with pytest.raises(TooLarge):
            merge.check_path(path)
    with pytest.raises(TooLarge):
        entries_of([EmptyDir("/".join("a" * (limits.DEPTH + 1)))], Rules())


def test_what_is_excluded_is_not_expanded_away() -> None:
    rules = Rules(excluded=ignored(["**/*.js"]))

    assert paths("dist", rules=rules) == ["dist/", "dist/b.js.map", "dist/sub/"]
    assert paths("dist/a.js", rules=rules) == ["a.js"]


@pytest.mark.parametrize(
    ("word", "path", "mode"),
    [
        ("0755", "a/b", 0o755),
        ("755", "a", 0o755),
        ("0o755", "a", 0o755),
        ("/a/*=4755", "a/b", 0o4755),
        ("a=b=600", "a=b", 0o600),
        ("a=preserve", "a", None),
    ],
)
def test_modes_are_read(word: str, path: str, mode: int | None) -> None:
    rule = parse_chmod(word)

    assert rule.pattern.match(path)
    assert rule.mode == mode


@pytest.mark.parametrize("word", ["", "9", "888", "10000", "u+x", "=755", "/=755", "a=", "-755"])
def test_modes_that_are_none_are_refused(word: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        parse_chmod(word)

    assert caught.value.hint


@pytest.mark.parametrize(
    ("word", "owner"),
    [("5", (5, 5)), ("5:6", (5, 6)), ("a=0:7", (0, 7)), ("a=preserve", None), ("web:adm", (8, 9))],
)
def test_owners_are_read(word: str, owner: tuple[int, int] | None) -> None:
    assert parse_chown(word, user={"web": 8}.get, group={"adm": 9}.get).owner == owner


@pytest.mark.parametrize("word", ["web", "1:adm", "a=", "4294967295", "-1", ":5", "5:", "1:2:3"])
def test_owners_that_are_none_are_refused(word: str) -> None:
    with pytest.raises(InvalidRule, match="not an owner"):
        parse_chown(word)


@pytest.mark.parametrize(
    ("word", "seconds"),
    [
        ("0", 0),
        ("1700000000", 1_700_000_000),
        ("preserve", None),
        ("1970-01-01T00:00:00Z", 0),
        ("2024-02-29T12:30:15Z", 1_709_209_815),
        ("2024-02-29t12:30:15.999z", 1_709_209_815),
        ("2024-05-01T02:00:00+02:00", 1_714_521_600),
        ("2024-04-30T22:30:00-01:30", 1_714_521_600),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
        ("2000-01-01T00:00:00Z", 946_684_800),
    ],
)
def test_times_are_read(word: str, seconds: int | None) -> None:
    assert parse_mtime(word) == seconds


@pytest.mark.parametrize(
    "word",
    [
        "", "-1", "now", "1.5", "2024-05-01", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z",
        "2024-05-01T24:00:00Z", "2024-05-01T00:60:00Z", "2024-05-01T00:00:00", "253402300800",
        "1969-12-31T23:59:59Z", "2024-05-01T00:00:61Z",
    ],
)  # fmt: skip
def test_times_that_are_none_are_refused(word: str) -> None:
    with pytest.raises(InvalidRule, match="not a time"):
        parse_mtime(word)
