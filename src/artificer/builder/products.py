"""What a target yields once it is made."""

from typing import NamedTuple

from artificer.oci.image import Image, Index, Layer


class File(NamedTuple):
    """A file on disk that a target yields: *short* is its path below the workspace.

    *path* may be a directory, when a command was allowed to make one.
    """

    path: str
    short: str
    executable: bool = False


class Files(NamedTuple):
    """Files, in the order in which they were declared; also those of a program's run."""

    files: tuple[File, ...]


class Layers(NamedTuple):
    """Layers with their lines of history, and the environment that they bring."""

    layers: tuple[Layer, ...]
    lines: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()


class Images(NamedTuple):
    """Images by name: what a bundle yields. A single image has the one name that it loads as."""

    images: tuple[tuple[str, Image | Index], ...]


class Passed(NamedTuple):
    """What a test said: *passed*, and the lines that it printed."""

    passed: bool
    output: str


class Done(NamedTuple):
    """Something was pushed or loaded: the lines that say what, data first."""

    lines: tuple[str, ...]


Product = Files | Layers | Image | Index | Images | Passed | Done
