"""What keeps pods out of a namespace: its Pod Security level, its ServiceAccounts."""

from collections.abc import Iterator

from tests.kubernetes.model.world import Document, Key, Refusal, World

_LEVEL = "pod-security.kubernetes.io/enforce"


def refused(world: World, pod: Document, namespace: str, name: str) -> None:
    """Raise why *pod* may not be in *namespace*, if it may not."""
    forbidden = f'pods "{name}" is forbidden: '
    account = pod["spec"].get("serviceAccountName", "default")
    if world.get(Key("serviceaccounts", namespace, account)) is None:
        said = f"error looking up service account {namespace}/{account}: "
        said += f'serviceaccount "{account}" not found'
        raise Refusal(403, "Forbidden", forbidden + said)
    about = world.get(Key("namespaces", "", namespace)) or {"metadata": {}}
    level = about["metadata"].get("labels", {}).get(_LEVEL)
    found = list(_violations(pod["spec"])) if level == "restricted" else []
    if found:
        said = f'violates PodSecurity "restricted:latest": {", ".join(found)}'
        raise Refusal(403, "Forbidden", forbidden + said)


def _violations(spec: Document) -> Iterator[str]:
    security = spec.get("securityContext", {})
    for one in (*spec.get("initContainers", ()), *spec["containers"]):
        own = one.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False:
            yield f'allowPrivilegeEscalation != false (container "{one["name"]}" must set it)'
        if own.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f'unrestricted capabilities (container "{one["name"]}" must set them)'
    if not security.get("runAsNonRoot"):
        yield "runAsNonRoot != true"
    if "seccompProfile" not in security:
        yield "seccompProfile"
