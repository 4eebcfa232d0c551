"""``artificer diff A B --packages``: what of Debian's packages differs between two images."""

import json
from typing import Any

from artificer.cli.debian.packages import packages_of
from artificer.cli.session import Session
from artificer.cli.terminal.table import printable
from artificer.images.reach import Reach
from artificer.oci.image import Image
from artificer.sources.debian.listing import Changed, changes


def print_differences(
    before: Image, after: Image, reach: Reach, session: Session, *, form: str
) -> int:
    """Print what *after* has otherwise, in the *form* asked for; 1 if there is anything."""
    found = changes(packages_of(before, reach), packages_of(after, reach))
    if form == "json":
        document = {"same": not found, "packages": [_document(one) for one in found]}
        session.out(json.dumps(document, indent=2))
    elif found:
        session.out("\n".join(map(_line, found)))
    return 1 if found else 0


def _line(one: Changed) -> str:
    name = f"{one.name}:{one.architecture}"
    if one.before is None:
        return printable(f"+ {name} {one.after}")
    if one.after is None:
        return printable(f"- {name} {one.before}")
    return printable(f"~ {name} {one.before} → {one.after}")


def _document(one: Changed) -> dict[str, Any]:
    return one._asdict()
