"""Whatever the documents of a base say: an image comes of it, or an error that is told."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.outside import Cli
from tests.parts.images import CONFIG, MANIFEST, Layout, busybox_tar, layer_of

ROUNDS = 40
JUNK: tuple[Any, ...] = (
    *(None, 0, -1, 1.5, True, "", "x", [], {}, [None], [1], ["a"], {"a": 1}, 10**30),
    *("sha256:" + "0" * 64, "a\nb\x1b[31m", "\ufffd", {"": {}}, "/../../etc"),
)
FIELDS = (
    *("Env", "Cmd", "Labels", "Volumes", "Healthcheck", "User", "WorkingDir", "history"),
    *("os.version", "variant", "annotations", "subject", "urls", "platform", "data"),
)
BUILDS = (
    "-f f",
    "-f f:/tmp/x",
    "--delete /etc/passwd",
    "-e A=$PATH",
    "-w /x -l a=b -p 80 --volume /v",
    "--format docker",
    "--platform linux/amd64",
    "--platform linux/amd64,linux/arm64",
    "--copy-from oci:base:x:/etc/passwd",
    "--entrypoint x",
    "--clear-env --healthcheck none",
)
TARGETS = ("store:t", "docker-archive:d.tar:x", "rootfs:r.tar")


def paths(document: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys: Any = ()
    if isinstance(document, dict):
        keys = list(document)
    elif isinstance(document, list):
        keys = range(len(document))
    for key in keys:
        yield (*above, key)
        yield from paths(document[key], (*above, key))


def mutated(document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """*document* with something removed, replaced or added somewhere."""
    changed = copy.deepcopy(document)
    *above, last = chance.choice(list(paths(changed)))
    place: Any = changed
    for key in above:
        place = place[key]
    junk = copy.deepcopy(chance.choice(JUNK))
    match chance.choice(("remove", "replace", "replace", "add")):
        case "remove":
            del place[last]
        case "replace":
            place[last] = junk
        case _ if isinstance(place, dict):
            place[chance.choice(FIELDS)] = junk
        case _:
            place.append(junk)
    return changed


@pytest.mark.parametrize("seed", range(4))
def test_no_document_of_a_base_leads_to_a_traceback(seed: int, cli: Cli, work: Path) -> None:
    chance, layout = random.Random(seed), Layout(work / "base")
    (work / "f").touch()
    named = layout.image(layer_of(busybox_tar()))
    manifest = json.loads((layout.path / "blobs" / named["digest"].replace(":", "/")).read_text())
    path = layout.path / "blobs" / manifest["config"]["digest"].replace(":", "/")
    config = json.loads(path.read_text())
    codes = set()

    for _ in range(ROUNDS):
        which = chance.choice(("config", "manifest", "both"))
        stored = layout.document(
            mutated(config, chance) if which != "manifest" else config, CONFIG
        )
        whole = {**manifest, "config": {**stored, "mediaType": CONFIG}}
        if which != "config":
            whole = mutated(whole, chance)
        (layout.path / "index.json").unlink(missing_ok=True)
        layout.name(layout.document(whole, MANIFEST), "x")
        words = (*chance.choice(BUILDS).split(), "-t", chance.choice(TARGETS))

        done = cli.ended("-b", "oci:base:x", *words)

        codes.add(done.code)
        assert done.code in {0, 1, 2}, (words, done)
        assert bool(done.error) is bool(done.code), (words, done)
        assert "\x1b" not in done.stderr, (words, done)
    assert codes >= {0, 1}
