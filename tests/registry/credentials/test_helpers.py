import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from artificer.errors import Cancelled
from artificer.limits import TOKEN_BYTES
from artificer.registry.credential import (
    ANONYMOUS,
    Basic,
    Bearer,
    CredentialProblem,
    IdentityToken,
)
from artificer.registry.helpers import (
    Programs,
    asking,
    credential_from,
    erase_credential,
    gcloud_config,
    put_credential,
)
from artificer.stop import Stop
from tests.parts.waiting import lifetime, processes_with, wait_until

SERVER = "https://index.docker.io/v1/"
Program = Callable[..., Programs]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Makes a program of a shell script, and a PATH where it is found."""

    def make(script: str, name: str = "docker-credential-fake", seconds: float = 20) -> Programs:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        environ = {
            "PATH": f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "SEEN": f"{tmp_path}",
        }
        return Programs(environ, seconds)

    return make


def test_a_helper_gets_the_server_on_stdin_and_answers_in_json(program: Program) -> None:
    programs = program(
        'read -r server || true; printf \'{"ServerURL":"%s","Username":"%s","Secret":"pw"}\' '
        '"$server" "$1-$server"'
    )

    assert credential_from(programs, "fake", "ghcr.io") == Basic("get-ghcr.io", "pw")


def test_the_user_token_means_an_identity_token(program: Program) -> None:
    programs = program("""echo '{"Username":"<token>","Secret":"T"}'""")

    assert credential_from(programs, "fake", SERVER) == IdentityToken("T")


def test_not_found_is_no_failure(program: Program) -> None:
    programs = program('echo "credentials not found in native keychain"; exit 1')

    assert credential_from(programs, "fake", SERVER) == ANONYMOUS


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'no bus'; exit 1", "helper docker-credential-fake failed (get): no bus"),
        ("echo 'no gpg' >&2; exit 2", "helper docker-credential-fake failed (get): no gpg"),
        ("exit 3", "helper docker-credential-fake failed (get): exit 3"),
        ("echo hunter2", "helper docker-credential-fake: did not answer in JSON"),
        ("echo '[\"hunter2\"]'", "helper docker-credential-fake: did not answer in JSON"),
        ("echo '{\"Secret\":[1]}'", "helper docker-credential-fake: answered without strings"),
    ],
)
def test_a_helper_s_failure_is_told_in_its_words(program: Program, script: str, said: str) -> None:
    with pytest.raises(CredentialProblem) as caught:
        credential_from(program(script), "fake", SERVER)

    assert caught.value.message == said


def test_a_helper_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(CredentialProblem, match="docker-credential-none: not found on PATH"):
        credential_from(Programs({"PATH": str(tmp_path)}), "none", SERVER)


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "a;b"])
def test_a_helper_s_name_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(CredentialProblem, match="not the name of a credential helper"):
        credential_from(Programs({"PATH": str(tmp_path)}), name, SERVER)


def test_a_helper_that_hangs_is_ended_with_what_it_started(program: Program) -> None:
    life = lifetime()
    programs = program(f"sleep {life} & sleep {life}", seconds=0.3)

    with pytest.raises(CredentialProblem, match=r"no answer in 0\.3 seconds"):
        credential_from(programs, "fake", SERVER)

    wait_until(lambda: not processes_with(life))


def test_a_helper_that_hangs_is_ended_when_somebody_wants_to_stop(program: Program) -> None:
    stop = Stop()
    life = lifetime()
    programs = program(f"sleep {life} & sleep {life}")._replace(stop=stop)
    threading.Timer(0.2, stop.set).start()

    with pytest.raises(Cancelled):
        credential_from(programs, "fake", SERVER)

    wait_until(lambda: not processes_with(life))


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_what_a_helper_says_is_limited(program: Program, more: int, fits: bool) -> None:
    answer = '{"Username":"a","Secret":"b"}'
    spaces = TOKEN_BYTES - len(answer) + more
    programs = program(f"printf '%s' '{answer}'; head -c {spaces} /dev/zero | tr '\\0' ' '")

    if fits:
        assert credential_from(programs, "fake", SERVER) == Basic("a", "b")
    else:
        with pytest.raises(CredentialProblem, match="answered more than"):
            credential_from(programs, "fake", SERVER)


def test_an_endless_answer_ends(program: Program) -> None:
    with pytest.raises(CredentialProblem, match="answered more than"):
        credential_from(program("yes", seconds=20), "fake", SERVER)


def test_a_helper_need_not_read_its_input(program: Program) -> None:
    programs = program("exec 0<&-; echo '{}'")

    assert credential_from(programs, "fake", "x" * 16_000) == ANONYMOUS


def test_answers_and_failures_are_remembered_for_a_while(program: Program, tmp_path: Path) -> None:
    programs = program('echo x >> "$SEEN/calls"; echo broken; exit 1')
    now = [0.0]
    ask = asking(programs, clock=lambda: now[0])

    for moment in (0.0, 1.0, 599.0, 601.0):
        now[0] = moment
        with pytest.raises(CredentialProblem, match="broken"):
            ask("fake", SERVER)

    assert (tmp_path / "calls").read_text() == "x\nx\n"


def test_a_helper_keeps_what_it_is_given_on_stdin(program: Program, tmp_path: Path) -> None:
    programs = program('cat > "$SEEN/stdin"; echo "$@" > "$SEEN/argv"')

    put_credential(programs, "fake", SERVER, Basic("me", "hunter2"))

    assert json.loads((tmp_path / "stdin").read_text()) == {
        "ServerURL": SERVER,
        "Username": "me",
        "Secret": "hunter2",
    }
    assert (tmp_path / "argv").read_text() == "store\n"


def test_a_helper_keeps_an_identity_token_as_token(program: Program, tmp_path: Path) -> None:
    put_credential(program('cat > "$SEEN/stdin"'), "fake", SERVER, IdentityToken("T", "me"))

    assert json.loads((tmp_path / "stdin").read_text())["Username"] == "<token>"


def test_a_helper_that_repeats_a_secret_is_not_believed_to_be_discreet(program: Program) -> None:
    with pytest.raises(CredentialProblem) as caught:
        put_credential(program("cat; exit 1"), "fake", SERVER, Basic("me", "hunter2"))

    assert "hunter2" not in caught.value.message
    assert "failed (store)" in caught.value.message


def test_a_bearer_token_is_for_no_helper(program: Program) -> None:
    with pytest.raises(CredentialProblem, match="passwords and identity tokens only"):
        put_credential(program("cat"), "fake", SERVER, Bearer("T"))


def test_a_secret_that_no_pipe_takes_is_refused(program: Program) -> None:
    with pytest.raises(CredentialProblem, match="more than 16384 bytes"):
        put_credential(program("cat"), "fake", SERVER, Basic("me", "x" * 16_384))


def test_what_a_helper_does_not_know_is_forgotten_already(program: Program) -> None:
    erase_credential(
        program('echo "credentials not found in native keychain"; exit 1'), "fake", SERVER
    )
    with pytest.raises(CredentialProblem, match=r"failed \(erase\): locked"):
        erase_credential(program("echo locked; exit 1"), "fake", SERVER)


def test_gcloud_gives_its_configuration(program: Program) -> None:
    programs = program('echo "$@"', name="gcloud")

    assert gcloud_config(programs).split() == [
        "config",
        "config-helper",
        "--force-auth-refresh",
        "--format=json(credential)",
    ]


def test_the_programs_show_no_variable() -> None:
    assert "hunter2" not in repr(Programs({"TOKEN": "hunter2"}))


def test_a_helper_may_be_any_program(tmp_path: Path) -> None:
    path = tmp_path / "docker-credential-py"
    path.write_text(f"#!{sys.executable}\nprint('{{}}')\n")
    path.chmod(0o755)

    assert credential_from(Programs({"PATH": str(tmp_path)}), "py", SERVER) == ANONYMOUS


def test_a_program_that_cannot_start_is_a_problem(program: Program, tmp_path: Path) -> None:
    programs = program("")
    (tmp_path / "docker-credential-fake").write_text("#!/nowhere/interpreter\n")

    with pytest.raises(CredentialProblem, match="docker-credential-fake: no such file"):
        credential_from(programs, "fake", SERVER)


def test_a_failing_gcloud_is_told_in_its_words(program: Program) -> None:
    with pytest.raises(CredentialProblem, match=r"helper gcloud failed .*: no account"):
        gcloud_config(program("echo no account >&2; exit 1", name="gcloud"))


def test_an_answer_is_asked_for_once(program: Program, tmp_path: Path) -> None:
    ask = asking(program("""echo x >> "$SEEN/calls"; echo '{"Username":"a","Secret":"b"}'"""))

    assert ask("fake", SERVER) == ask("fake", SERVER) == Basic("a", "b")
    assert (tmp_path / "calls").read_text() == "x\n"
