"""Jobs to begin with, of which a test changes what it is about."""

from artificer.kubernetes.job import (
    ContextSource,
    GitSource,
    Job,
    JobOptions,
    RegistryAccess,
    Source,
    Work,
    Workspace,
)

COMMIT = "8f3e6d2c1b0a99887766554433221100ffeeddcc"
GIT = GitSource("https://git.example/team/app.git", COMMIT, "git-login")
CONTEXT = ContextSource(f"registry.example/cache@sha256:{'ab' * 32}")
CLAIM = Workspace("sources", "/workspace", "app")
NOTHING = Workspace(directory="/home/artificer")
SOURCES = (GIT, CONTEXT, CLAIM, NOTHING)

OPTIONS = JobOptions(
    "registry.example/artificer:1",
    name="build",
    service_account="builder",
    registry=RegistryAccess("registry-login"),
)


def works(count: int) -> tuple[Work, ...]:
    """As many pushes."""
    return tuple(
        Work(f"//app{number}:push", ("run", f"//app{number}:push")) for number in range(count)
    )


def job(options: JobOptions = OPTIONS, *, count: int = 2, source: Source = GIT) -> Job:
    """A Job that any server takes."""
    return Job(options, works(count), source)
