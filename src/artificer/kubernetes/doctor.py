"""Whether a cluster can do what is wanted of it: found out before anything starts."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from artificer.errors import ArtificerError
from artificer.events import Report, Warned
from artificer.kubernetes.cluster import (
    Cluster,
    Document,
    Forbidden,
    Full,
    Kind,
    NotFound,
    Refused,
    Selector,
)
from artificer.kubernetes.job import Job
from artificer.kubernetes.manifest import ARCH, manifest

_NEEDED = (
    ("create", "jobs"),
    ("get", "jobs"),
    ("list", "jobs"),
    ("watch", "jobs"),
    ("delete", "jobs"),
    ("list", "pods"),
    ("watch", "pods"),
    ("get", "pods/log"),
    ("list", "events"),
    ("watch", "events"),
)
_GROUPS = {"jobs": "batch"}
_OLDEST = (1, 29)
_USER_NAMESPACES = (1, 33)
_PUSHES = "kubernetes.io/dockerconfigjson"
_LEVEL = "pod-security.kubernetes.io/enforce"
_SINGLE = {
    "namespaces": "namespace",
    "secrets": "Secret",
    "serviceaccounts": "ServiceAccount",
}
_EVERY = Selector()
_VERSION = re.compile(r"v?(\d+)\.(\d+)")


class Checked(NamedTuple):
    """One thing that was looked at, and what to do about it."""

    topic: str
    state: Literal["ok", "warn", "fail"]
    text: str
    hint: str = ""


def preflight(cluster: Cluster, job: Job, report: Report) -> None:
    """Raise what would certainly go wrong with *job*, at the price of one request."""
    missing = _missing(cluster)
    if missing:
        raise Forbidden(
            f"in the namespace {cluster.namespace()} you may not {_told(missing)}",
            hint="a Role for whoever submits is in the guide (docs/guides/kubernetes.md); "
            "`artificer job doctor` looks further, `--no-preflight` tries anyhow",
        )
    if not job.options.registry.secret and not job.options.service_account:
        hint = "`artificer job secret` makes one for `--registry-secret`; or `--service-account`"
        report(Warned("the pods have no credentials for registries", hint))


def examined(cluster: Cluster, job: Job, architectures: Sequence[str] = ()) -> Iterator[Checked]:
    """All that can be said of the cluster; *job* is one like those that are meant.

    There should be nodes of each of the *architectures*.
    """
    version = cluster.version()
    yield _version(version, job)
    namespace = cluster.namespace()
    yield _namespace(cluster, namespace)
    missing = _missing(cluster)
    yield (
        Checked("permissions", "ok", "jobs, pods, logs and events: all that a submitter needs")
        if not missing
        else Checked(
            "permissions",
            "fail",
            f"not allowed to {_told(missing)}",
            "a Role for whoever submits is in the guide (docs/guides/kubernetes.md)",
        )
    )
    yield _pod(cluster, job, namespace)
    if job.options.service_account:
        yield _account(cluster, job.options.service_account)
    for name in (job.options.registry.secret, *job.options.registry.pull_secrets):
        if name:
            yield _secret(cluster, name)
    own_users = not job.options.security.host_users
    nodes = _nodes(cluster) if own_users or architectures else None
    if own_users:
        yield _user_namespaces(nodes, version)
    if architectures:
        yield _architectures(nodes, architectures)


def _numbers(version: str) -> tuple[int, int]:
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _version(version: str, job: Job) -> Checked:
    numbers = _numbers(version)
    if numbers < _OLDEST:
        return Checked(
            "server", "fail", f"{version} has no retries for each index", "1.29 or newer is needed"
        )
    if numbers < _USER_NAMESPACES and not job.options.security.host_users:
        return Checked(
            "server", "warn", f"{version} may have no user namespaces for pods", "`--host-users`"
        )
    return Checked("server", "ok", version)


def _namespace(cluster: Cluster, name: str) -> Checked:
    found = _looked(cluster, "namespaces", name)
    if isinstance(found, Checked):
        return found
    labels = found.get("metadata", {}).get("labels", {})
    level = labels.get(_LEVEL, "privileged, as nothing is said")
    return Checked("namespace", "ok", f"{name}; Pod Security level: {level}")


def _looked(cluster: Cluster, kind: Kind, name: str) -> "Document | Checked":
    """The object, or why it cannot be looked at."""
    topic = {"namespaces": "namespace", "secrets": "secret", "serviceaccounts": "account"}[kind]
    try:
        found = cluster.find(kind, name)
    except Forbidden:
        return Checked(topic, "warn", f"{name}: {kind} cannot be looked at by you")
    if found is None:
        hints = {
            "namespaces": "name another with `--namespace`, or create it",
            "secrets": f"make it: `artificer job secret --name {name} …`",
            "serviceaccounts": "create it, or name another with `--service-account`",
        }
        return Checked(topic, "fail", f"there is no {_SINGLE[kind]} {name}", hints[kind])
    return found


def _pod(cluster: Cluster, job: Job, namespace: str) -> Checked:
    """Whether a pod of the Job would be let in: of a Job itself, Pod Security only warns."""
    template = manifest(job)["spec"]["template"]
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "artificer-doctor", "namespace": namespace, **template["metadata"]},
        "spec": template["spec"],
    }
    try:
        cluster.create(document, dry_run=True)
    except Forbidden:
        hint = "with the right to create pods, a pod could be tried without running it"
        return Checked("pod", "warn", "whether pods are let in cannot be tried by you", hint)
    except Full as error:
        return Checked("pod", "warn", error.message, error.hint or "")
    except (Refused, NotFound) as error:
        return Checked("pod", "fail", error.message, error.hint or "")
    return Checked("pod", "ok", "a pod of such a Job is let in (tried, not run)")


def _account(cluster: Cluster, name: str) -> Checked:
    found = _looked(cluster, "serviceaccounts", name)
    return found if isinstance(found, Checked) else Checked("account", "ok", f"{name} is there")


def _secret(cluster: Cluster, name: str) -> Checked:
    found = _looked(cluster, "secrets", name)
    if isinstance(found, Checked):
        return found
    kind = found.get("type", "Opaque")
    if kind != _PUSHES:
        hint = f"it must be of the type {_PUSHES}: `artificer job secret` makes one"
        return Checked("secret", "fail", f"{name} is of the type {kind}", hint)
    return Checked("secret", "ok", f"{name} is of the type {kind}")


def _nodes(cluster: Cluster) -> tuple[Document, ...] | None:
    """The nodes; None if they cannot be looked at."""
    try:
        return cluster.listed("nodes", _EVERY)
    except Forbidden:
        return None


def _architectures(nodes: Sequence[Document] | None, wanted: Sequence[str]) -> Checked:
    if nodes is None:
        return Checked("nodes", "warn", "nodes cannot be looked at by you; `--native` needs them")
    count = Counter(node.get("metadata", {}).get("labels", {}).get(ARCH) for node in nodes)
    missing = [one for one in wanted if not count[one]]
    if missing:
        hint = "pods wait until there is one; without `--native` they go to any node"
        return Checked("nodes", "warn", f"there is no node of {', '.join(missing)}", hint)
    return Checked("nodes", "ok", ", ".join(f"{count[one]} of {one}" for one in wanted))


def _user_namespaces(nodes: Sequence[Document] | None, version: str) -> Checked:
    if nodes is None:
        known = _numbers(version) >= _USER_NAMESPACES
        told = "they are usual in this version" if known else "this version may have none"
        return Checked("user namespaces", "warn", f"nodes cannot be looked at by you; {told}")
    if not nodes:
        return Checked("user namespaces", "warn", "there is no node yet that could have them")
    able = sum(map(_has_user_namespaces, nodes))
    if able == len(nodes):
        return Checked("user namespaces", "ok", f"all {able} nodes have them")
    hint = "`--host-users` does without them; or choose nodes with `--node-selector`"
    return Checked("user namespaces", "warn", f"{able} of {len(nodes)} nodes have them", hint)


def _has_user_namespaces(node: Document) -> bool:
    handlers = node.get("status", {}).get("runtimeHandlers", ())
    return any(one.get("features", {}).get("userNamespaces") for one in handlers)


def _missing(cluster: Cluster) -> list[tuple[str, str]]:
    """What of `_NEEDED` is not allowed: by one question, or by many where that is not enough."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": cluster.namespace()},
    }
    try:
        status = cluster.create(review).get("status", {})
    except (Refused, Forbidden):
        status = {"incomplete": True}
    rules = status.get("resourceRules", ())
    missing = [one for one in _NEEDED if not any(_allows(rule, *one) for rule in rules)]
    if missing and (status.get("incomplete") or not rules):
        return [one for one in missing if not cluster.may(*one)]
    return missing


def _allows(rule: Document, verb: str, resource: str) -> bool:
    wanted = {
        "verbs": verb,
        "resources": resource,
        "apiGroups": _GROUPS.get(resource, ""),
    }
    if rule.get("resourceNames"):
        return False
    return all({value, "*"} & {*(rule.get(key) or ())} for key, value in wanted.items())


def _told(missing: list[tuple[str, str]]) -> str:
    resources: dict[str, list[str]] = {}
    for verb, resource in missing:
        resources.setdefault(resource, []).append(verb)
    return "; ".join(f"{', '.join(verbs)} {resource}" for resource, verbs in resources.items())


def sick(found: list[Checked]) -> ArtificerError | None:
    """An error if anything of *found* would stop a Job."""
    failed = [one for one in found if one.state == "fail"]
    if not failed:
        return None
    told = f"{len(failed)} problem{'s' if len(failed) > 1 else ''} found, see above"
    return Sick(told, hint=next((one.hint for one in failed if one.hint), None))


class Sick(ArtificerError):
    """A Job would not work."""
