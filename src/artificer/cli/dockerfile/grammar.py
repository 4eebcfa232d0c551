"""The words of a Dockerfile build: docker's, buildx's and buildah's that have a meaning here."""

from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import NoReturn

from artificer.cli.command import bare_parser
from artificer.cli.dockerfile.refused import REFUSED, Refusal
from artificer.cli.grammar import (
    RUNGS,
    OptionGroup,
    Parser,
    add_access_options,
    add_cache_repository,
    add_result_files,
    add_store_limit,
)
from artificer.errors import Misused

_ABOUT = """\
Build the image that a Dockerfile describes, without a daemon. CONTEXT is a directory, a tar
archive, a git repository (URL#REF:DIRECTORY), the URL of an archive or of a Dockerfile, or `-`:
a Dockerfile or an archive on standard input.

`-t NAME` keeps the image in the store; --push, or a name with a transport (docker://NAME, oci:DIR
...), sends it. Its reference by digest goes to standard output. Options of docker, buildx and
buildah that have no meaning here are refused by name: docs/reference/docker-build.md lists all.
"""
PROGRESS = ("auto", "plain", "json", "quiet", "tty", "rawjson", "none")
"""Kinds of progress: ours, and docker's names for them."""
_TRUE = frozenset({"1", "t", "true"})
_FALSE = frozenset({"0", "f", "false"})


class _Refuse(Action):
    """An option that others have, and that has no meaning here."""

    def __init__(self, *, refusal: Refusal, **words: object) -> None:
        super().__init__(**words)  # type: ignore[arg-type]
        self._refusal = refusal

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: object,
        option_string: str | None = None,
    ) -> NoReturn:
        """Say why not."""
        raise Misused(
            f"{option_string} is refused: {self._refusal.reason}", hint=self._refusal.hint
        )


def dockerfile_parser() -> Parser:
    """The parser of a Dockerfile build's words; see `plain_words`."""
    parser = bare_parser("build", "CONTEXT [-f DOCKERFILE] [-t NAME…] [options]", _ABOUT)
    inputs = OptionGroup(parser, "the Dockerfile")
    inputs.add("context", nargs="?", metavar="CONTEXT", help="what COPY and ADD read")
    _inputs(inputs)
    _runs(OptionGroup(parser, "commands that are run"))
    _image(OptionGroup(parser, "the image"))
    _outputs(OptionGroup(parser, "where it goes"))
    _cache(OptionGroup(parser, "what is known already"))
    registries = OptionGroup(parser, "registries")
    _lookup(registries)
    add_access_options(parser, registries)
    _display(OptionGroup(parser, "general"))
    parser.set_defaults(git_authorization="", kaniko=False)
    for name, refusal in REFUSED.items():
        parser.add_argument(
            *name.split(), nargs="?", action=_Refuse, refusal=refusal, help=SUPPRESS
        )
    return parser


def plain_words(words: Sequence[str], parser: Parser) -> list[str]:
    """*words* without the values that docker's switches may have: ``--push=false`` is none.

    ``--pull`` is a switch with docker, and has a value with buildah.
    """
    return list(_plain(words, switches_of(parser)))


def _plain(words: Sequence[str], switches: frozenset[str]) -> Iterator[str]:
    done = False
    for word in words:
        done = done or word == "--"
        name, equals, value = word.partition("=")
        if done:
            yield word
        elif name == "--pull":
            yield from _pull(value, given=bool(equals))
        elif equals and name in switches:
            yield from _switch(name, value)
        elif _says_as_usual(name, value if equals else "true"):
            continue
        else:
            yield word


def _pull(value: str, *, given: bool) -> Iterator[str]:
    if not given or value.lower() in _TRUE:
        yield "--pull=always"
    elif value.lower() in _FALSE:
        yield "--pull=missing"
    else:
        yield f"--pull={value}"


def _switch(name: str, value: str) -> Iterator[str]:
    if value.lower() in _TRUE:
        yield name
    elif value.lower() not in _FALSE:
        raise Misused(f"{name}={value}: neither true nor false", hint=f"leave it at {name}")


def _says_as_usual(name: str, value: str) -> bool:
    """Whether ``NAME=VALUE`` (``NAME`` alone is true) asks for what is always the case here."""
    usual = next((one.usual for names, one in REFUSED.items() if name in names.split()), ())
    return value.lower() in usual


def switches_of(parser: Parser) -> frozenset[str]:
    """The options of *parser* that take no value."""
    return frozenset(
        name for action in parser._actions if action.nargs == 0 for name in action.option_strings
    )


def valued_of(parser: Parser) -> frozenset[str]:
    """The options of *parser* that take the next word as their value."""
    return frozenset(
        name
        for action in parser._actions
        if action.nargs is None or isinstance(action, _Refuse)
        for name in action.option_strings
    )


def _inputs(group: OptionGroup) -> None:
    group.one("-f --file", "FILE", "where it is (CONTEXT/Dockerfile); `-`: stdin")
    group.many(
        "--build-arg", "NAME[=VALUE]", "value of an ARG; without one, that of the environment"
    )
    group.many("--build-arg-file", "FILE", "read NAME=VALUE lines")
    group.many(
        "--build-context",
        "NAME=PLACE",
        "what NAME stands for in FROM and --from: a directory, an archive, "
        "docker-image://REF, oci-layout://DIR, a URL",
    )
    group.one("--target", "STAGE", "stage to build, by name or number (the last)")
    group.one("--ignorefile", "FILE", "instead of FILE.dockerignore and CONTEXT/.dockerignore")
    group.one("--context-sub-path", "DIR", "directory of CONTEXT to use instead")
    group.switch("--check", "check the Dockerfile, and build nothing")
    group.one(
        "--call", "METHOD", "build, check, outline or targets; with `,format=json` for programs"
    )


def _runs(group: OptionGroup) -> None:
    group.many(
        "--secret", "id=ID[,src=FILE|,env=NAME]", "what RUN --mount=type=secret gives a command"
    )
    group.many("--ssh", "default|ID[=SOCKET]", "agent for RUN --mount=type=ssh (SSH_AUTH_SOCK)")
    group.many("--add-host", "HOST:IP", "line of /etc/hosts")
    group.choice("--network", ("default", "none", "host"), "of RUN without one of its own")
    way = "way to run commands (`artificer doctor run`)"
    group.one("--rung", "WAY", way, choices=RUNGS)
    group.switch("--allow-lost-owners", "run commands also where owners of files cannot be kept")
    group.switch("--preserve-mtime", "keep the times of files that commands write")


def _image(group: OptionGroup) -> None:
    group.many("--platform", "OS/ARCH", "several make an index")
    group.many("--label", "KEY=VALUE", "add a label")
    group.many(
        "--annotation",
        "[SCOPE:]KEY=VALUE",
        "scope: manifest, index, manifest-descriptor, index-descriptor",
    )
    group.choice("--format", ("docker", "oci"), "(the base's; oci of scratch)")
    group.choice("--compression", ("gzip", "zstd"), "of new layers (gzip)")
    group.one("--compression-level", "N", "default: 1, the fastest", type=int)
    group.one(
        "--source-date-epoch --timestamp",
        "SECONDS",
        "when all is said to have happened (SOURCE_DATE_EPOCH, 0)",
    )


def _outputs(group: OptionGroup) -> None:
    group.many(
        "-t --tag",
        "NAME",
        "name in the store, or a place with its transport; several are possible",
    )
    group.switch("--push", "send it to the registries that -t names")
    group.switch("--load", "load it into docker, podman or nerdctl")
    group.many(
        "-o --output",
        "DIR|type=TYPE[,dest=…]",
        "files of the last stage to a directory; types: local, tar, oci, docker, image, "
        "registry, cacheonly",
    )
    add_result_files(group)


def _cache(group: OptionGroup) -> None:
    group.switch("--no-cache", "make every layer anew")
    group.many("--no-cache-filter", "STAGE", "make those of a stage anew")
    group.switch("--explain", "say what changed of each step that is made anew")
    add_cache_repository(group, "share layers through a repository")
    group.many(
        "--cache-from",
        "REPO|type=TYPE[,…]",
        "take layers from: registry (ref=REPO), local (src=DIR), inline",
    )
    group.many(
        "--cache-to",
        "REPO|type=TYPE[,…]",
        "leave layers at: registry (ref=REPO), local (dest=DIR), inline",
    )
    group.switch("--locked", "use only what artificer.lock pins")
    group.add(
        "-j", "--jobs", metavar="N", default="auto", help="stages built at once (processors)"
    )
    add_store_limit(group)


def _lookup(group: OptionGroup) -> None:
    group.add(
        "--pull",
        choices=("always", "missing", "never", "newer"),
        default="always",
        metavar="WHEN",
        help="when a tag is looked up anew: always, missing, never (always)",
    )
    group.switch("--offline", "use the store alone, and never the network")


def _display(group: OptionGroup) -> None:
    group.one("--store", "DIR", "local store (ARTIFICER_STORE)")
    group.add(
        "--progress", choices=PROGRESS, default="auto", metavar="KIND", help="auto, plain, json …"
    )
    group.switch("-q --quiet", "show errors and warnings only")
    group.switch("-h --help", "show this help")
