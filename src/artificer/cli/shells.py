"""Completion scripts: what bash, zsh and fish are told about commands and options."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

_BASH = """\
# bash completion of artificer; loaded by: source <(artificer completion bash)
_artificer() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
    local command=${{COMP_WORDS[1]}} commands='{commands}' options= words= choices=
    [[ $command == -* ]] && command=
    case $command in
{options}
    esac
    case "$command $previous" in
{choices}
    esac
    COMPREPLY=()
    if [[ -n $choices ]]; then
        COMPREPLY=($(compgen -W "$choices" -- "$current"))
    elif [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$current"))
    elif ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "$commands" -- "$current"))
    elif ((COMP_CWORD == 2)) && [[ -n $words ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    fi
}}
complete -o default -o bashdefault -F _artificer artificer
"""
_ZSH = """\
#compdef artificer
# zsh completion of artificer; loaded by: source <(artificer completion zsh)
_artificer() {{
    local command=$words[2] choices=
    local -a commands options values
    commands=(
{commands}
    )
    [[ $command == -* ]] && command=
    case $command in
{options}
    esac
    case "$command $words[CURRENT-1]" in
{choices}
    esac
    if [[ -n $choices ]]; then
        compadd -- ${{=choices}}
    elif [[ $words[CURRENT] == -* ]]; then
        _describe -o option options
    elif ((CURRENT == 2)); then
        _describe command commands
    elif ((CURRENT == 3 && $#values)); then
        compadd -- $values
    else
        _files
    fi
}}
if [[ $funcstack[1] == _artificer ]]; then
    _artificer "$@"
else
    compdef _artificer artificer
fi
"""


_FISH = """\
# fish completion of artificer: ~/.config/fish/completions/artificer.fish
function __artificer_in
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test "$words[2]" = $argv[1]
end
function __artificer_builds
    set -l words (commandline -opc)
    test (count $words) -lt 2; or string match -q -- '-*' $words[2]
end
"""


class Option(NamedTuple):
    """An option as its help page shows it: all its names, its values, if they are few."""

    names: tuple[str, ...]
    choices: tuple[str, ...]
    takes_value: bool
    about: str


class Page(NamedTuple):
    """A command: what it does, the words that it goes on with, its options."""

    name: str
    summary: str
    words: tuple[str, ...]
    options: tuple[Option, ...]


def bash(pages: Sequence[Page]) -> str:
    """The script for bash."""
    return _BASH.format(
        commands=" ".join(page.name for page in pages if page.name),
        options="\n".join(
            f"    {page.name or _quoted('')}) options='{_names(page)}'"
            + (f" words='{' '.join(page.words)}'" if page.words else "")
            + " ;;"
            for page in pages
        ),
        choices=_choice_cases(pages),
    )


def zsh(pages: Sequence[Page]) -> str:
    """The script for zsh."""
    return _ZSH.format(
        commands="\n".join(
            f"        {_described(page.name, page.summary)}" for page in pages if page.name
        ),
        options="\n".join(_zsh_case(page) for page in pages),
        choices=_choice_cases(pages),
    )


def fish(pages: Sequence[Page]) -> str:
    """The script for fish."""
    lines = []
    for page in pages:
        here = f"__artificer_in {page.name}" if page.name else "__artificer_builds"
        if page.name:
            about = _fish_quoted(page.summary)
            lines.append(
                f"complete -c artificer -n __fish_use_subcommand -a {page.name} -d {about}"
            )
        if page.words:
            lines.append(f"complete -c artificer -f -n '{here}' -a '{' '.join(page.words)}'")
        lines.extend(_fish_line(here, option) for option in page.options)
    return _FISH + "\n".join(lines)


def _names(page: Page) -> str:
    return " ".join(name for option in page.options for name in option.names)


def _choice_cases(pages: Sequence[Page]) -> str:
    """A case for each option of each command whose values are few."""
    cases: dict[tuple[str, ...], list[str]] = {}
    for page in pages:
        for option in page.options:
            if option.choices:
                names = [f"'{page.name} {name}'" for name in option.names]
                cases.setdefault(option.choices, []).extend(names)
    return "\n".join(
        f"    {' | '.join(patterns)}) choices='{' '.join(choices)}' ;;"
        for choices, patterns in cases.items()
    )


def _zsh_case(page: Page) -> str:
    lines = [
        f"            {_described(name, option.about)}"
        for option in page.options
        for name in option.names
    ]
    values = f"        values=({' '.join(page.words)})\n" if page.words else ""
    options = "\n".join(lines)
    return f"    {page.name or _quoted('')})\n{values}        options=(\n{options}\n        ) ;;"


def _fish_line(here: str, option: Option) -> str:
    words = ["complete -c artificer", f"-n '{here}'"]
    for name in option.names:
        words.append(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}")
    if option.choices:
        words.append(f"-x -a '{' '.join(option.choices)}'")
    elif option.takes_value:
        words.append("-r")
    words.append(f"-d {_fish_quoted(option.about)}")
    return " ".join(words)


def _described(name: str, about: str) -> str:
    """A word and what it means, as zsh's _describe takes them."""
    return _quoted(f"{name}:{about}")


def _quoted(text: str) -> str:
    """*text* as one word of bash and zsh."""
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    """*text* as one word of fish."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SCRIPTS: dict[str, Callable[[Sequence[Page]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
"""The shells that there is a script for."""
