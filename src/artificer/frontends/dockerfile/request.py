"""One instruction taken apart: its flags, and what its text can be read as."""

from typing import NamedTuple

from artificer.frontends.dockerfile.errors import invalid
from artificer.frontends.dockerfile.flags import Flags
from artificer.frontends.dockerfile.instructions import CommandLine, Heredoc, Lines
from artificer.frontends.dockerfile.words import NotOnlyText, json_words


class Request(NamedTuple):
    """The instruction *name*: *text* is what follows its flags."""

    at: Lines
    name: str
    flags: Flags
    text: str
    heredocs: tuple[Heredoc, ...]
    escape: str

    def some(self) -> str:
        """The text, which is not to be empty."""
        if not self.text:
            raise invalid(self.at, f"{self.name} without anything", word=self.name)
        return self.text

    def json(self) -> tuple[str, ...] | None:
        """The words of a JSON array, None where the text is something else."""
        try:
            return json_words(self.text)
        except NotOnlyText:
            raise invalid(
                self.at,
                f"the JSON array of {self.name} holds something else than strings",
                word=self.text,
                hint='each word stands in double quotes: ["a", "1"]',
            ) from None

    def command(self) -> CommandLine:
        """The exec form, or else the shell form."""
        words = self.json()
        if words is not None:
            return CommandLine(words, shell=False)
        text = (self.text,) if self.text else ()
        return CommandLine(text, shell=True)  # noqa: S604 - the shell form; nothing runs here

    def one_of(self, flag: str, value: str, values: tuple[str, ...]) -> None:
        """Refuse a *value* of *flag* that is none of *values*."""
        if value not in values:
            raise invalid(
                self.at,
                f"--{flag} cannot be {value}",
                word=f"--{flag}",
                hint=f"it is {', '.join(values[:-1])} or {values[-1]}",
            )
