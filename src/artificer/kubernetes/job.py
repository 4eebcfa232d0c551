"""What a Job is to do, from which source, in which kind of pod: values, and the words of the pod.

A pod learns its work from `WORK_VARIABLE`, or, where that would not fit, from the file that
`WORK_FILE_VARIABLE` names: a JSON list of ``{"target": …, "argv": […]}``, perhaps with a
``"member"``, of which it takes the one at its completion index. It tells the outcome in its
termination message, a JSON object of `RESULT_FIELDS`.
"""

from typing import Any, Literal, NamedTuple

WORK_VARIABLE = "ARTIFICER_JOB"
WORK_FILE_VARIABLE = "ARTIFICER_JOB_FILE"
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
"""Kubernetes sets it in every container of an Indexed Job."""

WORK_FILE = "job.json"
"""The key of the ConfigMap, and so the file's name below `WORK_DIRECTORY`."""
WORK_MAP = "artificer-work-"
"""What the names of such ConfigMaps begin with."""
WORK_DIRECTORY = "/etc/artificer"
WORK_VOLUME = "work"
SOURCE_DIRECTORY = "/workspace"
"""Where the source is, and where the build is started, unless a `GitSource` names a directory."""
HOME_DIRECTORY = "/home/artificer"
"""The only writable place of the pod beside /tmp and the source: the store is below it."""
REGISTRY_DIRECTORY = "/var/run/artificer/registry"
"""``DOCKER_CONFIG`` of the pod: ``config.json`` is the projected Secret."""
TOKEN_DIRECTORY = "/var/run/artificer/tokens"  # noqa: S105 – where tokens are, not one
"""Projected tokens of the ServiceAccount: the file ``token``."""
GIT_DIRECTORY = "/var/run/artificer/git"
"""The Secret for git: ``username``, ``password``, ``ssh-privatekey``, ``known_hosts``."""
TERMINATION_FILE = "/dev/termination-log"

SOURCE_CONTAINER = "source"
BUILD_CONTAINER = "build"
INDEX_WORDS = ("job", "index")
"""What the build container runs: ``artificer job index``."""
FETCH_WORDS = ("source", "fetch")
"""What the source container runs: ``artificer source fetch [options] SOURCE DIRECTORY``."""

RESULT_SCHEMA = 1
RESULT_FIELDS = ("schema", "target", "image", "digest", "size", "cache")
"""Of the termination message; ``cache`` is ``hit`` or ``miss``, ``image`` may be empty."""

PERMANENT = (1, 2, 77)
"""Exit codes after which trying again unchanged is pointless."""


class Work(NamedTuple):
    """What one index of the Job does."""

    target: str
    """For people, and to tell the indexes apart: a label, or the reference that is pushed."""
    argv: tuple[str, ...]
    """The words after ``artificer``, run where the source is."""
    member: str = ""
    """Of the several platforms that `argv` names, the one whose image is made, for the cache
    repository alone; empty: all, and their index is sent."""

    def document(self) -> dict[str, Any]:
        """It as JSON."""
        told = {"target": self.target, "argv": list(self.argv)}
        return {**told, "member": self.member} if self.member else told


def work_of(document: object) -> Work | None:
    """The work that *document* says, if it says one."""
    match document:
        case {"target": str(target), "argv": [*argv], **rest}:
            member = rest.get("member", "")
            if isinstance(member, str) and all(isinstance(word, str) for word in argv):
                return Work(target, tuple(argv), member)
        case _:
            pass
    return None


class GitSource(NamedTuple):
    """A revision of a repository, cloned without its history."""

    url: str
    revision: str
    """A commit makes the Job say the same for ever; a branch or a tag is possible, and empty is
    the default branch: two indexes may then see different commits."""
    secret: str = ""
    """A Secret of the type kubernetes.io/basic-auth or kubernetes.io/ssh-auth."""
    directory: str = ""
    """Where in the repository the build is started."""


class ContextSource(NamedTuple):
    """A directory that was packed and pushed as an artifact."""

    reference: str
    """``REPOSITORY@sha256:…``"""
    insecure: bool = False
    """Whether its registry may speak plain http, and show any certificate."""


class Workspace(NamedTuple):
    """Files that are there already: a volume of the cluster, or the builder image itself."""

    claim: str = ""
    """A PersistentVolumeClaim; without one, `directory` is in the builder image."""
    directory: str = SOURCE_DIRECTORY
    sub_path: str = ""
    """Which directory of the volume is the workspace."""
    writable: bool = False
    """Of a claim: the outputs of BUILD files are linked there, if it can be written to."""


Source = GitSource | ContextSource | Workspace

VolumeKind = Literal["claim", "configmap", "secret", "empty", "memory", "image"]


class Volume(NamedTuple):
    """One more volume, of both containers: what an authority's file is for, the source needs."""

    kind: VolumeKind
    origin: str
    """The claim, the ConfigMap, the Secret, the image; of an empty one, how much it may hold."""
    path: str
    read_only: bool = False


class Variable(NamedTuple):
    """One more environment variable; one from a Secret is the build container's alone."""

    name: str
    value: str = ""
    secret: str = ""
    """The Secret that has the value below `key`, in place of `value`."""
    key: str = ""


class Toleration(NamedTuple):
    """A taint of nodes that does not keep the pods away."""

    key: str
    """Empty: every taint."""
    value: str | None = None
    """None: whatever the taint's value is."""
    effect: str = ""
    """NoSchedule, PreferNoSchedule or NoExecute; empty: any."""


class Resources(NamedTuple):
    """What the build container asks for; there is no limit of processors unless asked for."""

    cpu: str = "500m"
    memory: str = "512Mi"
    cpu_limit: str = ""
    memory_limit: str = "2Gi"
    storage: str = ""
    """ephemeral-storage that is requested, and the limit; empty: whatever the volumes may hold."""
    workspace_size: str = "5Gi"
    home_size: str = "10Gi"
    tmp_size: str = "5Gi"


class Pace(NamedTuple):
    """How many pods at once, how often, and for how long."""

    parallelism: int = 10
    retries: int = 1
    """Of an index that failed for a reason which may pass."""
    max_failed: int | None = None
    """Stop after so many failed indexes; None: the others go on whatever fails."""
    deadline: int = 3600
    """Seconds for the whole Job."""
    keep: int | None = 3600
    """Seconds that the finished Job is kept, so that its results can be read; None: for ever."""
    grace: int = 30
    """Seconds between SIGTERM and SIGKILL."""


Commands = Literal["none", "chroot", "namespaces"]
"""What the pod must be allowed when targets run commands (RUN). ``none`` asks for nothing and fits
the restricted Pod Security Standard; proot works there, if the builder image has it. The others
are root with a container's usual capabilities, and fit the baseline one: ``chroot`` works under
every runtime, ``namespaces`` where the kubelet sets no seccomp profile of its own accord."""


class Security(NamedTuple):
    """Who the pod's processes are, and what they may do."""

    user: int | None = 1000
    """None: whom the cluster chooses (OpenShift)."""
    group: int | None = 1000
    host_users: bool = False
    """True: without a user namespace of the pod's own, for clusters before 1.33. In ``chroot`` it
    is always so: devices cannot be made in a user namespace."""
    commands: Commands = "none"


class RegistryAccess(NamedTuple):
    """How the pod gets at registries."""

    secret: str = ""
    """A Secret of the type kubernetes.io/dockerconfigjson, from `artificer job secret`."""
    audience: str = ""
    """For whom a token of the ServiceAccount is projected; empty: none is."""
    pull_secrets: tuple[str, ...] = ()
    """With which the kubelet pulls the builder image: the pod never sees them."""


class Cache(NamedTuple):
    """The repository that jobs share their results in."""

    repository: str = ""
    read_only: bool = False

    @property
    def keeps(self) -> bool:
        """Whether what one pod made is there for another."""
        return bool(self.repository) and not self.read_only


class Placement(NamedTuple):
    """Which nodes the pods may run on."""

    node_selector: tuple[tuple[str, str], ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    priority_class: str = ""
    runtime_class: str = ""


class JobOptions(NamedTuple):
    """Everything about the Job but its work and its source."""

    image: str
    """The builder image."""
    name: str = ""
    """Empty: `generate_name` and a suffix that the server chooses."""
    generate_name: str = "build-"
    namespace: str = ""
    """Empty: the namespace of the current context."""
    service_account: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    """Of the Job and of its pods."""
    annotations: tuple[tuple[str, str], ...] = ()
    """Of the Job and of its pods."""
    queue: str = ""
    """Of Kueue, which then decides when the Job starts."""
    suspend: bool = False
    pace: Pace = Pace()
    resources: Resources = Resources()
    security: Security = Security()
    registry: RegistryAccess = RegistryAccess()
    cache: Cache = Cache()
    placement: Placement = Placement()
    volumes: tuple[Volume, ...] = ()
    env: tuple[Variable, ...] = ()
    env_from_secrets: tuple[str, ...] = ()


class Job(NamedTuple):
    """One Indexed Job: index *i* of it does ``works[i]``."""

    options: JobOptions
    works: tuple[Work, ...]
    source: Source

    @property
    def fetches(self) -> bool:
        """Whether a container before the build brings the source."""
        return not isinstance(self.source, Workspace)
