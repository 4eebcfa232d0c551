"""The pods of a Job: their containers, and who these are."""

from typing import Any, NamedTuple

from artificer.kubernetes.job import (
    BUILD_CONTAINER,
    HOME_DIRECTORY,
    INDEX_WORDS,
    REGISTRY_DIRECTORY,
    SOURCE_CONTAINER,
    WORK_DIRECTORY,
    WORK_FILE,
    WORK_FILE_VARIABLE,
    WORK_VARIABLE,
    Job,
    Placement,
    RegistryAccess,
    Resources,
    Security,
    Variable,
)
from artificer.kubernetes.source import fetch_words, working_directory
from artificer.kubernetes.volumes import build_mounts, source_mounts, volumes

Document = dict[str, Any]

# What the baseline Pod Security Standard lets a container ask for; NET_RAW is not among it.
_CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)


class Given(NamedTuple):
    """How the pod is told its work: the text itself, or the ConfigMap with it."""

    text: str = ""
    config_map: str = ""


def pod_spec(job: Job, given: Given) -> Document:
    """The pod's specification, its words in the order in which people read them."""
    options = job.options
    account = {"serviceAccountName": options.service_account} if options.service_account else {}
    return {
        **account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,  # a build's environment is no list of the cluster's services
        "restartPolicy": "Never",  # podFailurePolicy asks for it
        "terminationGracePeriodSeconds": options.pace.grace,
        **_user_namespace(options.security),
        "securityContext": _pod_security(options.security),
        **_pull_secrets(options.registry),
        **_placement(options.placement),
        **({"initContainers": [_source_container(job)]} if job.fetches else {}),
        "containers": [_build_container(job, given)],
        "volumes": volumes(job, given.config_map),
    }


def _user_namespace(security: Security) -> Document:
    shared = security.host_users or security.commands == "chroot"
    return {} if shared else {"hostUsers": False}


def _pod_security(security: Security) -> Document:
    profile = {"seccompProfile": {"type": "RuntimeDefault"}}
    if security.commands == "chroot":
        return {"runAsUser": 0, "runAsGroup": 0, **profile}
    if security.commands == "namespaces":
        return {"runAsUser": 0, "runAsGroup": 0}
    user = {} if security.user is None else {"runAsUser": security.user}
    group = (
        {} if security.group is None else {"runAsGroup": security.group, "fsGroup": security.group}
    )
    return {"runAsNonRoot": True, **user, **group, **profile}


def _container_security(security: Security) -> Document:
    added = {} if security.commands == "none" else {"add": list(_CAPABILITIES)}
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], **added},
    }


def _pull_secrets(registry: RegistryAccess) -> Document:
    if not registry.pull_secrets:
        return {}
    return {"imagePullSecrets": [{"name": name} for name in registry.pull_secrets]}


def _placement(placement: Placement) -> Document:
    found: Document = {}
    if placement.node_selector:
        found["nodeSelector"] = dict(placement.node_selector)
    if placement.tolerations:
        found["tolerations"] = [
            {
                **({"key": one.key} if one.key else {}),
                "operator": "Exists" if one.value is None else "Equal",
                **({} if one.value is None else {"value": one.value}),
                **({"effect": one.effect} if one.effect else {}),
            }
            for one in placement.tolerations
        ]
    if placement.priority_class:
        found["priorityClassName"] = placement.priority_class
    if placement.runtime_class:
        found["runtimeClassName"] = placement.runtime_class
    return found


def _source_container(job: Job) -> Document:
    fetching = job.options.security._replace(commands="none")
    return {
        "name": SOURCE_CONTAINER,
        "image": job.options.image,
        "command": [_literal(word) for word in fetch_words(job.source)],
        # Proxies and authorities are for this container, too; secrets of the build are not.
        "env": _environment(job, tuple(one for one in job.options.env if not one.secret)),
        "resources": _resources(job.options.resources),
        "securityContext": _container_security(fetching),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": source_mounts(job),
    }


def _build_container(job: Job, given: Given) -> Document:
    options = job.options
    from_secrets = [{"secretRef": {"name": name}} for name in options.env_from_secrets]
    told = Variable(WORK_VARIABLE, given.text)
    if given.config_map:
        told = Variable(WORK_FILE_VARIABLE, f"{WORK_DIRECTORY}/{WORK_FILE}")
    return {
        "name": BUILD_CONTAINER,
        "image": options.image,
        "command": ["artificer", *INDEX_WORDS],
        "workingDir": working_directory(job.source),
        "env": _environment(job, (*options.env, told)),
        **({"envFrom": from_secrets} if from_secrets else {}),
        "resources": _resources(options.resources),
        "securityContext": _container_security(options.security),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": build_mounts(job, given.config_map),
    }


def _environment(job: Job, more: tuple[Variable, ...]) -> list[Document]:
    own = [Variable("HOME", HOME_DIRECTORY)]
    if job.options.registry.secret:
        own.append(Variable("DOCKER_CONFIG", REGISTRY_DIRECTORY))
    return [_variable(one) for one in (*own, *more)]


def _variable(one: Variable) -> Document:
    if not one.secret:
        return {"name": one.name, "value": _literal(one.value)}
    source = {"secretKeyRef": {"name": one.secret, "key": one.key}}
    return {"name": one.name, "valueFrom": source}


def _literal(text: str) -> str:
    """*text* so that Kubernetes, which expands ``$(NAME)`` and ``$$``, makes it what it was."""
    return text.replace("$", "$$")


def _resources(resources: Resources) -> Document:
    storage = {"ephemeral-storage": resources.storage} if resources.storage else {}
    processors = {"cpu": resources.cpu_limit} if resources.cpu_limit else {}
    return {
        "requests": {"cpu": resources.cpu, "memory": resources.memory, **storage},
        "limits": {**processors, "memory": resources.memory_limit, **storage},
    }
