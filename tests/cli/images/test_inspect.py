"""What an image says about itself, and whether it is true."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.cli.outside import Cli, Seen
from tests.parts.commands import Command
from tests.parts.images import BaseImage
from tests.parts.registries import Registry


@pytest.fixture
def described(cli: Cli, work: Path, layout: Path) -> str:
    """An image with something to say."""
    (work / "server").write_bytes(b"x" * 5000)
    cli(
        *("-b", "scratch", "-f", "server", "-e", "A=1", "-e", "B=two words", "-l", "x=y"),
        *("-p", "80", "-c", "/server --now", "-w", "/srv", "--stop-signal", "SIGINT"),
        *("--annotation", "k=v", "-t", f"oci:{layout}:it"),
    )
    return f"oci:{layout}:it"


def test_an_image_is_a_page_for_people(cli: Cli, described: str, seen: Seen) -> None:
    lines = cli("inspect", described).stdout.splitlines()

    facts = dict(line.split(None, 1) for line in lines if line and not line.startswith(" "))
    assert facts["reference"] == described
    assert facts["digest"] == seen.digest(described)
    assert facts["platform"] == "linux/amd64"
    assert facts["command"] == '["/server", "--now"]'
    assert facts["environment"] == "A=1"
    assert "             B=two words" in lines
    assert (facts["ports"], facts["labels"], facts["workdir"]) == ("80/tcp", "x=y", "/srv")
    assert facts["annotations"] == "k=v"
    assert facts["stop"] == "signal  SIGINT"
    assert " in 1 layer" in facts["size"]
    assert lines[-2].split() == ["DIGEST", "SIZE", "TYPE"]
    assert lines[-1].endswith("oci.image.layer.v1.tar+gzip")


def test_the_same_is_json_for_programs(cli: Cli, described: str, seen: Seen) -> None:
    told = json.loads(cli("inspect", described, "--format", "json").stdout)

    raw, config = seen.raw(described), seen.config(described)
    assert told["digest"] == seen.digest(described)
    assert told["id"] == raw["config"]["digest"]
    assert told["config"] == config["config"]
    assert [one["digest"] for one in told["layers"]] == [raw["layers"][0]["digest"]]
    assert [one["diffId"] for one in told["layers"]] == config["rootfs"]["diff_ids"]


def test_raw_documents_come_byte_by_byte(cli: Cli, multi: BaseImage, seen: Seen) -> None:
    index = cli("inspect", multi.reference, "--raw").stdout
    image = cli("inspect", multi.reference, "--raw", "--platform", "arm64").stdout
    config = cli("inspect", multi.reference, "--config", "--platform", "arm64").stdout

    assert f"sha256:{hashlib.sha256(index.encode()).hexdigest()}" == multi.digest
    arm64 = seen.raw(f"docker://{multi.reference}")["manifests"][1]["digest"]
    assert f"sha256:{hashlib.sha256(image.encode()).hexdigest()}" == arm64
    told = f"sha256:{hashlib.sha256(config.encode()).hexdigest()}"
    assert told == json.loads(image)["config"]["digest"]


def test_an_index_lists_its_images(cli: Cli, multi: BaseImage) -> None:
    page = cli("inspect", multi.reference).stdout.splitlines()
    told = json.loads(cli("inspect", multi.reference, "--format", "json").stdout)
    arm64 = json.loads(
        cli("inspect", multi.reference, "--format", "json", "--platform", "linux/arm64/v8").stdout
    )

    assert [line.split()[0] for line in page[-4:]] == [
        *("PLATFORM", "linux/amd64", "linux/arm64", "unknown/unknown"),
    ]
    assert told["digest"] == multi.digest
    assert [one["platform"] for one in told["manifests"]][:2] == ["linux/amd64", "linux/arm64"]
    assert arm64["digest"] == told["manifests"][1]["digest"]
    assert "ARCH=arm64" in arm64["config"]["Env"]


def test_a_digest_is_one_request_to_a_registry(
    cli: Cli, multi: BaseImage, open_registry: Registry
) -> None:
    before = len(open_registry.requests())

    done = cli("digest", multi.reference)

    assert done.stdout == f"{multi.digest}\n"
    asked = open_registry.requests()[before:]
    assert [line for line in asked if line.startswith("HEAD")] == asked
    assert len(asked) == 1


def test_a_platform_has_a_digest_of_its_own(cli: Cli, multi: BaseImage, seen: Seen) -> None:
    members = seen.raw(f"docker://{multi.reference}")["manifests"]

    done = cli("digest", multi.reference, "--platform", "linux/arm64")

    assert done.stdout == f"{members[1]['digest']}\n"


def test_history_is_told_from_the_oldest_step_on(
    cli: Cli, alpine: BaseImage, work: Path, layout: Path
) -> None:
    (work / "f").write_text("f")
    cli("-b", alpine.reference, "-f", "f", "-e", "A=1", "-t", f"oci:{layout}:it")

    head, *rows = cli("history", f"oci:{layout}:it").stdout.splitlines()
    steps = json.loads(cli("history", f"oci:{layout}:it", "--format", "json").stdout)

    assert head.split() == ["CREATED", "SIZE", "CREATED", "BY"]
    assert [row.split("  ")[-1] for row in rows] == [
        "/bin/sh -c #(nop) ADD file:0 in /",
        '#(nop) CMD ["/bin/sh"]',
        "ADD /f",
        "ENV A=1",
    ]
    assert rows[0].startswith("2018-01-09")
    assert [step["size"] is None for step in steps] == [False, True, False, True]
    assert all(step["layer"].startswith("sha256:") for step in steps[::2])


@pytest.mark.parametrize("kind", ["oci", "docker-archive"])
def test_what_is_true_is_found_true(
    cli: Cli, described: str, kind: str, tmp_path: Path, skopeo: Command
) -> None:
    reference = described
    if kind != "oci":
        reference = f"{kind}:{tmp_path}/a.tar"
        skopeo.run("copy", described, f"{reference}:a:b")

    done = cli("inspect", "--check", reference)

    assert done.stdout == ""
    assert f"{reference}: all that it says about itself is true" in done.stderr


def test_every_platform_of_an_index_is_checked(cli: Cli, multi: BaseImage) -> None:
    assert cli("inspect", "--check", multi.reference, "--format", "json").stdout == "[]\n"


def test_a_lie_is_told_and_the_exit_code_says_so(
    cli: Cli, described: str, layout: Path, seen: Seen
) -> None:
    layer = seen.raw(described)["layers"][0]["digest"]
    path = layout / "blobs/sha256" / layer.partition(":")[2]
    path.write_bytes(path.read_bytes()[:-1] + b"?")

    # The store still has the true bytes: they must not stand in for those of the layout.
    done = cli("inspect", "--check", described, code=1)
    listed = cli("inspect", "--check", described, "--format", "json", code=1)

    assert done.stdout.startswith(f"the layer {layer} ")
    assert "1 of its statements about itself are not true" in done.error
    assert json.loads(listed.stdout)[0]["subject"] == f"the layer {layer}"


def test_what_would_move_the_cursor_is_shown_as_an_escape(
    cli: Cli, work: Path, layout: Path
) -> None:
    (work / "f").write_text("f")
    cli("-b", "scratch", "-f", "f", "-e", "A=\x1b[2J", "-t", f"oci:{layout}:it")

    for command in ("inspect", "history"):
        done = cli(command, f"oci:{layout}:it")
        assert "A=\\x1b[2J" in done.stdout
        assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["inspect"], 2, "the following arguments are required: IMAGE"),
        (["inspect", "x", "--raw", "--check"], 2, "exclude each other"),
        (["inspect", "oci:/nothing"], 1, "oci:/nothing: there is no such directory"),
        (["inspect", "oci-archive:/nothing"], 1, "cannot be read"),
        (["digest", "./app"], 2, "as in oci:./app or docker-archive:./app"),
        (["history", "https://a.example/x"], 2, "leave the scheme out: a.example/x"),
        (["history", "x", "-x"], 2, "unrecognized arguments: -x"),
        (["inspect", "scratch", "--offline", "--dest-creds", "a:b"], 2, "unrecognized arguments"),
    ],
)
def test_a_mistake_is_named_with_a_way_out(
    cli: Cli, words: list[str], code: int, told: str
) -> None:
    done = cli(*words, code=code)

    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert done.stdout == ""
