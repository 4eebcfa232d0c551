"""What kaniko once got wrong with registries and with several processes: here it holds."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.images import BaseImage
from tests.parts.registries import Registry


@pytest.fixture
def app(work: Path) -> Path:
    path = work / "app"
    path.mkdir()
    (path / "file").write_text("1")
    return path


def lines_of(registry: Registry, count: int, method: str) -> list[str]:
    return [line for line in registry.requests()[count:] if line.startswith(f"{method} ")]


def test_shared_base_cache__a_base_is_not_fetched_once_for_every_stage(
    hub: Cli, app: Path, alpine: BaseImage, open_registry: Registry
) -> None:
    asked = []
    for count in (1, 5):
        stages = "".join(f"FROM alpine:3.7 AS s{n}\nCOPY file /etc/{n}\n" for n in range(count))
        copies = "".join(f"COPY --from=s{n} /etc/passwd /etc/{n} /\n" for n in range(count))
        (app / "Dockerfile").write_text(f"{stages}FROM alpine:3.7\n{copies}")
        before = len(open_registry.requests())
        hub.machine(str(count))("build", "-t", "app", app)
        asked.append(sorted(lines_of(open_registry, before, "GET")))

    assert asked[0] == asked[1]


def test_cross_repo_mount__a_layer_of_the_cache_is_not_sent_again(
    hub: Cli, app: Path, alpine: BaseImage, open_registry: Registry, fresh_repository: str
) -> None:
    (app / "Dockerfile").write_text(f"FROM {alpine.reference}\nCOPY file /x\n")
    cache = ("--cache-repo", f"{fresh_repository}-cache")
    hub("build", *cache, "-t", f"docker://{fresh_repository}:1", app)
    count = len(open_registry.requests())

    hub.machine("two")("build", *cache, "-t", f"docker://{fresh_repository}-other:1", app)

    sent = lines_of(open_registry, count, "PUT")
    assert len([line for line in sent if "/blobs/uploads/" in line]) <= 1  # The config.
    assert any(
        "mount=" in line or " 201" in line for line in lines_of(open_registry, count, "POST")
    )


def test_warmer_cache_lock__builds_at_once_share_a_store(
    hub: Cli, app: Path, alpine: BaseImage
) -> None:
    (app / "Dockerfile").write_text("FROM alpine:3.7\nCOPY file /x\nWORKDIR /w\n")

    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda n: hub.process("build", "-t", f"app:{n}", app), range(6)))

    assert len({one.stdout.strip().rpartition("@")[2] for one in done}) == 1
