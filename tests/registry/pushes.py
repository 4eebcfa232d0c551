"""What the tests of uploads push, and how they count what it costs."""

import json
import random
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from artificer.http.request import Body
from artificer.oci.descriptor import Descriptor
from artificer.oci.digest import Digest
from artificer.oci.media import OCI_LAYER_GZIP, OCI_MANIFEST
from artificer.oci.reference import Repository
from artificer.registry.upload import Uploads
from tests.registry.clients import Client
from tests.registry.faulty import Faulty

CHUNK = 10_000
DATA = random.Random(1).randbytes(300_000)
BLOB = Descriptor.for_bytes(OCI_LAYER_GZIP, DATA)
MANIFEST = json.dumps({"schemaVersion": 2, "layers": [BLOB.document]}).encode()


class Sent(NamedTuple):
    how: str
    opened: list[int]
    read: int


def in_one_put(uploads: Uploads) -> Uploads:
    return uploads


def by_patch(uploads: Uploads) -> Uploads:
    """As if 300 kB were large."""
    return uploads._replace(whole=1000, part=100_000, least=10_000)


WAYS = [pytest.param(in_one_put, id="put"), pytest.param(by_patch, id="patch")]


def counted(data: bytes, opened: list[int], read: list[int]) -> Body:
    def chunks(offset: int) -> Iterator[bytes]:
        opened.append(offset)
        for at in range(offset, len(data), CHUNK):
            read[0] += len(data[at : at + CHUNK])
            yield data[at : at + CHUNK]

    return Body(len(data), chunks)


def repository(faulty: Faulty, path: str = "team/app") -> Repository:
    return Repository(faulty.host, path)


def push(client: Client, faulty: Faulty) -> Sent:
    """A blob, then the tag that needs it."""
    opened: list[int] = []
    read = [0]
    where = repository(faulty)
    how = client.registry.push_blob(where, BLOB, counted(DATA, opened, read))
    client.registry.put_manifest(where, "v1", OCI_MANIFEST, MANIFEST)
    return Sent(how, opened, read[0])


def complete(faulty: Faulty) -> bool:
    """Whether the tag is there, and the blob with the right bytes."""
    return (
        faulty.tags.get("team/app", {}).get("v1") == Digest.of(MANIFEST)
        and faulty.blobs["team/app"].get(BLOB.digest) == DATA
    )
