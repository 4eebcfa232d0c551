"""How a Job's source gets into its pods: the source container's words, where the build starts."""

from typing import assert_never

from artificer.kubernetes.job import (
    FETCH_WORDS,
    GIT_DIRECTORY,
    SOURCE_DIRECTORY,
    ContextSource,
    GitSource,
    Source,
    Workspace,
)


def fetch_words(source: Source) -> tuple[str, ...]:
    """What the source container runs; nothing where the files are there already.

    The clone is whole in `SOURCE_DIRECTORY`, or the command fails; with ``--directory`` it also
    fails when the source has no such directory, as a container could not even be started there.
    """
    match source:
        case GitSource(url, revision, secret, directory):
            words = ["--git", url]
            words += ["--revision", revision] if revision else []
            words += ["--credentials", GIT_DIRECTORY] if secret else []
            words += ["--directory", directory] if directory else []
        case ContextSource(reference, insecure):
            words = ["--artifact", reference]
            words += ["--insecure-registry", reference.partition("/")[0]] if insecure else []
        case Workspace():
            return ()
        case _:
            assert_never(source)
    return ("artificer", *FETCH_WORDS, *words, "--into", SOURCE_DIRECTORY)


def working_directory(source: Source) -> str:
    """Where in the pod the build is started."""
    match source:
        case GitSource(directory=directory) if directory:
            return f"{SOURCE_DIRECTORY}/{directory}"
        case Workspace(directory=directory):
            return directory
        case GitSource() | ContextSource():
            return SOURCE_DIRECTORY
        case _:
            assert_never(source)
