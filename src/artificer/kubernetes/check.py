"""What a server would refuse, or take and never run: found before it is asked."""

import os
from collections.abc import Iterator

from artificer.errors import Misused
from artificer.kubernetes.job import (
    HOME_DIRECTORY,
    INDEX_VARIABLE,
    REGISTRY_DIRECTORY,
    SOURCE_DIRECTORY,
    TOKEN_DIRECTORY,
    WORK_DIRECTORY,
    WORK_FILE_VARIABLE,
    WORK_VARIABLE,
    GitSource,
    Job,
    JobOptions,
    Pace,
    Placement,
    Resources,
    Security,
    Toleration,
    Variable,
    Volume,
    Workspace,
)
from artificer.kubernetes.words import (
    LABEL_LENGTH,
    amount_of,
    is_label,
    is_label_value,
    is_name,
    is_qualified,
    is_variable,
)
from artificer.oci.reference import InvalidReference, parse_name

INDEXES = 100_000
"""Of one Job; Kubernetes has more only with few of them at once."""
SUFFIX = 5
"""Characters that a server puts behind `generate_name`."""

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OURS = ("batch.kubernetes.io/", "job-name", "controller-uid", "app.kubernetes.io/managed-by")
_TAKEN = {WORK_VARIABLE, WORK_FILE_VARIABLE, INDEX_VARIABLE, "HOME", "DOCKER_CONFIG"}
_USER_IDS = 2**31 - 1
_SECONDS = 2**31 - 1
_ANNOTATIONS = 256 * 1024


class InvalidJob(Misused):
    """A Job that no server would take, or that could never run."""


def check(job: Job) -> None:
    """Raise `InvalidJob` for what is wrong with *job*, the first thing first."""
    _check_works(job)
    _check_names(job)
    _check_marks(job.options)
    _check_pace(job.options.pace)
    _check_resources(job.options.resources)
    _check_security(job.options.security)
    _check_placement(job.options.placement)
    _check_variables(job.options)
    _check_volumes(job)
    _check_source(job)


def _check_works(job: Job) -> None:
    if not job.works:
        raise InvalidJob("a job without any target", hint="name a target, or a command line")
    if len(job.works) > INDEXES:
        raise InvalidJob(
            f"{len(job.works)} targets in one job, and Kubernetes has {INDEXES} at most",
            hint="name fewer of them, and make several jobs",
        )
    seen: set[str] = set()
    for work in job.works:
        if work.target in seen:
            raise InvalidJob(f"{work.target} is in the job twice", hint="name each target once")
        seen.add(work.target)


def _check_names(job: Job) -> None:
    options, digits = job.options, len(str(len(job.works) - 1))
    # A pod's host name is the Job's name and its index, and has to be a DNS label.
    room = LABEL_LENGTH - 1 - digits
    for option, name, longest in (
        ("--name", options.name, room),
        ("--generate-name", options.generate_name + "x", room - SUFFIX + 1),
    ):
        shown = name if option == "--name" else options.generate_name
        if name and (not is_label(name) or len(name) > longest):
            raise InvalidJob(
                f"{option} {shown}: no name of a job",
                hint=f"at most {longest} small letters, digits and dashes, a letter first",
            )
    _label("--namespace", options.namespace)
    for option, name in _named(job):
        _name(option, name)
    _image("--image", options.image)


def _named(job: Job) -> Iterator[tuple[str, str]]:
    options = job.options
    yield "--service-account", options.service_account
    yield "--registry-secret", options.registry.secret
    yield from (("--pull-secret", name) for name in options.registry.pull_secrets)
    yield from (("--env-from-secret", name) for name in options.env_from_secrets)
    yield from (("--env-secret", one.secret) for one in options.env)
    yield "--priority-class", options.placement.priority_class
    yield "--runtime-class", options.placement.runtime_class
    if isinstance(job.source, GitSource):
        yield "--git-secret", job.source.secret
    if isinstance(job.source, Workspace):
        yield "--workspace", job.source.claim


def _name(option: str, name: str) -> None:
    if name and not is_name(name):
        raise InvalidJob(
            f"{option} {name}: no name of an object",
            hint="small letters, digits, dashes and dots, as `kubectl get` lists it",
        )


def _label(option: str, name: str) -> None:
    if name and not is_label(name):
        raise InvalidJob(
            f"{option} {name}: no name of a namespace",
            hint=f"at most {LABEL_LENGTH} small letters, digits and dashes",
        )


def _image(option: str, text: str) -> None:
    try:
        parse_name(text)
    except InvalidReference as error:
        raise InvalidJob(f"{option} {text}: {error.message}", hint=error.hint) from error


def _check_marks(options: JobOptions) -> None:
    for key, value in options.labels:
        _key("--label", key)
        if not is_label_value(value):
            raise InvalidJob(
                f"--label {key}={value}: no value of a label",
                hint="at most 63 letters, digits, `-`, `_`, `.`; anything is an annotation's",
            )
        if key.startswith(_OURS):
            raise InvalidJob(
                f"--label {key}: it is set already", hint="choose a key with a domain of your own"
            )
    for key, _ in options.annotations:
        _key("--annotation", key)
    length = sum(len(key) + len(value.encode()) for key, value in options.annotations)
    if length > _ANNOTATIONS:
        raise InvalidJob(
            f"annotations of {length} bytes, and Kubernetes takes {_ANNOTATIONS}",
            hint="mount long texts from a ConfigMap with `--mount`",
        )
    if options.queue and not is_label_value(options.queue):
        raise InvalidJob(
            f"--queue {options.queue}: no name of a queue",
            hint="the LocalQueue of this namespace: `kubectl get localqueues`",
        )


def _key(option: str, key: str) -> None:
    if not is_qualified(key):
        raise InvalidJob(
            f"{option} {key}: no key",
            hint="at most 63 letters, digits, `-`, `_`, `.`; before them perhaps DOMAIN/",
        )


def _check_pace(pace: Pace) -> None:
    for option, number, least, most in (
        ("--parallelism", pace.parallelism, 1, INDEXES),
        ("--retries", pace.retries, 0, 1000),
        ("--max-failed", pace.max_failed or 0, 0, INDEXES),
        ("--deadline", pace.deadline, 1, _SECONDS),
        ("--keep", pace.keep or 0, 0, _SECONDS),
        ("--grace", pace.grace, 1, _SECONDS),
    ):
        if not least <= number <= most:
            raise InvalidJob(f"{option} {number}: not from {least} to {most}")


def _check_resources(resources: Resources) -> None:
    for option, text in (
        ("--cpu", resources.cpu),
        ("--memory", resources.memory),
        ("--cpu-limit", resources.cpu_limit),
        ("--memory-limit", resources.memory_limit),
        ("--storage", resources.storage),
        ("--workspace-size", resources.workspace_size),
        ("--home-size", resources.home_size),
        ("--tmp-size", resources.tmp_size),
    ):
        if text and not amount_of(text):
            raise InvalidJob(
                f"{option} {text}: no amount", hint="as Kubernetes writes it: 500m, 2, 512Mi, 2Gi"
            )
    for what, asked, limit in (
        ("cpu", resources.cpu, resources.cpu_limit),
        ("memory", resources.memory, resources.memory_limit),
    ):
        if limit and (amount_of(asked) or 0) > (amount_of(limit) or 0):
            raise InvalidJob(
                f"--{what} {asked} is more than --{what}-limit {limit}",
                hint=f"allow as much: `--{what}-limit {asked}`",
            )


def _check_security(security: Security) -> None:
    for option, number in (("--user", security.user), ("--group", security.group)):
        if number is not None and not 0 <= number <= _USER_IDS:
            raise InvalidJob(f"{option} {number}: no id")
    if security.user == 0 and security.commands == "none":
        raise InvalidJob(
            "--user 0: root is not needed where no command runs",
            hint="any other number; `--commands chroot` for targets that run commands",
        )


def _check_placement(placement: Placement) -> None:
    for key, value in placement.node_selector:
        _key("--node-selector", key)
        if not is_label_value(value):
            raise InvalidJob(f"--node-selector {key}={value}: no value of a label")
    for one in placement.tolerations:
        _check_toleration(one)


def _check_toleration(one: Toleration) -> None:
    if one.key:
        _key("--toleration", one.key)
    elif one.value is not None:
        raise InvalidJob("--toleration with a value and without a key")
    if one.effect and one.effect not in _EFFECTS:
        raise InvalidJob(
            f"--toleration {one.key}:{one.effect}: no effect", hint=f"one of {', '.join(_EFFECTS)}"
        )


def _check_variables(options: JobOptions) -> None:
    seen: set[str] = set()
    for one in options.env:
        _check_variable(one)
        if one.name in seen:
            raise InvalidJob(f"--env {one.name} is given twice")
        seen.add(one.name)


def _check_variable(one: Variable) -> None:
    if not is_variable(one.name):
        raise InvalidJob(
            f"--env {one.name}: no name of a variable", hint="letters, digits, `_`, `-`, `.`"
        )
    if one.name in _TAKEN:
        raise InvalidJob(
            f"--env {one.name}: the pod's own", hint="it is set to what the pod has there"
        )
    if one.secret and not one.key:
        raise InvalidJob(
            f"--env-secret {one.name}={one.secret}: which key?",
            hint=f"`--env-secret {one.name}={one.secret}:KEY`",
        )


def _check_volumes(job: Job) -> None:
    taken = {HOME_DIRECTORY, "/tmp", REGISTRY_DIRECTORY, TOKEN_DIRECTORY, WORK_DIRECTORY}  # noqa: S108 – the pod's
    if not isinstance(job.source, Workspace):
        taken.add(SOURCE_DIRECTORY)
    elif job.source.claim:
        taken.add(job.source.directory)
    for volume in job.options.volumes:
        _check_path("--mount", volume.path)
        if volume.path in taken:
            raise InvalidJob(f"--mount {volume.path}: something else is there")
        taken.add(volume.path)
        _check_origin(volume)


def _check_origin(volume: Volume) -> None:
    if volume.kind == "image":
        _image("--mount image", volume.origin)
    elif volume.kind in {"empty", "memory"}:
        if volume.origin and not amount_of(volume.origin):
            raise InvalidJob(
                f"--mount {volume.kind}:{volume.origin}: no size", hint="as Kubernetes has it: 2Gi"
            )
    else:
        _name(f"--mount {volume.kind}", volume.origin)


def _check_path(option: str, path: str) -> None:
    plain = os.path.normpath(path) == path and path.startswith("/") and path != "/"
    if not plain or ":" in path:
        raise InvalidJob(
            f"{option} {path}: no place for a volume",
            hint="an absolute path without `..` and without a colon",
        )


def _check_source(job: Job) -> None:
    match job.source:
        case GitSource(directory=directory) if directory:
            plain = os.path.normpath(directory) == directory and directory != "."
            if not plain or directory.startswith(("/", "..")):
                raise InvalidJob(
                    f"{directory} is not below the repository", hint="a relative path without `..`"
                )
        case Workspace(directory=directory):
            _check_path("--workspace", directory)
        case _:
            return
