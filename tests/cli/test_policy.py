"""policy.json, obeyed by every command that reads or writes an image of a registry."""

import json
from pathlib import Path

from tests.cli.outside import Cli
from tests.parts.images import BaseImage


def test_the_policy_of_the_machine_is_obeyed(
    cli: Cli, alpine: BaseImage, fresh_repository: str, tmp_path: Path
) -> None:
    settings = Path(cli.environ["HOME"]) / ".config/containers"
    settings.mkdir(parents=True)
    accept, reject = [{"type": "insecureAcceptAnything"}], [{"type": "reject"}]
    host = alpine.reference.partition("/")[0]
    policy = {"default": accept, "transports": {"docker": {f"{host}/library": reject}}}
    (settings / "policy.json").write_text(json.dumps(policy))
    (tmp_path / "f").write_text("f")

    pulled = cli("pull", alpine.reference, code=1)
    built = cli("-b", alpine.reference, "-f", tmp_path / "f", "-t", fresh_repository, code=1)
    pushed = cli("-b", "scratch", "-f", tmp_path / "f", "-t", alpine.reference, code=1)

    for done in (pulled, built, pushed):
        assert f"{alpine.reference}: rejected by the policy of this machine" in done.stderr
        assert f"{settings}/policy.json says `reject`" in done.stderr
    cli("-b", "scratch", "-f", tmp_path / "f", "-t", fresh_repository)


def test_a_policy_is_obeyed_where_names_are_given_and_removed(cli: Cli, alpine: BaseImage) -> None:
    settings = Path(cli.environ["HOME"]) / ".config/containers"
    settings.mkdir(parents=True)
    (settings / "policy.json").write_text('{"default": [{"type": "reject"}]}')
    repository = alpine.reference.rpartition(":")[0]

    tagged = cli("tag", alpine.reference, f"{repository}:x", code=1)
    removed = cli("rm", "--force", alpine.reference, code=1)
    pushed = cli("copy", "scratch", f"{repository}:x", code=1)

    for done in (tagged, removed, pushed):
        assert "rejected by the policy of this machine" in done.error


def test_a_signature_that_is_demanded_cannot_be_checked_and_is_refused_by_name(
    cli: Cli, alpine: BaseImage, fresh_repository: str
) -> None:
    settings = Path(cli.environ["HOME"]) / ".config/containers"
    settings.mkdir(parents=True)
    signed = [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}]
    (settings / "policy.json").write_text(json.dumps({"default": signed}))

    done = cli("pull", alpine.reference, code=1)

    assert "wants it signed (signedBy), and signatures cannot be checked yet" in done.error
    # What is pushed is signed once it is there.
    cli("copy", "scratch", f"{fresh_repository}:1")
