"""What a cluster knows: objects, and every change of one, in the order in which they happened."""

import copy
import itertools
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

Document = dict[str, Any]


class Key(NamedTuple):
    """Where an object is; what is of no namespace has an empty one."""

    kind: str
    namespace: str
    name: str


class Refusal(Exception):
    """An answer that is not a good one."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {}}
        self.code = code
        self.status = {**status, "reason": reason, "message": message, "code": code}


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


class World:
    """All objects. Whoever waits for *changed* hears of every change."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.objects: dict[Key, Document] = {}
        self.history: list[tuple[int, str, Key, Document]] = []
        self.over = False
        self._versions = itertools.count(1)
        self.version = 0

    def create(self, kind: str, namespace: str, document: Document) -> Document:
        """Keep a new object, named by us if it wants that."""
        document = copy.deepcopy(document)
        about = document.setdefault("metadata", {})
        if "name" not in about:
            about["name"] = about["generateName"] + secrets.token_hex(3)[:5]
        key = Key(kind, namespace, about["name"])
        with self.changed:
            if key in self.objects:
                said = f'{kind} "{key.name}" already exists'
                raise Refusal(409, "AlreadyExists", said)
            about.update(uid=secrets.token_hex(16), creationTimestamp=now())
            if namespace:
                about["namespace"] = namespace
            return self._put("ADDED", key, document)

    def get(self, key: Key) -> Document | None:
        with self.changed:
            found = self.objects.get(key)
            return None if found is None else copy.deepcopy(found)

    def all(self, kind: str, namespace: str = "") -> list[tuple[Key, Document]]:
        with self.changed:
            return [
                (key, copy.deepcopy(one))
                for key, one in self.objects.items()
                if key.kind == kind and namespace in {"", key.namespace}
            ]

    def change(self, key: Key, how: Callable[[Document], object]) -> None:
        """Let *how* change the object, if it is there; nobody hears of what changes nothing."""
        with self.changed:
            old = self.objects.get(key)
            if old is not None:
                new = copy.deepcopy(old)
                how(new)
                if new != old:
                    self._put("MODIFIED", key, new)

    def remove(self, key: Key) -> None:
        with self.changed:
            found = self.objects.get(key)
            if found is not None:
                self._put("DELETED", key, copy.deepcopy(found))
                del self.objects[key]

    def mark_deleted(self, key: Key) -> None:
        """Tell who looks after the object that it has to go."""
        self.change(key, lambda one: one["metadata"].setdefault("deletionTimestamp", now()))

    def event(self, about: Document, kind: str, reason: str, message: str) -> None:
        """Something that is not as it should be with the object *about*."""
        metadata = about["metadata"]
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name']}."},
            "involvedObject": {"kind": kind, "name": metadata["name"], "uid": metadata["uid"]},
            "type": "Warning",
            "reason": reason,
            "message": message,
        }
        self.create("events", metadata["namespace"], event)

    def pause(self, seen: int) -> None:
        """Wait a moment, and longer if nothing has changed since the version *seen*."""
        time.sleep(0.05)
        with self.changed:
            if self.version == seen:
                self.changed.wait(0.5)

    def news(self, since: int) -> Iterator[tuple[int, str, Key, Document] | None]:
        """Every change after *since*, for ever; None when nothing happened for a while."""
        at = 0
        while not self.over:
            with self.changed:
                if at == len(self.history):
                    self.changed.wait(0.5)
                found = self.history[at:]
                at = len(self.history)
            yield from (one for one in found if one[0] > since)
            if not found:
                yield None

    def _put(self, change: str, key: Key, document: Document) -> Document:
        self.version = next(self._versions)
        document["metadata"]["resourceVersion"] = str(self.version)
        self.objects[key] = document
        self.history.append((self.version, change, key, copy.deepcopy(document)))
        self.changed.notify_all()
        return copy.deepcopy(document)
