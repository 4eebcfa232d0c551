"""What may be done on a cluster, found out by one question where the server answers it."""

from collections.abc import Iterator
from typing import Any

import pytest

from artificer.events import Event, Warned
from artificer.kubernetes.cluster import Document, Forbidden, Kind, LogLine, Selector
from artificer.kubernetes.doctor import examined, preflight
from artificer.kubernetes.job import Job, JobOptions, RegistryAccess, Security, Work, Workspace

SUBMITTER = [
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["*"]},
    {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
]


class Server:
    """A cluster that knows rules, and lets nobody look at anything."""

    def __init__(self, rules: list[Any], *, incomplete: bool = False) -> None:
        self.status = {"resourceRules": rules, "incomplete": incomplete}
        self.asked: list[str] = []

    def create(self, document: Document, *, dry_run: bool = False) -> Document:
        self.asked.append(document["kind"])
        if document["kind"] == "Pod":
            raise Forbidden("not allowed: pods")
        return {**document, "status": self.status}

    def find(self, kind: Kind, name: str) -> Document | None:
        raise Forbidden(f"not allowed: {kind} {name}")

    def listed(self, kind: Kind, selector: Selector) -> tuple[Document, ...]:
        raise Forbidden(f"not allowed: {kind} {selector}")

    def watch(self, kind: Kind, selector: Selector) -> Any:
        raise AssertionError

    def logs(self, pod: str, container: str, since: str) -> Iterator[LogLine]:
        raise AssertionError

    def delete(self, kind: Kind, name: str) -> None:
        raise AssertionError

    def may(self, verb: str, resource: str) -> bool:
        self.asked.append(f"{verb} {resource}")
        return resource != "events"

    def version(self) -> str:
        return "v1.36.2"

    def namespace(self) -> str:
        return "builds"

    def close(self) -> None:
        pass


def job(secret: str = "regcred") -> Job:
    options = JobOptions("builder", "x", registry=RegistryAccess(secret), security=Security())
    return Job(options, (Work("t", ("version",)),), Workspace())


def test_who_may_do_all_is_asked_once() -> None:
    server, events = Server(SUBMITTER), list[Event]()

    preflight(server, job(), events.append)

    assert server.asked == ["SelfSubjectRulesReview"]
    assert events == []


def test_what_is_missing_is_named() -> None:
    with pytest.raises(Forbidden) as caught:
        preflight(Server(SUBMITTER[:2]), job(), lambda _: None)

    assert caught.value.message == "in the namespace builds you may not get pods/log"


def test_rights_to_single_objects_are_not_enough() -> None:
    rules = [{**SUBMITTER[0], "resourceNames": ["mine"]}, *SUBMITTER[1:]]

    with pytest.raises(Forbidden, match="create, get, list, watch, delete jobs"):
        preflight(Server(rules), job(), lambda _: None)


def test_a_server_that_does_not_know_all_rules_is_asked_for_each() -> None:
    server = Server([], incomplete=True)

    with pytest.raises(Forbidden, match="you may not list, watch events"):
        preflight(server, job(), lambda _: None)

    assert "create jobs" in server.asked


def test_pods_without_credentials_are_warned_of() -> None:
    events = list[Event]()

    preflight(Server(SUBMITTER), job(""), events.append)

    assert [type(event) for event in events] == [Warned]


def test_what_a_submitter_may_not_look_at_is_no_failure() -> None:
    found = list(examined(Server(SUBMITTER), job()))

    assert [(one.topic, one.state) for one in found] == [
        ("server", "ok"),
        ("namespace", "warn"),
        ("permissions", "ok"),
        ("pod", "warn"),
        ("secret", "warn"),
        ("user namespaces", "warn"),
    ]
    assert "they are usual in this version" in found[-1].text


class Mine(Server):
    """A cluster that lets us do anything, and has no node; *fs_group* is what it gives pods."""

    def __init__(self, fs_group: int | None) -> None:
        super().__init__(SUBMITTER)
        self._group = {} if fs_group is None else {"fsGroup": fs_group}

    def create(self, document: Document, *, dry_run: bool = False) -> Document:
        if document["kind"] != "Pod":
            return super().create(document)
        security = {**document["spec"]["securityContext"], **self._group}
        return {**document, "spec": {**document["spec"], "securityContext": security}}

    def find(self, kind: Kind, name: str) -> Document | None:
        return None

    def listed(self, kind: Kind, selector: Selector) -> tuple[Document, ...]:
        return ()


def test_what_is_not_there_is_named() -> None:
    found = list(examined(Mine(None), job()))

    assert [one.text for one in found if one.state == "fail"] == [
        "there is no namespace builds",
        "there is no Secret regcred",
    ]
    assert found[-1].text == "there is no node yet that could have them"
