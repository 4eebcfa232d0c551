"""Where credentials are looked for, in which order, and what is said of each place."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from artificer.errors import ArtificerError, Misused, reason
from artificer.events import Report, Warned, unheard
from artificer.oci.reference import Repository
from artificer.registry.authfile import (
    Absent,
    AuthFile,
    AuthText,
    Config,
    keys_of,
    load,
    normal_host,
    server_of,
)
from artificer.registry.credential import (
    ANONYMOUS,
    Basic,
    Credential,
    CredentialProblem,
    Found,
    Keychain,
)
from artificer.registry.netrc import netrc_login

Helper = Callable[[str, str], Credential]
"""Asks ``docker-credential-NAME`` for SERVER: `ANONYMOUS` if it has nothing to say,
`CredentialProblem` if it fails."""

Cloud = Callable[[str], Found | None]
"""Answers for the registries of one cloud, by host; None for every other host."""

_CLOUDS = (
    *(".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".on.aws"),
    *(
        ".amazonwebservices.com.cn",
        ".amazonwebservices.eu",
        "public.ecr.aws",
        "ecr-public.aws.com",
    ),
    *("gcr.io", ".pkg.dev"),
    *(".azurecr.io", ".azurecr.cn", ".azurecr.us"),
)
"""How hosts of clouds end. Rough and quick: the clouds' own patterns decide."""


class Login(NamedTuple):
    """A credential that somebody gave for *registries*, or, if there are none, for all."""

    credential: Credential
    source: str
    registries: tuple[str, ...] = ()


def keychain(
    files: Sequence[AuthFile | AuthText],
    environ: Mapping[str, str],
    *,
    home: str,
    helper: Helper,
    clouds: Sequence[Cloud] = (),
    report: Report = unheard,
) -> Keychain:
    """Looks into *files*, netrc, the CI's variables and the registry's own cloud, in this order.

    `explicit` keychains go before it, with `chained`.
    """
    return chained(
        from_files(files, helper=helper, report=report),
        from_netrc(environ, home=home),
        from_ci(environ),
        from_clouds(clouds),
    )


def standard_files(
    environ: Mapping[str, str], *, home: str, uid: int | None = None
) -> tuple[AuthFile | AuthText, ...]:
    """Where docker, podman, skopeo and CI systems keep credentials, in the order of the search."""
    found: list[AuthFile | AuthText] = []
    if path := environ.get("REGISTRY_AUTH_FILE"):
        found.append(AuthFile(path, f"{_shown(path, home)} (REGISTRY_AUTH_FILE)"))
    if text := environ.get("DOCKER_AUTH_CONFIG"):
        found.append(AuthText(text, "DOCKER_AUTH_CONFIG"))
    found += _standard_paths(environ, home, uid)
    # The same file under two names is asked once.
    return tuple(
        {file.path if isinstance(file, AuthFile) else "": file for file in found}.values()
    )


def named_file(path: str, option: str, *, home: str) -> AuthFile:
    """A file that *option* (``--authfile``) names; it has to be there."""
    return AuthFile(path, f"{_shown(path, home)} ({option})", required=True)


def login_of(text: str, option: str) -> Basic:
    """``USER:PASSWORD`` as *option* (``--creds``) takes it."""
    username, colon, password = text.partition(":")
    if not colon or not username:
        raise Misused(
            f"{option}: not USER:PASSWORD",
            hint="the user comes first, then a colon; `--password-stdin` reads the password",
        )
    return Basic(username, password)


def explicit(login: Login) -> Keychain:
    """A keychain of one credential that somebody gave."""
    hosts = frozenset(normal_host(registry) for registry in login.registries)

    def find(repository: Repository) -> Found:
        if hosts and normal_host(repository.registry) not in hosts:
            return _nothing(f"{login.source}: not for {repository.registry}")
        return Found(login.credential, login.source)

    return find


def chained(*keychains: Keychain) -> Keychain:
    """The first credential that one of *keychains* has; what all of them say is put together."""

    def find(repository: Repository) -> Found:
        trail: list[Found] = []
        for ask in keychains:
            trail.append(ask(repository))
            if trail[-1].credential:
                break
        return Found(
            trail[-1].credential if trail else ANONYMOUS,
            trail[-1].source if trail and trail[-1].credential else "anonymous",
            "; ".join(found.problem for found in trail if found.problem),
            tuple(place for found in trail for place in found.searched),
            _merged(trail),
        )

    return find


def from_files(
    files: Sequence[AuthFile | AuthText], *, helper: Helper, report: Report = unheard
) -> Keychain:
    """A keychain of *files*, and of the helpers that they name. Each file is read once."""
    lock = threading.Lock()
    loaded: dict[AuthFile | AuthText, Config | Absent] = {}

    def read(file: AuthFile | AuthText) -> Config | Absent:
        with lock:
            if file not in loaded:
                config = loaded[file] = load(file)
                if isinstance(config, Absent) and config.unreadable:
                    report(Warned(f"{file.shown}: {config.reason}"))
            return loaded[file]

    def look(file: AuthFile | AuthText) -> Keychain:
        def find(repository: Repository) -> Found:
            config = read(file)
            if isinstance(config, Config):
                return _asked(config, repository, helper)
            problem = f"{file.shown}: {config.reason}" if config.unreadable else ""
            return _nothing(f"{file.shown}: {config.reason}", problem=problem)

        return find

    return chained(*(look(file) for file in files))


def from_helper(name: str, helper: Helper) -> Keychain:
    """A keychain of the program ``docker-credential-NAME``; that it fails is a problem, no end."""
    tool = f"docker-credential-{name} (registries.conf)"

    def find(repository: Repository) -> Found:
        try:
            credential = helper(name, server_of(keys_of(repository)[-1]))
        except CredentialProblem as error:
            return _nothing(f"{tool}: failed", problem=error.message)
        if credential:
            return Found(credential, tool)
        return _nothing(f"{tool}: no entry for {repository.registry}")

    return find


def from_netrc(environ: Mapping[str, str], *, home: str) -> Keychain:
    """A keychain of ``$NETRC`` or ``~/.netrc``; its ``default`` is not for registries."""
    path = environ.get("NETRC") or os.path.join(home, ".netrc")
    shown = _shown(path, home)

    def find(repository: Repository) -> Found:
        host = normal_host(repository.registry)
        machines = (repository.registry, host, host.rpartition(":")[0] or host)
        try:
            login = netrc_login(path, shown, machines)
        except (FileNotFoundError, NotADirectoryError):
            return _nothing(f"{shown}: no such file")
        except OSError as error:
            problem = f"{shown}: cannot be read: {reason(error)}"
            return _nothing(problem, problem=problem)
        if login is None:
            return _nothing(f"{shown}: no entry for {repository.registry}")
        machine, username, password = login
        return Found(Basic(username, password), f"{shown} (machine {machine})")

    return find


def from_ci(environ: Mapping[str, str]) -> Keychain:
    """A keychain of what GitLab and GitHub tell their jobs, each for its own registry only."""

    def find(repository: Repository) -> Found:
        host = repository.registry.lower().removesuffix(":443")
        for server, user, secret in _ci_logins(environ):
            if server == host and (password := environ.get(secret)):
                return Found(Basic(user, password), secret)
        return _nothing(f"CI variables: none for {repository.registry}")

    return find


def from_clouds(clouds: Sequence[Cloud]) -> Keychain:
    """A keychain of the cloud that runs the registry. Other hosts are told to no cloud."""

    def find(repository: Repository) -> Found:
        host = repository.registry.lower()
        if host.removesuffix(":443").endswith(_CLOUDS):
            for ask in clouds:
                try:
                    found = ask(host)
                except ArtificerError as error:
                    return _nothing(error.message, problem=error.message)
                if found is not None:
                    return found
        return Found(ANONYMOUS, "")

    return find


def _asked(config: Config, repository: Repository, helper: Helper) -> Found:
    """What one file says: for each key, the most specific first, its helper, then its entry."""
    searched: list[str] = []
    problems: list[str] = []
    keys = keys_of(repository)
    for key in keys:
        # An empty name in credHelpers switches credsStore off for this key.
        name = config.helpers.get(key, config.store if key == keys[-1] else "")
        if name:
            tool = f"docker-credential-{name} ({config.shown})"
            try:
                if credential := helper(name, server_of(key)):
                    return Found(credential, tool, headers=config.headers)
                searched.append(f"{tool}: no entry for {key}")
            except CredentialProblem as error:
                problems.append(error.message)
                searched.append(f"{tool}: failed")
        credential, spelt = config.credential(key)
        if credential:
            source = f'{config.shown} (auths["{spelt}"])'
            return Found(credential, source, "; ".join(problems), tuple(searched), config.headers)
    searched.append(f"{config.shown}: no entry for {repository.registry}")
    return Found(ANONYMOUS, "", "; ".join(problems), tuple(searched), config.headers)


def _standard_paths(environ: Mapping[str, str], home: str, uid: int | None) -> Iterator[AuthFile]:
    def file(*parts: str, legacy: bool = False) -> AuthFile:
        path = os.path.join(*parts)
        return AuthFile(path, _shown(path, home), legacy=legacy)

    if directory := environ.get("DOCKER_CONFIG"):
        yield file(directory, "config.json")
        # A Secret of the type kubernetes.io/dockerconfigjson, mounted as it is.
        yield file(directory, ".dockerconfigjson")
    yield file(home, ".docker", "config.json")
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield file(runtime, "containers", "auth.json")
    elif uid is not None:
        yield file("/run/containers", str(uid), "auth.json")
    configs = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    yield file(configs, "containers", "auth.json")
    yield file(home, ".dockercfg", legacy=True)


def _ci_logins(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Of each variable that holds a password: the registry it is for, and the user."""

    def value(name: str) -> str:
        return environ.get(name, "")

    gitlab = value("CI_REGISTRY").lower().removesuffix(":443")
    proxy = value("CI_DEPENDENCY_PROXY_SERVER").lower().removesuffix(":443")
    if user := value("CI_REGISTRY_USER"):
        yield gitlab, user, "CI_REGISTRY_PASSWORD"
    yield gitlab, "gitlab-ci-token", "CI_JOB_TOKEN"
    if user := value("CI_DEPENDENCY_PROXY_USER"):
        yield proxy, user, "CI_DEPENDENCY_PROXY_PASSWORD"
    yield "ghcr.io", value("GITHUB_ACTOR") or "token", "GITHUB_TOKEN"


def _nothing(place: str, *, problem: str = "") -> Found:
    return Found(ANONYMOUS, "", problem, (place,))


def _merged(trail: Sequence[Found]) -> tuple[tuple[str, str], ...]:
    """The headers of all; of one name, those of the earliest place."""
    merged: dict[str, tuple[str, str]] = {}
    for found in trail:
        for name, value in found.headers:
            merged.setdefault(name.lower(), (name, value))
    return tuple(merged.values())


def _shown(path: str, home: str) -> str:
    """*path* as people write it: ``~/.docker/config.json``."""
    inside = home and path.startswith(home.rstrip("/") + "/")
    return "~" + path[len(home.rstrip("/")) :] if inside else path
