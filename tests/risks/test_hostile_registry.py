"""A registry that means harm: refused in bounded time and memory, and nothing of ours goes on."""

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from artificer.oci import media
from tests.registry.faulty import Fault, Faulty, faulty_registry
from tests.risks.machines import Done, Machine

MIB = 1 << 20
NOTHING = "sha256:" + "0" * 64


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine that gets nowhere but to itself, even if what is tested fails."""
    nowhere = "http://127.0.0.1:1"
    return Machine(tmp_path / "machine", HTTP_PROXY=nowhere, HTTPS_PROXY=nowhere)


@pytest.fixture
def registry() -> Iterator[Faulty]:
    with faulty_registry() as registry:
        registry.relative = True
        yield registry


def blob(registry: Faulty, data: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": registry.give("base", data), "size": len(data)}


def image(
    registry: Faulty,
    *layers: bytes,
    config: bytes | None = None,
    layer_type: str = media.OCI_LAYER_ZSTD,
    **fields: Any,
) -> dict[str, Any]:
    """Give the registry ``base:1``; what is said of it may be untrue."""
    known = (
        config
        or json.dumps(
            {
                "os": "linux",
                "architecture": "amd64",
                "rootfs": {"type": "layers", "diff_ids": [NOTHING for _ in layers]},
            }
        ).encode()
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": blob(registry, known, media.OCI_CONFIG),
        "layers": [blob(registry, one, layer_type) for one in layers],
        **fields,
    }
    give(registry, json.dumps(manifest).encode())
    return manifest


def give(registry: Faulty, manifest: bytes, media_type: str = media.OCI_MANIFEST) -> str:
    return registry.give_manifest("base", "1", media_type, manifest)


def based(machine: Machine, registry: Faulty, *words: str, seconds: float = 20) -> Done:
    """Build on ``base:1``; that must fail soon, with an error, and in little memory."""
    (machine.work / "file").write_bytes(b"")
    line = ("-b", f"{registry.host}/base:1", "-f", "file:/bin/file", *words, "-t", "store:x")
    done = machine.start(*line).done()
    assert done.code != 0, done
    assert done.stdout == "", done
    assert "Traceback" not in done.stderr, done
    assert "\x1b" not in done.stderr, done
    assert done.stderr.splitlines()[-1].startswith(("error: ", "hint: ")), done
    assert done.seconds < seconds, done
    assert done.peak < 400 * MIB, done
    return done


def test_a_manifest_without_end(machine: Machine, registry: Faulty) -> None:
    give(registry, b'{"schemaVersion":2,"x":"' + b"a" * (50 * MIB) + b'"}')

    done = based(machine, registry)

    assert done.peak < 100 * MIB


DEEP = [
    b'{"a":' * 300 + b"1" + b"}" * 300,
    b'{"a":' + b"[" * (4 * MIB - 100),
    b"[" * (2 * MIB) + b"]" * (2 * MIB - 100),
    b'{"schemaVersion":2,"config":{"x":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_002,
]


@pytest.mark.parametrize("document", DEEP, ids=range(len(DEEP)))
def test_a_document_that_is_nested_without_end(
    machine: Machine, registry: Faulty, document: bytes
) -> None:
    give(registry, document)
    based(machine, registry)
    image(registry, b"", config=document)
    based(machine, registry)


MANY: list[Callable[[Faulty], object]] = [
    lambda registry: image(registry, layers=[{} for _ in range(1_000_000)]),
    lambda registry: image(registry, *[b"%d" % number for number in range(2000)]),
    lambda registry: image(registry, config=b'{"history":[' + b"{}," * 5_000_000 + b"{}]}"),
    lambda registry: image(registry, config=b'{"config":{"Env":[' + b'"",' * 5_000_000 + b'""]}}'),
    lambda registry: image(registry, config=b'{"a":' + b"1" * (15 * MIB) + b"}"),
    lambda registry: image(registry, layers=[], history=[[]] * 1_000_000),
]


@pytest.mark.parametrize("many", MANY, ids=range(len(MANY)))
def test_a_document_of_very_many_things(
    machine: Machine, registry: Faulty, many: Callable[[Faulty], object]
) -> None:
    many(registry)

    based(machine, registry)


def test_indexes_that_fan_out(machine: Machine, registry: Faulty) -> None:
    """A thousand times a thousand times a thousand, in three documents of 200 kB."""
    entry: dict[str, Any] = {"mediaType": media.OCI_MANIFEST, "digest": NOTHING, "size": 7}
    platform = {"platform": {"os": "linux", "architecture": "s390x"}}
    for _ in range(3):
        document = {
            "schemaVersion": 2,
            "mediaType": media.OCI_INDEX,
            "manifests": [{**entry, **platform} for _ in range(1000)],
        }
        data = json.dumps(document).encode()
        digest = give(registry, data, media.OCI_INDEX)
        entry, platform = {"mediaType": media.OCI_INDEX, "digest": digest, "size": len(data)}, {}

    based(machine, registry)


def test_bytes_that_are_not_what_their_digest_names(machine: Machine, registry: Faulty) -> None:
    manifest = image(registry, zstd.compress(tar({"bin": b""})))
    layer = manifest["layers"][0]["digest"]
    blobs = registry.blobs["base"]

    for digest in (layer, manifest["config"]["digest"]):
        right = blobs[digest]
        blobs[digest] = right[:-1] + bytes([right[-1] ^ 1])
        based(machine, registry)
        blobs[digest] = right
    shutil.rmtree(machine.store)
    (digest,) = registry.manifests["base"]
    registry.manifests["base"][digest] = (media.OCI_MANIFEST, b"{}")
    assert "not what" in based(machine, registry).stderr


def tar(files: dict[str, bytes], **attributes: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            for key, value in attributes.items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def bomb() -> bytes:
    """A tar with one file of 100 GiB, in 5 MB."""
    member = tarfile.TarInfo("large")
    member.size = 100 << 30
    head = member.tobuf(tarfile.GNU_FORMAT)
    return zstd.compress(head) + zstd.compress(bytes(64 * MIB)) * 1600


def entries() -> bytes:
    """A tar of 1.1 million empty files."""
    frames = []
    for start in range(0, 1_100_000, 10_000):
        block = b"".join(
            tarfile.TarInfo(f"f{number}").tobuf() for number in range(start, start + 2)
        )
        frames.append(zstd.compress(block * 5_000))
    return b"".join(frames)


@pytest.mark.parametrize("layer", [bomb, entries])
def test_a_layer_that_becomes_more_than_it_may(
    machine: Machine, registry: Faulty, layer: Callable[[], bytes]
) -> None:
    image(registry, layer())

    based(machine, registry, seconds=60)

    assert sum(path.stat().st_size for path in machine.store.rglob("*")) < 20 * MIB


METADATA = [
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/latest/",
    "http://2852039166/latest/",
    "http://0xa9fea9fe/",
    "http://100.100.100.200/",
]


@pytest.mark.parametrize("url", METADATA)
@pytest.mark.parametrize("at", ["HEAD manifest", "GET blob"])
def test_nobody_is_sent_to_what_only_we_can_reach(
    machine: Machine, registry: Faulty, at: str, url: str
) -> None:
    image(registry, zstd.compress(tar({"bin": b""})))
    registry.faults.extend([Fault(at, status=307, headers={"Location": url})] * 9)

    done = based(machine, registry, "--timeout", "2", seconds=5)

    assert done.code == 69
    assert "redirect" in done.stderr


@pytest.mark.parametrize("url", METADATA)
def test_no_token_is_asked_of_what_only_we_can_reach(
    machine: Machine, registry: Faulty, url: str
) -> None:
    registry.auth, registry.realm = "token", url

    done = based(machine, registry, "--creds", "me:secret", seconds=5)

    assert done.code == 77
    assert "secret" not in done.stderr
    assert "token service" in done.stderr


@pytest.mark.parametrize("url", METADATA)
def test_no_upload_goes_to_what_only_we_can_reach(
    machine: Machine, registry: Faulty, url: str
) -> None:
    (machine.work / "file").write_bytes(b"")
    registry.faults.extend([Fault("POST upload", headers={"Location": url})] * 9)

    done = machine("-b", "scratch", "-f", "file", "-t", f"{registry.host}/x:1", code=69)

    assert done.seconds < 5
    assert registry.tags == {}
