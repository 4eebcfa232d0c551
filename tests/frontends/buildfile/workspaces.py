"""Workspaces for tests, written from texts."""

import json
from collections.abc import Mapping
from pathlib import Path

from artificer.builder.targets import Declared
from artificer.errors import ArtificerError
from artificer.frontends.buildfile.graph import Loaded, LoadOptions, load_graph
from tests.frontends.buildfile.rulebook import BOOK

IMAGE = 'load("@rules_image//:image.bzl", "image")\n'


def write(root: Path, files: Mapping[str, str]) -> str:
    """Write *files* below *root*, which is a workspace then."""
    for name, text in {"MODULE.bazel": "", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def load(root: str, *patterns: str, options: LoadOptions | None = None) -> Loaded:
    """What *patterns* give with the rules of the tests."""
    return load_graph(root, patterns or ("//...",), options or LoadOptions(), BOOK)


def failed(root: str, *patterns: str, options: LoadOptions | None = None) -> ArtificerError:
    """The error that *patterns* give."""
    try:
        load(root, *patterns, options=options)
    except ArtificerError as error:
        return error
    raise AssertionError("nothing was wrong")


def dump(declared: Declared) -> str:
    """A target as the case files have it: label, rule, line, and what was given."""
    given = {k: v for k, v in declared.attributes.items() if k not in {"name", "visibility"}}
    words = [str(declared.id), declared.rule, str(declared.place)]
    return " ".join(words + [f"{key}={json.dumps(value)}" for key, value in given.items()])
