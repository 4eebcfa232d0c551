"""The grammar that all commands share: the parser, its help pages, the options of many."""

import argparse
from collections.abc import Callable
from typing import NoReturn

from artificer.errors import Misused

WIDTH = 88
"""Of help pages."""
RUNGS = (
    *("root", "full-map", "range-map", "single-map"),
    *("root-directory", "full-map-directory", "range-map-directory"),
    *("chroot", "proot"),
)
"""Ways to run commands: what `--rung` takes."""


# What others' tools call options of packages, and what they are here.
_ELSEWHERE = {
    "--include": ("--apt",),
    "--minimal": ("--deb-profile",),
    "--arch": ("--architecture", "--platform"),
    "--architectures": ("--architecture", "--platform"),
    "--platform": ("--architecture",),
}


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
        unknown = message.removeprefix("unrecognized arguments: ").split()
        if unknown[0] != message.split()[0] and (near := self._near(unknown[0])):
            hint = f"did you mean {near}?"
        raise Misused(message, hint=hint)

    def _near(self, word: str) -> str | None:
        """The option that *word* may have been meant for."""
        from difflib import get_close_matches

        name = word.partition("=")[0]
        if name in _ELSEWHERE:
            ours = (one for one in _ELSEWHERE[name] if one in self._option_string_actions)
            return next(ours, None)
        found = get_close_matches(name, self._option_string_actions, 1, 0.75)
        return found[0] if found else None


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

    given_to: argparse.Namespace | None = None

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Keep the value, or complain about a second one."""
        known = getattr(namespace, self.dest)
        if known is not self.default or self.given_to is namespace:
            parser.error(f"{option_string} is given twice")
        self.given_to = namespace
        setattr(namespace, self.dest, values)


def add_registry_options(parser: argparse.ArgumentParser, *, targets: bool = True) -> None:
    """Add what decides how images are looked up, and how registries are reached.

    A command that writes nothing has no *targets*, and so no credentials for them.
    """
    add = parser.add_argument_group("registries").add_argument
    add(
        "--pull",
        choices=("always", "missing", "never"),
        default="always",
        action=Once,
        help="when a tag is looked up anew (always)",
    )
    add("--offline", action="store_true", help="use the store alone, and never the network")
    if targets:
        add("--dest-creds", metavar="USER:PASSWORD", action=Once, help="for the target's registry")
    else:
        parser.set_defaults(dest_creds=None)
    _access(add)


def add_access_options(
    parser: argparse.ArgumentParser, add: Callable[..., object] | None = None
) -> None:
    """Add what decides how registries are reached, and as whom, to the group of *add*, if any."""
    parser.set_defaults(dest_creds=None)
    _access(add or parser.add_argument_group("registries").add_argument)


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


def add_archive_options(add: Callable[..., object], usual: str = "") -> None:
    """Add where packages come from; *usual* are the archives of who names none."""
    default = f" ({usual})" if usual else ""
    add(
        "--archive",
        metavar="LINE",
        action="append",
        default=[],
        help=f"`[OPTION=VALUE…] URL SUITE COMPONENT…`, as in sources.list{default}",
    )
    add(
        "--sources",
        metavar="FILE",
        action="append",
        default=[],
        help="a sources.list or .sources file",
    )
    add(
        "--keyring",
        metavar="FILE",
        action="append",
        default=[],
        help="keys of archives that do not say `signed-by`",
    )
    add("--snapshot", metavar="TIME", action=Once, help="archives as of 20260101T000000Z")
    add(
        "--preferences",
        metavar="FILE",
        action="append",
        default=[],
        help="priorities of versions, as apt_preferences(5)",
    )
    add(
        "--pin",
        metavar="PIN",
        action="append",
        default=[],
        help="`PACKAGE PRIORITY PATTERN`: 'nginx 990 release n=bookworm'",
    )
    add_archive_access(add)


def add_archive_access(add: Callable[..., object]) -> None:
    """Add where archives of packages are reached, and as whom."""
    add(
        "--archive-mirror",
        metavar="FROM=TO",
        action="append",
        default=[],
        help="ask TO first for what is below FROM, an archive's host or address",
    )
    add(
        "--archive-auth",
        metavar="FILE",
        action=Once,
        help="the only file that logins of archives are read from (apt_auth.conf)",
    )


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
        action=Once,
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
        action=Once,
        help="how progress is shown",
    )
    add("-q", "--quiet", action="store_true", help="show errors and warnings only")
    add("-h", "--help", action="store_true", help="show this help")
