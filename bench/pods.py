"""Pods without any state, sharing one cache repository: what each of them costs, and asks for."""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.builds import Case, Section, Shop, shop
from bench.measure import Runner
from bench.targets import Verdict
from tests.parts.registries import Registry, registry

CPU, REQUESTS = 0.3, 12
TARGETS, BASES, EXECUTORS = 200, 20, 8
_RULES = "@io_bazel_rules_docker//container:container.bzl"
_PACKED = 16 << 20
_PART = 64 << 10


def pods(run: Runner, rounds: int) -> Section:
    """One target in a fresh pod; then 200 of them in eight executors; then a packed directory."""
    with registry(run.folder / "pods-registry") as shared:
        one, alone = _alone(shop(run, "pod"), shared, 3 * rounds)
        many, layers = _many(shop(run, "pods"), shared)
        cases = [*one, *many, *_packed(shop(run, "context"), shared)]
    verdicts = [
        Verdict(
            "unchanged target in a fresh pod: cpu",
            f"≤ {CPU:g} s",
            f"{_cpu(one[1]):.2f} s",
            _cpu(one[1]) <= CPU,
        ),
        Verdict(
            "unchanged target in a fresh pod: requests",
            f"≤ {REQUESTS}",
            f"{alone}, none of which sends",
            alone <= REQUESTS,
        ),
        Verdict(
            f"{TARGETS} targets, {EXECUTORS} executors: layers made",
            "each once",
            f"{sum(layers.values())} of {len(layers)}",
            len(layers) == TARGETS == sum(layers.values()),
        ),
    ]
    return Section("pods", "a shared cache repository", cases, verdicts)


def _cpu(case: Case) -> float:
    return sorted(sample.cpu for sample in case.samples)[len(case.samples) // 2]


def _alone(place: Shop, shared: Registry, times: int) -> tuple[list[Case], int]:
    """A push of an image: made, and then by pods that find it made. Requests of such a pod."""
    name = f'registry = "{shared.host}", repository = "app", tag = "1"'
    place.root.joinpath("file").write_bytes(bytes(range(256)) * 4096)
    place.root.joinpath("BUILD").write_text(
        f'load("{_RULES}", "container_image", "container_push")\n'
        'container_image(name = "app", files = ["file"], cmd = ["/file"])\n'
        f'container_push(name = "push", image = ":app", format = "OCI", {name})\n'
    )
    cache = f"{shared.host}/cache"
    argv = ["run", "//:push", "--cache-repo", cache]
    told = json.dumps([{"target": "//:push", "argv": argv}])
    made = _index(place, told, shared)
    found = [_index(place, told, shared) for _ in range(times)]
    notes = [f"{count} requests" for _, count in (made, found[-1])]
    cases = [
        Case("a target in a fresh pod, made", [made[0].samples[0]], notes[0]),
        Case("the same, unchanged", [case.samples[0] for case, _ in found], notes[1]),
    ]
    return cases, max(count for _, count in found)


def _index(place: Shop, told: str, shared: Registry) -> tuple[Case, int]:
    shutil.rmtree(place.state / "store", ignore_errors=True)
    before = len(shared.requests())
    sample = place.artificer("job", "index", ARTIFICER_JOB=told, JOB_COMPLETION_INDEX="0")
    return Case("", [sample]), len(shared.requests()) - before


def _many(place: Shop, shared: Registry) -> tuple[list[Case], Counter[str]]:
    """Images upon images by executors at once, as a submitter would let them: bases first."""
    lines = [f'load("{_RULES}", "container_image")']
    for number in range(TARGETS):
        place.root.joinpath(f"f{number}").write_text(f"{number}\n" * 1000)
        base = f'base = ":t{number % BASES}", ' if number >= BASES else ""
        lines.append(f'container_image(name = "t{number}", {base}files = ["f{number}"])')
    place.root.joinpath("BUILD").write_text("\n".join(lines) + "\n")
    labels = [f"//:t{number}" for number in range(TARGETS)]
    cache = f"{shared.host}/many"
    parts = (labels[:BASES], labels[BASES:], labels[::-1])
    cases, layers = [], Counter[str]()
    for title, part in zip(("20 bases", "180 images", "all 200 again"), parts, strict=True):
        before = len(shared.requests())
        case, logs = _executors(place, part, cache, title)
        count = len(shared.requests()) - before
        note = f"{count / len(part):.1f} requests a target"
        cases.append(case._replace(note=note))
        layers += Counter(_written(logs))
    return cases, layers


def _executors(
    place: Shop, labels: Sequence[str], cache: str, title: str
) -> tuple[Case, list[Path]]:
    words, logs = [], []
    for number in range(EXECUTORS):
        store, log = place.state / f"store-{number}", place.state / f"log-{number}"
        shutil.rmtree(store, ignore_errors=True)
        own = " ".join(labels[number::EXECUTORS])
        line = f'"{sys.executable}" -m artificer build {own} --cache-repo {cache} --jobs 2'
        words.append(f'{line} --symlink-prefix / --progress json --store "{store}" 2>"{log}" &')
        logs.append(log)
    sample = place.run.run("\n".join([*words, "wait"]), place.state, place.root)
    return Case(f"{title}, {EXECUTORS} executors", [sample]), logs


def _written(logs: Sequence[Path]) -> list[str]:
    events = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    return [event["digest"] for event in events if event["event"] == "layer-written"]


def _packed(place: Shop, shared: Registry) -> list[Case]:
    """A directory packed; a file of it changed, and packed again by a machine that did before."""
    for number in range(_PACKED // _PART):
        path = place.root / f"d{number % 16}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(number.to_bytes(4) * (_PART // 4))
    cases = []
    for title in ("a directory of 16 MiB packed", "one of its 256 files changed"):
        before = len(shared.requests())
        sample = place.artificer("source", "pack", ".", f"{shared.host}/context")
        asked = shared.requests()[before:]
        blobs = sum(line.startswith("PUT") and "/blobs/" in line for line in asked)
        cases.append(Case(title, [sample], f"{len(asked)} requests, {blobs} blobs sent"))
        (place.root / "d3" / "f3").write_bytes(b"changed!" * (_PART // 8))
    return cases
