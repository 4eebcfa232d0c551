"""The parsed words of a Dockerfile build as values: what is built, with what, and how."""

import os
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from artificer.builder.recipe import Annotation, Cache
from artificer.builder.staged.options import Afresh, InlineCache, LocalCache, StepCache
from artificer.cli.dockerfile import words as read
from artificer.cli.dockerfile.contexts import Words
from artificer.cli.dockerfile.output import Outputs, outputs_of
from artificer.cli.words import today
from artificer.errors import Misused
from artificer.frontends.dockerfile.contexts import NamedContext, named_context
from artificer.frontends.dockerfile.options import Options
from artificer.oci.platform import Platform
from artificer.oci.reference import Named, parse_name

_CACHES = ("registry", "local", "inline")
_REGISTRY_USUAL = {
    "mode": ("max",),
    "image-manifest": ("true",),
    "oci-mediatypes": ("true",),
    "compression": ("gzip",),
    "mounts": ("true", "false"),
}
_ELSEWHERE = {
    "gha": "keep the store between jobs (`--store DIR`), or share a repository: `--cache-repo`",
    "s3": "share a repository: `--cache-repo REPO`",
    "azblob": "share a repository: `--cache-repo REPO`",
}


class Caches(NamedTuple):
    """Who is asked for layers besides the store, in this order; *inline*: the image is one.

    *mounts* has what cache mounts hold.
    """

    steps: tuple[StepCache, ...] = ()
    inline: bool = False
    mounts: Cache | None = None


class Request(NamedTuple):
    """A Dockerfile's build as it was asked for. *options* are for any one of the *platforms*."""

    words: Words
    options: Options
    platforms: tuple[Platform, ...]
    outputs: Outputs
    caches: Caches
    annotations: tuple[Annotation, ...]
    secrets: Mapping[str, read.Secret]
    agents: Mapping[str, str]
    hosts: tuple[tuple[str, str], ...]
    afresh: Afresh


def request_of(args: Namespace, environ: Mapping[str, str]) -> Request:
    """What *args* ask for; files of secrets and arguments are read, nothing else is."""
    if args.context is None:
        raise Misused("build what?", hint="name the context, as `artificer build .`")
    host = Platform.normal("linux", os.uname().machine)
    platforms = _platforms(args, environ, host)
    outputs = outputs_of(args)
    build_args = read.build_args(args.build_arg, args.build_arg_file, environ)
    options = Options(
        build_args=build_args,
        target=args.target or "",
        platform=platforms[0],
        build_platform=host,
        contexts=_contexts(args),
        labels=tuple(sorted(read.labels(args.label).items())),
        network=args.network or "default",
        epoch=_epoch(args, environ),
    )
    return Request(
        Words(args.context, args.file, args.ignorefile, args.context_sub_path),
        options,
        platforms,
        outputs,
        caches_of(args),
        read.annotations(args.annotation),
        read.secrets(args.secret, environ),
        read.agents(args.ssh, environ),
        read.hosts(args.add_host),
        _afresh(args),
    )


def caches_of(args: Namespace) -> Caches:
    """What ``--cache-repo``, ``--cache-to`` and ``--cache-from`` say."""
    if args.cache_readonly and args.cache_repo is None:
        raise Misused(
            "--cache-readonly without a --cache-repo", hint="name it: `--cache-repo REPO`"
        )
    found: list[StepCache] = []
    if args.cache_repo is not None:
        name = _repository(args.cache_repo, "--cache-repo")
        found.append(Cache(name, readonly=args.cache_readonly, day=today()))
    inline = False
    for text in args.cache_to:
        written = _written(text)
        inline = inline or written is None
        if written is not None:
            found.append(written)
    written_to = {str(one[0]) for one in found}
    for text in args.cache_from:
        # What is written to is asked, too.
        found.extend(one for one in _asked(text) if str(one[0]) not in written_to)
    return Caches(tuple(dict.fromkeys(found)), inline, _mounts(args))


def _mounts(args: Namespace) -> Cache | None:
    """The repository that cache mounts are shared through, where one has ``mounts=true``."""
    words = [(text, "--cache-to") for text in args.cache_to]
    words += [(text, "--cache-from") for text in args.cache_from]
    for text, option in words:
        kind, given = _cache(text, option)
        if kind == "registry" and given.get("mounts", "").lower() == "true":
            name = _repository(_needed(given, "ref", text), option)
            return Cache(name, readonly=option == "--cache-from")
    return None


def _written(text: str) -> StepCache | None:
    """The cache of one ``--cache-to``; None is the image itself."""
    kind, given = _cache(text, "--cache-to")
    made: StepCache | None = None
    if kind == "registry":
        made = Cache(_repository(_needed(given, "ref", text), "--cache-to"))
    elif kind == "local":
        made = LocalCache(_needed(given, "dest", text))
    _check_rest(given, text, "--cache-to")
    return made


def _asked(text: str) -> Iterator[StepCache]:
    """The caches of one ``--cache-from``: an image may be one, and its repository hold one."""
    kind, given = _cache(text, "--cache-from")
    if kind == "local":
        yield LocalCache(_needed(given, "src", text), readonly=True)
    else:
        name = parse_name(_needed(given, "ref", text))
        if kind == "registry":
            yield Cache(name._replace(tag=None, digest=None), readonly=True)
        yield InlineCache(name)
    _check_rest(given, text, "--cache-from")


def _cache(text: str, option: str) -> tuple[str, dict[str, str]]:
    """The kind of a cache, and what else is said of it; a name alone is a repository, as ever."""
    if "=" not in text:
        return (text, {}) if text == "inline" else ("registry", {"ref": text})
    given = read.fields(text, option)
    kind = given.pop("type", "registry" if "ref" in given else "")
    if kind in _ELSEWHERE:
        raise Misused(
            f"{option} type={kind} is refused: it is not spoken here", hint=_ELSEWHERE[kind]
        )
    if kind not in _CACHES:
        raise Misused(f"{option} {text}: no such type", hint=f"one of {read.told(_CACHES)}")
    return kind, given


def _needed(given: dict[str, str], key: str, text: str) -> str:
    value = given.pop(key, "")
    if not value:
        raise Misused(f"{text}: it lacks {key}=…", hint=f"write type=…,{key}=…")
    return value


def _check_rest(given: Mapping[str, str], text: str, option: str) -> None:
    for key, value in given.items():
        if value.lower() not in _REGISTRY_USUAL.get(key, ()):
            raise Misused(
                f"{option} {text}: {key}={value} is refused: it has no meaning here",
                hint=f"leave {key} out",
            )


def _repository(text: str, option: str) -> Named:
    """A repository; a tag or digest would be none of its records."""
    name = parse_name(text)
    if name.digest or (name.tag and option == "--cache-repo"):
        raise Misused(
            f"{option} is a repository, without a tag: {text}",
            hint="tags are keys of layers there",
        )
    return name._replace(tag=None)


def _platforms(
    args: Namespace, environ: Mapping[str, str], host: Platform
) -> tuple[Platform, ...]:
    """What is built for; as with docker, this machine's own where nothing says so."""
    texts = [text for given in args.platform for text in given.split(",") if text]
    texts = texts or [environ.get("DOCKER_DEFAULT_PLATFORM") or "local"]
    found = (host if text == "local" else Platform.parse(text) for text in texts)
    return tuple(dict.fromkeys(found))


def _contexts(args: Namespace) -> tuple[NamedContext, ...]:
    found: dict[tuple[str, Platform | None], NamedContext] = {}
    for text in args.build_context:
        one = named_context(text)
        if (one.name, one.platform) in found:
            raise Misused(
                f"--build-context {one.name} is given twice", hint="leave one of them out"
            )
        found[one.name, one.platform] = one
    return tuple(found.values())


def _epoch(args: Namespace, environ: Mapping[str, str]) -> int:
    text = args.source_date_epoch or environ.get("SOURCE_DATE_EPOCH") or "0"
    if not text.isdecimal():
        raise Misused(
            f"SOURCE_DATE_EPOCH is not a number of seconds: {text!r}",
            hint="they count from 1970, as `date +%s` does",
        )
    return int(text)


def _afresh(args: Namespace) -> Afresh:
    """The stages that are made anew."""
    words = (word.strip() for text in args.no_cache_filter for word in text.split(","))
    return Afresh(args.no_cache, frozenset(word.lower() for word in words if word))
