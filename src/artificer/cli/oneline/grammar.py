"""The words of a one-line build: the 2018 tool's, and many more."""

from collections.abc import Callable, Sequence

from artificer.cli.grammar import (
    Formatter,
    Once,
    Parser,
    add_archive_options,
    add_common_options,
    add_registry_options,
)
from artificer.cli.words import size

_USAGE = "-b BASE -f FILE… [-e NAME=VALUE…] [-c CMD] -t TARGET [options]"


def with_stdin(words: Sequence[str]) -> list[str]:
    """Join ``--tar`` with a ``-:/DEST`` behind it: argparse would take that for an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "--tar" and word.startswith("-:"):
            joined[-1] = f"--tar={word}"
        else:
            joined.append(word)
    return joined


def build_parser(prog: str) -> Parser:
    """The parser of a one-line build's words."""
    parser = Parser(
        prog=prog,
        usage=f"{prog} {_USAGE}",
        add_help=False,
        allow_abbrev=False,
        formatter_class=Formatter,
    )
    _files(parser)
    _packages(parser)
    _config(parser)
    _image(parser)
    _outputs(parser)
    add_registry_options(parser)
    add_common_options(parser)
    return parser


def _files(parser: Parser) -> None:
    add = parser.add_argument_group("base and files").add_argument
    add(
        "-b",
        "--baseimage",
        "--base",
        metavar="BASE",
        action=Once,
        help="image to build upon; `scratch` for none",
    )
    add(
        "-f",
        "--files",
        metavar="FILE",
        action="extend",
        nargs="+",
        default=[],
        help="file, directory, pattern, or SRC:/DEST",
    )
    add(
        "--tar",
        metavar="FILE",
        action="append",
        default=[],
        help="merge an archive's files; `-` reads standard input",
    )
    add(
        "--symlink", metavar="LINK=TARGET", action="append", default=[], help="add a symbolic link"
    )
    add("--empty-dir", metavar="PATH", action="append", default=[], help="add an empty directory")
    add("--empty-file", metavar="PATH", action="append", default=[], help="add an empty file")
    add("--delete", metavar="PATH", action="append", default=[], help="hide a path of the base")
    add(
        "--copy-from",
        metavar="IMAGE:/PATH[:/DEST]",
        action="append",
        default=[],
        help="copy files out of another image",
    )
    _rules(add)


def _rules(add: Callable[..., object]) -> None:
    """What is done to files on their way, and how layers are made of them."""
    add(
        "--exclude",
        metavar="PATTERN",
        action="append",
        default=[],
        help="leave files out (.dockerignore syntax)",
    )
    add(
        "--ignore-file",
        metavar="FILE",
        action="append",
        default=[],
        help="read patterns to leave out",
    )
    add(
        "--chmod",
        metavar="[PATTERN=]MODE",
        action="append",
        default=[],
        help="mode of files, or `preserve`",
    )
    add(
        "--chown",
        metavar="[PATTERN=]UID[:GID]",
        action="append",
        default=[],
        help="owner of files, or `preserve`",
    )
    add(
        "--mtime",
        metavar="TIME",
        action=Once,
        help="seconds, RFC 3339 time or `preserve` (SOURCE_DATE_EPOCH or 0)",
    )
    add(
        "--follow-symlinks",
        action="store_true",
        help="take what links inside directories point to",
    )
    add(
        "--layers",
        choices=("auto", "one"),
        default="auto",
        action=Once,
        help="split large trees into several layers, or not",
    )
    add(
        "--compression", choices=("gzip", "zstd", "none"), action=Once, help="of new layers (gzip)"
    )
    add("--compression-level", metavar="N", type=int, action=Once, help="default: 1, the fastest")


def _packages(parser: Parser) -> None:
    add = parser.add_argument_group("Debian packages").add_argument
    add(
        "--apt",
        metavar="PACKAGE",
        action="extend",
        nargs="+",
        default=[],
        help="install packages: NAME, NAME=VERSION, NAME/SUITE, as apt-get",
    )
    add(
        "--deb",
        metavar="FILE",
        action="extend",
        nargs="+",
        default=[],
        help="install .deb files, or packages; what they need is taken from archives",
    )
    add_archive_options(add, "the base's own")
    add("--recommends", action="store_true", help="install what packages recommend, too")
    add(
        "--deb-exclude",
        metavar="NAME",
        action="append",
        default=[],
        help="a package that must not come in",
    )
    _levels(add)


def _levels(add: Callable[..., object]) -> None:
    add(
        "--deb-level",
        choices=("configure", "unpack"),
        action=Once,
        help="run their scripts in a sandbox, or only place files (configure)",
    )
    add(
        "--deb-scripts",
        choices=("auto", "run", "replace"),
        action=Once,
        help="run them where that is possible, always, or never (auto; run with --rung)",
    )
    add(
        "--deb-profile",
        choices=("whole", "minimal", "distroless"),
        action=Once,
        help="without documentation; without shell and dpkg, too (whole)",
    )
    add(
        "--rung",
        metavar="WAY",
        action=Once,
        help="way to run their scripts (`artificer doctor run`)",
    )
    add("--deb-layers", metavar="HOW", action=Once, help="one, by-package, or budget=N (one)")
    add(
        "--accept-skipped",
        action="store_true",
        help="leave out scripts that can neither be run nor replaced",
    )


def _config(parser: Parser) -> None:
    add = parser.add_argument_group("how a container starts").add_argument
    add(
        "-e",
        "--env",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="add to the environment; $VAR is expanded",
    )
    add("--env-file", metavar="FILE", action="append", default=[], help="read NAME=VALUE lines")
    add("--clear-env", action="store_true", help="drop the base's environment")
    add(
        "-c",
        "--cmd",
        metavar="CMD",
        action=Once,
        help='words, or ["a","b"]; [] resets the base\'s',
    )
    add("--cmd-shell", metavar="LINE", action=Once, help="a line for /bin/sh -c")
    add(
        "--entrypoint", metavar="CMD", action=Once, help="as --cmd; it clears an inherited command"
    )
    add("--entrypoint-shell", metavar="LINE", action=Once, help="a line for /bin/sh -c")
    add("--keep-cmd", action="store_true", help="--entrypoint leaves the base's command")
    add("-w", "--workdir", metavar="DIR", action=Once, help="working directory")
    add("-u", "--user", metavar="USER[:GROUP]", action=Once, help="user that the command runs as")
    add("-l", "--label", metavar="KEY=VALUE", action="append", default=[], help="add a label")
    add(
        "-p",
        "--expose",
        "--port",
        metavar="PORT[/PROTO]",
        action="append",
        default=[],
        help="port that is listened on",
    )
    add("--volume", metavar="DIR", action="append", default=[], help="mount point of a volume")
    add("--stop-signal", metavar="SIGNAL", action=Once, help="signal that ends it")
    add("--healthcheck", metavar="CMD", action=Once, help='a shell line, ["a","b"], or `none`')
    for name, what in (
        ("interval", "time between two checks"),
        ("timeout", "time that one check may take"),
        ("start-period", "time to come up"),
        ("start-interval", "time between checks while coming up"),
    ):
        add(f"--health-{name}", metavar="TIME", action=Once, help=f"{what}, as 30s or 1m30s")
    add(
        "--health-retries",
        metavar="N",
        type=int,
        action=Once,
        help="failures until it is unhealthy",
    )


def _image(parser: Parser) -> None:
    add = parser.add_argument_group("the image").add_argument
    add(
        "--platform",
        metavar="OS/ARCH",
        action="append",
        default=[],
        help="of the base; several make an index",
    )
    add(
        "--format",
        choices=("docker", "oci"),
        action=Once,
        help="convert media types (default: the base's; oci for oci: targets)",
    )
    add(
        "--annotation",
        metavar="[SCOPE:]KEY=VALUE",
        action="append",
        default=[],
        help="scope: manifest, index, manifest-descriptor, index-descriptor",
    )
    add("--created", metavar="TIME", action=Once, help="SOURCE_DATE_EPOCH, or 1970-01-01")
    add("--author", metavar="NAME", action=Once, help="who maintains it")


def _outputs(parser: Parser) -> None:
    add = parser.add_argument_group("where it goes").add_argument
    add(
        "-t",
        "--target",
        metavar="TARGET",
        action="append",
        default=[],
        help="registry name, oci:DIR, store:NAME …; several are possible",
    )
    add("--arch-tags", action="store_true", help="tag each platform's image, too: TAG-ARCH")
    add("--digest-file", metavar="FILE", action=Once, help="write the image's digest")
    add("--iidfile", metavar="FILE", action=Once, help="write the image ID (its config's digest)")
    add("--metadata-file", metavar="FILE", action=Once, help="write what was built, as JSON")
    add("--image-refs", metavar="FILE", action=Once, help="write every reference by digest")
    add("--dotenv", metavar="FILE", action=Once, help="write IMAGE_URL=… lines, as for GitLab")
    add("--results-dir", metavar="DIR", action=Once, help="write DIR/IMAGE_URL …, as for Tekton")
    add(
        "--max-upload",
        metavar="SIZE",
        type=_max_upload,
        action=Once,
        help="refuse to send more, as 50MB",
    )
    add(
        "--explain",
        action="store_true",
        help="name every file because of which a layer is built again",
    )
    add("--locked", action="store_true", help="use only what artificer.lock pins")
    add("--no-cache", action="store_true", help="read every input anew")
    add("--cache-repo", metavar="REPO", action=Once, help="share layers through a repository")
    add("--cache-readonly", action="store_true", help="take from the cache repository only")
    add(
        "--store-limit",
        metavar="SIZE",
        action=Once,
        help="prune the store afterwards; `none`: never (ARTIFICER_STORE_LIMIT, 20GB)",
    )


def _max_upload(text: str) -> str:
    """*text* as it is, for errors quote it: a size that is none is refused before a build."""
    size(text, "--max-upload")
    return text
