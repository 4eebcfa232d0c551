"""What is on this machine that a build depends on: ``artificer doctor``."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

import artificer
from artificer.cli.session import Session
from artificer.cli.terminal.console import amount
from artificer.cli.terminal.page import Finding
from artificer.cli.words import store_limit
from artificer.errors import ArtificerError, Misused
from artificer.http.proxies import Proxies, proxies_of
from artificer.images.daemon import socket_path
from artificer.layers.encode import encoder
from artificer.registry.authfile import Absent, AuthFile, AuthText, load
from artificer.registry.configured import configuration_of
from artificer.registry.credentials import standard_files
from artificer.registry.places import certificate_directories, policy_file, registries_files
from artificer.registry.policy import policy_of
from artificer.registry.routes import Rule
from artificer.store.blobs import open_store
from artificer.store.census import du

_LIBRARIES = ("deflate", "isal", "rich")
_LOW = 10**9
"""A disk with less than this free is told of as a problem."""

Examine = Callable[[str | None, Session], Iterator[Finding]]


def findings(store: str | None, session: Session) -> Iterator[Finding]:
    """Everything that may explain why a build works here, or does not."""
    parts: tuple[tuple[str, Examine], ...] = (
        ("artificer", _program),
        ("store", _store),
        ("proxies", _proxies),
        ("credentials", _credentials),
        ("registries", _registries),
        ("policy", _policy),
        ("certificates", _certificates),
        ("docker", _engine),
    )
    for topic, examine in parts:
        try:
            yield from examine(store, session)
        except ArtificerError as error:
            hint = f" ({error.hint})" if error.hint else ""
            yield Finding(topic, f"{error.message}{hint}", wrong=True)


def _program(_: str | None, session: Session) -> Iterator[Finding]:
    yield Finding("artificer", artificer.__version__)
    machine = f"{platform.system().lower()} {platform.machine()}, {os.cpu_count()} CPUs"
    yield Finding("python", f"{platform.python_version()} ({sys.executable}) on {machine}")
    names = [*_LIBRARIES, *(["backports.zstd"] if sys.version_info < (3, 14) else [])]
    for name in names:
        try:
            yield Finding("libraries", f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("libraries", f"{name} is not installed", wrong=True)
    for kind in ("gzip", "zstd"):
        yield Finding("encoders", encoder(kind).identity)


def _store(chosen: str | None, session: Session) -> Iterator[Finding]:
    root = os.path.abspath(session.store_directory(chosen))
    there = root
    while not os.path.exists(there):
        there = os.path.dirname(there)
    if there != root:
        yield Finding("store", f"{root} is not there yet: the first build makes it")
    else:
        usages = du(open_store(root, create=False))
        files, taken = sum(one.files for one in usages), sum(one.bytes for one in usages)
        yield Finding("store", f"{root}, {amount(taken)} in {files} files")
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding("store", f"{there} may not be written", wrong=True)
    limit = store_limit(None, session.environ).bytes
    yield Finding("store", "no limit" if limit is None else f"limit {amount(limit)}")
    free = shutil.disk_usage(there).free
    yield Finding("disk", f"{amount(free)} free", wrong=free < _LOW)


def _proxies(_: str | None, session: Session) -> Iterator[Finding]:
    found: Proxies = proxies_of(session.environ, session.report)
    for scheme, proxy in (("http", found.http), ("https", found.https)):
        if proxy is not None:
            known = " with a password" if proxy.authorization else ""
            yield Finding("proxies", f"{scheme} through {proxy}{known}")
    if found.http is None and found.https is None:
        yield Finding("proxies", "none")
    elif found.direct:
        words = session.environ.get("NO_PROXY") or session.environ.get("no_proxy") or ""
        yield Finding("proxies", f"none for {words}")


def _credentials(_: str | None, session: Session) -> Iterator[Finding]:
    home = session.environ.get("HOME") or "/"
    uid = os.getuid() if hasattr(os, "getuid") else None
    found = False
    for file in standard_files(session.environ, home=home, uid=uid):
        finding = _credential_file(file)
        if finding is not None:
            found = True
            yield finding
    if not found:
        yield Finding("credentials", "no file; `artificer login HOST` makes one")


def _credential_file(file: AuthFile | AuthText) -> Finding | None:
    try:
        config = load(file)
    except ArtificerError as error:
        return Finding("credentials", error.message, wrong=True)
    if isinstance(config, Absent):
        reason = f"{file.shown}: {config.reason}"
        return Finding("credentials", reason, wrong=True) if config.unreadable else None
    helpers = sorted({*config.helpers.values(), config.store} - {""})
    tools = f", asks {', '.join(f'docker-credential-{name}' for name in helpers)}"
    return Finding("credentials", f"{file.shown}{tools if helpers else ''}")


def _registries(_: str | None, session: Session) -> Iterator[Finding]:
    files = registries_files(session.environ)
    for path in files:
        yield Finding("registries", path)
    if files:
        rules = configuration_of(files, report=session.report).rules
        for rule in rules:
            yield Finding("registries", _told(rule))
    if not files:
        yield Finding("registries", "no registries.conf")


def _told(rule: Rule) -> str:
    words = [f"at {rule.location}"] if rule.location and rule.location != rule.prefix else []
    words += [f"mirror {mirror.location}" for mirror in rule.mirrors]
    words += ["blocked"] if rule.blocked else []
    words += ["insecure"] if rule.insecure else []
    return f"{rule.prefix}: {', '.join(words) or 'as it is'}"


def _policy(_: str | None, session: Session) -> Iterator[Finding]:
    path = policy_file(session.environ)
    if path is not None:
        policy_of(path)
    yield Finding("policy", path or "no policy.json: every image is allowed")


def _certificates(_: str | None, session: Session) -> Iterator[Finding]:
    found = False
    for directory in certificate_directories(session.environ):
        if os.path.isdir(directory):
            found = True
            hosts = sorted(os.listdir(directory))
            yield Finding("certificates", f"{directory}: {', '.join(hosts) or 'empty'}")
    if not found:
        yield Finding("certificates", "no certs.d: the system's authorities are trusted")


def _engine(_: str | None, session: Session) -> Iterator[Finding]:
    try:
        path = socket_path(session.environ.get("DOCKER_HOST"))
    except Misused as error:
        # No problem by itself: only `docker-daemon:` needs the socket.
        yield Finding("docker", error.message)
        return
    there = os.path.exists(path)
    yield Finding("docker", path if there else f"{path} is not there (and not needed)")
