import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.cli.outside import Cli, Seen
from tests.parts.commands import Command
from tests.parts.images import BaseImage
from tests.parts.registries import LockedRegistry, Registry


def test_what_was_pulled_is_built_upon_without_the_registry(
    cli: Cli, alpine: BaseImage, tmp_path: Path
) -> None:
    pulled = cli("pull", alpine.reference)

    repository = alpine.reference.rpartition(":")[0]
    assert pulled.stdout.splitlines() == [f"{repository}@{alpine.digest}"]
    (tmp_path / "f").write_text("f")
    layout = f"oci:{tmp_path}/layout:x"
    cli("-b", alpine.reference, "--offline", "-f", tmp_path / "f", "-t", layout)
    assert "f" in cli("tree", layout, "/f").stdout


def test_of_several_platforms_the_usual_one_is_pulled_and_the_index_keeps_its_digest(
    cli: Cli, multi: BaseImage
) -> None:
    pulled = cli("pull", multi.reference)

    assert pulled.stdout.splitlines()[0].endswith(multi.digest)
    assert "linux/amd64, linux/arm64: taking linux/amd64" in pulled.stderr
    refused = cli(
        "copy", f"store:{multi.reference}", "rootfs:/tmp/x", "--platform", "arm64", code=1
    )
    assert "the store lacks sha256:" in refused.stderr
    assert "pull it again" in refused.stderr


def test_a_pulled_part_of_an_index_is_pushed_as_the_image_that_it_is(
    cli: Cli, multi: BaseImage, fresh_repository: str, skopeo: Command
) -> None:
    cli("pull", multi.reference, "--platform", "arm64")

    pushed = cli("push", multi.reference, f"{fresh_repository}:1")

    assert "of which only linux/arm64 is here" in pushed.stderr
    there = json.loads(skopeo.output("inspect", f"docker://{fresh_repository}:1"))
    assert there["Architecture"] == "arm64"
    assert pushed.stdout.splitlines() == [f"{fresh_repository}@{there['Digest']}"]


def test_all_platforms_are_pulled_and_pushed_under_the_same_digest(
    cli: Cli, multi: BaseImage, fresh_repository: str, seen: Seen
) -> None:
    cli("pull", multi.reference, "--all-platforms")

    pushed = cli("push", multi.reference, f"{fresh_repository}:1", f"{fresh_repository}:2")

    assert pushed.stdout.splitlines() == [f"{fresh_repository}@{multi.digest}"] * 2
    assert seen.digest(f"docker://{fresh_repository}:2") == multi.digest


def test_a_push_without_a_target_goes_where_the_name_points(
    cli: Cli, alpine: BaseImage, fresh_repository: str, seen: Seen
) -> None:
    cli("copy", alpine.reference, f"store:{fresh_repository}:v1")

    cli("push", f"{fresh_repository}:v1")

    assert seen.digest(f"docker://{fresh_repository}:v1") == alpine.digest


def test_copying_between_repositories_mounts_and_stores_no_layer(
    cli: Cli,
    multi: BaseImage,
    fresh_repository: str,
    open_registry: Registry,
    seen: Seen,
) -> None:
    before = len(open_registry.requests())

    copied = cli("copy", multi.reference, f"{fresh_repository}:1")

    assert copied.stdout.splitlines() == [f"{fresh_repository}@{multi.digest}"]
    assert seen.digest(f"docker://{fresh_repository}:1") == multi.digest
    new = open_registry.requests()[before:]
    assert [line for line in new if line.startswith("POST") and "mount=" in line]
    # Manifests and configs alone: a layer has a megabyte.
    blobs = list((cli.store / "blobs" / "sha256").iterdir())
    assert sum(path.stat().st_size for path in blobs) < 100_000


def test_one_platform_of_an_index_is_copied_to_many_places(
    cli: Cli, multi: BaseImage, tmp_path: Path, seen: Seen, skopeo: Command, umoci: Command
) -> None:
    layout, archive = tmp_path / "layout", tmp_path / "a.tar"

    copied = cli(
        *("copy", multi.reference, f"oci:{layout}:x", f"docker-archive:{archive}:a/b:c"),
        *("store:mine", "--platform", "linux/arm64"),
    )

    digest = copied.stdout.splitlines()[0].rpartition("@")[2]
    assert copied.stdout.splitlines()[2] == f"store:mine:latest@{digest}"
    assert seen.digest(f"oci:{layout}:x") == digest
    assert "linux/arm64" in cli("inspect", "store:mine").stdout
    names = skopeo.output("list-tags", f"docker-archive:{archive}")
    assert json.loads(names)["Tags"] == ["a/b:c"]
    umoci.run("unpack", "--rootless", "--image", f"{layout}:x", tmp_path / "bundle")
    assert (tmp_path / "bundle" / "rootfs" / "bin" / "busybox").exists()


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_what_is_saved_is_read_by_skopeo_and_loaded_again(
    cli: Cli, alpine: BaseImage, form: str, tmp_path: Path, skopeo: Command
) -> None:
    archive = tmp_path / "a.tar"

    saved = cli("save", alpine.reference, "-o", archive, "--format", form)

    assert saved.stdout.splitlines()[0].endswith(alpine.digest)
    read = json.loads(skopeo.output("inspect", f"{form}:{archive}"))
    assert read["Architecture"] == "amd64"
    loaded = cli("load", "-i", archive)
    name, _, digest = loaded.stdout.splitlines()[0].partition("@")
    assert name == f"store:{alpine.reference}"
    assert (digest == alpine.digest) == (form == "oci-archive")
    again = cli("digest", f"store:{alpine.reference}")
    assert again.stdout.splitlines() == [digest]


def test_several_images_are_saved_to_standard_output_and_loaded_from_standard_input(
    cli: Cli, alpine: BaseImage, multi: BaseImage, tmp_path: Path
) -> None:
    saved = cli("save", alpine.reference, multi.reference)

    (tmp_path / "a.tar").write_bytes(saved.stdout.encode("utf-8", "surrogateescape"))
    with tarfile.open(tmp_path / "a.tar") as tar:
        listing = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
    assert [one["RepoTags"] for one in listing] == [[alpine.reference], [multi.reference]]
    loaded = cli("load", stdin=saved.stdout.encode("utf-8", "surrogateescape"))
    assert len(loaded.stdout.splitlines()) == 2
    assert cli(
        "load", "--name", "x", stdin=saved.stdout.encode("utf-8", "surrogateescape"), code=2
    ).stderr.startswith("error: --name is for one image, and standard input holds 2")


def test_a_loaded_archive_without_a_name_needs_one(
    cli: Cli, alpine: BaseImage, tmp_path: Path, skopeo: Command
) -> None:
    source = f"oci:{alpine.layout}:{alpine.tag}"
    skopeo.run("copy", source, f"oci-archive:{tmp_path}/a.tar:3.7")

    refused = cli("load", "-i", tmp_path / "a.tar", code=2)

    assert "hint: choose one with `--name NAME`" in refused.stderr
    loaded = cli("load", "-i", tmp_path / "a.tar", "--name", "mine:1")
    assert loaded.stdout.splitlines() == [f"store:mine:1@{alpine.digest}"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["pull"], 2, "the following arguments are required: IMAGE"),
        (["push"], 2, "the following arguments are required: NAME\n"),
        (["pull", "Alpine"], 2, "hint: repository names are lower case: alpine"),
        (["pull", "oci:/x"], 2, "hint: `artificer copy oci:/x store:NAME` brings it"),
        (["pull", "x", "--platfrom", "y"], 2, "unrecognized arguments: --platfrom y"),
        (["pull", "x", "--platform", "a/b/c/d"], 2, "not a platform: 'a/b/c/d'"),
        (["pull", "x", "--all-platforms", "--platform", "arm64"], 2, "exclude each other"),
        (["push", "nothing"], 1, "store:nothing:latest: the store has no such image"),
        (["push", "oci:/nothing"], 2, "hint: say `artificer push oci:/nothing TARGET`"),
        (["copy", "scratch"], 2, "the following arguments are required: TARGET"),
        (["copy", "oci:/nothing", "store:x"], 1, "oci:/nothing: there is no such directory"),
        (["copy", "store:x", "scratch"], 2, "`scratch` is a base, not a target"),
        (["copy", "--offline", "store:x", "reg.example/x"], 2, "leave --offline out"),
        (["load", "-i", "/nothing"], 1, "/nothing: cannot be read"),
        (["save", "store:x", "-o"], 2, "expected one argument"),
    ],
)
def test_a_mistake_is_named_with_a_way_out(
    cli: Cli, words: list[str], code: int, told: str
) -> None:
    done = cli(*words, code=code)

    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert done.stdout == ""


def test_what_a_registry_lacks_is_named(cli: Cli, alpine: BaseImage, multi: BaseImage) -> None:
    repository = alpine.reference.rpartition(":")[0]

    missing = cli("pull", f"{repository}:3.8", code=1)
    wrong = cli("pull", multi.reference, "--platform", "s390x", code=1)
    elsewhere = cli("copy", alpine.reference, "localhost:1/x", code=69)

    assert f"error: {repository}:3.8: there is no such image" in missing.stderr
    assert f"hint: `artificer ls {repository}` lists its tags" in missing.stderr
    assert f"error: {multi.reference} has no linux/s390x image" in wrong.stderr
    assert "hint: it has linux/amd64, linux/arm64" in wrong.stderr
    assert "localhost:1" in elsewhere.stderr


def test_credentials_for_the_target_are_for_the_target_alone(
    cli: Cli, alpine: BaseImage, htpasswd_registry: LockedRegistry
) -> None:
    target = f"{htpasswd_registry.host}/copied/to:1"
    trust = ("--cacert", htpasswd_registry.ca_file)
    secret = f"{htpasswd_registry.user}:{htpasswd_registry.password}"

    refused = cli("copy", alpine.reference, target, *trust, code=77)
    cli("copy", alpine.reference, target, *trust, "--dest-creds", secret)
    pulled = cli("pull", target, *trust, "--creds", secret)

    assert f"artificer login {htpasswd_registry.host}" in refused.hint
    assert pulled.stdout.splitlines() == [f"{htpasswd_registry.host}/copied/to@{alpine.digest}"]


def test_what_was_pulled_survives_a_prune(cli: Cli, multi: BaseImage, work: Path) -> None:
    cli("pull", multi.reference)
    (work / "f").write_text("f")
    words = ("-b", multi.reference, "-f", "f", "--offline", "-t", f"oci:{work}/layout:1")
    before = cli(*words).stdout

    cli("cache", "prune", "--older-than", "0s")
    for path in cli.store.rglob("blobs/sha256/*"):
        os.utime(path, (0, 0))
    cli("cache", "prune", "--older-than", "0s")

    assert cli(*words).stdout == before


def test_some_images_of_an_index_are_not_taken_for_all(
    cli: Cli, multi: BaseImage, layout: Path, skopeo: Command, alpine: BaseImage
) -> None:
    three = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}
    skopeo.run("copy", "--all", f"docker://{multi.reference}", f"oci:{layout}:it")
    raw = json.loads(skopeo.output("inspect", "--raw", f"oci:{layout}:it"))
    gone = {**raw["manifests"][0], "digest": "sha256:" + "0" * 64}
    document = json.dumps({**three, "manifests": [*raw["manifests"][:2], gone]}).encode()
    digest = hashlib.sha256(document).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(document)
    entry = {"mediaType": three["mediaType"], "digest": f"sha256:{digest}", "size": len(document)}
    index = {"schemaVersion": 2, "manifests": [entry]}
    (layout / "index.json").write_text(json.dumps(index))

    refused = cli("copy", f"oci:{layout}", "store:x", code=1)
    one = cli("copy", f"oci:{layout}", "store:x", "--platform", "arm64")

    assert "only a part is here (linux/amd64, linux/arm64)" in refused.error
    assert "choose an image with `--platform`" in refused.hint
    assert one.stdout.startswith("store:x:latest@sha256:")


def test_an_index_is_saved_and_loaded_with_all_its_platforms(
    cli: Cli, multi: BaseImage, tmp_path: Path
) -> None:
    cli("pull", multi.reference, "--all-platforms")

    words = ("--format", "oci-archive", "--name", "mine:2", "-o", tmp_path / "a.tar")
    cli("save", f"store:{multi.reference}", *words)
    loaded = cli.machine("other")("load", "-i", tmp_path / "a.tar")

    assert loaded.stdout == f"store:mine:2@{multi.digest}\n"


def test_what_is_no_archive_of_images_is_told_what_it_could_be(cli: Cli, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("etc/passwd"))

    done = cli("load", "-i", tmp_path / "a.tar", code=1)

    assert f"{tmp_path}/a.tar is no archive of images" in done.error
    assert f"`artificer copy rootfs:{tmp_path}/a.tar store:NAME`" in done.hint


def test_several_images_need_an_archive_that_holds_several(cli: Cli) -> None:
    oci = cli("save", "store:a", "store:b", "--format", "oci-archive", code=2)
    named = cli("save", "store:a", "store:b", "--name", "c", code=2)

    assert oci.error == "an oci-archive is for one image, not for 2"
    assert named.error == "--name is for one image, not for 2"


def test_whoever_stops_reading_ends_the_command_quietly(cli: Cli, alpine: BaseImage) -> None:
    words = [sys.executable, "-m", "artificer", "tree", alpine.reference, "--format", "json"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=cli.environ
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(1)
        process.stdout.close()
        said = process.stderr.read()

    assert process.returncode in {0, 141}
    assert b"Traceback" not in said


def test_events_are_json_when_asked_for(cli: Cli, alpine: BaseImage) -> None:
    done = cli("pull", alpine.reference, "--progress", "json")

    assert done.events[-1]["event"] == "tagged"
    assert done.events[-1]["digest"] == alpine.digest
    quiet = cli("pull", alpine.reference, "-q")
    assert quiet.stderr == ""
