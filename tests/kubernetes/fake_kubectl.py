"""`kubectl` as a program that replays what a real server told; its folder says what.

`plan.json` holds what Jobs do once they are created, `calls` gets every command line, and
`KIND.stream` is what a watch of that kind tells: a document after the other, as kubectl prints
them. A watch follows its file for ever, or until `plan["breaks"][KIND]` says that it breaks.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent
KINDS = ("jobs", "pods", "events")


def main(words: list[str]) -> int:
    plan = json.loads((HOME / "plan.json").read_text())
    with (HOME / "calls").open("a") as calls:
        calls.write(json.dumps(words) + "\n")
    while words and words[0] in {"--kubeconfig", "--context", "--namespace", "-n"}:
        words = words[2:]
    verb = "watch" if "-w" in words else words[0]
    if said := plan.get("fails", {}).get(verb):
        sys.stderr.write(said)
        return 1
    return int(VERBS[verb](words, plan) or 0)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def create(words: list[str], plan: dict[str, Any]) -> int:
    if "-f" not in words:
        return 0  # a namespace
    document = json.load(sys.stdin)
    with (HOME / "created").open("a") as file:
        file.write(json.dumps(document) + "\n")
    if said := plan.get("refused", {}).get(document["kind"]):
        sys.stderr.write(said)
        return 1
    if "--dry-run=server" in words:
        _tell(json.dumps(document))
        return 0
    metadata = document["metadata"]
    if (HOME / f"{document['kind'].lower()}-{metadata.get('name')}.json").exists():
        name = f'{document["kind"].lower()}s "{metadata["name"]}"'
        sys.stderr.write(f"Error from server (AlreadyExists): {name} already exists\n")
        return 1
    if "name" not in metadata:
        number = sum(1 for _ in (HOME / "created").open())
        metadata["name"] = f"{metadata['generateName']}{number:05}"
    metadata["uid"] = f"uid-{metadata['name']}"
    if document["kind"] == "Job":
        metadata.setdefault("namespace", "builds")
        for kind in KINDS:
            told = "".join(_stream(kind, document, plan))
            with (HOME / f"{kind}.stream").open("a") as file:
                file.write(told)
    kind = document["kind"].lower()
    (HOME / f"{kind}-{metadata['name']}.json").write_text(json.dumps(document))
    _tell(json.dumps(document, indent=4))
    return 0


def _stream(kind: str, job: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    """What is told of *kind* about a new *job*: of each index, what its kind of outcome is."""
    count = job["spec"].get("completions", 1)
    name = job["metadata"]["name"]
    if "whole" in plan:
        texts = plan["whole"].get(kind, [])
        return [_pretty(text, name, 0, count) for text in texts]
    bad = plan.get("bad", {})
    works = _works(job)
    if kind != "pods":
        failed = [number for number, target in enumerate(works) if target in bad]
        key = f"{kind}-failed" if failed else kind
        spans = ",".join(map(str, failed))
        return [
            _pretty(text, name, 0, count, spans).replace("@TARGET@", "")
            for text in plan["each"].get(key, [])
        ]
    return [
        _pretty(text, name, number, count).replace("@TARGET@", works[number])
        for number in range(count)
        for text in plan["each"][bad.get(works[number], "pods")]
    ]


def _works(job: dict[str, Any]) -> list[str]:
    for container in job["spec"]["template"]["spec"]["containers"]:
        for one in container.get("env", ()):
            if one["name"] == "ARTIFICER_JOB":
                return [work["target"] for work in json.loads(one["value"])]
    return [""] * int(job["spec"].get("completions", 1))


def _pretty(text: str, job: str, number: int, count: int, failed: str = "") -> str:
    for word, value in (
        ("@JOB@", job),
        ("@INDEX@", str(number)),
        ("@ALL@", f"0-{count - 1}"),
        ("@FAILED@", failed),
        ('"@COUNT@"', str(count)),
    ):
        text = text.replace(word, value)
    return text


def get(words: list[str], plan: dict[str, Any]) -> int:
    kind = words[1]
    if "--ignore-not-found" in words:
        name = words[2]
        known = _latest(kind).get(name) or plan.get("objects", {}).get(f"{kind}/{name}")
        kept = HOME / f"{kind.removesuffix('s')}-{name}.json"
        if kept.exists():
            # What was created has the words of the pods; what is told of it has its status.
            known = {**json.loads(kept.read_text()), "status": (known or {}).get("status", {})}
        if known is not None:
            _tell(json.dumps(known, indent=4))
        return 0
    if kind in plan.get("lists", {}):
        _tell(json.dumps({"kind": "List", "items": plan["lists"][kind]}))
        return 0
    items = list(_latest(kind).values())
    if kind == "jobs":
        items = [
            {
                **json.loads(path.read_text()),
                "status": _latest(kind).get(path.stem[4:], {}).get("status", {}),
            }
            for path in sorted(HOME.glob("job-*.json"))
        ]
    _tell(json.dumps({"kind": "List", "items": items}, indent=4))
    return 0


def watch(words: list[str], plan: dict[str, Any]) -> int:
    kind = words[1]
    counter = HOME / f"{kind}.streams"
    number = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(number + 1))
    breaks = plan.get("breaks", {}).get(kind, [])
    left = breaks[number] if number < len(breaks) else None
    seen = HOME / f"{kind}.seen"
    told = int(seen.read_text()) if seen.exists() else 0
    if told:
        for one in _latest(kind, told).values():
            _say({"type": "ADDED", "object": one})
    for at, text in enumerate(_followed(kind)):
        if at < told:
            continue
        if left is not None and at - told >= left:
            sys.stderr.write("error: unexpected EOF\n")
            return 1
        sys.stdout.write(text)
        sys.stdout.flush()
        seen.write_text(str(at + 1))
    return 0


def _say(document: dict[str, Any]) -> None:
    _tell(json.dumps(document, indent=4))


def _latest(kind: str, first: int | None = None) -> dict[str, Any]:
    """The objects that are there after *first* changes."""
    found: dict[str, Any] = {}
    path = HOME / f"{kind}.stream"
    if not path.exists():
        return found
    for text in _documents(path.read_text())[:first]:
        change = json.loads(text)
        name = change["object"]["metadata"]["name"]
        if change["type"] == "DELETED":
            found.pop(name, None)
        else:
            found[name] = change["object"]
    return found


def _documents(text: str) -> list[str]:
    return [f"{one}\n}}\n" for one in text.split("\n}\n") if one.strip()]


def _followed(kind: str) -> Iterator[str]:
    path = HOME / f"{kind}.stream"
    parts: list[str] = []
    while not path.exists():
        time.sleep(0.02)
    with path.open() as file:
        while True:
            line = file.readline()
            if not line.endswith("\n"):
                time.sleep(0.02)
                if line:
                    parts.append(line)
                continue
            parts.append(line)
            if line == "}\n":
                yield "".join(parts)
                parts = []


def logs(words: list[str], plan: dict[str, Any]) -> int:
    pod, container = words[3], words[5]
    since = next((word.split("=", 1)[1] for word in words if word.startswith("--since-time")), "")
    lines = plan.get("logs", {}).get(container, [])
    counter = HOME / f"{pod}-{container}.streams"
    number = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(number + 1))
    breaks = plan.get("breaks", {}).get("logs", [])
    left = breaks[number] if number < len(breaks) else len(lines)
    for at, line in enumerate(lines):
        if since and line.split(" ")[0][:19] < since[:19]:
            continue
        if at >= left:
            sys.stderr.write("error: unexpected EOF\n")
            return 1
        _tell(line)
    return 0


def delete(words: list[str], plan: dict[str, Any]) -> int:
    (HOME / f"{words[1].removesuffix('s')}-{words[2]}.json").unlink(missing_ok=True)
    _tell(f'{words[1]} "{words[2]}" deleted')
    return 0


def wait(words: list[str], plan: dict[str, Any]) -> int:
    time.sleep(plan.get("delete-seconds", 0))
    return 0


def apply(words: list[str], plan: dict[str, Any]) -> int:
    document = json.load(sys.stdin)
    _tell(f"{document['kind'].lower()}/{document['metadata']['name']}")
    return 0


def auth(words: list[str], plan: dict[str, Any]) -> int:
    sub = next((word.split("=")[1] for word in words if word.startswith("--subresource=")), "")
    asked = f"{words[2]} {words[3]}{f'/{sub}' if sub else ''}"
    allowed = asked not in plan.get("denied", [])
    _tell("yes" if allowed else "no")
    return 0 if allowed else 1


def label(words: list[str], plan: dict[str, Any]) -> None:
    """Nobody looks at labels."""


def version(words: list[str], plan: dict[str, Any]) -> int:
    _tell(json.dumps({"serverVersion": {"gitVersion": plan.get("version", "v1.36.2")}}))
    return 0


def config(words: list[str], plan: dict[str, Any]) -> int:
    sys.stdout.write(plan.get("namespace", "builds"))
    return 0


VERBS = {
    "apply": apply,
    "auth": auth,
    "config": config,
    "create": create,
    "delete": delete,
    "get": get,
    "label": label,
    "logs": logs,
    "version": version,
    "wait": wait,
    "watch": watch,
}

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
