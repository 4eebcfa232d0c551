"""The words of a Dockerfile build: docker's, buildx's and buildah's that have a meaning here."""

from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from artificer.cli.command import bare_parser
from artificer.cli.dockerfile.refused import REFUSED, Refusal
from artificer.cli.grammar import RUNGS, Once, Parser, add_access_options
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
Add = Callable[..., object]


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
    inputs = parser.add_argument_group("the Dockerfile").add_argument
    inputs("context", nargs="?", metavar="CONTEXT", help="what COPY and ADD read")
    _inputs(inputs)
    _runs(parser.add_argument_group("commands that are run").add_argument)
    _image(parser.add_argument_group("the image").add_argument)
    _outputs(parser.add_argument_group("where it goes").add_argument)
    _cache(parser.add_argument_group("what is known already").add_argument)
    registries = parser.add_argument_group("registries").add_argument
    _lookup(registries)
    add_access_options(parser, registries)
    _display(parser.add_argument_group("general").add_argument)
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


def _many(add: Add, *names: str, metavar: str, meaning: str) -> None:
    add(*names, metavar=metavar, action="append", default=[], help=meaning)


def _one(add: Add, *names: str, metavar: str, meaning: str) -> None:
    add(*names, metavar=metavar, action=Once, help=meaning)


def _inputs(add: Add) -> None:
    _one(
        add, "-f", "--file", metavar="FILE", meaning="where it is (CONTEXT/Dockerfile); `-`: stdin"
    )
    _many(
        add,
        "--build-arg",
        metavar="NAME[=VALUE]",
        meaning="value of an ARG; without one, that of the environment",
    )
    _many(add, "--build-arg-file", metavar="FILE", meaning="read NAME=VALUE lines")
    _many(
        add,
        "--build-context",
        metavar="NAME=PLACE",
        meaning="what NAME stands for in FROM and --from: a directory, an archive, "
        "docker-image://REF, oci-layout://DIR, a URL",
    )
    _one(add, "--target", metavar="STAGE", meaning="stage to build, by name or number (the last)")
    _one(
        add,
        "--ignorefile",
        metavar="FILE",
        meaning="instead of FILE.dockerignore and CONTEXT/.dockerignore",
    )
    _one(add, "--context-sub-path", metavar="DIR", meaning="directory of CONTEXT to use instead")
    add("--check", action="store_true", help="check the Dockerfile, and build nothing")
    _one(
        add,
        "--call",
        metavar="METHOD",
        meaning="build, check, outline or targets; with `,format=json` for programs",
    )


def _runs(add: Add) -> None:
    _many(
        add,
        "--secret",
        metavar="id=ID[,src=FILE|,env=NAME]",
        meaning="what RUN --mount=type=secret gives a command",
    )
    _many(
        add,
        "--ssh",
        metavar="default|ID[=SOCKET]",
        meaning="agent for RUN --mount=type=ssh (SSH_AUTH_SOCK)",
    )
    _many(add, "--add-host", metavar="HOST:IP", meaning="line of /etc/hosts")
    add(
        "--network",
        choices=("default", "none", "host"),
        action=Once,
        help="of RUN without one of its own",
    )
    way = "way to run commands (`artificer doctor run`)"
    add("--rung", choices=RUNGS, metavar="WAY", action=Once, help=way)
    add(
        "--allow-lost-owners",
        action="store_true",
        help="run commands also where owners of files cannot be kept",
    )
    add(
        "--preserve-mtime",
        action="store_true",
        help="keep the times of files that commands write",
    )


def _image(add: Add) -> None:
    _many(add, "--platform", metavar="OS/ARCH", meaning="several make an index")
    _many(add, "--label", metavar="KEY=VALUE", meaning="add a label")
    _many(
        add,
        "--annotation",
        metavar="[SCOPE:]KEY=VALUE",
        meaning="scope: manifest, index, manifest-descriptor, index-descriptor",
    )
    add("--format", choices=("docker", "oci"), action=Once, help="(the base's; oci of scratch)")
    add("--compression", choices=("gzip", "zstd"), action=Once, help="of new layers (gzip)")
    add("--compression-level", metavar="N", type=int, action=Once, help="default: 1, the fastest")
    _one(
        add,
        "--source-date-epoch",
        "--timestamp",
        metavar="SECONDS",
        meaning="when all is said to have happened (SOURCE_DATE_EPOCH, 0)",
    )


def _outputs(add: Add) -> None:
    _many(
        add,
        "-t",
        "--tag",
        metavar="NAME",
        meaning="name in the store, or a place with its transport; several are possible",
    )
    add("--push", action="store_true", help="send it to the registries that -t names")
    add("--load", action="store_true", help="load it into docker, podman or nerdctl")
    _many(
        add,
        "-o",
        "--output",
        metavar="DIR|type=TYPE[,dest=…]",
        meaning="files of the last stage to a directory; types: local, tar, oci, docker, image, "
        "registry, cacheonly",
    )
    _one(add, "--digest-file", metavar="FILE", meaning="write the image's digest")
    _one(add, "--iidfile", metavar="FILE", meaning="write the image ID (its config's digest)")
    _one(add, "--metadata-file", metavar="FILE", meaning="write what was built, as JSON")
    _one(add, "--image-refs", metavar="FILE", meaning="write every reference by digest")
    _one(add, "--dotenv", metavar="FILE", meaning="write IMAGE_URL=… lines, as for GitLab")
    _one(add, "--results-dir", metavar="DIR", meaning="write DIR/IMAGE_URL …, as for Tekton")


def _cache(add: Add) -> None:
    add("--no-cache", action="store_true", help="make every layer anew")
    _many(add, "--no-cache-filter", metavar="STAGE", meaning="make those of a stage anew")
    add("--explain", action="store_true", help="say what changed of each step that is made anew")
    _one(add, "--cache-repo", metavar="REPO", meaning="share layers through a repository")
    add("--cache-readonly", action="store_true", help="take from the cache repository only")
    _many(
        add,
        "--cache-from",
        metavar="REPO|type=TYPE[,…]",
        meaning="take layers from: registry (ref=REPO), local (src=DIR), inline",
    )
    _many(
        add,
        "--cache-to",
        metavar="REPO|type=TYPE[,…]",
        meaning="leave layers at: registry (ref=REPO), local (dest=DIR), inline",
    )
    add("--locked", action="store_true", help="use only what artificer.lock pins")
    add("-j", "--jobs", metavar="N", default="auto", help="stages built at once (processors)")
    _one(
        add,
        "--store-limit",
        metavar="SIZE",
        meaning="prune the store afterwards; `none`: never (ARTIFICER_STORE_LIMIT, 20GB)",
    )


def _lookup(add: Add) -> None:
    add(
        "--pull",
        choices=("always", "missing", "never", "newer"),
        default="always",
        metavar="WHEN",
        help="when a tag is looked up anew: always, missing, never (always)",
    )
    add("--offline", action="store_true", help="use the store alone, and never the network")


def _display(add: Add) -> None:
    add("--store", metavar="DIR", action=Once, help="local store (ARTIFICER_STORE)")
    add("--progress", choices=PROGRESS, default="auto", metavar="KIND", help="auto, plain, json …")
    add("-q", "--quiet", action="store_true", help="show errors and warnings only")
    add("-h", "--help", action="store_true", help="show this help")
