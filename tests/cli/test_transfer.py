import json
import tarfile
from pathlib import Path

import pytest

from tests.cli.outside import Cli, Seen
from tests.parts.commands import Command
from tests.parts.images import BaseImage
from tests.parts.registries import Registry


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
    assert json.loads(names)["Tags"] == ["docker.io/a/b:c"]
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


def test_docker_archives_are_compressed_on_their_way_to_a_registry(
    cli: Cli, alpine: BaseImage, tmp_path: Path, fresh_repository: str, skopeo: Command
) -> None:
    archive = f"docker-archive:{tmp_path}/a.tar"
    skopeo.run("copy", f"oci:{alpine.layout}:{alpine.tag}", f"{archive}:a:b")

    cli("copy", archive, f"{fresh_repository}:1")

    raw = skopeo.output("inspect", "--raw", f"docker://{fresh_repository}:1")
    assert [one["mediaType"] for one in json.loads(raw)["layers"]] == [
        "application/vnd.docker.image.rootfs.diff.tar.gzip"
    ]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["pull"], 2, "the following arguments are required: IMAGE"),
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
