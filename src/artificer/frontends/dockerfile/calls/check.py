"""``--call=check``: what breaks which rule, with the lines."""

from artificer.frontends.dockerfile.calls.documents import filled, location, source, written
from artificer.frontends.dockerfile.calls.tables import marked_lines
from artificer.frontends.dockerfile.instructions import Dockerfile
from artificer.frontends.dockerfile.lint.rules import Violation


def check_text(dockerfile: Dockerfile, found: tuple[Violation, ...]) -> str:
    """Return *found* for people."""
    if not found:
        return "Check complete, no warnings found.\n"
    count = "1 warning has" if len(found) == 1 else f"{len(found)} warnings have"
    lines = dockerfile.text.split("\n")
    parts = [f"Check complete, {count} been found!\n"]
    for rule, at, detail in found:
        excerpt = marked_lines(lines, dockerfile.path, at.place.line, at.last)
        parts.append(f"\nWARNING: {rule.name} - {rule.url}\n{detail}\n{excerpt}")
    return "".join(parts)


def check_json(dockerfile: Dockerfile, found: tuple[Violation, ...]) -> str:
    """Return *found* for programs."""
    warnings = [
        filled(
            ruleName=rule.name,
            description=rule.description,
            url=rule.url,
            detail=detail,
            location=location(at),
        )
        for rule, at, detail in found
    ]
    file = {
        "filename": dockerfile.path,
        "language": "Dockerfile",
        "data": source(dockerfile),
    }
    return written({"warnings": warnings, "sources": [file]})
