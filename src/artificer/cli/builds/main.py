"""``artificer build``: a Dockerfile's context, or targets of BUILD files."""

import os
from collections.abc import Iterator, Sequence

from artificer.cli.dockerfile.grammar import dockerfile_parser, switches_of, valued_of
from artificer.cli.dockerfile.names import DOCKERFILES, is_remote
from artificer.cli.session import Session
from artificer.cli.workspace.options import target_parser
from artificer.errors import Misused

_LABELS = ("//", ":", "@", "-//", "-:", "-@", "...")
_BUILD_FILES = ("BUILD", "BUILD.bazel")
_ROOT_FILES = ("MODULE.bazel", "WORKSPACE.bazel", "WORKSPACE")
_PATHS = ("/", "./", "../", "~")


def run(words: Sequence[str], session: Session) -> int:
    """Build what *words* name."""
    helping = [word for word in words[1:] if word in {"-h", "--help"}]
    if helping or is_of_dockerfile(words[1:]):
        if not helping:
            from artificer.cli.dockerfile.main import run as run_dockerfile

            return run_dockerfile(words, session)
        session.out(dockerfile_parser().format_help())
    from artificer.cli.workspace.build import run as run_targets

    return run_targets(words, session)


def is_of_dockerfile(words: Sequence[str]) -> bool:
    """Whether *words* (without ``build``) are docker's, and not Bazel's."""
    parser, targets = dockerfile_parser(), target_parser("build", "", "")
    named = list(_positional(words, valued_of(parser) | valued_of(targets)))
    own = valued_of(parser) | switches_of(parser)
    own -= valued_of(targets) | switches_of(targets)
    of_docker = [word for word in words if word.partition("=")[0] in own or _is_short(word)]
    labels = [word for word in named if _is_label(word)]
    if labels and of_docker:
        raise Misused(
            f"{of_docker[0]} is about a Dockerfile, and {labels[0]} is a target of a BUILD file",
            hint="build one of them; `artificer build --help` lists the options of both",
        )
    if labels or of_docker:
        return not labels
    if not named:
        raise Misused(
            "build what?",
            hint="name a Dockerfile's context, as `artificer build .`, "
            "or a target of a BUILD file, as `artificer build //nginx:nginx`",
        )
    return any(map(_is_place, named)) or (len(named) == 1 and _is_context(named[0]))


def _positional(words: Sequence[str], valued: frozenset[str]) -> Iterator[str]:
    """The words that are neither options nor their values."""
    skipped = False
    for at, word in enumerate(words):
        if word == "--":
            yield from words[at + 1 :]
            return
        if skipped:
            skipped = False
        elif word.startswith("-") and word != "-" and not word.startswith(_LABELS):
            skipped = word in valued
        else:
            yield word


def _is_label(word: str) -> bool:
    return word.startswith(_LABELS) or word.endswith("/...")


def _is_short(word: str) -> bool:
    """Whether it is one of docker's short options with its value behind it: ``-fDockerfile``."""
    return word[:2] in {"-f", "-t", "-o"} and word[1:2] != "-"


def _is_place(word: str) -> bool:
    """Whether *word* is no name of a target, whatever is there."""
    return is_remote(word) or word.startswith(_PATHS) or word in {".", "..", "-"}


def _is_context(word: str) -> bool:
    """Whether *word* names a context; a directory with a Dockerfile does, whatever it is else."""
    if not os.path.isdir(word):
        return not _in_workspace() and ":" not in word
    if _has(word, DOCKERFILES):
        return True
    if _has(word, _BUILD_FILES):
        return False
    raise Misused(
        f"{word} has neither a Dockerfile nor a BUILD file",
        hint=f"`-f FILE` says where the Dockerfile is; `//{word.rstrip('/')}:NAME` is a target",
    )


def _in_workspace() -> bool:
    """Whether a word may be a target's at all."""
    here = os.getcwd()
    while not _has(here, _ROOT_FILES):
        if here == os.path.dirname(here):
            return False
        here = os.path.dirname(here)
    return True


def _has(directory: str, names: Sequence[str]) -> bool:
    return any(os.path.isfile(os.path.join(directory, name)) for name in names)
