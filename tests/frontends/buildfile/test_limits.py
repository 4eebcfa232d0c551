"""Files that would keep a parser busy for ever, or end the process."""

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artificer import limits
from artificer.errors import ArtificerError
from artificer.frontends.buildfile.text import checked_text
from tests.frontends.buildfile.workspaces import IMAGE, failed, load, write


def _error(root: Path, text: str) -> str:
    return failed(write(root, {"BUILD": text})).message


def test_a_giant_loop_is_stopped(tmp_path: Path) -> None:
    text = "def f():\n    for i in range(1 << 30):\n        for j in range(1 << 30): i * j\nf()\n"

    message = _error(tmp_path, text)

    assert message.startswith("BUILD:3:")
    assert "evaluation takes too long" in message


def test_a_loop_that_fills_the_memory_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BUILD_FILE_MEMORY", 64 * limits.MIB)
    text = "def f():\n    x = []\n    for i in range(1 << 30):\n        x.append('%d' % i)\nf()\n"

    message = _error(tmp_path, text)

    assert message.startswith("BUILD:3:")
    assert "evaluation takes more than 64 MiB of memory" in message


def test_many_files_may_each_take_their_time(tmp_path: Path) -> None:
    loop = "[None for i in range(100000)]\n"
    root = write(tmp_path, {f"p{n}/BUILD": f"x = {loop}filegroup(name = 'a')" for n in range(20)})

    assert len(load(root).roots) == 20


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = " + "[" * 100_000, 1),
        ("x = " + "(" * 5000 + ")" * 5000, 1),
        ("x = \\\n" + "not " * 100_000 + "1", 2),
        ("x = " + "-" * 100_000 + "1", 1),
        ("x = 1" + " + 1" * 50_000, 1),
        ("x = " + "lambda: " * 20_000 + "1", 1),
        ("if 1: pass\n" + "elif 1: pass\n" * 20_000, 0),
        ("x = " + "[-" * 2000 + "1" + "]" * 2000, 1),
    ],
    ids=["open", "brackets", "not", "minus", "plus", "lambda", "elif", "mixed"],
)
def test_what_is_nested_too_deeply_is_an_error(tmp_path: Path, text: str, line: int) -> None:
    message = _error(tmp_path, text)

    assert message.startswith(f"BUILD:{line or ''}")
    assert "nested too deeply" in message


def test_a_long_list_is_not_deep(tmp_path: Path) -> None:
    items = "".join(f'    "file-{n}.txt" + "" if True else "",\n' for n in range(20_000))
    root = write(tmp_path, {"BUILD": f'filegroup(name = "x", tags = [\n{items}])'})

    (declared,) = load(root).graph.values()

    assert len(declared.tags) == 20_000


def test_a_file_of_a_megabyte_loads(tmp_path: Path) -> None:
    text = IMAGE + "".join(f'image(name = "i{n}", files = ["BUILD"])\n' for n in range(20_000))
    assert len(text) > 800_000
    start = time.process_time()

    loaded = load(write(tmp_path, {"BUILD": text}))

    assert len(loaded.roots) == 20_000
    assert time.process_time() - start < 30


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    assert "longer than 2 MiB" in _error(tmp_path, "#" * (limits.BUILD_FILE_BYTES + 1))


def test_a_file_that_is_not_utf_8_names_the_byte(tmp_path: Path) -> None:
    root = write(tmp_path, {"BUILD": ""})
    (tmp_path / "BUILD").write_bytes(b'# ok\nfilegroup(name = "\xe9")\n')

    error = failed(root)

    assert error.message == "BUILD:2:19: the file is not UTF-8: byte 0xe9"
    assert "iconv" in (error.hint or "")


def test_many_loads_in_a_row_are_an_error(tmp_path: Path) -> None:
    files = {f"f{n}.bzl": f'load(":f{n + 1}.bzl", "x")' for n in range(100)}

    error = failed(write(tmp_path, {"BUILD": 'load(":f0.bzl", "x")', **files}))

    assert "too many loads" in error.message


def test_a_value_in_itself_is_an_error(tmp_path: Path) -> None:
    text = 'x = []\nx.append(x)\nfilegroup(name = "x", srcs = x)\n'

    assert _error(tmp_path, text).startswith("BUILD:3:")


_WORDS = st.sampled_from(
    [
        *("image", "filegroup", "select", "glob", "package", "load", "native", "Label", "struct"),
        *("(", ")", "[", "]", "{", "}", ",", ":", "=", "\n", " ", '"//x"', '":y"', "None", "True"),
        *("name", "def f():", "return", "for x in", "if", "else", "lambda x:", "+", "|", ".", "1"),
        *("**", "*", '"""', "'", "#", "\\", "existing_rules()", "exports_files", "alias", "é"),
        *('name = "a"', 'srcs = ["b"]', "rule()", "attr.string()", "depset([1])", "fail(1)"),
    ]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(_WORDS, max_size=25))
def test_any_words_load_or_say_what_is_wrong(words: list[str], tmp_path: Path) -> None:
    root = write(tmp_path, {"BUILD": IMAGE + "".join(words)})

    with contextlib.suppress(ArtificerError):
        load(root)


@settings(max_examples=200)
@given(st.text(st.sampled_from("\t \n()[]{}\"'\\#,ab+-=:"), max_size=60))
def test_taking_tabs_away_keeps_every_other_character(text: str) -> None:
    checked = checked_text(text, "BUILD")

    assert len(checked) == len(text)
    assert all(new in (old, " ") for new, old in zip(checked, text, strict=True))
    assert all(new == old for new, old in zip(checked, text, strict=True) if old != "\t")
