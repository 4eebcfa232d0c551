"""How contexts, Dockerfiles and their ignore files are called; which words are URLs."""

from artificer.sources.git_reference import is_git_reference

DOCKERFILES = ("Dockerfile", "dockerfile", "Containerfile")
"""In this order."""


def is_remote(word: str) -> bool:
    """Whether *word* is a URL, or what git takes for one."""
    return word.startswith(("https://", "http://")) or is_git_reference(word)


def ignore_files(dockerfile: str | None, context: str) -> tuple[str, ...]:
    """Where patterns of files to leave out may stand; the first that is there replaces the others.

    *dockerfile* is None where it came through standard input.
    """
    beside = (f"{dockerfile}.dockerignore",) if dockerfile is not None else ()
    return (*beside, f"{context}/.dockerignore", f"{context}/.containerignore")
