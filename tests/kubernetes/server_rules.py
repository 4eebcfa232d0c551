"""What a server refuses and its schema does not: found in a manifest as a list of sentences."""

import json
import re
from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OBJECT_BYTES = 1024 * 1024


def problems(document: Document) -> list[str]:
    """What is wrong with *document*, a Job or a ConfigMap."""
    found = list(_of_any(document))
    if document["kind"] == "Job":
        found += _of_job(document)
        found += _of_pod(document["spec"]["template"]["spec"])
    return found


def restricted(document: Document) -> list[str]:
    """Why the restricted Pod Security Standard would forbid the pods of a Job."""
    pod = document["spec"]["template"]["spec"]
    found = []
    security = pod["securityContext"]
    if security.get("runAsNonRoot") is not True or security.get("runAsUser") == 0:
        found.append("root")
    if security.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        found.append("seccomp")
    for container in _containers(pod):
        own = container["securityContext"]
        if own.get("allowPrivilegeEscalation") is not False:
            found.append(f"{container['name']}: escalation")
        if own["capabilities"] != {"drop": ["ALL"]}:
            found.append(f"{container['name']}: capabilities")
    kinds = {"configMap", "emptyDir", "image", "persistentVolumeClaim", "projected", "secret"}
    found += [f"volume {one['name']}" for one in pod["volumes"] if not kinds & one.keys()]
    return [*found, *(key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key))]


def _of_any(document: Document) -> Iterator[str]:
    metadata = document["metadata"]
    name = metadata.get("name") or f"{metadata['generateName']}12345"
    if not _LABEL.fullmatch(name):
        yield f"name {name}"
    if len(json.dumps(document)) > _OBJECT_BYTES:
        yield "too large"


def _of_job(document: Document) -> Iterator[str]:
    spec, pod = document["spec"], document["spec"]["template"]["spec"]
    name = document["metadata"].get("name") or f"{document['metadata']['generateName']}12345"
    if not _LABEL.fullmatch(f"{name}-{spec['completions'] - 1}"):
        yield "no host name of the last pod"
    if pod["restartPolicy"] != "Never":
        yield "podFailurePolicy needs the restartPolicy Never"
    names = {one["name"] for one in _containers(pod)}
    for rule in spec["podFailurePolicy"]["rules"]:
        codes = rule.get("onExitCodes")
        if codes and codes["containerName"] not in names:
            yield f"a rule for {codes['containerName']}"
        if codes and codes["values"] != sorted(set(codes["values"])):
            yield "exit codes are not ordered"
    if not 0 <= spec["maxFailedIndexes"] <= spec["completions"] <= 100_000:
        yield "maxFailedIndexes"
    labels = spec["template"]["metadata"]["labels"]
    if any(not len(value) <= 63 for value in labels.values()):
        yield "a label's value is long"


def _of_pod(pod: Document) -> Iterator[str]:
    volumes = [one["name"] for one in pod["volumes"]]
    if len(volumes) != len(set(volumes)):
        yield "two volumes of one name"
    mounted = set()
    for container in _containers(pod):
        mounts = container["volumeMounts"]
        mounted |= {one["name"] for one in mounts}
        places = [one["mountPath"] for one in mounts]
        if len(places) != len(set(places)):
            yield f"{container['name']}: two mounts at one place"
        names = [one["name"] for one in container["env"]]
        if len(names) != len(set(names)):
            yield f"{container['name']}: a variable twice"
        if any(len(one.get("value", "")) > 128 * 1024 - 100 for one in container["env"]):
            yield f"{container['name']}: a variable that Linux refuses"
        if not container.get("securityContext", {}).get("readOnlyRootFilesystem"):
            yield f"{container['name']}: a writable root"
    if mounted != set(volumes):
        yield f"volumes and mounts differ: {mounted ^ set(volumes)}"


def _containers(pod: Document) -> list[Document]:
    return [*pod.get("initContainers", []), *pod["containers"]]
