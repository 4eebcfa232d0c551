"""The volumes of a Job's pods, and where its containers see them."""

from collections.abc import Iterator
from typing import Any

from artificer.kubernetes.job import (
    GIT_DIRECTORY,
    HOME_DIRECTORY,
    REGISTRY_DIRECTORY,
    SOURCE_DIRECTORY,
    TOKEN_DIRECTORY,
    WORK_DIRECTORY,
    WORK_VOLUME,
    GitSource,
    Job,
    Security,
    Volume,
    Workspace,
)

Document = dict[str, Any]

_FOR_THE_GROUP = 0o440
_FOR_ALL = 0o444
_TOKEN_SECONDS = 3600


def volumes(job: Job, config_map: str) -> list[Document]:
    """All volumes; the work is in *config_map* if that is named."""
    return list(_volumes(job, config_map))


def source_mounts(job: Job) -> list[Document]:
    """What the container that fetches the source sees."""
    found = [*_workspace_mounts(job), *_writable_mounts(), *_registry_mounts(job)]
    if _git_secret(job):
        found.append({"name": "git", "mountPath": GIT_DIRECTORY, "readOnly": True})
    return [*found, *_extra_mounts(job)]


def build_mounts(job: Job, config_map: str) -> list[Document]:
    """What the container that builds sees: not the secret for git."""
    found = [*_workspace_mounts(job), *_writable_mounts(), *_registry_mounts(job)]
    if config_map:
        found.append({"name": WORK_VOLUME, "mountPath": WORK_DIRECTORY, "readOnly": True})
    return [*found, *_extra_mounts(job)]


def _volumes(job: Job, config_map: str) -> Iterator[Document]:
    resources, mode = job.options.resources, _mode_of(job.options.security)
    if job.fetches:
        yield _empty("workspace", resources.workspace_size)
    elif isinstance(job.source, Workspace) and job.source.claim:
        yield _claim("workspace", job.source.claim, read_only=not job.source.writable)
    yield _empty("home", resources.home_size)
    yield _empty("tmp", resources.tmp_size)
    registry = job.options.registry
    if registry.secret:
        items = [{"key": ".dockerconfigjson", "path": "config.json"}]
        # A build whose Secret is missing says so itself; its pod would wait without a word.
        secret = {"name": registry.secret, "items": items, "optional": True}
        yield _projected("registry", {"secret": secret}, mode)
    if registry.audience:
        token = {
            "path": "token",
            "audience": registry.audience,
            "expirationSeconds": _TOKEN_SECONDS,
        }
        yield _projected("tokens", {"serviceAccountToken": token}, mode)
    if name := _git_secret(job):
        yield {"name": "git", "secret": {"secretName": name, "defaultMode": mode}}
    if config_map:
        yield {"name": WORK_VOLUME, "configMap": {"name": config_map}}
    for number, volume in enumerate(job.options.volumes):
        yield _extra(f"extra-{number}", volume, mode)


def _mode_of(security: Security) -> int:
    """Of the files of Secrets: for the pod's `fsGroup`, or for root; without one, for whoever."""
    grouped = security.group is not None or security.commands != "none"
    return _FOR_THE_GROUP if grouped else _FOR_ALL


def _extra(name: str, volume: Volume, mode: int) -> Document:
    match volume.kind:
        case "claim":
            return _claim(name, volume.origin, read_only=volume.read_only)
        case "configmap":
            return {"name": name, "configMap": {"name": volume.origin}}
        case "secret":
            return {"name": name, "secret": {"secretName": volume.origin, "defaultMode": mode}}
        case "empty":
            return _empty(name, volume.origin)
        case "memory":
            limit = {"sizeLimit": volume.origin} if volume.origin else {}
            return {"name": name, "emptyDir": {"medium": "Memory", **limit}}
        case "image":
            return {"name": name, "image": {"reference": volume.origin}}


def _extra_mounts(job: Job) -> list[Document]:
    return [
        {
            "name": f"extra-{number}",
            "mountPath": volume.path,
            **({"readOnly": True} if _is_read_only(volume) else {}),
        }
        for number, volume in enumerate(job.options.volumes)
    ]


def _is_read_only(volume: Volume) -> bool:
    return volume.read_only or volume.kind in {"configmap", "secret", "image"}


def _empty(name: str, size: str) -> Document:
    return {"name": name, "emptyDir": {"sizeLimit": size} if size else {}}


def _claim(name: str, claim: str, *, read_only: bool) -> Document:
    only = {"readOnly": True} if read_only else {}
    return {"name": name, "persistentVolumeClaim": {"claimName": claim, **only}}


def _projected(name: str, source: Document, mode: int) -> Document:
    return {"name": name, "projected": {"defaultMode": mode, "sources": [source]}}


def _git_secret(job: Job) -> str:
    return job.source.secret if isinstance(job.source, GitSource) else ""


def _workspace_mounts(job: Job) -> list[Document]:
    if not isinstance(job.source, Workspace):
        return [{"name": "workspace", "mountPath": SOURCE_DIRECTORY}]
    if not job.source.claim:
        return []
    sub = {"subPath": job.source.sub_path} if job.source.sub_path else {}
    only = {} if job.source.writable else {"readOnly": True}
    return [{"name": "workspace", "mountPath": job.source.directory, **sub, **only}]


def _writable_mounts() -> list[Document]:
    return [
        {"name": "home", "mountPath": HOME_DIRECTORY},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 – the pod's own
    ]


def _registry_mounts(job: Job) -> list[Document]:
    registry = job.options.registry
    found = []
    if registry.secret:
        found.append({"name": "registry", "mountPath": REGISTRY_DIRECTORY, "readOnly": True})
    if registry.audience:
        found.append({"name": "tokens", "mountPath": TOKEN_DIRECTORY, "readOnly": True})
    return found
