"""What targets name outside themselves: files, other targets and what these yield, texts."""

from typing import NamedTuple

from artificer.oci.platform import Platform


class TargetId(NamedTuple):
    """A target, for one platform: a label such as ``//nginx:nginx`` or ``@base//image:image``."""

    label: str
    platform: Platform | None = None

    def __str__(self) -> str:
        """The label, and the platform where it matters."""
        return f"{self.label} ({self.platform})" if self.platform else self.label


class SourceFile(NamedTuple):
    """A file or directory of the workspace: where it is, and its path below the workspace."""

    path: str
    short: str


class Output(NamedTuple):
    """What another target yields: the file *name*, or all its files where that is empty."""

    target: TargetId
    name: str = ""


Source = SourceFile | Output


class FromFile(NamedTuple):
    """The text of a file, without its last newline."""

    source: Source


class Stamped(NamedTuple):
    """Text in which each ``{NAME}`` of the workspace's status is replaced.

    `STABLE_` names are part of keys; volatile ones are not, or nothing would ever be unchanged.
    """

    template: str


Text = str | FromFile | Stamped
Pairs = tuple[tuple[str, Text], ...]
