"""COPY and ADD: what they take, and where it lands."""

import re
from typing import NamedTuple

from artificer.builder.stages import AddSources, CopyFiles, From, Inline
from artificer.errors import ArtificerError
from artificer.frontends.dockerfile.errors import invalid
from artificer.frontends.dockerfile.instructions import Add, Copy, Heredoc, Lines
from artificer.frontends.dockerfile.scope import Expander, Scope, absolute
from artificer.oci.digest import Digest
from artificer.sources.git_reference import is_git_reference, parse_git_reference

_OCTAL = re.compile(r"[0-7]{1,5}")
_CLAUSE = r"[ugoa]*(?:[-+=](?:[ugo]|[rwxXst]*))+"
_SYMBOLIC = re.compile(rf"{_CLAUSE}(?:,{_CLAUSE})*")
_COMMIT = re.compile(r"[0-9a-fA-F]{4,64}")
_HTTP = ("http://", "https://")


class Copied(NamedTuple):
    """A step, and the line of history that BuildKit writes for it."""

    step: CopyFiles | AddSources
    line: str


def copied(scope: Scope, instruction: Copy, source: From, expander: Expander) -> Copied:
    """Evaluate a COPY from *source*."""
    words = _Words.of(scope, instruction, expander)
    for text in words.sources:
        if is_remote(text):
            raise invalid(
                instruction.at,
                f"COPY cannot fetch {text}",
                word=text,
                hint="write ADD, or take it from a stage or context with --from",
            )
    files = _files(instruction, words, source)
    files = files._replace(parents=instruction.parents)
    if instruction.parents:
        files = files._replace(sources=tuple(_with_parents(text) for text in words.sources))
    return Copied(files, _line("COPY", words, parents=instruction.parents))


def added(scope: Scope, instruction: Add, source: From, expander: Expander) -> Copied:
    """Evaluate an ADD; *source* is the main context."""
    words = _Words.of(scope, instruction, expander)
    checksum = expander.word(instruction.at, instruction.checksum, scope)
    remote = tuple(text for text in words.sources if is_remote(text))
    local = words._replace(sources=tuple(text for text in words.sources if not is_remote(text)))
    if instruction.checksum:
        _check_checksum(instruction.at, checksum, words, remote)
    for text in remote:
        _check_remote(instruction, text)
    keep = bool(instruction.keep_git_dir)
    if keep and not any(is_git(text) for text in remote):
        raise invalid(
            instruction.at, "--keep-git-dir without a git repository", word="--keep-git-dir"
        )
    step = AddSources(
        _files(instruction, local, source), remote, instruction.unpack, checksum, keep
    )
    return Copied(step, _line("ADD", words, parents=False))


def is_remote(text: str) -> bool:
    """Whether ADD fetches *text*."""
    return text.startswith(_HTTP) or is_git(text)


def is_git(text: str) -> bool:
    """Whether ADD checks *text* out; ``github.com/…`` without a scheme may be a directory."""
    return not text.startswith("github.com/") and is_git_reference(text)


class _Words(NamedTuple):
    """The words of one instruction, expanded; *ready* is *dest* as a path of the image."""

    sources: tuple[str, ...]
    inline: tuple[Inline, ...]
    dest: str
    ready: str
    owner: str
    mode: str
    exclude: tuple[str, ...]

    @classmethod
    def of(cls, scope: Scope, instruction: Copy | Add, expander: Expander) -> "_Words":
        at = instruction.at

        def word(text: str) -> str:
            return expander.word(at, text, scope)

        dest = word(instruction.dest)
        words = cls(
            tuple(_source(at, text, word(text)) for text in instruction.sources),
            tuple(_inline(scope, at, heredoc, expander) for heredoc in instruction.heredocs),
            dest,
            _destination(scope.workdir, dest),
            _owner(at, word(instruction.chown), instruction.chown),
            _mode(at, word(instruction.chmod), instruction.chmod),
            tuple(word(text) for text in instruction.exclude),
        )
        if len(words.sources) + len(words.inline) > 1 and not words.ready.endswith("/"):
            raise invalid(
                at,
                "several sources need a directory as their destination",
                word=instruction.dest,
                hint=f"end it with a slash: {dest}/",
            )
        return words


def _source(at: Lines, written: str, text: str) -> str:
    if not text:
        # BuildKit copies the whole context then, which nobody asked for.
        raise invalid(
            at, f"a source is empty: {written}", word=written, hint="write `.` for everything"
        )
    return text


def _inline(scope: Scope, at: Lines, heredoc: Heredoc, expander: Expander) -> Inline:
    text = heredoc.text
    if heredoc.expand:
        text = expander.document(at, text, scope)
    return Inline(heredoc.name, text.encode("utf-8", "surrogateescape"))


def _destination(workdir: str, dest: str) -> str:
    path = absolute(workdir, dest)
    directory = dest in {"", ".", ".."} or dest.endswith(("/", "/.", "/.."))
    return path + "/" if directory and path != "/" else path


def _owner(at: Lines, owner: str, written: str) -> str:
    if written and (not owner or owner.startswith(":") or owner.count(":") > 1):
        raise invalid(
            at, f"not an owner: {owner!r}", word=written, hint="write --chown=USER[:GROUP]"
        )
    return owner.removesuffix(":")


def _mode(at: Lines, mode: str, written: str) -> str:
    octal = _OCTAL.fullmatch(mode)
    good = int(mode, 8) <= 0o7777 if octal else _SYMBOLIC.fullmatch(mode)
    if written and not good:
        raise invalid(
            at,
            f"not a mode: {mode!r}",
            word="--chmod",
            hint="write it in octal (0755) or as u=rwX,go=rX",
        )
    return mode


def _files(instruction: Copy | Add, words: _Words, source: From) -> CopyFiles:
    return CopyFiles(
        tuple(absolute("/", text)[1:] or "." for text in words.sources),
        words.inline,
        source,
        words.ready,
        words.owner,
        words.mode,
        instruction.link,
        exclude=words.exclude,
    )


def _with_parents(text: str) -> str:
    """A source of ``--parents``: what stands before ``/./`` is left out of the destination."""
    before, pivot, after = text.partition("/./")
    if not pivot:
        return absolute("/", text)[1:] or "."
    above, below = absolute("/", before)[1:], absolute("/", after)[1:]
    return f"{above}/./{below}" if above else below or "."


def _check_checksum(at: Lines, checksum: str, words: _Words, remote: tuple[str, ...]) -> None:
    if len(words.sources) + len(words.inline) != 1 or not remote:
        raise invalid(
            at,
            "a checksum is of exactly one URL or git repository",
            word="--checksum",
            hint="write one ADD for each",
        )
    if is_git(remote[0]):
        if not _COMMIT.fullmatch(checksum):
            raise invalid(
                at,
                f"not the beginning of a commit: {checksum!r}",
                word="--checksum",
                hint="the checksum of a git repository is its commit",
            )
        return
    try:
        Digest(checksum)
    except ArtificerError as error:
        raise invalid(
            at, error.message, word="--checksum", hint="write --checksum=sha256:…"
        ) from error


def _check_remote(instruction: Add, text: str) -> None:
    if not is_git(text):
        return
    try:
        reference = parse_git_reference(text)
    except ArtificerError as error:
        raise invalid(instruction.at, error.message, word=text, hint=error.hint) from error
    said = reference.keep_git_dir
    if None not in (said, instruction.keep_git_dir) and said != instruction.keep_git_dir:
        raise invalid(instruction.at, "the flag and the URL disagree on keep-git-dir", word=text)


def _line(name: str, words: _Words, *, parents: bool) -> str:
    parts = [name]
    if parents:
        parts.append("--parents")
    if words.owner:
        parts.append(f"--chown={words.owner}")
    if words.mode:
        parts.append(f"--chmod={words.mode}")
    parts += words.sources
    parts += (f"<<{inline.name}" for inline in words.inline)
    return " ".join((*parts, words.dest, "# buildkit"))
