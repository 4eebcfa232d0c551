"""``--call=targets``: the stages that can be built."""

from artificer.frontends.dockerfile.calls.documents import filled, location, source, written
from artificer.frontends.dockerfile.calls.tables import columns
from artificer.frontends.dockerfile.instructions import Dockerfile, From, Lines


def targets_text(dockerfile: Dockerfile) -> str:
    """Return the stages for people."""
    rows = [("TARGET", "DESCRIPTION")]
    for number, stage in enumerate(dockerfile.stages, 1):
        name = stage.start.name
        if number == len(dockerfile.stages):
            name = f"{name} (default)".lstrip()
        rows.append((name, described(stage.start)))
    return columns(rows)


def targets_json(dockerfile: Dockerfile) -> str:
    """Return the stages for programs."""
    targets = [
        filled(
            name=stage.start.name,
            default=number == len(dockerfile.stages),
            description=described(stage.start),
            base=stage.start.image,
            platform=stage.start.platform,
            location=location(stage.start.at),
        )
        for number, stage in enumerate(dockerfile.stages, 1)
    ]
    return written({"targets": targets, "sources": [source(dockerfile)]})


def described(start: From) -> str:
    """Return what the comment above a stage says of it."""
    return description(start.at, start.name) or description(start.at, start.alias)


def description(at: Lines, name: str) -> str:
    """Return what a comment above *at* says of *name*: ``# NAME description``."""
    if not name:
        return ""
    found = (comment for comment in at.comments if comment.startswith(f"{name} "))
    return next(found, "")[len(name) + 1 :].strip()
