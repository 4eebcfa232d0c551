"""What kinds of objects a cluster has, as `kubectl` asks before anything else."""

from typing import Any

from tests.kubernetes.model.world import Document

GROUPS = {
    "v1": {
        "configmaps": "ConfigMap",
        "events": "Event",
        "namespaces": "Namespace",
        "nodes": "Node",
        "pods": "Pod",
        "secrets": "Secret",
        "serviceaccounts": "ServiceAccount",
    },
    "batch/v1": {"jobs": "Job"},
    "authorization.k8s.io/v1": {
        "selfsubjectaccessreviews": "SelfSubjectAccessReview",
        "selfsubjectrulesreviews": "SelfSubjectRulesReview",
    },
    "rbac.authorization.k8s.io/v1": {"rolebindings": "RoleBinding", "roles": "Role"},
}
_GLOBAL = {"namespaces", "nodes", "selfsubjectaccessreviews", "selfsubjectrulesreviews"}
_VERBS = ["create", "delete", "get", "list", "watch"]


def _resources(version: str) -> Document:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": [
            {
                "name": name,
                "singularName": kind.lower(),
                "namespaced": name not in _GLOBAL,
                "kind": kind,
                "verbs": _VERBS,
            }
            for name, kind in GROUPS[version].items()
        ],
    }


def schema(path: str) -> Document:
    """What says that the server checks fields: kubectl then leaves that to it."""
    group, _, version = path.removeprefix("apis/").removeprefix("api/").rpartition("/")
    kinds = GROUPS.get(f"{group}/{version}" if group else version, {})
    parameter: dict[str, Any] = {"name": "fieldValidation", "in": "query"}
    return {
        "openapi": "3.0.0",
        "info": {"title": "k", "version": "1"},
        "paths": {
            f"/{kind}": {
                "patch": {
                    "responses": {},
                    "parameters": [parameter],
                    "x-kubernetes-group-version-kind": {
                        "group": group,
                        "version": version,
                        "kind": kind,
                    },
                }
            }
            for kind in kinds.values()
        },
    }


def _groups() -> list[Document]:
    found = []
    for version in GROUPS:
        if "/" in version:
            about = {"groupVersion": version, "version": version.rpartition("/")[2]}
            name = version.partition("/")[0]
            found.append({"name": name, "versions": [about], "preferredVersion": about})
    return found


DISCOVERY: dict[str, Document] = {
    "/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.2"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups()},
    "/openapi/v3": {
        "paths": {
            f"{'apis/' if '/' in one else 'api/'}{one}": {
                "serverRelativeURL": f"/openapi/v3/{'apis/' if '/' in one else 'api/'}{one}"
            }
            for one in GROUPS
        }
    },
    **{f"/{'apis' if '/' in one else 'api'}/{one}": _resources(one) for one in GROUPS},
}
