"""What a target yields once it is made."""

from typing import Literal, NamedTuple

from artificer.oci.digest import Digest
from artificer.oci.image import Image, Index, Layer


class File(NamedTuple):
    """A file on disk that a target yields: *short* is its path below the workspace.

    What was made lies in the store, at *path*, without its name and its mode: *executable* says
    what that ought to be. A file of a directory that was yielded as one has the directory's path
    below the workspace as its *tree*; only there it may be of another *kind*: a link, whose bytes
    are what it leads to, or a directory with nothing in it.
    """

    path: str
    short: str
    digest: Digest
    executable: bool = False
    tree: str = ""
    kind: Literal["file", "link", "directory"] = "file"


class Files(NamedTuple):
    """Files, in the order in which they were declared; also those of a program's run."""

    files: tuple[File, ...]


class Layers(NamedTuple):
    """Layers with their lines of history, and the environment that they bring.

    *scripts* are the Debian packages in them whose maintainer scripts were not run.
    """

    layers: tuple[Layer, ...]
    lines: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    scripts: tuple[str, ...] = ()


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
