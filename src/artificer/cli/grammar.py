"""The grammar that all commands share: the parser, its help pages, the options of many."""

import argparse
from typing import Any, NoReturn

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


class OptionGroup:
    """Options that stand together on a help page. Names of one are a text: ``-f --files``."""

    def __init__(self, parser: argparse.ArgumentParser, title: str) -> None:
        self.add = parser.add_argument_group(title).add_argument

    def one(self, names: str, value: str, meaning: str, **more: Any) -> None:
        """Add an option with a value, which may be given once."""
        self.add(*names.split(), metavar=value, action=Once, help=meaning, **more)

    def many(self, names: str, value: str, meaning: str) -> None:
        """Add an option with a value, which may be given again."""
        self.add(*names.split(), metavar=value, action="append", default=[], help=meaning)

    def several(self, names: str, value: str, meaning: str) -> None:
        """Add an option with values up to the next option, which may be given again."""
        self.add(
            *names.split(), metavar=value, action="extend", nargs="+", default=[], help=meaning
        )

    def choice(self, names: str, values: tuple[str, ...], meaning: str, **more: Any) -> None:
        """Add an option with one of *values*, which may be given once."""
        self.add(*names.split(), choices=values, action=Once, help=meaning, **more)

    def switch(self, names: str, meaning: str, **more: Any) -> None:
        """Add an option without a value."""
        self.add(*names.split(), action="store_true", help=meaning, **more)


def add_registry_options(parser: argparse.ArgumentParser, *, targets: bool = True) -> None:
    """Add what decides how images are looked up, and how registries are reached.

    A command that writes nothing has no *targets*, and so no credentials for them.
    """
    group = OptionGroup(parser, "registries")
    group.choice(
        "--pull",
        ("always", "missing", "never"),
        "when a tag is looked up anew (always)",
        default="always",
    )
    group.switch("--offline", "use the store alone, and never the network")
    if targets:
        group.one("--dest-creds", "USER:PASSWORD", "for the target's registry")
    else:
        parser.set_defaults(dest_creds=None)
    _access(group)


def add_access_options(parser: argparse.ArgumentParser, group: OptionGroup | None = None) -> None:
    """Add what decides how registries are reached, and as whom, to *group*, if any."""
    parser.set_defaults(dest_creds=None)
    _access(group or OptionGroup(parser, "registries"))


def add_connection_options(parser: argparse.ArgumentParser) -> None:
    """Add whom to trust, and for how long to wait."""
    _connections(OptionGroup(parser, "registries"))


def _access(group: OptionGroup) -> None:
    group.one("--creds", "USER:PASSWORD", "for every registry; a password here is seen by `ps`")
    group.one("--username", "USER", "with --password-stdin")
    group.switch("--password-stdin", "read the password from standard input")
    group.one("--authfile", "FILE", "the only file that credentials are read from")
    group.many("--registry-mirror", "HOST=MIRROR", "read from a mirror first")
    _connections(group)


def add_archive_options(group: OptionGroup, usual: str = "") -> None:
    """Add where packages come from; *usual* are the archives of who names none."""
    default = f" ({usual})" if usual else ""
    group.many(
        "--archive", "LINE", f"`[OPTION=VALUE…] URL SUITE COMPONENT…`, as in sources.list{default}"
    )
    group.many("--sources", "FILE", "a sources.list or .sources file")
    group.many("--keyring", "FILE", "keys of archives that do not say `signed-by`")
    group.one("--snapshot", "TIME", "archives as of 20260101T000000Z")
    group.many("--preferences", "FILE", "priorities of versions, as apt_preferences(5)")
    group.many("--pin", "PIN", "`PACKAGE PRIORITY PATTERN`: 'nginx 990 release n=bookworm'")
    add_archive_access(group)


def add_archive_access(group: OptionGroup) -> None:
    """Add where archives of packages are reached, and as whom."""
    group.many(
        "--archive-mirror",
        "FROM=TO",
        "ask TO first for what is below FROM, an archive's host or address",
    )
    group.one(
        "--archive-auth",
        "FILE",
        "the only file that logins of archives are read from (apt_auth.conf)",
    )


def _connections(group: OptionGroup) -> None:
    group.many("--cacert", "FILE", "trust this authority, too")
    group.one("--client-cert", "FILE", "certificate to show to registries")
    group.one("--client-key", "FILE", "its key")
    group.many("--insecure-registry", "HOST", "allow plain http and unverified TLS")
    group.one("--timeout", "SECONDS", "without any progress (60)", type=_seconds, default=60.0)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < 1e6:  # Nor is nan.
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}")
    return seconds


def add_result_files(group: OptionGroup) -> None:
    """Add the files in which a build tells others what it made."""
    group.one("--digest-file", "FILE", "write the image's digest")
    group.one("--iidfile", "FILE", "write the image ID (its config's digest)")
    group.one("--metadata-file", "FILE", "write what was built, as JSON")
    group.one("--image-refs", "FILE", "write every reference by digest")
    group.one("--dotenv", "FILE", "write IMAGE_URL=… lines, as for GitLab")
    group.one("--results-dir", "DIR", "write DIR/IMAGE_URL …, as for Tekton")


def add_cache_repository(group: OptionGroup, meaning: str) -> None:
    """Add where builds of other machines find what this one makes; *meaning* says what that is."""
    group.one("--cache-repo", "REPO", meaning)
    group.switch("--cache-readonly", "take from the cache repository only")


def add_store_limit(group: OptionGroup) -> None:
    """Add how large the store may be once a build is done."""
    group.one(
        "--store-limit",
        "SIZE",
        "prune the store afterwards; `none`: never (ARTIFICER_STORE_LIMIT, 20GB)",
    )


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command knows that has to do with images."""
    group = OptionGroup(parser, "general")
    group.one("--store", "DIR", "local store (ARTIFICER_STORE)")
    _display(group)


def add_display_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command knows."""
    _display(OptionGroup(parser, "general"))


def _display(group: OptionGroup) -> None:
    group.choice(
        "--progress", ("auto", "plain", "json", "quiet"), "how progress is shown", default="auto"
    )
    group.switch("-q --quiet", "show errors and warnings only")
    group.switch("-h --help", "show this help")
