"""The words of a one-line build: the 2018 tool's, and many more."""

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

from artificer.errors import Misused

WIDTH = 88
"""Of help pages."""

_USAGE = "-b BASE -f FILE… [-e NAME=VALUE…] [-c CMD] -t TARGET [options]"


class Parser(argparse.ArgumentParser):
    """Raises `Misused` where argparse would print and exit."""

    def error(self, message: str) -> NoReturn:
        """Turn argparse's complaint into an error with a way out."""
        # Without a word the command's own page is the overview.
        page = "artificer -b" if self.prog == "artificer" else self.prog
        hint = f"`{page} --help` lists the options"
        if "expected one argument" in message or "expected at least one argument" in message:
            hint = (
                "another option, or nothing, stands where its value should be; "
                "a value with a dash: --option=-value"
            )
        raise Misused(message, hint=hint)


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help pages that are the same on every terminal, and of every Python."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=WIDTH)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # Python 3.13 names the value once; before, it stood behind every spelling.
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


class Once(argparse.Action):
    """An option that may be given once: a second one would silently win otherwise."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Keep the value, or complain about a second one."""
        if getattr(namespace, self.dest) is not None:
            parser.error(f"{option_string} is given twice")
        setattr(namespace, self.dest, values)


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
    _config(parser)
    _image(parser)
    _outputs(parser)
    add_registry_options(parser)
    add_common_options(parser)
    return parser


def _files(parser: Parser) -> None:
    group = parser.add_argument_group("base and files")
    add = group.add_argument
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
        help="split large trees into several layers, or not",
    )
    add(
        "--compression", choices=("gzip", "zstd", "none"), action=Once, help="of new layers (gzip)"
    )
    add("--compression-level", metavar="N", type=int, action=Once, help="default: 1, the fastest")


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
    add("--max-upload", metavar="SIZE", action=Once, help="refuse to send more, as 50MB")
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


def add_registry_options(parser: argparse.ArgumentParser, *, targets: bool = True) -> None:
    """Add what decides how images are looked up, and how registries are reached.

    A command that writes nothing has no *targets*, and so no credentials for them.
    """
    add = parser.add_argument_group("registries").add_argument
    add(
        "--pull",
        choices=("always", "missing", "never"),
        default="always",
        help="when a tag is looked up anew (always)",
    )
    add("--offline", action="store_true", help="use the store alone, and never the network")
    if targets:
        add("--dest-creds", metavar="USER:PASSWORD", action=Once, help="for the target's registry")
    else:
        parser.set_defaults(dest_creds=None)
    _access(add)


def add_access_options(parser: argparse.ArgumentParser) -> None:
    """Add what decides how registries are reached, and as whom."""
    parser.set_defaults(dest_creds=None)
    _access(parser.add_argument_group("registries").add_argument)


def add_connection_options(parser: argparse.ArgumentParser) -> None:
    """Add whom to trust, and for how long to wait."""
    _connections(parser.add_argument_group("registries").add_argument)


def _access(add: Callable[..., object]) -> None:
    add(
        "--creds",
        metavar="USER:PASSWORD",
        action=Once,
        help="for every registry; a password here is seen by `ps`",
    )
    add("--username", metavar="USER", action=Once, help="with --password-stdin")
    add("--password-stdin", action="store_true", help="read the password from standard input")
    add(
        "--authfile",
        metavar="FILE",
        action=Once,
        help="the only file that credentials are read from",
    )
    add(
        "--registry-mirror",
        metavar="HOST=MIRROR",
        action="append",
        default=[],
        help="read from a mirror first",
    )
    _connections(add)


def _connections(add: Callable[..., object]) -> None:
    add("--cacert", metavar="FILE", action="append", default=[], help="trust this authority, too")
    add("--client-cert", metavar="FILE", action=Once, help="certificate to show to registries")
    add("--client-key", metavar="FILE", action=Once, help="its key")
    add(
        "--insecure-registry",
        metavar="HOST",
        action="append",
        default=[],
        help="allow plain http and unverified TLS",
    )
    add(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=60.0,
        help="without any progress (60)",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < 1e6:  # Nor is nan.
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}")
    return seconds


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command knows that has to do with images."""
    add = parser.add_argument_group("general").add_argument
    add("--store", metavar="DIR", action=Once, help="local store (ARTIFICER_STORE)")
    _display(add)


def add_display_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command knows."""
    _display(parser.add_argument_group("general").add_argument)


def _display(add: Callable[..., object]) -> None:
    add(
        "--progress",
        choices=("auto", "plain", "json", "quiet"),
        default="auto",
        help="how progress is shown",
    )
    add("-q", "--quiet", action="store_true", help="show errors and warnings only")
    add("-h", "--help", action="store_true", help="show this help")
