"""container-structure-test's commandTests: commands in the image, what they say, how they end."""

import platform as machine
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from artificer.builder.actions.gathered import RefusedRule
from artificer.builder.staged.running import chain_of
from artificer.builder.task import Task
from artificer.errors import ArtificerError
from artificer.images.files import tree_of
from artificer.oci.image import Image
from artificer.oci.platform import Platform
from artificer.sandbox.command import Chain, Command

if TYPE_CHECKING:
    from artificer.sandbox.client import Root

_FIELDS = {
    *("name", "setup", "teardown", "command", "args", "flags", "envVars", "exitCode"),
    *("expectedOutput", "excludedOutput", "expectedError", "excludedError", "isRegex"),
}
_OPTIONS = {"user"}
_LIMIT = 16 * 1024 * 1024
# Both streams come through one pipe: lines of standard error are marked, and the code is kept.
_MARKED = r"""
exec 3>&1
exit "$({ { "$@" 3>&- 4>&-; echo $? >&4; } 2>&1 >&3 3>&- | while IFS= read -r line ||
  [ -n "$line" ]; do printf '\001%s\n' "$line" >&3; done; } 4>&1)"
"""
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)


class WrongTest(ArtificerError):
    """A test of a command that cannot be read."""


class Said(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


class CommandTests:
    """A handle: the tests of one configuration, run in roots of *image*."""

    def __init__(self, config: Mapping[str, Any], image: Image, where: str, task: Task) -> None:
        self._where = where
        self._image = image
        self._task = task
        self._tests = self._listed(config)
        options = config.get("containerRunOptions") or {}
        unknown = sorted(set(options) - _OPTIONS)
        if unknown:
            raise RefusedRule(
                f"{where}: containerRunOptions: {unknown[0]}: commands are run without an engine",
                hint="of its options there is only user",
            )
        self._user = str(options.get("user") or image.settings.get("User") or "")
        self._env = _pairs(config.get("globalEnvVars"), where)

    def results(self) -> Iterator[tuple[str, list[str]]]:
        """Run each test in a root of its own; give its name, and what was wrong."""
        if not self._tests:
            return
        chain = self._chain()
        has_shell = tree_of(self._image, self._task.reach).lookup("bin/sh") is not None
        for test in self._tests:
            yield (
                str(test.get("name") or test["command"]),
                list(self._problems(test, chain, has_shell=has_shell)),
            )

    def _listed(self, config: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = config.get("commandTests") or []
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise WrongTest(f"{self._where}: commandTests is not a list of tests")
        for test in found:
            unknown = sorted(set(test) - _FIELDS)
            if unknown:
                raise WrongTest(
                    f"{self._where}: unknown in a command test: {unknown[0]}",
                    hint=f"known are {', '.join(sorted(_FIELDS))}",
                )
            if not _argv(test):
                raise WrongTest(f"{self._where}: a command test without a command")
        return found

    def _chain(self) -> Chain:
        if self._task.tools.options.sandbox is None:
            raise RefusedRule(
                f"{self._where}: commandTests need a sandbox, and there is none here",
                hint="`artificer test` has one",
            )
        here = Platform.normal("linux", machine.machine()).architecture
        wanted = self._image.platform
        if wanted is not None and wanted.architecture != here:
            raise RefusedRule(
                f"{self._where}: commandTests of an image for {wanted} cannot be run on {here}",
                hint="test it on such a machine, or with `--platforms` for this one",
            )
        return chain_of(self._image.layers, self._task.reach)

    def _problems(
        self, test: Mapping[str, Any], chain: Chain, *, has_shell: bool
    ) -> Iterator[str]:
        sandbox = self._task.tools.options.sandbox
        assert sandbox is not None  # noqa: S101 - `_chain` has looked
        env = self._environ(_pairs(test.get("envVars"), self._where))
        with sandbox().at(chain) as root:
            for argv in _commands(test, "setup", self._where):
                said = self._said(root, argv, env, marked=False)
                if said.code:
                    yield f"setup {' '.join(argv)} {_ended(said)}"
                    return
            said = self._said(root, _argv(test), env, marked=has_shell)
            yield from _differences(test, said, self._where, has_shell=has_shell)
            for argv in _commands(test, "teardown", self._where):
                done = self._said(root, argv, env, marked=False)
                if done.code:
                    yield f"teardown {' '.join(argv)} {_ended(done)}"

    def _said(
        self, root: "Root", argv: Sequence[str], env: Mapping[str, str], *, marked: bool
    ) -> Said:
        words = ("/bin/sh", "-c", _MARKED, "sh", *argv) if marked else tuple(argv)
        cwd = str(self._image.settings.get("WorkingDir") or "/")
        command = Command(words, tuple(env.items()), cwd, self._user)
        parts: list[bytes] = []
        size = 0

        def take(data: bytes) -> None:
            nonlocal size
            size += len(data)
            if size > _LIMIT:
                raise WrongTest(f"{self._where}: {argv[0]} writes more than {_LIMIT} bytes")
            parts.append(data)

        code = root.run(command, take)
        text = b"".join(parts).decode("utf-8", "replace")
        return Said(code, *(_streams(text) if marked else (text, text)))

    def _environ(self, given: Mapping[str, str]) -> dict[str, str]:
        """The image's variables, then those of the configuration, which may name the others."""
        listed = self._image.settings.get("Env") or ()
        env = dict(str(line).partition("=")[::2] for line in listed)
        for name, value in {**self._env, **given}.items():
            env[name] = _VARIABLE.sub(lambda found: env.get(found[1] or found[2], ""), value)
        return env


def _differences(
    test: Mapping[str, Any], said: Said, where: str, *, has_shell: bool
) -> Iterator[str]:
    wanted = int(test.get("exitCode") or 0)
    if said.code != wanted:
        last = (said.err or said.out).strip().splitlines()[-1:]
        yield f"{_ended(said)}, not {wanted}" + (f": {last[0][:300]}" if last else "")
    for field, text, there in (
        ("expectedOutput", said.out, True),
        ("excludedOutput", said.out, False),
        ("expectedError", said.err, True),
        ("excludedError", said.err, False),
    ):
        patterns = test.get(field) or ()
        if patterns and field.endswith("Error") and not has_shell:
            raise RefusedRule(
                f"{where}: {field}: the image has no /bin/sh, which would tell errors apart",
                hint="expectedOutput looks at both",
            )
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            if _found(str(pattern), text, where) is not there:
                name = "the output" if field.endswith("Output") else "the error output"
                yield f"{name} {'lacks' if there else 'has'} {str(pattern)!r}"


def _streams(text: str) -> tuple[str, str]:
    """What was written to standard output, and to standard error, whose lines are marked."""
    out: list[str] = []
    err: list[str] = []
    for line in text.split("\n"):
        before, mark, after = line.partition("\1")
        if mark:
            err.append(after)
            out.append(before)
        else:
            out.append(f"{line}\n")
    return "".join(out).removesuffix("\n"), "\n".join(err)


def _ended(said: Said) -> str:
    if said.code < 0:
        return f"was ended by signal {-said.code}"
    return f"ended with exit code {said.code}"


def _argv(test: Mapping[str, Any]) -> tuple[str, ...]:
    """The words of a command: a list in version 1, a program with arguments in version 2."""
    command = test.get("command") or ()
    words = (command,) if isinstance(command, str) else tuple(command)
    return tuple(map(str, (*words, *(test.get("args") or ()), *(test.get("flags") or ()))))


def _commands(test: Mapping[str, Any], field: str, where: str) -> Iterator[tuple[str, ...]]:
    for words in test.get(field) or ():
        if not isinstance(words, list) or not words:
            raise WrongTest(f"{where}: {field} is not a list of commands, each a list of words")
        yield tuple(map(str, words))


def _pairs(rows: Any, where: str) -> dict[str, str]:
    try:
        return {str(row["key"]): str(row["value"]) for row in rows or ()}
    except (TypeError, KeyError) as error:
        raise WrongTest(f"{where}: variables are not a list of key and value") from error


def _found(pattern: str, text: str, where: str) -> bool:
    try:
        return re.search(pattern, text, re.MULTILINE) is not None
    except re.error as error:
        raise WrongTest(f"{where}: not a pattern: {pattern!r}: {error}") from error
