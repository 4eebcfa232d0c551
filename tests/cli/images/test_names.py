"""Names in the store and in registries: given, listed, removed."""

import json

import pytest

from tests.cli.outside import Cli, Seen
from tests.parts.images import BaseImage
from tests.parts.registries import Registry


@pytest.fixture
def filled(cli: Cli) -> Cli:
    """A store with an image called me/app:v1."""
    cli("-b", "scratch", "-c", "x", "-t", "store:me/app:v1")
    return cli


def test_an_image_of_the_store_gets_further_names(filled: Cli) -> None:
    digest = filled("digest", "store:me/app:v1").stdout.strip()

    done = filled("tag", "store:me/app:v1", "me/app", "store:other:1")

    assert done.stdout.splitlines() == [
        f"store:me/app:latest@{digest}",
        f"store:other:1@{digest}",
    ]
    assert filled("digest", "store:me/app").stdout.strip() == digest
    assert filled("digest", "store:other:1").stdout.strip() == digest


def test_a_tag_of_a_registry_costs_one_put_and_no_blob(
    cli: Cli, multi: BaseImage, open_registry: Registry, seen: Seen
) -> None:
    repository = multi.reference.rpartition(":")[0]
    before = len(open_registry.requests())

    done = cli("tag", multi.reference, f"{repository}:again")
    again = cli("tag", multi.reference, f"{repository}:again")

    assert done.stdout == again.stdout == f"{repository}@{multi.digest}\n"
    assert seen.digest(f"docker://{repository}:again") == multi.digest
    new = open_registry.requests()[before:]
    assert [line.split()[1] for line in new if line.startswith(("PUT", "POST", "PATCH"))] == [
        "/v2/library/multi/manifests/again"
    ]
    assert not [line for line in new if "/blobs/" in line and not line.startswith("GET")]
    assert "nothing to send" in again.stderr


def test_a_forgotten_name_is_gone_and_its_blobs_stay_until_a_prune(filled: Cli) -> None:
    filled("tag", "store:me/app:v1", "store:other")
    count = len(list((filled.store / "blobs/sha256").iterdir()))

    done = filled("rm", "store:me/app:v1")

    assert "store:me/app:v1 is forgotten; `artificer cache prune` frees" in done.stderr
    assert done.stdout == ""
    gone = filled("inspect", "store:me/app:v1", code=1)
    assert "store:me/app:v1: the store has no such image" in gone.error
    assert gone.hint == "it has store:other:latest"
    assert len(list((filled.store / "blobs/sha256").iterdir())) == count


def test_nothing_is_removed_when_one_name_is_wrong(filled: Cli) -> None:
    filled("rm", "store:me/app:v1", "store:nothing", code=1)

    filled("digest", "store:me/app:v1")


def test_removing_from_a_registry_takes_force(
    cli: Cli, fresh_repository: str, alpine: BaseImage
) -> None:
    cli("copy", alpine.reference, f"{fresh_repository}:1")

    refused = cli("rm", f"{fresh_repository}:1", code=2)

    assert "is in a registry, where everybody would lose it" in refused.error
    assert refused.hint == f"add --force, or name the store's: store:{fresh_repository}:1"
    assert cli("ls", fresh_repository).stdout == "1\n"


def test_a_registry_that_removes_by_digest_alone_is_explained(
    cli: Cli, fresh_repository: str, alpine: BaseImage
) -> None:
    cli("copy", alpine.reference, f"{fresh_repository}:1", f"{fresh_repository}:2")

    refused = cli("rm", "--force", f"{fresh_repository}:1", code=1)
    by_digest = f"{fresh_repository}@{alpine.digest}"
    done = cli("rm", "--force", by_digest)

    assert "removes no tag by its name" in refused.error
    assert f"`artificer rm --force {by_digest}` removes the image, and every tag" in refused.hint
    assert f"{by_digest}: the image and all its tags are removed" in done.stderr
    assert "there is no such image" in cli("digest", f"{fresh_repository}:2", code=1).error


def test_what_a_registry_does_not_have_cannot_be_removed(cli: Cli, fresh_repository: str) -> None:
    assert cli("rm", "--force", f"{fresh_repository}:1", code=1).error


def test_the_store_is_a_table_for_people_and_json_for_programs(
    filled: Cli, multi: BaseImage
) -> None:
    filled("pull", multi.reference, "--all-platforms")
    filled("-b", "scratch", "--created", "1700000000", "-t", "store:later")

    head, *rows = filled("ls").stdout.splitlines()
    listed = json.loads(filled("ls", "--format", "json").stdout)

    assert head.split() == ["NAME", "DIGEST", "PLATFORM", "SIZE", "CREATED"]
    by_name = {one["name"]: one for one in listed}
    assert sorted(by_name) == sorted([multi.reference, "later:latest", "me/app:v1"])
    assert by_name[multi.reference]["digest"] == multi.digest
    assert by_name[multi.reference]["platforms"] == ["linux/amd64", "linux/arm64"]
    assert by_name["later:latest"]["created"] == "2023-11-14T22:13:20Z"
    later = next(row for row in rows if row.startswith("later:latest "))
    digest = by_name["later:latest"]["digest"].partition(":")[2]
    assert later.split() == [
        "later:latest",
        digest[:12],
        "linux/amd64",
        *later.split()[3:5],
        "2023-11-14",
    ]
    assert max(map(len, [head, *rows])) <= len(multi.reference) + 50
    index = next(row for row in rows if row.startswith(multi.reference))
    assert "linux/amd64 +1" in index


def test_an_empty_store_says_how_to_fill_it(cli: Cli) -> None:
    done = cli("ls")

    assert done.stdout.split() == ["NAME", "DIGEST", "PLATFORM", "SIZE", "CREATED"]
    assert "`artificer pull NAME` brings one" in done.stderr
    assert cli("ls", "--format", "json").stdout == "[]\n"


def test_a_damaged_image_does_not_hide_the_others(filled: Cli) -> None:
    filled("-b", "scratch", "-c", "y", "-t", "store:broken")
    digest = filled("digest", "store:broken").stdout.strip().partition(":")[2]
    (filled.store / "blobs/sha256" / digest).unlink()

    rows = filled("ls").stdout.splitlines()[1:]

    assert [row.split()[0] for row in rows] == ["broken:latest", "me/app:v1"]
    assert "broken" in rows[0].split()[3]


def test_the_tags_of_a_repository_and_the_repositories_of_a_registry(
    cli: Cli, alpine: BaseImage, fresh_repository: str
) -> None:
    cli("copy", alpine.reference, f"{fresh_repository}:1", f"{fresh_repository}:2")
    host, _, path = fresh_repository.partition("/")

    assert cli("ls", fresh_repository).stdout == "1\n2\n"
    assert json.loads(cli("ls", fresh_repository, "--format", "json").stdout) == ["1", "2"]
    assert f"{host}/{path}" in cli("ls", f"{host}/").stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["tag", "store:x"], 2, "the following arguments are required: NAME"),
        (["tag", "store:x", "y"], 1, "store:x:latest: the store has no such image"),
        (["tag", "store:x", "docker://a.example/y"], 2, "`artificer copy store:x:latest docker:"),
        (["tag", "oci:/x", "y"], 2, "neither in the store nor in a registry"),
        (["rm"], 2, "the following arguments are required: NAME"),
        (["rm", "store:x"], 1, "the store has no such image"),
        (["rm", "oci:/x"], 2, "remove the file itself"),
        (["rm", "alpine:3.7"], 2, "store:alpine:3.7"),
        (["rm", "alpine:3.7", "--force", "--offline"], 2, "unrecognized arguments: --offline"),
        (["tag", "a.example/x:1", "a.example/x:2", "--offline"], 2, "leave --offline out"),
        (["ls", "a.example/x", "--pull", "never"], 2, "unrecognized arguments: --pull"),
        (["ls", "alpine:3.7"], 2, "leave it out: `artificer ls alpine`"),
        (["ls", "localhost:5000"], 2, "`artificer ls localhost:5000/`"),
        (["ls", "localhost:1/x"], 69, "localhost:1"),
        (["ls", "--format", "yaml"], 2, "invalid choice: 'yaml'"),
    ],
)
def test_a_mistake_is_named_with_a_way_out(
    cli: Cli, words: list[str], code: int, told: str
) -> None:
    done = cli(*words, code=code)

    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert done.stdout == ""


def test_a_tag_stays_in_its_repository(cli: Cli, alpine: BaseImage, fresh_repository: str) -> None:
    refused = cli("tag", alpine.reference, f"{fresh_repository}:1", code=2)

    assert "is no tag of" in refused.error
    copy = f"`artificer copy {alpine.reference} {fresh_repository}:1`"
    assert refused.hint == f"{copy} works between repositories"
