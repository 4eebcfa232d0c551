from pathlib import Path

import pytest

from artificer.http.request import Request, Response
from artificer.limits import AUTH_FILE_BYTES
from artificer.registry.clouds.exchange import answer, file_text, machine_vendor, seconds_of
from artificer.registry.credential import CredentialProblem


def test_a_machine_is_known_by_its_firmware(tmp_path: Path) -> None:
    (tmp_path / "class/dmi/id").mkdir(parents=True)
    (tmp_path / "class/dmi/id/sys_vendor").write_text("Amazon EC2\n")
    (tmp_path / "hypervisor").mkdir()
    (tmp_path / "hypervisor/uuid").write_text("ec2e1916-9099\n")

    assert machine_vendor(str(tmp_path)) == "Amazon EC2 ec2e1916-9099"


def test_a_machine_without_firmware_is_nobody_s(tmp_path: Path) -> None:
    assert machine_vendor(str(tmp_path)) == ""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>hunter2</html>", "who: HTTP 500"),
        (b"[1]", "who: HTTP 500"),
        (b'{"error": 5, "message": "no\\u001b[31m"}', "who: HTTP 500: no [31m"),
    ],
)
def test_of_a_refusal_only_its_words_are_told(body: bytes, said: str) -> None:
    with pytest.raises(CredentialProblem) as caught:
        answer(lambda request: Response.of(500, {}, body), Request("GET", "http://x/"), "who")

    assert caught.value.message == said


def test_seconds_may_be_a_number_or_a_text() -> None:
    given = {"a": 5, "b": "7", "c": "soon"}

    assert [seconds_of(given, key, 1.0) for key in "abcd"] == [5.0, 7.0, 1.0, 1.0]


def test_a_token_s_file_is_small_text(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff")
    (tmp_path / "large").write_bytes(b" " * (AUTH_FILE_BYTES + 1))

    with pytest.raises(CredentialProblem, match="not UTF-8 text"):
        file_text(str(tmp_path / "bytes"), "who")
    with pytest.raises(CredentialProblem, match="larger than"):
        file_text(str(tmp_path / "large"), "who")
