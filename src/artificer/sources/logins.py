"""Logins of private archives, out of files as apt_auth.conf(5) and netrc(5) have them.

A login goes to the host, and below the path, that its entry names, and over https unless the entry
says ``http://``. Every hop of a redirect is looked up for itself.
"""

import base64
import os
import re
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from artificer.errors import Misused, reason
from artificer.http.request import Request, Response, Send, authority
from artificer.limits import AUTH_FILE_BYTES

_MACHINE = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>\[[^]/]+\]|[^:/\[\]]+)(?::(?P<port>\d+))?(?P<path>/.*)?"
)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')


class InvalidLogins(Misused):
    """A file of logins that cannot be read."""


class LoginFile(NamedTuple):
    """A file that may have logins, *shown* as people call it; *required*: it has to be there."""

    path: str
    shown: str
    required: bool = False


class Login(NamedTuple):
    """One entry: whom it is for, and what is sent there. It is never shown."""

    machine: str
    scheme: str
    host: str
    port: int | None
    path: str
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.machine!r})"

    def fits(self, url: str) -> bool:
        """Whether *url* is told it."""
        there = authority(url)
        if (there.scheme, there.host) != (self.scheme, self.host):
            return False
        path = unquote(urlsplit(url).path)
        if ".." in path.split("/"):
            return False
        inside = path == self.path or path.startswith(f"{self.path}/")
        return inside and self.port in {None, there.port}

    @property
    def header(self) -> str:
        """What proves who we are."""
        secret = f"{self.user}:{self.password}".encode("utf-8", "surrogateescape")
        return f"Basic {base64.b64encode(secret).decode()}"


class Logins:
    """The logins of *files*, which are read when somebody is first asked for something."""

    def __init__(self, files: Sequence[LoginFile] = ()) -> None:
        self._files = tuple(files)
        self._lock = threading.Lock()
        self._read: list[tuple[LoginFile, tuple[Login, ...], str]] | None = None

    def find(self, url: str) -> Login | None:
        """The first entry that fits *url*."""
        found = self._found(url)
        return found[1] if found is not None else None

    def told(self, url: str) -> str:
        """Where a login for *url* was looked for in vain; nothing if nowhere."""
        found = self._found(url)
        if found is not None:
            return f"the login of {found[0].shown} (machine {found[1].machine}) is not enough"
        host = authority(url).netloc
        told = [f"{file.shown} ({problem or 'no entry'})" for file, _, problem in self._all()]
        scheme = "" if url.startswith("https:") else "http://"
        if not told:
            return ""
        return (
            f"no login for {host} in {', '.join(told)}; write "
            f"`machine {scheme}{host} login … password …` into a file for `--archive-auth`"
        )

    def _found(self, url: str) -> tuple[LoginFile, Login] | None:
        for file, logins, _ in self._all():
            for login in logins:
                if login.fits(url):
                    return file, login
        return None

    def _all(self) -> list[tuple[LoginFile, tuple[Login, ...], str]]:
        with self._lock:
            if self._read is None:
                self._read = [(file, *_loaded(file)) for file in self._files]
            return self._read


def logged_in(send: Send, logins: Logins) -> Send:
    """*send*, saying who we are where *logins* has an entry. It must not follow redirects."""

    def known(request: Request) -> Response:
        login = logins.find(request.url)
        return send(request.having({"Authorization": login.header}) if login else request)

    return known


def logins_of(text: str) -> tuple[Login, ...]:
    """The entries of *text*; what is not known in it, as `default`, is for nobody."""
    found: list[dict[str, str]] = []
    entry: dict[str, str] = {}
    words = _words(text)
    for word in words:
        if word == "machine":
            entry = {"machine": next(words, "")}
            found.append(entry)
        elif word == "default":
            entry = {}
        elif word in {"login", "password", "account"}:
            entry.setdefault(word, next(words, ""))
    return tuple(login for one in found if (login := _login(one)) is not None)


def _words(text: str) -> Iterator[str]:
    macro = False
    for line in text.splitlines():
        bare = line.strip()
        macro = macro and bool(bare)
        if macro or bare.startswith("#"):
            continue
        for word in _TOKEN.findall(bare):
            if word == "macdef":
                macro = True
                break
            quoted = len(word) > 1 and word[0] == word[-1] == '"'
            yield re.sub(r"\\(.)", r"\1", word[1:-1]) if quoted else word


def _login(entry: dict[str, str]) -> Login | None:
    match = _MACHINE.fullmatch(entry["machine"])
    if match is None or "login" not in entry:
        return None
    return Login(
        entry["machine"],
        match["scheme"] or "https",
        match["host"].strip("[]").lower(),
        int(match["port"]) if match["port"] else None,
        (match["path"] or "").rstrip("/"),
        entry["login"],
        entry.get("password", ""),
    )


def _loaded(file: LoginFile) -> tuple[tuple[Login, ...], str]:
    """The entries of *file*, and why there are none."""
    try:
        with open(file.path, "rb") as opened:
            data = opened.read(AUTH_FILE_BYTES + 1)
    except OSError as error:
        if file.required:
            raise InvalidLogins(f"cannot read {file.shown}: {reason(error)}") from error
        absent = isinstance(error, FileNotFoundError | NotADirectoryError)
        return (), "no such file" if absent else f"cannot be read: {reason(error)}"
    if len(data) > AUTH_FILE_BYTES:
        raise InvalidLogins(f"{file.shown}: larger than {AUTH_FILE_BYTES} bytes")
    found = logins_of(data.decode("utf-8", "surrogateescape"))
    if file.required and not found:
        raise InvalidLogins(
            f"{file.shown} has no login",
            hint="write `machine HOST[/PATH] login USER password WORD`",
        )
    return found, ""


def named_logins(path: str, option: str, home: str) -> tuple[LoginFile, ...]:
    """The file that *option* names, as the only one that counts; it has to be there."""
    return (LoginFile(path, f"{_shown(path, home)} ({option})", required=True),)


def usual_logins(netrc: str | None, home: str) -> tuple[LoginFile, ...]:
    """Where logins are looked for: where apt has them, and in *netrc*, or the one of *home*."""
    found = ["/etc/apt/auth.conf"]
    folder = "/etc/apt/auth.conf.d"
    if os.path.isdir(folder) and os.access(folder, os.R_OK):
        found += [f"{folder}/{name}" for name in sorted(os.listdir(folder)) if _is_conf(name)]
    found.append(netrc or os.path.join(home, ".netrc"))
    return tuple(LoginFile(path, _shown(path, home)) for path in found)


def _is_conf(name: str) -> bool:
    return name.endswith(".conf") and not name.startswith(".")


def _shown(path: str, home: str) -> str:
    inside = home and path.startswith(f"{home.rstrip('/')}/")
    return f"~{path[len(home.rstrip('/')) :]}" if inside else path
