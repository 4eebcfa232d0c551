"""The program ``git``: run without a word of this machine's configuration, and watched."""

import base64
import os
import re
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, BinaryIO, NamedTuple

from artificer.errors import ArtificerError, Unauthorized, Unavailable, reason
from artificer.leash import leashed
from artificer.sources.git_reference import shown_url, without_user
from artificer.stop import Stop

_TICK = 0.2
_CHUNK = 1 << 16
_SAID = 300
# What is passed on of our own environment: how to find programs, and ways to the network.
_KEPT = (
    *("PATH", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *(name for one in ("HTTP", "HTTPS", "ALL", "NO") for name in (f"{one}_PROXY",)),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
)
_DENIED = re.compile(
    r"could not read (Username|Password)|Authentication failed|Permission denied|"
    r"terminal prompts disabled|Invalid username or|The requested URL returned error: 40[13]|"
    r"Host key verification failed",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"Repository not found|does not appear to be a git repository|"
    r"The requested URL returned error: 404|repository '.*' not found|"
    r"repository .* (not exported|does not exist)",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"early EOF|RPC failed|unexpected disconnect|reset by peer|timed out|"
    r"The requested URL returned error: (5\d\d|429)",
    re.IGNORECASE,
)
_PAUSES = (1.0, 3.0)
_NOBODY = re.compile(r"No user exists for uid (\d+)")
# What git says when ssh has said why.
_NO_REASON = "fatal: Could not read from remote repository"
_SECRET = re.compile(r"(authorization:\s*)\S.*|//[^/@\s]+@", re.IGNORECASE)


class GitMissing(ArtificerError):
    """There is no program ``git`` here."""


class GitFailed(Unavailable):
    """Git could not fetch something; *said* is all that it wrote."""

    def __init__(self, message: str, *, hint: str | None = None, said: str = "") -> None:
        super().__init__(message, hint=hint)
        self.said = said


class GitTooLarge(ArtificerError):
    """A repository is larger, or takes longer, than one may."""


class NoSshUser(ArtificerError):
    """The program ``ssh`` runs for nobody that is not in ``/etc/passwd``."""


class NotInGit(ArtificerError):
    """A repository, or a revision of it, that is not there, and will not be if asked again."""


class Program(NamedTuple):
    """How git is run: what it is given of *environ*, by when it has to end.

    *authorization* is a header's value, for the host of *url*; it is in no argument and no output.
    """

    environ: Mapping[str, str]
    home: str
    url: str
    authorization: str
    deadline: float
    stop: Stop

    def __repr__(self) -> str:
        return f"Program({shown_url(self.url)!r})"


class Call(NamedTuple):
    """What git is told, in *folder*; at most *limit* bytes of its output are taken.

    *watch* is called while it runs, and ends it by raising.
    """

    words: Sequence[str]
    folder: str
    limit: int = 1 << 20
    watch: Callable[[], None] = lambda: None


class Ended(NamedTuple):
    """How git ended: its code, and what it wrote."""

    code: int
    out: bytes
    said: str


def program(
    environ: Mapping[str, str], home: str, url: str, authorization: str, seconds: float, stop: Stop
) -> Program:
    """Git, with an empty directory *home* that has all of its configuration."""
    bare, user = without_user(url)
    if user and not authorization:
        authorization = f"Basic {base64.b64encode(user.encode()).decode()}"
    made = Program(environ, home, bare, authorization, time.monotonic() + seconds, stop)
    fd = os.open(f"{home}/.gitconfig", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(_configuration(made))
    return made


def run(git: Program, call: Call) -> Ended:
    """Run git, however it ends."""
    with open(f"{git.home}/said", "w+b") as said:
        with _started(git, call, said) as child:
            out = b"".join(_chunks(git, child, call))
            code = child.wait()
        said.seek(0)
        text = said.read(_CHUNK).decode("utf-8", "replace")
    return Ended(code, out, text)


def run_patiently(git: Program, call: Call) -> Ended:
    """`run`, a few times where a connection broke or a server was too busy."""
    for pause in _PAUSES:
        ended = run(git, call)
        if not ended.code or not _PASSING.search(ended.said):
            return ended
        git.stop.wait(pause)
    return run(git, call)


def output(git: Program, call: Call) -> bytes:
    """What git writes; an error that says why if it fails."""
    ended = run(git, call)
    if ended.code:
        raise failure(git, ended)
    return ended.out


def failure(git: Program, ended: Ended) -> ArtificerError:
    """Why git failed, for a person."""
    where = shown_url(git.url)
    said = _told(ended.said) or f"it ended with {ended.code}"
    if found := _NOBODY.search(ended.said):
        return NoSshUser(
            f"{where}: ssh does not run for user {found[1]}, who is not in /etc/passwd",
            hint="clone by https, with a token; or run as a user that the image knows "
            "(of artificer's: 1000)",
        )
    if _DENIED.search(ended.said):
        hint = "give git a token or a key: see the guide on credentials"
        if "Host key verification failed" in ended.said:
            hint = "known_hosts has another key for it, or none: is it the right host?"
        return Unauthorized(f"{where}: not allowed: {said}", hint=hint)
    if _ABSENT.search(ended.said):
        hint = "is it spelt right? a private one is often said not to exist"
        return NotInGit(f"{where}: {said}", hint=hint)
    return GitFailed(f"{where}: git failed: {said}", said=ended.said)


def _told(said: str) -> str:
    """The line of git's that says why, without secrets."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    marked = [
        line
        for line in lines
        if line.startswith(("fatal:", "error:", "remote: fatal", "ERROR", "remote: ERROR"))
    ]
    found = (marked or lines[-1:] or [""])[0]
    if found.startswith(_NO_REASON):
        # Before it ssh may have drawn a box of @, or said more than that.
        found = next((line for line in lines if _DENIED.search(line)), lines[0])
    found = _SECRET.sub(lambda match: match[1] or "//", found)
    return "".join(letter for letter in found if letter.isprintable())[:_SAID]


def _configuration(git: Program) -> str:
    lines = [
        *("[core]", "hooksPath = /dev/null", "fsmonitor = false", "symlinks = true"),
        *("autocrlf = false", "logAllRefUpdates = false", "askPass = true"),
        *("[init]", "templateDir =", "defaultBranch = main"),
        *("[credential]", "helper =", "interactive = false"),
        *("[advice]", "detachedHead = false"),
        *("[gc]", "auto = 0", "[maintenance]", "auto = false"),
        *("[fetch]", "recurseSubmodules = false", "writeCommitGraph = false"),
        *("[pack]", "threads = 1", "[safe]", "directory = *"),
        *("[http]", "lowSpeedLimit = 1000", "lowSpeedTime = 60", "emptyAuth = false"),
    ]
    if git.authorization:
        header = _quoted(f"Authorization: {git.authorization}")
        lines += [f"[http {_quoted(_origin(git.url))}]", f"extraHeader = {header}"]
    return "\n".join(lines) + "\n"


def _origin(url: str) -> str:
    """The scheme and host of *url*: submodules on the same host are for the same reader."""
    scheme, slashes, rest = url.partition("://")
    return f"{scheme}{slashes}{rest.partition('/')[0]}/"


def _quoted(text: str) -> str:
    if not text.isprintable():
        raise Unauthorized("a credential for git has characters that no header may have")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _environ(git: Program) -> dict[str, str]:
    given = {name: git.environ[name] for name in _KEPT if git.environ.get(name)}
    hosts = git.environ.get("SSH_KNOWN_HOSTS", "")
    # No ProxyCommand or Match exec of this machine; a host that nobody knows is refused.
    ssh = "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes"
    if re.fullmatch(r"[\w./+-]+", hosts):
        ssh += f" -o UserKnownHostsFile={hosts}"
    key = git.environ.get("SSH_IDENTITY_FILE", "")
    if re.fullmatch(r"[\w./+-]+", key):
        ssh += f" -o IdentitiesOnly=yes -i {key}"
    return {
        "PATH": os.defpath,
        **given,
        "HOME": git.home,
        "XDG_CONFIG_HOME": git.home,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_ALLOW_PROTOCOL": _protocols(git.url),
        "GIT_SSH_COMMAND": ssh,
        "GIT_SSH_VARIANT": "ssh",
        **({"GIT_SSL_CAINFO": given["SSL_CERT_FILE"]} if "SSL_CERT_FILE" in given else {}),
    }


def _protocols(url: str) -> str:
    """What a repository at *url*, and its submodules, may speak: never files, from elsewhere."""
    scheme = url.partition("://")[0] if "://" in url else "ssh" if "@" in url else "file"
    if scheme == "file":
        return "file:https:ssh:http:git"
    return "https:ssh" if scheme in {"https", "ssh"} else "https:ssh:http:git"


@contextmanager
def _started(git: Program, call: Call, said: BinaryIO) -> "Iterator[subprocess.Popen[bytes]]":
    environ = _environ(git)
    path = _found("git", environ["PATH"])
    try:
        child = subprocess.Popen(  # noqa: S603 - no shell; words are checked where they are read
            (path, *call.words),
            cwd=call.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            bufsize=0,
            start_new_session=True,
            umask=0o022,
        )
    except OSError as error:
        raise GitMissing(f"{path} cannot be run: {reason(error)}") from error
    with leashed(child):
        yield child


def _chunks(git: Program, child: "subprocess.Popen[bytes]", call: Call) -> Iterator[bytes]:
    pipe: IO[bytes] | None = child.stdout
    assert pipe is not None  # noqa: S101 - it was asked for
    size = 0
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            git.stop.check()
            call.watch()
            if time.monotonic() > git.deadline:
                raise GitTooLarge(f"{shown_url(git.url)}: git did not end in time")
            if not selector.select(_TICK):
                continue
            data = pipe.read(_CHUNK)
            if not data:
                return
            size += len(data)
            if size > call.limit:
                raise GitTooLarge(f"{shown_url(git.url)}: git wrote more than {call.limit} bytes")
            yield data


def _found(name: str, path: str) -> str:
    for directory in path.split(os.pathsep):
        found = os.path.join(directory, name)
        if directory and os.path.isfile(found) and os.access(found, os.X_OK):
            return found
    raise GitMissing(
        "a repository of git is needed, and there is no program `git` here",
        hint="install git (`apt-get install git`), or fetch an archive of the commit instead",
    )
