import os

import pytest

from tests.parts.commands import command, found, packages


def test_a_missing_part_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="no-such-part is not installed"):
        found("no-such-part")


def test_a_missing_part_skips_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="apt-get install no-such-part"):
        found("no-such-part")


def test_every_part_names_its_package() -> None:
    assert ("docker.io", "dockerd") in list(packages())


def test_a_failing_command_shows_what_it_printed() -> None:
    shell = command("sh", environ={"PATH": os.defpath})

    with pytest.raises(pytest.fail.Exception, match="why it failed"):
        shell.run("-c", "echo why it failed >&2; exit 3")


def test_a_command_takes_words_input_and_environment() -> None:
    shell = command("sh", "-c", environ={"GREETING": "hello"})

    assert shell.output('read name; echo "$GREETING $name"', stdin="you\n") == "hello you"
