"""Repositories of git, checked out: fetched once for each commit, then kept as plain files."""

import base64
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError, Misused
from artificer.events import Note, Report
from artificer.oci.digest import Digest
from artificer.sources.git_program import (
    Call,
    GitFailed,
    GitTooLarge,
    NotInGit,
    Program,
    failure,
    output,
    program,
    run,
    run_patiently,
)
from artificer.sources.git_reference import GitReference, shown_url, without_user
from artificer.sources.git_tree import emptied, finished
from artificer.stop import Stop
from artificer.store.blobs import Store
from artificer.store.files import usable
from artificer.store.lock import lock

_KIND = "git"
_HASHED = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})\t(\S+)")
# What a server says that gives names only, or no parts of a history.
_WHOLE = re.compile(
    r"not our ref|unadvertised object|does not support shallow|couldn't find remote ref|"
    r"no such remote ref|remote did not send all necessary objects|not allow request",
    re.IGNORECASE,
)


class WrongCommit(ArtificerError):
    """A revision is not the commit that was asked for."""


class Git(NamedTuple):
    """How repositories are had. Of *environ* git is given PATH, proxies, and certificates.

    *authorization* gives the value of the header ``Authorization`` for a host, "" for none.
    Offline, nobody is asked: what is not in the store is an error.
    """

    store: Store
    report: Report
    stop: Stop
    environ: Mapping[str, str] = {}
    authorization: Callable[[str], str] = lambda _: ""
    offline: bool = False
    seconds: float = limits.GIT_SECONDS

    def __repr__(self) -> str:
        return f"Git({self.store.root!r})"


class Checkout(NamedTuple):
    """The files of *commit* below *directory*, which is kept in the store and not to be changed.

    Files are 0644 or 0755, directories 0755, and all have the time of the commit.
    """

    directory: str
    commit: str


class _Revision(NamedTuple):
    """A commit, and the whole name that a server has for it, if it is known."""

    commit: str
    name: str = ""


def checkout(reference: GitReference, git: Git) -> Checkout:
    """The files of *reference*: its whole tree, whatever the subdir (see `subdirectory`).

    A branch or tag is looked up; of a commit that is in the store nothing is fetched.
    """
    with _home(reference, git) as place:
        revision = _revision(reference, git, place)
        path = f"{place.folder}/{_key(reference, revision)}"
        if not os.path.isdir(path):
            _check_offline(reference, git)
            git.report(Note(f"fetching {reference} from git, commit {revision.commit[:12]}"))
            _fetched(reference, revision, place)
            moment = int(_line(["log", "-1", "--format=%ct", revision.commit], place))
            if reference.keep_git_dir:
                _settled(revision, place)
            with usable(git.store.root):
                finished(place.tree, path, moment, keep=bool(reference.keep_git_dir))
        return Checkout(path, revision.commit)


def commit_of(reference: GitReference, git: Git) -> str:
    """The commit that *reference* stands for now; a server is asked, unless it says it itself."""
    with _home(reference, git) as place:
        return _revision(reference, git, place).commit


def subdirectory(found: Checkout, reference: GitReference) -> str:
    """The directory that *reference* means, in *found*; no link leads out of it."""
    path = os.path.join(found.directory, reference.subdir) if reference.subdir else ""
    if not path:
        return found.directory
    real = os.path.realpath(path)
    if not real.startswith(f"{os.path.realpath(found.directory)}{os.sep}"):
        raise Misused(f"{reference}: {reference.subdir} leads out of the repository")
    if not os.path.isdir(real):
        raise Misused(f"{reference}: there is no directory {reference.subdir}")
    return real


def authorization_of(secrets: Mapping[str, str], host: str) -> str:
    """The header's value for *host*, of ``GIT_AUTH_HEADER[.HOST]`` or ``GIT_AUTH_TOKEN[.HOST]``.

    As with BuildKit, what is for the host comes before what is for all.
    """
    for end in (f".{host}", ""):
        header, token = secrets.get(f"GIT_AUTH_HEADER{end}"), secrets.get(f"GIT_AUTH_TOKEN{end}")
        if header:
            return header.strip()
        if token:
            words = f"x-access-token:{token.strip()}".encode()
            return f"Basic {base64.b64encode(words).decode()}"
    return ""


class _Place(NamedTuple):
    """Where one checkout is made: kept trees lie in *folder*, the new one in *tree*."""

    folder: str
    tree: str
    program: Program


@contextmanager
def _home(reference: GitReference, git: Git) -> Iterator[_Place]:
    folder = f"{git.store.root}/state/git"
    name = Digest.of("\0".join(map(str, reference)).encode()).hex[:32]
    work = f"{folder}/work-{name}"
    with usable(git.store.root):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        fd = os.open(f"{folder}/{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        lock(fd)
        with usable(git.store.root):
            emptied(work)
            os.makedirs(f"{work}/home")
        url, environ = reference.url, git.environ
        header = git.authorization(reference.host) if reference.host else ""
        made = program(environ, f"{work}/home", url, header, git.seconds, git.stop)
        yield _Place(folder, f"{work}/tree", made)
    finally:
        emptied(work)
        os.close(fd)


def _key(reference: GitReference, revision: _Revision) -> str:
    if not reference.keep_git_dir:
        return revision.commit + ("-submodules" if reference.submodules else "")
    # What .git says of its origin and its tag is no part of the commit.
    said = f"{without_user(reference.url)[0]}\0{reference.ref}\0{reference.submodules}"
    return f"{revision.commit}-git-{Digest.of(said.encode()).hex[:16]}"


def _revision(reference: GitReference, git: Git, place: _Place) -> _Revision:
    commit = reference.commit
    if not commit:
        verified = _verified(reference, git)
        if verified and os.path.isdir(f"{place.folder}/{_key(reference, verified)}"):
            return verified
        _check_offline(reference, git)
        revision = _looked_up(reference, place)
    else:
        revision = _Revision(commit)
    if not revision.commit.startswith(reference.checksum):
        raise WrongCommit(
            f"{reference} is the commit {revision.commit}, not {reference.checksum}",
            hint="the branch or tag was moved, or the checksum is of another commit",
        )
    if reference.checksum:
        git.store.set_record(_KIND, _words(reference), revision.commit.encode())
    return revision


def _verified(reference: GitReference, git: Git) -> _Revision | None:
    """What a revision was when it was last held against its checksum, if that is whole."""
    if len(reference.checksum) < len("0" * 40):
        return None
    known = git.store.record(_KIND, _words(reference))
    return None if known != reference.checksum.encode() else _Revision(reference.checksum)


def _words(reference: GitReference) -> str:
    url = without_user(reference.url)[0]
    return f"{url} {reference.ref} {reference.checksum}"


def _check_offline(reference: GitReference, git: Git) -> None:
    if git.offline:
        raise GitFailed(f"{reference}: not in the store, and offline")


def _looked_up(reference: GitReference, place: _Place) -> _Revision:
    """What the server calls *reference*: a tag before a branch, as git itself decides."""
    ref = reference.ref or "HEAD"
    url = place.program.url
    words = ["ls-remote", "--quiet", "--", url, ref, f"{ref}^{{}}"]
    call = Call(words, place.program.home, limit=limits.GIT_REFS_BYTES)
    ended = run_patiently(place.program, call)
    if ended.code:
        raise failure(place.program, ended)
    lines = ended.out.decode("utf-8", "replace").splitlines()
    there = {match[2]: match[1] for line in lines if (match := _HASHED.fullmatch(line))}
    for name in (ref, f"refs/tags/{ref}", f"refs/heads/{ref}", f"refs/{ref}"):
        if name in there:
            return _Revision(there.get(f"{name}^{{}}", there[name]), name)
    if re.fullmatch(r"[0-9a-f]{7,63}", ref):
        return _shortened(reference, place)
    raise NotInGit(
        f"{shown_url(url)} has no branch or tag {ref!r}" if reference.ref else f"{url} is empty",
        hint=None if reference.ref else "name a branch: its default branch has no commit",
    )


def _shortened(reference: GitReference, place: _Place) -> _Revision:
    """A commit by its first digits: only a whole history tells which it is."""
    _init(place, 40)
    _all(place)
    words = ["rev-parse", "--verify", "--quiet", f"{reference.ref}^{{commit}}"]
    ended = run(place.program, Call(words, place.tree))
    if ended.code:
        raise NotInGit(f"{shown_url(place.program.url)} has no revision {reference.ref!r}")
    return _Revision(ended.out.decode("ascii", "replace").strip())


def _line(words: Sequence[str], place: _Place) -> str:
    return output(place.program, Call(words, place.tree)).decode("ascii", "replace").strip()


def _fetched(reference: GitReference, revision: _Revision, place: _Place) -> None:
    """Have the files of *revision* in the place's tree."""
    commit = revision.commit
    git = place.program
    if not os.path.isdir(f"{place.tree}/.git"):
        _init(place, len(commit))
        _history(reference, revision, place)
    if _line(["rev-parse", "--verify", f"{commit}^{{commit}}"], place) != commit:
        raise WrongCommit(f"{shown_url(git.url)} gave another commit than {commit}")
    _check_size(commit, place)
    words = ["-c", "core.hooksPath=/dev/null", "checkout", "--quiet", "--force", "--detach"]
    output(git, _watched([*words, commit], place))
    if reference.submodules:
        modules = ["submodule", "--quiet", "update", "--init", "--recursive"]
        shallow = run(git, _watched([*modules, "--depth=1"], place))
        if shallow.code:
            output(git, _watched(modules, place))


def _settled(revision: _Revision, place: _Place) -> None:
    """Have a ``.git`` that is the same whoever fetched it: one pack, an index without times."""
    words = ["-c", "pack.writeReverseIndex=false", "repack", "-a", "-d", "-f", "--quiet"]
    output(place.program, _watched(words, place))
    os.unlink(f"{place.tree}/.git/index")
    output(place.program, Call(["read-tree", revision.commit], place.tree))


def _init(place: _Place, digits: int) -> None:
    os.makedirs(place.tree)
    kind = ["--object-format=sha256"] if digits == len("0" * 64) else []
    output(place.program, Call(["init", "--quiet", *kind], place.tree))
    remote = ["remote", "add", "--", "origin", place.program.url]
    output(place.program, Call(remote, place.tree))


def _history(reference: GitReference, revision: _Revision, place: _Place) -> None:
    """Fetch *revision*: alone if the server gives single commits, else with all that it has."""
    tries = [revision.commit]
    if revision.name and revision.name != "HEAD":
        tag = revision.name.startswith("refs/tags/")
        # Not onto a branch of its own name: that is the one which is checked out.
        named = f"+{revision.name}:{revision.name if tag else 'refs/artificer/wanted'}"
        # A tag is part of what .git tells; otherwise names could have moved meanwhile.
        tries.insert(0 if tag and reference.keep_git_dir else 1, named)
    for one in tries:
        words = ["fetch", "--quiet", "--depth=1", "--no-tags", "--", "origin", one]
        ended = run_patiently(place.program, _watched(words, place))
        if not ended.code and _has(revision.commit, place):
            return
        if ended.code and not _WHOLE.search(ended.said):
            raise failure(place.program, ended)
    _all(place)
    if not _has(revision.commit, place):
        raise NotInGit(
            f"{shown_url(place.program.url)} has no commit {revision.commit}",
            hint="it is on no branch and no tag there (any more)",
        )


def _all(place: _Place) -> None:
    names: Sequence[str] = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    shallow = os.path.exists(f"{place.tree}/.git/shallow")
    words = ["fetch", "--quiet", *(["--unshallow"] if shallow else []), "--", "origin", *names]
    output(place.program, _watched(words, place))


def _has(commit: str, place: _Place) -> bool:
    words = ["cat-file", "-e", f"{commit}^{{commit}}"]
    return run(place.program, Call(words, place.tree)).code == 0


def _check_size(commit: str, place: _Place) -> None:
    """Refuse a tree that would fill the disk: git stores a file once that stands there often."""
    words = ["ls-tree", "-r", "-l", "-z", "--full-tree", commit]
    out = output(place.program, Call(words, place.tree, limit=limits.GIT_TREE_BYTES))
    entries = out.split(b"\0")[:-1]
    # MODE TYPE HASH SIZE, then a tab and the path; a submodule has no size.
    sizes = (entry.partition(b"\t")[0].split()[-1] for entry in entries)
    total = sum(int(size) for size in sizes if size.isdigit())
    where = shown_url(place.program.url)
    if len(entries) > limits.ENTRIES:
        raise GitTooLarge(f"{where}: more than {limits.ENTRIES} files in {commit}")
    if total > limits.GIT_BYTES:
        raise GitTooLarge(f"{where}: {total} bytes in {commit}, more than {limits.GIT_BYTES}")


def _watched(words: Sequence[str], place: _Place) -> Call:
    """A call that ends when it fetches more than it may."""

    def watch() -> None:
        if _pack_bytes(f"{place.tree}/.git/objects/pack") > limits.GIT_BYTES:
            raise GitTooLarge(
                f"{shown_url(place.program.url)}: more than {limits.GIT_BYTES} bytes to fetch"
            )

    return Call(words, place.tree, watch=watch)


def _pack_bytes(path: str) -> int:
    """What lies in the directory *path*, which git is writing to."""
    total = 0
    try:
        with os.scandir(path) as found:
            for one in found:
                status = one.stat(follow_symlinks=False)
                total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    except FileNotFoundError:
        return total
    return total
