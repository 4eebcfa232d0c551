"""``artificer.lock``: what tags and URLs stood for when somebody last looked."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from artificer.errors import ArtificerError, Misused
from artificer.oci.digest import Digest, InvalidDigest
from artificer.oci.reference import Named

NAME = "artificer.lock"
ANEW = "solve the conflict if there is one, or remove the file: `artificer lock` writes it anew"
"""The way out of a lock that cannot be read."""

_VERSION = 1
_BYTES = 64 * 1024 * 1024
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class InvalidLock(Misused):
    """A lock file that cannot be read as one."""


class NotLocked(ArtificerError):
    """Something is not in the lock file, and nothing else may be used."""


class Lock(NamedTuple):
    """What is pinned: names of images (``docker.io/library/alpine:3.7``) and URLs, to digests.

    Revisions of git (``URL REF``) are pinned to commits. With *only*, what is not pinned is an
    error (``--locked``). *packages* are Debian's, as they stand in the file: `package_lock` reads
    them where there are any.
    """

    images: Mapping[str, Digest] = {}
    urls: Mapping[str, Digest] = {}
    only: bool = False
    commits: Mapping[str, str] = {}
    packages: Mapping[str, Any] = {}

    def pinned(self, name: Named) -> Named:
        """*name* with the digest that it is pinned to; as it is when it has one or is not here."""
        if name.digest is not None:
            return name
        digest = self.images.get(image_key(name))
        if digest is not None:
            return name.pinned(digest)
        if self.only:
            raise NotLocked(
                f"{name} is not in {NAME}", hint="`artificer lock` with the same words pins it"
            )
        return name

    def sha256(self, url: str) -> str:
        """The sha256 that *url* is pinned to, or nothing."""
        digest = self.urls.get(url)
        if digest is None and self.only:
            raise NotLocked(f"{url} is not in {NAME}", hint="`artificer lock` pins it")
        return "" if digest is None else digest.hex

    def commit(self, remote: str, ref: str) -> str:
        """The commit that *ref* of the repository *remote* is pinned to, or nothing."""
        key = commit_key(remote, ref)
        commit = self.commits.get(key, "")
        if not commit and self.only:
            raise NotLocked(f"{key} is not in {NAME}", hint="`artificer lock` pins it")
        return commit

    def differences(self, other: "Lock") -> Iterator[str]:
        """What changes from this lock to *other*, a line each, sorted."""
        tables: tuple[tuple[Mapping[str, str], Mapping[str, str]], ...] = (
            (self.images, other.images),
            (self.urls, other.urls),
            (self.commits, other.commits),
        )
        for was, now in tables:
            for key in sorted(was.keys() | now.keys()):
                before, after = was.get(key), now.get(key)
                if before is None:
                    yield f"+ {key} {after}"
                elif after is None:
                    yield f"- {key} {before}"
                elif before != after:
                    yield f"~ {key} {_short(before)} → {_short(after)}"


EMPTY = Lock()


def image_key(name: Named) -> str:
    """How a lock calls *name*: whole, with its tag."""
    return f"{name.repository}:{name.tag or 'latest'}"


def commit_key(remote: str, ref: str) -> str:
    """How a lock calls a revision of git."""
    return f"{remote} {ref or 'HEAD'}"


def _short(pin: str) -> str:
    return pin.short if isinstance(pin, Digest) else pin[:12]


def read_lock(directory: str, *, only: bool = False) -> Lock:
    """The lock file of *directory*; an empty one when there is none, unless *only* wants it."""
    path = os.path.join(directory, NAME)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_BYTES + 1)
    except FileNotFoundError:
        if only:
            raise NotLocked(
                f"there is no {NAME} in {directory}", hint="`artificer lock …` writes it"
            ) from None
        return EMPTY
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidLock(f"cannot read {path}: {error}") from error
    return _parsed(text, path)._replace(only=only)


def write_lock(directory: str, lock: Lock) -> None:
    """Write *lock*, sorted, so that a change of one pin is a change of one line."""
    path = os.path.join(directory, NAME)
    document = {
        "version": _VERSION,
        "images": dict(sorted(lock.images.items())),
        "urls": dict(sorted(lock.urls.items())),
        # Nobody who needs none has to have this table.
        **({"commits": dict(sorted(lock.commits.items()))} if lock.commits else {}),
        **({"packages": dict(sorted(lock.packages.items()))} if lock.packages else {}),
    }
    write_text(path, dumped(document))


def dumped(document: Mapping[str, Any]) -> str:
    """*document* as text, in which each package is a line: a change of one is a change of one."""
    held: list[str] = []

    def hold(value: Any) -> Any:
        if isinstance(value, dict):
            if "sha256" in value and "name" in value:
                held.append(json.dumps(value, ensure_ascii=False))
                return f"\0{len(held) - 1}"
            return {key: hold(one) for key, one in value.items()}
        return [hold(one) for one in value] if isinstance(value, list) else value

    text = json.dumps(hold(dict(document)), indent=2, ensure_ascii=False)
    return re.sub(r'"\\u0000(\d+)"', lambda match: held[int(match[1])], text) + "\n"


def write_text(path: str, text: str) -> None:
    """Write *text* to *path*, whole or not at all."""
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def _parsed(text: str, path: str) -> Lock:
    if len(text) > _BYTES:
        raise InvalidLock(f"{path} is larger than {_BYTES} bytes")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise InvalidLock(f"{path}:{line}: not a lock file: {error}", hint=ANEW) from error
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise InvalidLock(f"{path}: not a lock file of version {_VERSION}")
    images, urls = _pins(document, "images", path), _pins(document, "urls", path)
    packages = document.get("packages", {})
    if not isinstance(packages, dict):
        raise InvalidLock(f"{path}: packages is not a table of locked sets")
    return Lock(images, urls, commits=_commits(document, path), packages=packages)


def _pins(document: Mapping[str, Any], key: str, path: str) -> dict[str, Digest]:
    found = document.get(key, {})
    if not isinstance(found, dict):
        raise InvalidLock(f"{path}: {key} is not a table of digests")
    try:
        return {str(name): Digest(str(value)) for name, value in found.items()}
    except InvalidDigest as error:
        raise InvalidLock(f"{path}: {key}: {error.message}") from error


def _commits(document: Mapping[str, Any], path: str) -> dict[str, str]:
    found = document.get("commits", {})
    if not isinstance(found, dict) or not all(
        isinstance(value, str) and _COMMIT.fullmatch(value) for value in found.values()
    ):
        raise InvalidLock(f"{path}: commits is not a table of commits")
    return {str(name): str(value) for name, value in found.items()}
