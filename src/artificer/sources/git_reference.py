"""References to git: ``URL#REF:SUBDIR`` and ``URL?ref=…``, read and told. No I/O."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from artificer.errors import Misused

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PREFIX = re.compile(r"[0-9a-f]{4,64}", re.IGNORECASE)
# USER@HOST:PATH, as ssh's copy has it; never with a scheme, and no drive of Windows.
_SCP = re.compile(r"([A-Za-z0-9_][\w.+-]*)@([A-Za-z0-9\[][\w.:\[\]-]*?):(?!//)([^\s?#]+)")
_SCHEMES = {"https", "http", "git", "ssh"}
# git-check-ref-format(1); a leading dash would be an option.
_NOT_A_REF = re.compile(r"^[-/.]|\.\.|[\x00-\x20\x7f~^:?*\[\\]|//|@\{|/\.|\.lock(/|$)|[/.]$|^@$")
_WORDS = {
    *("ref", "tag", "branch", "subdir", "checksum", "commit", "keep-git-dir", "submodules"),
    *("mtime", "fetch-by-commit"),
}


class InvalidGitReference(Misused):
    """A reference to git that nobody could check out."""


class GitReference(NamedTuple):
    """What to check out: *ref* of the repository at *url*; "" is its default branch.

    *ref* is a commit, a tag, a branch or a whole name (``refs/…``). *checksum* is the beginning
    of the commit that *ref* must be. Of *subdir* only that directory is meant. None in
    *keep_git_dir* and *submodules* is that nothing was said.
    """

    url: str
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git_dir: bool | None = None
    submodules: bool | None = None

    @property
    def commit(self) -> str:
        """The commit that it is, if *ref* is a whole one; else ""."""
        return self.ref if _COMMIT.fullmatch(self.ref) else ""

    @property
    def host(self) -> str:
        """The host that is asked, in lower case; "" for a path."""
        scp = _SCP.fullmatch(self.url)
        return scp[2].lower() if scp else (urlsplit(self.url).hostname or "")

    def __str__(self) -> str:
        """``URL#REF:SUBDIR``, without a password."""
        tail = f"{self.ref}:{self.subdir}" if self.subdir else self.ref
        return f"{shown_url(self.url)}#{tail}" if tail else shown_url(self.url)


def is_git_reference(text: str) -> bool:
    """Whether *text* is a reference to git for ADD, and as a context; a URL may be something else.

    As BuildKit decides: ``git:`` and ``ssh:`` URLs, ``git@host:path``, ``github.com/…``, and of
    http only what ends with ``.git`` before the query and the fragment.
    """
    if text.startswith("github.com/"):
        return True
    head = text.partition("#")[0].partition("?")[0]
    if _SCP.fullmatch(head):
        return True
    scheme, slashes, rest = head.partition("://")
    if not slashes or scheme.lower() not in _SCHEMES:
        return False
    return scheme.lower() in {"git", "ssh"} or ("/" in rest and rest.endswith(".git"))


def parse_git_reference(text: str) -> GitReference:
    """The reference *text*, for which `is_git_reference` holds; of a ``file:`` URL, too."""
    whole = f"https://{text}" if text.startswith("github.com/") else text
    head, _, fragment = whole.partition("#")
    head, _, query = head.partition("?")
    words = _words(query, text)
    ref, _, subdir = (unquote(part) for part in fragment.partition(":"))
    said = [name for name in ("ref", "tag", "branch") if words.get(name)]
    if len(said) + bool(ref) > 1:
        raise _invalid(text, "it names several revisions: one of `#REF`, ref, tag and branch")
    if subdir and words.get("subdir"):
        raise _invalid(text, "it names two directories")
    checksum = (words.get("checksum") or words.get("commit") or "").lower()
    if checksum and not _PREFIX.fullmatch(checksum):
        raise _invalid(text, "its checksum is the beginning of a commit, in hexadecimal")
    by_commit = _flag(words, "fetch-by-commit", text)
    if by_commit and not _COMMIT.fullmatch(checksum):
        raise _invalid(text, "fetch-by-commit needs a whole commit as the checksum")
    return GitReference(
        checked_url(head),
        checksum if by_commit else checked_ref(ref or _said(words, said)),
        _directory(subdir or words.get("subdir", ""), text),
        checksum,
        _flag(words, "keep-git-dir", text),
        _flag(words, "submodules", text),
    )


def checked_url(url: str) -> str:
    """*url*, if it is one that git may be given: of an allowed protocol, and no option."""
    scheme = urlsplit(url).scheme if "://" in url else ""
    absolute = url.startswith("/") and "::" not in url
    good = scheme in _SCHEMES | {"file"} or _SCP.fullmatch(url) or absolute
    if not good or not url.isprintable() or " " in url:
        raise InvalidGitReference(
            f"not a repository of git: {shown_url(url)!r}",
            hint="use https:, ssh:, git:, http: or file: URLs, or USER@HOST:PATH",
        )
    return url


def checked_ref(ref: str) -> str:
    """*ref*, if git could have a revision of that name; "" is nothing in particular."""
    if ref and _NOT_A_REF.search(ref):
        raise InvalidGitReference(f"not a branch, tag or commit of git: {ref!r}")
    return ref


def shown_url(url: str) -> str:
    """*url* without a password, or what else stands before its host; a user of ssh is kept."""
    scheme, slashes, rest = url.partition("://")
    if not slashes:
        return url
    host, slash, path = rest.partition("/")
    user, at, host = host.rpartition("@")
    kept = f"{user}@" if at and scheme == "ssh" and ":" not in user else ""
    return f"{scheme}://{kept}{host}{slash}{path.partition('?')[0].partition('#')[0]}"


def without_user(url: str) -> tuple[str, str]:
    """*url* without its user and password, and those (``USER:PASSWORD``); ssh keeps its user."""
    parts = urlsplit(url) if "://" in url else None
    if parts is None or "@" not in parts.netloc:
        return url, ""
    user, _, host = parts.netloc.rpartition("@")
    if parts.scheme == "ssh":
        return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}@{host}")), ""
    name, colon, password = user.partition(":")
    return urlunsplit(parts._replace(netloc=host)), f"{unquote(name)}{colon}{unquote(password)}"


def _words(query: str, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _WORDS:
            raise _invalid(text, f"unknown in its query: {name!r}")
        if name in found:
            raise _invalid(text, f"twice in its query: {name!r}")
        found[name] = value
    if found.get("mtime", "commit") != "commit":
        raise _invalid(text, "files have the time of the commit: mtime=checkout is not possible")
    if found.get("checksum") and found.get("commit"):
        raise _invalid(text, "checksum and commit are one thing")
    return found


def _said(words: dict[str, str], said: list[str]) -> str:
    if not said:
        return ""
    prefix = {"tag": "refs/tags/", "branch": "refs/heads/"}.get(said[0], "")
    return prefix + words[said[0]].removeprefix(prefix)


def _flag(words: dict[str, str], name: str, text: str) -> bool | None:
    value = words.get(name)
    if value is None:
        return None
    if value.lower() not in {"", "1", "0", "true", "false", "t", "f"}:
        raise _invalid(text, f"{name} is true or false")
    return value.lower() in {"", "1", "true", "t"}


def _directory(subdir: str, text: str) -> str:
    parts = [part for part in subdir.split("/") if part not in {"", "."}]
    if ".." in parts or "\0" in subdir:
        raise _invalid(text, "its directory leads out of the repository")
    return "/".join(parts)


def _invalid(text: str, why: str) -> InvalidGitReference:
    return InvalidGitReference(f"not a reference to git: {shown_url(text)!r}: {why}")
