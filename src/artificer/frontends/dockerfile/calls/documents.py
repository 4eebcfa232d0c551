"""Answers as JSON, with docker's field names."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from artificer.frontends.dockerfile.instructions import Dockerfile, Lines


def written(document: Mapping[str, Any]) -> str:
    """Return *document* as text, as Go indents it."""
    return json.dumps(document, indent=2) + "\n"


def filled(**fields: object) -> dict[str, Any]:
    """Return *fields* without those that are empty."""
    return {name: value for name, value in fields.items() if value}


def location(at: Lines) -> dict[str, Any]:
    """Return the lines of an instruction."""
    start, end = {"line": at.place.line}, {"line": at.last}
    return {"ranges": [{"start": start, "end": end}]}


def source(dockerfile: Dockerfile) -> str:
    """Return the bytes of the file, in base64."""
    return base64.b64encode(dockerfile.text.encode("utf-8", "surrogateescape")).decode()
