"""A command line, or labels, as what each index of a Job does."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from artificer.builder.targets import Declared, TargetId
from artificer.cli.builds.main import is_of_dockerfile
from artificer.cli.job.kept import nowhere, shared_words
from artificer.cli.session import Session
from artificer.errors import Misused
from artificer.http.request import redacted
from artificer.kubernetes.job import Cache, Work
from artificer.oci.platform import Platform
from artificer.oci.reference import Named

_COMMANDS = ("build", "run", "test", "kaniko", "copy")
_SECRET = ("--creds", "--dest-creds", "--username", "--password-stdin", "--src-creds")

_LOGIN = re.compile(r"(?<!\S)https?://[^/\s@]*:[^/\s@]*@[^/\s]*")
"""Of a word, or of a line within one; what an image shall have in its environment is its own."""


class Asked(NamedTuple):
    """What the indexes do; of targets of BUILD files also what they are, in the same order."""

    works: tuple[Work, ...]
    needs_source: bool = True
    ids: tuple[TargetId, ...] = ()
    graph: Mapping[TargetId, Declared] = {}
    members: tuple[Work, ...] = ()
    """The platforms of an index, each for a pod of its own before the work that needs them all."""
    platform: Platform | None = None
    """Of the only image that there is, if it was named."""


def asked(words: Sequence[str], cache: Cache, session: Session) -> Asked:
    """What *words* (without ``artificer``) stand for: a one-line build, or a command."""
    _check_secrets(words)
    if not words:
        raise Misused(
            "build what?",
            hint="labels, as `//nginx:push`, or a command line behind `--`: "
            "`-- -b BASE -f FILE -t TARGET`, `-- build . -t NAME --push`",
        )
    if words[0].startswith("-"):
        return _one_line(words, cache, session)
    match words[0]:
        case "build" if is_of_dockerfile(words[1:]):
            return _dockerfile(words, cache, session)
        case "build" | "run" | "test":
            from artificer.cli.job.targets import works_of

            works, graph = works_of(words, cache, session)
            return Asked(tuple(works.values()), ids=tuple(works), graph=graph)
        case "kaniko":
            return _kaniko(words, session)
        case "copy":
            return Asked((Work(words[-1], tuple(words)),), needs_source=False)
        case _:
            raise _unknown(words[0])


def _check_secrets(words: Sequence[str]) -> None:
    for word in words:
        if word.partition("=")[0] in _SECRET:
            raise Misused(
                f"{word.partition('=')[0]} in a job would be seen by all who see the job",
                hint="`artificer job secret` makes a Secret: name it with `--registry-secret`",
            )
        found = _LOGIN.search(word.partition("=")[2] if word.startswith("--") else word)
        if found is not None:
            raise Misused(
                f"{redacted(found[0])}: a login in a URL would be seen by all who see the job",
                hint="that of an archive goes into a file for `--archive-auth`, which `--mount "
                "secret:NAME:/DIR` brings; that of git into a Secret for `--git-secret`",
            )


def _unknown(word: str) -> Misused:
    from difflib import get_close_matches

    near = get_close_matches(word, _COMMANDS, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"one of {', '.join(_COMMANDS)}"
    if word.startswith(("//", ":", "@", "...")):
        hint = f"labels stand before `--`; behind it, `build {word}`"
    return Misused(f"a job does not run `artificer {word}`", hint=hint)


def _one_line(words: Sequence[str], cache: Cache, session: Session) -> Asked:
    from artificer.cli.oneline.grammar import build_parser, with_stdin
    from artificer.cli.oneline.main import references_of

    args = build_parser("artificer job … --").parse_args(with_stdin(words))
    names = [one for one in references_of(args) if isinstance(one, Named)]
    if not names:
        raise nowhere("the image", "`-t REGISTRY/NAME:TAG`")
    if any(text == "-" or text.startswith("-:") for text in args.tar):
        raise Misused("--tar -: a pod has no standard input", hint="name the archive as a file")
    needs = any((args.files, args.tar, args.env_file, args.ignore_file, args.locked))
    work = Work(str(names[0]), (*words, *shared_words(args.cache_repo, cache)))
    parts = cache.keeps and args.cache_repo is None and not args.no_cache
    members = _members(work, args.platform) if parts else ()
    return Asked((work,), needs, members=members, platform=_only(args.platform))


def _dockerfile(words: Sequence[str], cache: Cache, session: Session) -> Asked:
    from artificer.cli.dockerfile.main import parsed_dockerfile
    from artificer.cli.dockerfile.names import is_remote
    from artificer.cli.dockerfile.output import outputs_of

    args = parsed_dockerfile(words[1:], session)
    if args.context == "-" or args.file == "-":
        raise Misused("a pod has no standard input", hint="name the context, and `-f FILE`")
    names = [one for one in outputs_of(args).references if isinstance(one, Named)]
    if not names:
        raise nowhere("the image", "`-t REGISTRY/NAME:TAG --push`")
    needs = args.context is None or not is_remote(args.context)
    work = Work(str(names[0]), (*words, *shared_words(args.cache_repo, cache)))
    parts = cache.keeps and args.cache_repo is None
    if args.no_cache or args.no_cache_filter or args.call:
        parts = False  # What others made is not wanted.
    members = _members(work, args.platform) if parts else ()
    return Asked((work,), needs, members=members, platform=_only(args.platform))


def _members(work: Work, given: Sequence[str]) -> tuple[Work, ...]:
    """*work* for each platform that is *given* alone, if they are several."""
    found = platforms_in(given)
    several = len(found) > 1
    return tuple(
        work._replace(target=f"{work.target} ({one})", member=str(one))
        for one in (found if several else ())
    )


def _only(given: Sequence[str]) -> Platform | None:
    found = platforms_in(given)
    return found[0] if len(found) == 1 else None


def platforms_in(given: Sequence[str]) -> tuple[Platform, ...]:
    """Those of ``--platform``; none if the pod's node says which."""
    texts = [text for one in given for text in one.split(",") if text]
    if "local" in texts:
        return ()  # Whatever the pod's node is.
    return tuple(dict.fromkeys(map(Platform.parse, texts)))


def _kaniko(words: Sequence[str], session: Session) -> Asked:
    from artificer.cli.dockerfile.main import parsed_dockerfile
    from artificer.cli.dockerfile.names import is_remote
    from artificer.cli.dockerfile.output import outputs_of
    from artificer.cli.kaniko.main import translated

    args = parsed_dockerfile(translated(words[1:], {}).words, session)
    names = [one for one in outputs_of(args).references if isinstance(one, Named)]
    if not names:
        raise nowhere("the image", "`--destination REGISTRY/NAME:TAG`")
    work, needs = Work(str(names[0]), tuple(words)), not is_remote(args.context)
    return Asked((work,), needs, platform=_only(args.platform))
