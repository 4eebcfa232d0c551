"""``artificer completion SHELL``: a script that completes commands and options."""

import importlib
import io
import re
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence

from artificer.cli.command import bare_parser, run_command
from artificer.cli.grammar import Parser, add_display_options
from artificer.cli.job.main import PARTS
from artificer.cli.main import COMMANDS
from artificer.cli.session import Session
from artificer.cli.shells import SCRIPTS, Option, Page

BUILD = ""
"""The command without a name: a build."""
WORDS: Mapping[str, tuple[str, ...]] = {
    "cache": ("du", "prune", "verify"),
    "completion": tuple(SCRIPTS),
    "doctor": ("auth", "run"),
    "job": tuple(PARTS),
    "packages": ("list", "resolve"),
    "registry": ("serve",),
    "source": ("fetch", "pack"),
}
"""Words that some commands go on with."""

_OPTION = re.compile(r" {2}(-\S.*?)(?: {2,}(.*))?")
_CONTINUED = re.compile(r" {20,}(\S.*)")
_NAME = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
_CHOICES = re.compile(r"\{([\w,-]+)\}")


def run(words: Sequence[str], session: Session) -> int:
    """Print the script for the shell that *words* name."""
    return run_command(_parser(), words, session, _complete)


def _parser() -> Parser:
    parser = bare_parser(
        "completion",
        "bash|zsh|fish [options]",
        "Print a script that lets a shell complete artificer's commands and options. It speaks "
        "of this version; print it again after an upgrade.\n\n"
        "bash: source <(artificer completion bash), in ~/.bashrc.\n\n"
        "zsh: source <(artificer completion zsh), in ~/.zshrc after compinit.\n\n"
        "fish: artificer completion fish > ~/.config/fish/completions/artificer.fish",
    )
    parser.add_argument("shell", metavar="SHELL", choices=tuple(SCRIPTS), help=", ".join(SCRIPTS))
    add_display_options(parser)
    return parser


def _complete(args: Namespace, session: Session) -> int:
    session.out(SCRIPTS[args.shell](tuple(pages(session))).rstrip("\n"))
    return 0


def pages(session: Session) -> Iterator[Page]:
    """Yield every command, as its own help page describes it: nothing here can drift."""
    yield Page(
        BUILD, "", (), _options(_help(["-b", "--help"], "artificer.cli.oneline.main", session))
    )
    for name, command in COMMANDS.items():
        words = WORDS.get(name, ())
        helps = [_help([name, "--help"], command.module, session)]
        if name != "completion":
            helps += [_help([name, word, "--help"], command.module, session) for word in words]
        options = {option.names: option for page in helps for option in _options(page)}
        yield Page(name, command.summary, words, tuple(options.values()))


def _help(words: list[str], module: str, session: Session) -> str:
    printed = io.StringIO()
    inner = Session(session.environ, session.stdin, printed, io.StringIO())
    importlib.import_module(module).run(words, inner)
    return printed.getvalue()


def _options(page: str) -> tuple[Option, ...]:
    """The options of a help page: a line that begins with a dash, and those that go on."""
    found: list[Option] = []
    for line in page.splitlines():
        continued = _CONTINUED.fullmatch(line)
        option = _OPTION.fullmatch(line)
        if continued and found:
            about = f"{found[-1].about} {continued[1]}".strip()
            found[-1] = found[-1]._replace(about=about)
        elif option:
            found.append(_option(option[1], option[2] or ""))
    return tuple(found)


def _option(head: str, about: str) -> Option:
    names = tuple(_NAME.findall(head))
    choices = _CHOICES.search(head)
    takes_value = len(head.split(",", 1)[0].split()) > 1
    return Option(names, tuple(choices[1].split(",")) if choices else (), takes_value, about)
